/// Looks for a text in bytes in linear time (Knuth, Morris, Pratt 1977).
struct ByteSearch {
  private let pattern: [UInt8]
  /// For each length matched, the longest shorter match it ends with.
  private let fallback: [Int]

  init(_ pattern: String) { self.init(Array(pattern.utf8)) }

  private init(reversing pattern: [UInt8]) { self.init(pattern.reversed()) }

  private init(_ pattern: [UInt8]) {
    var fallback = [Int](repeating: 0, count: pattern.count + 1)
    var length = 0
    for index in pattern.indices.dropFirst() {
      while length > 0, pattern[index] != pattern[length] { length = fallback[length] }
      if pattern[index] == pattern[length] { length += 1 }
      fallback[index + 1] = length
    }
    self.pattern = pattern
    self.fallback = fallback
  }

  /// Where the text first begins, at or after an index.
  func first(in bytes: [UInt8], from start: Int) -> Int? {
    if pattern.isEmpty { return start }
    var length = 0
    for index in start..<max(start, bytes.count) {
      while length > 0, bytes[index] != pattern[length] { length = fallback[length] }
      if bytes[index] == pattern[length] { length += 1 }
      if length == pattern.count { return index + 1 - length }
    }
    return nil
  }

  /// Where the text begins first or last, overlaps counted.
  func place(in bytes: [UInt8], last: Bool) -> Int? {
    guard last else { return first(in: bytes, from: 0) }
    let count = pattern.count
    guard count <= bytes.count else { return nil }
    let reversed = ByteSearch(reversing: pattern)
    return reversed.first(in: bytes.reversed(), from: 0).map { bytes.count - $0 - count }
  }

  /// Where the text begins, without overlaps.
  func all(in bytes: [UInt8], atMost most: Int?) -> [Int] {
    var places: [Int] = []
    var start = 0
    while places.count < most ?? .max, let place = first(in: bytes, from: start) {
      places.append(place)
      start = place + pattern.count
    }
    return places
  }
}

extension String {
  /// The text without white space, or without these characters, at its ends.
  func stripped(_ characters: String?, start: Bool, end: Bool) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.isTemplateSpace }
    var rest = Substring(self).unicodeScalars
    if start { rest = rest.drop(while: goes) }
    if end { while let last = rest.last, goes(last) { rest.removeLast() } }
    return String(rest)
  }

  /// The lines, without what ends them.
  var templateLines: [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in unicodeScalars {
      switch scalar {
      case "\n" where previous == "\r":
        break
      case "\n", "\r", "\u{0B}", "\u{0C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}",
        "\u{2029}":
        lines.append(String(line))
        line = String.UnicodeScalarView()
      default:
        line.append(scalar)
      }
      previous = scalar
    }
    if !line.isEmpty { lines.append(String(line)) }
    return lines
  }

  /// Whether the text is not empty and all of the kind that Python's `name` asks about.
  func isAll(_ name: String) -> Bool {
    let scalars = unicodeScalars
    func isLetter(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
      default: false
      }
    }
    func isDigit(_ scalar: Unicode.Scalar) -> Bool {
      let type = scalar.properties.numericType
      return type == .decimal || type == .digit
    }
    guard !scalars.isEmpty else { return false }
    switch name {
    case "isdecimal": return scalars.allSatisfy { $0.properties.numericType == .decimal }
    case "isdigit": return scalars.allSatisfy(isDigit)
    case "isalpha": return scalars.allSatisfy(isLetter)
    case "isalnum":
      return scalars.allSatisfy { isLetter($0) || $0.properties.numericType != nil }
    case "isspace": return scalars.allSatisfy(\.isTemplateSpace)
    default:
      let cased = scalars.filter(\.properties.isCased)
      let isUpper = name == "isupper"
      return !cased.isEmpty
        && cased.allSatisfy { isUpper ? $0.properties.isUppercase : $0.properties.isLowercase }
    }
  }

  /// The text in `upper`, `lower`, `title` case, or `capitalize`d.
  func cased(_ style: String) -> String {
    switch style {
    case "upper": return uppercased()
    case "lower": return lowercased()
    case "capitalize":
      guard let first = unicodeScalars.first else { return self }
      return first.properties.titlecaseMapping + String(unicodeScalars.dropFirst()).lowercased()
    default:
      var result = ""
      var isInside = false
      for scalar in unicodeScalars {
        let properties = scalar.properties
        result += isInside ? properties.lowercaseMapping : properties.titlecaseMapping
        isInside = properties.isCased
      }
      return result
    }
  }
}

extension TemplateValue {
  /// The value as Python's `json.dumps` writes it; `nil` where JSON has no such value.
  func json(indent: Int?, separators: (item: String, key: String), sortsKeys: Bool, ascii: Bool)
    -> String?
  {
    var writer = TemplateJSONWriter(
      indent: indent, separators: separators, sortsKeys: sortsKeys, ascii: ascii)
    return writer.write(self, level: 0) ? writer.text : nil
  }
}

private struct TemplateJSONWriter {
  let indent: Int?
  let separators: (item: String, key: String)
  let sortsKeys: Bool
  let ascii: Bool
  var text = ""

  mutating func write(_ value: TemplateValue, level: Int) -> Bool {
    switch value {
    case .none: text += "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .real(let value):
      text +=
        value.isNaN
        ? "NaN"
        : value.isInfinite
          ? (value < 0 ? "-Infinity" : "Infinity")
          : TemplateNumber.python(value)
    case .text(let value): quote(value)
    case .list(let list):
      return write(list.items.map { (nil, $0) }, brackets: ("[", "]"), level: level)
    case .object(let object):
      var members = object.members.map { (name: Optional(Self.name($0.key)), value: $0.value) }
      if sortsKeys {
        members.sort { $0.name!.utf8.lexicographicallyPrecedes($1.name!.utf8) }
      }
      return write(members, brackets: ("{", "}"), level: level)
    case .undefined, .namespace, .loop, .macro, .caller, .function, .method:
      return false
    }
    return true
  }

  /// Python writes the keys that JSON does not have as texts.
  private static func name(_ key: TemplateValue) -> String {
    switch key {
    case .none: "null"
    case .boolean(let value): value ? "true" : "false"
    default: key.written
    }
  }

  private mutating func write(
    _ members: [(name: String?, value: TemplateValue)], brackets: (String, String), level: Int
  ) -> Bool {
    text += brackets.0
    for (index, member) in members.enumerated() {
      if index > 0 { text += separators.item }
      breakLine(level + 1)
      if let name = member.name {
        quote(name)
        text += separators.key
      }
      guard write(member.value, level: level + 1) else { return false }
    }
    if !members.isEmpty { breakLine(level) }
    text += brackets.1
    return true
  }

  private mutating func breakLine(_ level: Int) {
    guard let indent else { return }
    text += "\n" + String(repeating: " ", count: indent * level)
  }

  private mutating func quote(_ string: String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{08}": text += "\\b"
      case "\u{0C}": text += "\\f"
      default:
        if scalar.value < 0x20 || (ascii && scalar.value >= 0x7F && scalar.value != 0x7F) {
          for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
          }
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }
}
