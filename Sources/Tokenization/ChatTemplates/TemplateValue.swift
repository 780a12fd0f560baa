/// A value while a template runs, with the meaning Python gives it.
enum TemplateValue {
  /// A name without value, which may be tested and written but not used.
  case undefined(String)
  case none
  case boolean(Bool)
  case integer(Int)
  case real(Double)
  case text(String)
  case list(TemplateList)
  case object(TemplateObject)
  case namespace(TemplateNamespace)
  case loop(TemplateLoopState)
  case macro(TemplateMacro)
  /// The body of a call block, with the names it sees.
  case caller(TemplateMacro, [[String: TemplateValue]])
  /// A function of the template language.
  case function(String)
  /// A method of a value.
  indirect case method(TemplateValue, String)
}

/// Values in order; knows how deep it nests, which bounds every walk over it and its release.
struct TemplateList {
  let items: [TemplateValue]
  let depth: Int
  /// Whether Python would write it in parentheses, and hold it unequal to a list.
  var isTuple = false

  static let deepest = 64

  init(
    _ items: [TemplateValue], isTuple: Bool = false, line: Int
  ) throws(TokenizationError) {
    self.items = items
    self.isTuple = isTuple
    depth = try Self.depth(over: items.lazy.map(\.depth).max() ?? 0, line: line)
  }

  static func depth(over inner: Int, line: Int) throws(TokenizationError) -> Int {
    guard inner < deepest else {
      throw .template(.templateLimit, line, "a value nests deeper than \(deepest), or holds itself")
    }
    return inner + 1
  }
}

/// Values under keys, in order; a key is mostly a text.
struct TemplateObject {
  struct Member {
    var key: TemplateValue
    var value: TemplateValue
  }

  private(set) var members: [Member]
  private(set) var depth: Int

  init(members: [Member], depth: Int) {
    self.members = members
    self.depth = depth
  }

  subscript(name: String) -> TemplateValue? {
    for member in members {
      if case .text(let key) = member.key, sameText(key, name) { return member.value }
    }
    return nil
  }

  subscript(key key: TemplateValue) -> TemplateValue? {
    members.first { $0.key.equals(key) }?.value
  }

  mutating func set(
    _ key: TemplateValue, _ value: TemplateValue, line: Int
  ) throws(TokenizationError) {
    depth = max(depth, try TemplateList.depth(over: value.depth, line: line))
    if let index = members.firstIndex(where: { $0.key.equals(key) }) {
      members[index].value = value
    } else {
      members.append(Member(key: key, value: value))
    }
  }
}

/// What `namespace()` makes: names that an inner block can set.
final class TemplateNamespace {
  var members: [String: TemplateValue] = [:]
}

/// The variable `loop`.
final class TemplateLoopState {
  var index = 0
  let items: [TemplateValue]
  /// What `changed` was last asked about.
  var last: [TemplateValue]?

  init(items: [TemplateValue]) { self.items = items }
}

/// Whether two texts have the same bytes; `==` would compare by canonical equivalence.
func sameText(_ left: String, _ right: String) -> Bool {
  left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}

extension TemplateValue {
  /// How deep the value nests; what can hold itself may be held by nothing.
  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .object(let object): object.depth
    case .namespace, .loop, .method, .caller: TemplateList.deepest
    default: 0
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .boolean(let value): value
    case .integer(let value): value != 0
    case .real(let value): value != 0
    case .text(let value): !value.isEmpty
    case .list(let list): !list.items.isEmpty
    case .object(let object): !object.members.isEmpty
    case .namespace, .loop, .macro, .caller, .function, .method: true
    }
  }

  var isNone: Bool { if case .none = self { true } else { false } }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// What messages call the value.
  var kind: String {
    switch self {
    case .undefined(let name): "the undefined '\(printable(name))'"
    case .none: "none"
    case .boolean: "a truth value"
    case .integer: "a whole number"
    case .real: "a real number"
    case .text: "a text"
    case .list(let list): list.isTuple ? "a tuple" : "a list"
    case .object: "an object"
    case .namespace: "a namespace"
    case .loop: "the loop"
    case .macro, .caller: "a macro"
    case .function: "a function"
    case .method: "a method"
    }
  }

  /// The number, a truth value being 0 or 1.
  var number: TemplateNumber? {
    switch self {
    case .boolean(let value): .integer(value ? 1 : 0)
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    default: nil
    }
  }

  /// The whole number, a truth value being 0 or 1.
  var whole: Int? { if case .integer(let value)? = number { value } else { nil } }

  /// The text, if this is one.
  var text: String? { if case .text(let value) = self { value } else { nil } }

  /// Whether two values are equal as Python compares them.
  func equals(_ other: TemplateValue) -> Bool {
    if let left = number, let right = other.number { return left.equals(right) }
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.text(let left), .text(let right)): return sameText(left, right)
    case (.list(let left), .list(let right)):
      return left.items.count == right.items.count && left.isTuple == right.isTuple
        && zip(left.items, right.items).allSatisfy { $0.equals($1) }
    case (.object(let left), .object(let right)):
      return left.members.count == right.members.count
        && left.members.allSatisfy { member in
          right[key: member.key].map { member.value.equals($0) } ?? false
        }
    case (.namespace(let left), .namespace(let right)): return left === right
    default: return false
    }
  }

  /// The text Python's `str` gives.
  var written: String {
    if case .text(let text) = self { return text }
    if case .undefined = self { return "" }
    return represented
  }

  /// The text Python's `repr` gives.
  var represented: String {
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .boolean(let value): return value ? "True" : "False"
    case .integer(let value): return String(value)
    case .real(let value): return TemplateNumber.python(value)
    case .text(let text): return Self.quoted(text)
    case .list(let list):
      let items = list.items.map(\.represented).joined(separator: ", ")
      return list.isTuple ? "(" + items + (list.items.count == 1 ? ",)" : ")") : "[" + items + "]"
    case .object(let object):
      let members = object.members.map { $0.key.represented + ": " + $0.value.represented }
      return "{" + members.joined(separator: ", ") + "}"
    case .namespace, .loop, .macro, .caller, .function, .method: return "<\(kind)>"
    }
  }

  private static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar =
      text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
    var result = String(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\\": result += "\\\\"
      case quote: result += "\\" + String(quote)
      default:
        if scalar.isPrintable {
          result.unicodeScalars.append(scalar)
        } else {
          let digits = String(scalar.value, radix: 16)
          let (mark, width) =
            scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
          result += "\\" + mark + String(repeating: "0", count: width - digits.count) + digits
        }
      }
    }
    result.unicodeScalars.append(quote)
    return result
  }
}

