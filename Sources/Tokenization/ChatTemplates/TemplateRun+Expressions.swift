/// The arguments of a call, evaluated.
struct TemplateRunArguments {
  var values: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []

  /// The argument with a name.
  subscript(name: String) -> TemplateValue? { named.last { $0.name == name }?.value }

  /// The argument at a place or with a name.
  subscript(index: Int, name: String) -> TemplateValue? {
    index < values.count ? values[index] : self[name]
  }
}

extension TemplateRun {
  mutating func evaluate(
    _ arguments: TemplateArguments
  ) throws(TokenizationError) -> TemplateRunArguments {
    var result = TemplateRunArguments()
    for value in arguments.values { result.values.append(try evaluate(value)) }
    for named in arguments.named {
      result.named.append((named.name, try evaluate(named.value)))
    }
    return result
  }

  /// The value of an expression.
  mutating func evaluate(
    _ expression: TemplateExpression
  ) throws(TokenizationError) -> TemplateValue {
    let line = expression.line
    try step(1, line)
    switch expression.form {
    case .none: return .none
    case .boolean(let value): return .boolean(value)
    case .integer(let value): return .integer(value)
    case .real(let value): return .real(value)
    case .text(let value): return .text(value)
    case .name(let name): return value(of: name)
    default: break
    }
    try descend(line)
    defer { ascend() }
    switch expression.form {
    case .none, .boolean, .integer, .real, .text, .name:
      return .none
    case .list(let expressions):
      var items: [TemplateValue] = []
      for item in expressions { items.append(try evaluate(item)) }
      return try made(items, line)
    case .tuple(let expressions):
      var items: [TemplateValue] = []
      for item in expressions { items.append(try evaluate(item)) }
      return try made(items, isTuple: true, line)
    case .object(let members):
      return try object(members, line)
    case .not(let operand):
      return .boolean(try !evaluate(operand).isTrue)
    case .negative(let operand), .positive(let operand):
      return try signed(expression.form, try evaluate(operand), line)
    case .both(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .either(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .compare(let first, let rest):
      return try compare(first, rest)
    case .arithmetic(let left, let sign, let right):
      return try arithmetic(try evaluate(left), sign, try evaluate(right), line)
    case .concatenation(let parts):
      var text = ""
      for part in parts {
        text += try written(try evaluate(part), line)
        try room(text.utf8.count, line)
      }
      return .text(text)
    case .condition(let condition, let value, let other):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      return try other.map { (other) throws(TokenizationError) in try evaluate(other) }
        ?? .undefined("")
    case .attribute(let base, let name):
      return try attribute(try evaluate(base), name, line)
    case .item(let base, let key):
      return try item(try evaluate(base), try evaluate(key), line)
    case .slice(let base, let bounds):
      return try slice(base, bounds, line)
    case .call:
      return try called(expression)
    case .filter(let base, let name, let arguments):
      return try filter(try evaluate(base), name, try evaluate(arguments), line)
    case .test(let base, let name, let arguments):
      return .boolean(try test(try evaluate(base), name, try evaluate(arguments), line))
    }
  }

  /// The value of a call, which may be that of a call block.
  mutating func called(
    _ expression: TemplateExpression, with caller: TemplateValue? = nil
  ) throws(TokenizationError) -> TemplateValue {
    guard case .call(let callee, let arguments) = expression.form else {
      return try evaluate(expression)
    }
    let function = try evaluate(callee)
    var values = try evaluate(arguments)
    if let caller { values.named.append(("caller", caller)) }
    return try call(function, values, expression.line)
  }

  private mutating func object(
    _ members: [(key: TemplateExpression, value: TemplateExpression)], _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var object = TemplateObject(members: [], depth: 1)
    for member in members {
      let key = try evaluate(member.key)
      guard key.text != nil || key.number != nil || key.isNone else {
        throw failure(line, "\(key.kind) cannot be a key")
      }
      try object.set(key, try evaluate(member.value), line: line)
    }
    return .object(object)
  }

  private func signed(
    _ form: TemplateExpression.Form, _ value: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    guard let number = value.number else { throw failure(line, "\(value.kind) has no sign") }
    guard case .negative = form else { return number.value }
    guard let result = TemplateNumber.integer(0).combined("-", number) else {
      throw failure(line, "a number is too large")
    }
    if case .real(let value) = number { return .real(-value) }
    return result.value
  }

  private mutating func compare(
    _ first: TemplateExpression, _ rest: [(sign: String, operand: TemplateExpression)]
  ) throws(TokenizationError) -> TemplateValue {
    var left = try evaluate(first)
    for (sign, operand) in rest {
      let right = try evaluate(operand)
      let line = operand.line
      let holds: Bool
      switch sign {
      case "==": holds = try equal(left, right, line)
      case "!=": holds = try !equal(left, right, line)
      case "in": holds = try contains(right, left, line)
      case "not in": holds = try !contains(right, left, line)
      case "<": holds = try isLess(left, right, line)
      case ">": holds = try isLess(right, left, line)
      case "<=": holds = try isAtMost(left, right, line)
      default: holds = try isAtMost(right, left, line)
      }
      if !holds { return .boolean(false) }
      left = right
    }
    return .boolean(true)
  }

  mutating func equal(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> Bool {
    if case .text(let text) = left { try step(text.utf8.count / 64, line) }
    if case .list(let list) = left { try step(list.items.count, line) }
    return left.equals(right)
  }

  mutating func isLess(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> Bool {
    if let left = left.number, let right = right.number { return left.isLess(than: right) }
    if let left = left.text, let right = right.text {
      try step(left.utf8.count / 64, line)
      // The order of UTF-8 bytes is the order of code points, which is Python's.
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    }
    throw failure(line, "\(left.kind) and \(right.kind) have no order")
  }

  mutating func isAtMost(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> Bool {
    if try isLess(left, right, line) { return true }
    return try equal(left, right, line)
  }

  /// Whether a value holds another, as `in` asks.
  mutating func contains(
    _ container: TemplateValue, _ value: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> Bool {
    switch container {
    case .undefined:
      return false
    case .text(let text):
      guard let part = value.text else {
        throw failure(line, "\(value.kind) cannot be looked for in a text")
      }
      try step((text.utf8.count + part.utf8.count) / 64, line)
      return ByteSearch(part).first(in: Array(text.utf8), from: 0) != nil
    case .list(let list):
      try step(list.items.count, line)
      for item in list.items where try equal(item, value, line) { return true }
      return false
    case .object(let object):
      try step(object.members.count, line)
      return object[key: value] != nil
    default:
      throw failure(line, "nothing can be looked for in \(container.kind)")
    }
  }

  mutating func arithmetic(
    _ left: TemplateValue, _ sign: String, _ right: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    if let first = left.number, let second = right.number {
      guard let result = first.combined(sign, second) else {
        throw failure(line, "'\(sign)' divides by 0 or gives too large a number")
      }
      return result.value
    }
    switch (left, sign, right) {
    case (.text(let first), "+", .text(let second)):
      try room(first.utf8.count + second.utf8.count, line)
      return .text(first + second)
    case (.list(let first), "+", .list(let second)) where first.isTuple == second.isTuple:
      try step(first.items.count + second.items.count, line)
      return try made(first.items + second.items, isTuple: first.isTuple, line)
    case (.text(let text), "*", _):
      guard let count = right.whole else { break }
      let (bytes, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(0, count))
      try room(overflow ? .max : bytes, line)
      return .text(String(repeating: text, count: text.isEmpty ? 0 : max(0, count)))
    default:
      break
    }
    throw failure(line, "'\(sign)' has no meaning between \(left.kind) and \(right.kind)")
  }

  // MARK: Parts of values

  private func attribute(
    _ base: TemplateValue, _ name: String, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch base {
    case .undefined:
      throw failure(line, "\(base.kind) has no '\(name)'")
    case .namespace(let space):
      return space.members[name] ?? .undefined(name)
    case .loop(let loop):
      return loop.attribute(name) ?? .undefined(name)
    case .object(let object):
      if Self.hasMethod(base, name) { return .method(base, name) }
      return object[name] ?? .undefined(name)
    default:
      return Self.hasMethod(base, name) ? .method(base, name) : .undefined(name)
    }
  }

  private mutating func item(
    _ base: TemplateValue, _ key: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch (base, key) {
    case (.undefined, _):
      throw failure(line, "\(base.kind) has no items")
    case (.list(let list), _):
      guard let index = key.whole else { break }
      return list.items.item(index) ?? .undefined("item \(index)")
    case (.text(let text), _):
      guard let index = key.whole else { break }
      try step(text.utf8.count / 64, line)
      let scalars = text.unicodeScalars
      let count = index < 0 ? scalars.count : 0
      guard index >= -count,
        let place = scalars.index(
          scalars.startIndex, offsetBy: index < 0 ? index + count : index,
          limitedBy: scalars.endIndex), place < scalars.endIndex
      else { return .undefined("item \(index)") }
      return .text(String(scalars[place]))
    case (.object(let object), _):
      if let value = object[key: key] { return value }
    default:
      break
    }
    if case .text(let name) = key { return try attribute(base, name, line) }
    return .undefined(printable(key.written))
  }

  private mutating func slice(
    _ base: TemplateExpression, _ bounds: [TemplateExpression?], _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let base = try evaluate(base)
    var numbers: [Int?] = []
    for bound in bounds {
      guard let bound else {
        numbers.append(nil)
        continue
      }
      let value = try evaluate(bound)
      if case .none = value {
        numbers.append(nil)
      } else if let number = value.whole {
        numbers.append(number)
      } else {
        throw failure(line, "a slice goes from number to number, not \(value.kind)")
      }
    }
    let step = (numbers.count > 2 ? numbers[2] : nil) ?? 1
    guard step != 0 else { throw failure(line, "a slice cannot go in steps of 0") }
    switch base {
    case .list(let list):
      return try made(
        list.items.slice(numbers[0], numbers[1], step), isTuple: list.isTuple, line)
    case .text(let text):
      try self.step(text.utf8.count / 8, line)
      var result = String.UnicodeScalarView()
      result.append(contentsOf: Array(text.unicodeScalars).slice(numbers[0], numbers[1], step))
      return .text(String(result))
    default:
      throw failure(line, "\(base.kind) cannot be sliced")
    }
  }
}

extension TemplateLoopState {
  fileprivate func attribute(_ name: String) -> TemplateValue? {
    switch name {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .boolean(index == 0)
    case "last": .boolean(index == items.count - 1)
    case "length": .integer(items.count)
    // Counts only loops that call themselves, which this subset does not have.
    case "depth": .integer(1)
    case "depth0": .integer(0)
    case "previtem": index > 0 ? items[index - 1] : nil
    case "nextitem": index + 1 < items.count ? items[index + 1] : nil
    case "cycle", "changed": .method(.loop(self), name)
    default: nil
    }
  }
}

extension Array {
  /// The element at an index, which counts from the end where it is negative.
  func item(_ index: Int) -> Element? {
    let place = index < 0 ? index + count : index
    return indices.contains(place) ? self[place] : nil
  }

  /// Python's `self[start:stop:step]`.
  func slice(_ start: Int?, _ stop: Int?, _ step: Int) -> [Element] {
    func clamp(_ index: Int, _ range: ClosedRange<Int>) -> Int {
      Swift.min(Swift.max(index < 0 ? index + count : index, range.lowerBound), range.upperBound)
    }
    let limits = step > 0 ? 0...count : -1...(count - 1)
    let first = start.map { clamp($0, limits) } ?? (step > 0 ? 0 : count - 1)
    let end = stop.map { clamp($0, limits) } ?? (step > 0 ? count : -1)
    return Swift.stride(from: first, to: end, by: step).map { self[$0] }
  }
}
