extension TemplateRun {
  /// The value of `value | name(arguments)`.
  mutating func filter(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch name {
    case "trim":
      let characters = arguments[0, "chars"]?.text
      return try made(try written(value, line).stripped(characters, start: true, end: true), line)
    case "upper", "lower", "title", "capitalize":
      return try made(try written(value, line).cased(name), line)
    case "string":
      return try made(try written(value, line), line)
    case "safe":
      return value
    case "replace":
      return try replaced(try written(value, line), arguments, line)
    case "indent":
      return try indented(try written(value, line), arguments, line)
    case "length", "count":
      if case .text(let text) = value {
        try step(text.utf8.count / 64, line)
        return .integer(text.unicodeScalars.count)
      }
      return .integer(try items(of: value, line).count)
    case "default", "d":
      let isReplaced =
        value.isUndefined || (arguments[1, "boolean"]?.isTrue ?? false) && !value.isTrue
      return isReplaced ? arguments[0, "default_value"] ?? .text("") : value
    case "tojson":
      return try json(value, arguments, line)
    case "int", "float", "abs":
      return try number(value, name, arguments, line)
    case "round":
      return try rounded(value, arguments, line)
    default:
      return try listFilter(value, name, arguments, line)
    }
  }

  private mutating func json(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let indent = (arguments["indent"] ?? arguments[1, "indent"])?.whole
    guard indent.map({ (0...32).contains($0) }) ?? true else {
      throw failure(line, "'tojson' indents by 0 to 32 spaces")
    }
    var separators = (item: indent == nil ? ", " : ",", key: ": ")
    if case .list(let given)? = arguments[2, "separators"], given.items.count == 2,
      let item = given.items[0].text, let key = given.items[1].text
    {
      separators = (item, key)
    }
    // Counts the value before it is written, with the spaces before each part of it.
    let weight = value.weight.multipliedReportingOverflow(by: 1 + (indent ?? 0) * value.depth / 64)
    try step(min(weight.overflow ? .max : weight.partialValue, Self.mostSteps + 1), line)
    guard
      let text = value.json(
        indent: indent, separators: separators,
        sortsKeys: arguments[3, "sort_keys"]?.isTrue ?? false,
        ascii: arguments[0, "ensure_ascii"]?.isTrue ?? false)
    else { throw failure(line, "JSON cannot hold \(value.kind)") }
    return try made(text, line)
  }

  private mutating func number(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var number = value.number
    if let text = value.text?.stripped(nil, start: true, end: true) {
      // Swift would read hexadecimal real numbers too, which Python does not.
      let isHexadecimal = text.utf8.contains { $0 | 0x20 == UInt8(ascii: "x") }
      number =
        Int(text).map { .integer($0) } ?? (isHexadecimal ? nil : Double(text)).map { .real($0) }
    }
    switch (name, number) {
    case ("int", .real(let value)?):
      return Int(exactly: value.rounded(.towardZero)).map { .integer($0) } ?? .integer(0)
    case ("int", .integer(let value)?): return .integer(value)
    case ("float", let number?): return .real(number.double)
    case ("abs", .integer(let value)?) where value != .min: return .integer(abs(value))
    case ("abs", .real(let value)?): return .real(abs(value))
    case ("abs", _): throw failure(line, "'abs' takes a number, not \(value.kind)")
    default: return arguments[0, "default"] ?? (name == "int" ? .integer(0) : .real(0))
    }
  }

  private func rounded(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let rules: [String: FloatingPointRoundingRule] = [
      "common": .toNearestOrEven, "ceil": .up, "floor": .down,
    ]
    let method = arguments[1, "method"]?.text ?? "common"
    guard let number = value.number, let rule = rules[method] else {
      throw failure(line, "'round' takes a number and 'common', 'ceil' or 'floor'")
    }
    guard (arguments[0, "precision"]?.whole ?? 0) == 0 else {
      throw failure(line, "'round' rounds to whole numbers here")
    }
    if case .integer = number, method == "common" { return number.value }
    return .real(number.double.rounded(rule))
  }

  private mutating func indented(
    _ text: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var prefix = "    "
    if let width = arguments[0, "width"] {
      if let given = width.text {
        prefix = given
      } else if let count = width.whole, (0...200).contains(count) {
        prefix = String(repeating: " ", count: count)
      } else {
        throw failure(line, "'indent' takes a text or 0 to 200 spaces")
      }
    }
    let indentsFirst = arguments[1, "first"]?.isTrue ?? false
    let indentsBlank = arguments[2, "blank"]?.isTrue ?? false
    var lines = text.templateLines
    if text.isEmpty || text.utf8.last == 0x0A { lines.append("") }
    try room(text.utf8.count + min(lines.count, 1 << 24) * min(prefix.utf8.count, 1 << 24), line)
    for index in lines.indices where index > 0 || indentsFirst {
      if !lines[index].isEmpty || indentsBlank || index == 0 {
        lines[index] = prefix + lines[index]
      }
    }
    return try made(lines.joined(separator: "\n"), line)
  }
}