extension Unicode.Scalar {
  /// Whether Python's `repr` writes the character as itself.
  fileprivate var isPrintable: Bool {
    if value < 0x7F { return value >= 0x20 }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      return false
    default:
      return true
    }
  }
}

/// A number with Python's arithmetic: whole numbers stay whole, division by `/` is real.
enum TemplateNumber {
  case integer(Int)
  case real(Double)

  var double: Double {
    switch self {
    case .integer(let value): Double(value)
    case .real(let value): value
    }
  }

  var value: TemplateValue {
    switch self {
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    }
  }

  func equals(_ other: TemplateNumber) -> Bool {
    if case (.integer(let left), .integer(let right)) = (self, other) { return left == right }
    return double == other.double
  }

  func isLess(than other: TemplateNumber) -> Bool {
    if case (.integer(let left), .integer(let right)) = (self, other) { return left < right }
    return double < other.double
  }

  /// A real number as Python writes it.
  static func python(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    return value.description
  }

  /// The result, or `nil` where it is too large or divides by 0.
  func combined(_ sign: String, _ other: TemplateNumber) -> TemplateNumber? {
    guard case (.integer(let left), .integer(let right)) = (self, other), sign != "/" else {
      return real(sign, other)
    }
    switch sign {
    case "+": return whole(left.addingReportingOverflow(right))
    case "-": return whole(left.subtractingReportingOverflow(right))
    case "*": return whole(left.multipliedReportingOverflow(by: right))
    case "//", "%":
      guard right != 0, !(left == .min && right == -1) else { return nil }
      let remainder = left % right
      // Python rounds down; Swift rounds towards 0.
      let isOff = remainder != 0 && (remainder < 0) != (right < 0)
      return .integer(
        sign == "%" ? remainder + (isOff ? right : 0) : left / right - (isOff ? 1 : 0))
    case "**":
      guard right >= 0 else { return real(sign, other) }
      return Self.power(left, right)
    default: return nil
    }
  }

  private func whole(_ result: (partialValue: Int, overflow: Bool)) -> TemplateNumber? {
    result.overflow ? nil : .integer(result.partialValue)
  }

  private static func power(_ base: Int, _ exponent: Int) -> TemplateNumber? {
    if base == 0 || base == 1 { return .integer(exponent == 0 ? 1 : base) }
    if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
    guard exponent < Int.bitWidth else { return nil }
    var result = 1
    for _ in 0..<exponent {
      let (product, overflow) = result.multipliedReportingOverflow(by: base)
      if overflow { return nil }
      result = product
    }
    return .integer(result)
  }

  private func real(_ sign: String, _ other: TemplateNumber) -> TemplateNumber? {
    let (left, right) = (double, other.double)
    switch sign {
    case "+": return .real(left + right)
    case "-": return .real(left - right)
    case "*": return .real(left * right)
    case "/": return right == 0 ? nil : .real(left / right)
    case "//": return right == 0 ? nil : .real((left / right).rounded(.down))
    case "%":
      guard right != 0 else { return nil }
      let remainder = left.truncatingRemainder(dividingBy: right)
      return .real(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder)
    case "**":
      // Only what multiplication gives: a template has no use for roots.
      guard case .integer(let exponent) = other, exponent.magnitude < 1024 else { return nil }
      var result = 1.0
      for _ in 0..<exponent.magnitude { result *= left }
      return exponent < 0 ? (result == 0 ? nil : .real(1 / result)) : .real(result)
    default: return nil
    }
  }
}
