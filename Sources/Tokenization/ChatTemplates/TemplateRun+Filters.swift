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
    default:
      return try listFilter(value, name, arguments, line)
    }
  }

  private mutating func listFilter(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch name {
    case "list":
      return try made(try items(of: value, line), line)
    case "first":
      return try items(of: value, line).first ?? .undefined("the first item of nothing")
    case "last":
      return try items(of: value, line).last ?? .undefined("the last item of nothing")
    case "reverse":
      if case .text(let text) = value {
        return try made(String(String.UnicodeScalarView(text.unicodeScalars.reversed())), line)
      }
      return try made(try items(of: value, line).reversed(), line)
    case "join":
      return try join(value, arguments, line)
    case "items", "dictsort":
      if case .undefined = value, name == "items" { return try made([], line) }
      guard case .object(let object) = value else {
        throw failure(line, "'\(name)' takes an object, not \(value.kind)")
      }
      guard name == "dictsort" else { return try pairs(object, line) }
      guard arguments.values.isEmpty, arguments.named.isEmpty else {
        throw failure(line, "'dictsort' takes no arguments here")
      }
      let sorted = object.members.map { (key: $0.key.written.lowercased(), member: $0) }
        .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      return try pairs(TemplateObject(members: sorted.map(\.member), depth: object.depth), line)
    case "sort":
      return try sorted(value, arguments, line)
    case "unique":
      var kept: [TemplateValue] = []
      for item in try items(of: value, line) {
        try step(kept.count, line)
        if !kept.contains(where: { $0.equals(item) }) { kept.append(item) }
      }
      return try made(kept, line)
    case "map":
      return try mapped(value, arguments, line)
    case "select", "reject", "selectattr", "rejectattr":
      return try selected(value, name, arguments, line)
    default:
      throw failure(line, "the filter '\(name)' is not one this subset of Jinja knows")
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

  private mutating func join(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var value = value
    if let attribute = arguments[1, "attribute"] {
      var items: [TemplateValue] = []
      for item in try self.items(of: value, line) {
        items.append(try part(item, attribute, line))
      }
      value = try made(items, line)
    }
    let separator = try arguments[0, "d"].map { (value) throws(TokenizationError) in
      try written(value, line)
    }
    return try joined(value, separator ?? "", line)
  }

  private mutating func sorted(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var keyed: [(key: TemplateValue, item: TemplateValue)] = []
    let isCaseSensitive = arguments[1, "case_sensitive"]?.isTrue ?? false
    for item in try items(of: value, line) {
      var key = item
      if let attribute = arguments[2, "attribute"] { key = try part(item, attribute, line) }
      if !isCaseSensitive, let text = key.text { key = .text(text.lowercased()) }
      keyed.append((key, item))
    }
    // Merging keeps equal items in their order and lets each comparison fail.
    var width = 1
    while width < keyed.count {
      var merged: [(key: TemplateValue, item: TemplateValue)] = []
      for start in stride(from: 0, to: keyed.count, by: 2 * width) {
        var (left, right) = (start, min(start + width, keyed.count))
        let (middle, end) = (right, min(start + 2 * width, keyed.count))
        while left < middle || right < end {
          try step(1, line)
          var takesRight = left == middle
          if !takesRight, right < end {
            takesRight = try isLess(keyed[right].key, keyed[left].key, line)
          }
          merged.append(keyed[takesRight ? right : left])
          if takesRight { right += 1 } else { left += 1 }
        }
      }
      keyed = merged
      width *= 2
    }
    let items = keyed.map(\.item)
    return try made(
      arguments[0, "reverse"]?.isTrue ?? false ? Array(items.reversed()) : items, line)
  }

  /// The attribute of an item that a filter names, with dots for parts of parts.
  private mutating func part(
    _ item: TemplateValue, _ name: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    guard let path = name.text else { throw failure(line, "an attribute is named by a text here") }
    var value = item
    for name in path.split(separator: ".") {
      if case .object(let object) = value {
        value = object[String(name)] ?? .undefined(String(name))
      } else if case .list(let list) = value, let index = Int(name) {
        value = list.items.item(index) ?? .undefined(String(name))
      } else {
        value = .undefined(String(name))
      }
    }
    return value
  }

  private mutating func mapped(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    // Jinja takes whatever is false for an empty list here.
    guard value.isTrue else { return try made([], line) }
    var items: [TemplateValue] = []
    let filter =
      arguments["attribute"] == nil ? try text(arguments, 0, "filter", of: "map", line) : ""
    let rest = TemplateRunArguments(
      values: Array(arguments.values.dropFirst()), named: arguments.named)
    for item in try self.items(of: value, line) {
      try step(1, line)
      if let attribute = arguments["attribute"] {
        let found = try part(item, attribute, line)
        items.append(found.isUndefined ? arguments["default"] ?? found : found)
      } else {
        items.append(try self.filter(item, filter, rest, line))
      }
    }
    return try made(items, line)
  }

  private mutating func selected(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    guard value.isTrue else { return try made([], line) }
    let byAttribute = name.hasSuffix("attr")
    let testPlace = byAttribute ? 1 : 0
    if byAttribute { _ = try text(arguments, 0, "attribute", of: name, line) }
    let hasTest = arguments.values.count > testPlace
    let test = hasTest ? try text(arguments, testPlace, "test", of: name, line) : ""
    let rest = TemplateRunArguments(values: Array(arguments.values.dropFirst(testPlace + 1)))
    var kept: [TemplateValue] = []
    for item in try items(of: value, line) {
      try step(1, line)
      let subject = byAttribute ? try part(item, arguments.values[0], line) : item
      let holds = hasTest ? try self.test(subject, test, rest, line) : subject.isTrue
      if holds == name.hasPrefix("select") { kept.append(item) }
    }
    return try made(kept, line)
  }

  // MARK: Tests

  /// Whether `value is name(arguments)`.
  mutating func test(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> Bool {
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none":
      guard case .none = value else { return false }
      return true
    case "boolean":
      guard case .boolean = value else { return false }
      return true
    case "true":
      guard case .boolean(true) = value else { return false }
      return true
    case "false":
      guard case .boolean(false) = value else { return false }
      return true
    case "integer":
      guard case .integer = value else { return false }
      return true
    case "float":
      guard case .real = value else { return false }
      return true
    case "number": return value.number != nil
    case "string": return value.text != nil
    case "mapping":
      guard case .object = value else { return false }
      return true
    case "callable":
      switch value {
      case .macro, .function, .method: return true
      default: return false
      }
    case "iterable", "sequence":
      switch value {
      case .undefined, .text, .list, .object: return true
      default: return false
      }
    case "odd", "even", "divisibleby":
      guard let number = value.whole else {
        throw failure(line, "'\(name)' asks about a whole number, not \(value.kind)")
      }
      if name != "divisibleby" { return (number & 1 == 1) == (name == "odd") }
      guard let divisor = arguments[0, "num"]?.whole, divisor != 0 else {
        throw failure(line, "'divisibleby' takes a whole number that is not 0")
      }
      return divisor == -1 || number % divisor == 0
    default:
      return try comparison(value, name, arguments, line)
    }
  }

  private mutating func comparison(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> Bool {
    let names = [
      "eq", "equalto", "sameas", "ne", "lt", "lessthan", "gt", "greaterthan", "le", "ge", "in",
    ]
    guard names.contains(name) else {
      if name == "upper" || name == "lower" {
        let text = try written(value, line)
        return text.unicodeScalars.contains(where: \.properties.isCased)
          && sameText(text.cased(name), text)
      }
      throw failure(line, "the test '\(name)' is not one this subset of Jinja knows")
    }
    guard let other = arguments.values.first else {
      throw failure(line, "the test '\(name)' lacks what to compare with")
    }
    switch name {
    case "ne": return try !equal(value, other, line)
    case "lt", "lessthan": return try isLess(value, other, line)
    case "gt", "greaterthan": return try isLess(other, value, line)
    case "le": return try isAtMost(value, other, line)
    case "ge": return try isAtMost(other, value, line)
    case "in": return try contains(other, value, line)
    default: return try equal(value, other, line)
    }
  }
}
