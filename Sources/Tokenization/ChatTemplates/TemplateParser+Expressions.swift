extension TemplateParser {
  /// One expression, or several with commas between, which make a tuple.
  mutating func expressions(
    withCondition: Bool = true
  ) throws(TokenizationError) -> TemplateExpression {
    let line = current.line
    let first = try expression(withCondition: withCondition)
    guard isSign(",") else { return first }
    var items = [first]
    while skipSign(",") {
      if current.kind == .variableEnd || current.kind == .blockEnd { break }
      items.append(try expression(withCondition: withCondition))
    }
    return try make(.tuple(items), line, items)
  }

  /// One expression, with `a if b else c` unless a loop's own `if` may follow.
  mutating func expression(
    withCondition: Bool = true
  ) throws(TokenizationError) -> TemplateExpression {
    try descend()
    defer { ascend() }
    var value = try either()
    guard withCondition else { return value }
    while isName("if") {
      let line = current.line
      advance()
      let condition = try either()
      let other = skipName("else") ? try expression() : nil
      value = try make(
        .condition(condition, then: value, else: other), line,
        [value, condition] + (other.map { [$0] } ?? []))
    }
    return value
  }

  private func make(
    _ form: TemplateExpression.Form, _ line: Int, _ parts: [TemplateExpression]
  ) throws(TokenizationError) -> TemplateExpression {
    let depth = 1 + (parts.lazy.map(\.depth).max() ?? 0)
    guard depth <= Self.deepest else {
      throw .template(
        .templateLimit, line, "an expression nests deeper than \(Self.deepest)")
    }
    return TemplateExpression(form: form, line: line, depth: depth)
  }

  private mutating func either() throws(TokenizationError) -> TemplateExpression {
    var left = try both()
    while isName("or") {
      let line = current.line
      advance()
      let right = try both()
      left = try make(.either(left, right), line, [left, right])
    }
    return left
  }

  private mutating func both() throws(TokenizationError) -> TemplateExpression {
    var left = try not()
    while isName("and") {
      let line = current.line
      advance()
      let right = try not()
      left = try make(.both(left, right), line, [left, right])
    }
    return left
  }

  private mutating func not() throws(TokenizationError) -> TemplateExpression {
    guard isName("not") else { return try comparison() }
    let line = current.line
    advance()
    try descend()
    defer { ascend() }
    let operand = try not()
    return try make(.not(operand), line, [operand])
  }

  private mutating func comparison() throws(TokenizationError) -> TemplateExpression {
    let line = current.line
    let first = try sum()
    var rest: [(sign: String, operand: TemplateExpression)] = []
    while true {
      if case .sign(let sign) = current.kind,
        ["==", "!=", "<", "<=", ">", ">="].contains(sign)
      {
        advance()
        rest.append((sign, try sum()))
      } else if skipName("in") {
        rest.append(("in", try sum()))
      } else if isName("not"), following.kind == .name("in") {
        advance()
        advance()
        rest.append(("not in", try sum()))
      } else {
        break
      }
    }
    if rest.isEmpty { return first }
    return try make(.compare(first, rest), line, [first] + rest.map(\.operand))
  }

  private mutating func sum() throws(TokenizationError) -> TemplateExpression {
    var left = try concatenation()
    while case .sign(let sign) = current.kind, sign == "+" || sign == "-" {
      let line = current.line
      advance()
      let right = try concatenation()
      left = try make(.arithmetic(left, sign, right), line, [left, right])
    }
    return left
  }

  private mutating func concatenation() throws(TokenizationError) -> TemplateExpression {
    let line = current.line
    var parts = [try product()]
    while skipSign("~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try make(.concatenation(parts), line, parts)
  }

  private mutating func product() throws(TokenizationError) -> TemplateExpression {
    var left = try power()
    while case .sign(let sign) = current.kind, ["*", "/", "//", "%"].contains(sign) {
      let line = current.line
      advance()
      let right = try power()
      left = try make(.arithmetic(left, sign, right), line, [left, right])
    }
    return left
  }

  private mutating func power() throws(TokenizationError) -> TemplateExpression {
    var left = try unary(withFilters: true)
    while isSign("**") {
      let line = current.line
      advance()
      let right = try unary(withFilters: true)
      left = try make(.arithmetic(left, "**", right), line, [left, right])
    }
    return left
  }

  private mutating func unary(withFilters: Bool) throws(TokenizationError) -> TemplateExpression {
    let line = current.line
    var value: TemplateExpression
    if isSign("-") || isSign("+") {
      let isNegative = isSign("-")
      advance()
      try descend()
      defer { ascend() }
      let operand = try unary(withFilters: false)
      value = try make(isNegative ? .negative(operand) : .positive(operand), line, [operand])
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return withFilters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws(TokenizationError) -> TemplateExpression {
    let line = current.line
    let token = current
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return try make(.boolean(true), line, [])
      case "false", "False": return try make(.boolean(false), line, [])
      case "none", "None": return try make(.none, line, [])
      default: return try make(.name(name), line, [])
      }
    case .integer(let value):
      advance()
      return try make(.integer(value), line, [])
    case .real(let value):
      advance()
      return try make(.real(value), line, [])
    case .string(var text):
      advance()
      while case .string(let more) = current.kind {
        text += more
        advance()
      }
      return try make(.text(text), line, [])
    case .sign("("):
      advance()
      if skipSign(")") { return try make(.tuple([]), line, []) }
      let first = try expression()
      guard isSign(",") else {
        try expect(.sign(")"))
        return first
      }
      var items = [first]
      while skipSign(","), !isSign(")") { items.append(try expression()) }
      try expect(.sign(")"))
      return try make(.tuple(items), line, items)
    case .sign("["):
      advance()
      var items: [TemplateExpression] = []
      while !isSign("]") {
        if !items.isEmpty { try expect(.sign(",")) }
        if isSign("]") { break }
        items.append(try expression())
      }
      try expect(.sign("]"))
      return try make(.list(items), line, items)
    case .sign("{"):
      return try object(line)
    default:
      throw unexpected("a value")
    }
  }

  private mutating func object(_ line: Int) throws(TokenizationError) -> TemplateExpression {
    advance()
    var members: [(key: TemplateExpression, value: TemplateExpression)] = []
    while !isSign("}") {
      if !members.isEmpty { try expect(.sign(",")) }
      if isSign("}") { break }
      let key = try expression()
      try expect(.sign(":"))
      members.append((key, try expression()))
    }
    try expect(.sign("}"))
    return try make(.object(members), line, members.flatMap { [$0.key, $0.value] })
  }

  private mutating func postfix(
    _ start: TemplateExpression
  ) throws(TokenizationError) -> TemplateExpression {
    var value = start
    while true {
      let line = current.line
      if skipSign(".") {
        if case .integer(let index) = current.kind {
          advance()
          let item = try make(.integer(index), line, [])
          value = try make(.item(value, item), line, [value])
        } else {
          value = try make(.attribute(value, try name()), line, [value])
        }
      } else if isSign("[") {
        value = try subscripted(value, line)
      } else if isSign("(") {
        let arguments = try arguments()
        value = try make(.call(value, arguments), line, [value] + arguments.parts)
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(
    _ value: TemplateExpression, _ line: Int
  ) throws(TokenizationError) -> TemplateExpression {
    advance()
    var bounds: [TemplateExpression?] = []
    var isSlice = false
    var last: TemplateExpression?
    while !isSign("]") {
      if skipSign(":") {
        isSlice = true
        bounds.append(last)
        last = nil
      } else if last == nil {
        last = try expression()
      } else {
        throw unexpected("']'")
      }
    }
    advance()
    bounds.append(last)
    if isSlice {
      guard bounds.count <= 3 else { throw syntax("a slice has more than three parts") }
      return try make(.slice(value, bounds), line, [value] + bounds.compactMap { $0 })
    }
    guard let last else { throw syntax("'[]' names no item") }
    return try make(.item(value, last), line, [value, last])
  }

  mutating func arguments() throws(TokenizationError) -> TemplateArguments {
    try expect(.sign("("))
    var arguments = TemplateArguments()
    var isFirst = true
    while !isSign(")") {
      if !isFirst { try expect(.sign(",")) }
      isFirst = false
      if isSign(")") { break }
      if case .name(let name) = current.kind, following.kind == .sign("=") {
        advance()
        advance()
        arguments.named.append((name, try expression()))
      } else {
        arguments.values.append(try expression())
      }
    }
    advance()
    return arguments
  }

  private mutating func filtersAndTests(
    _ start: TemplateExpression
  ) throws(TokenizationError) -> TemplateExpression {
    var value = start
    while true {
      let line = current.line
      if skipSign("|") {
        let name = try dottedName()
        let arguments = isSign("(") ? try arguments() : TemplateArguments()
        value = try make(.filter(value, name, arguments), line, [value] + arguments.parts)
      } else if skipName("is") {
        let isNegated = skipName("not")
        let name = try dottedName()
        let arguments = try testArguments()
        value = try make(.test(value, name, arguments), line, [value] + arguments.parts)
        if isNegated { value = try make(.not(value), line, [value]) }
      } else if isSign("(") {
        let arguments = try arguments()
        value = try make(.call(value, arguments), line, [value] + arguments.parts)
      } else {
        return value
      }
    }
  }

  /// `is divisibleby(3)` and `is divisibleby 3`.
  private mutating func testArguments() throws(TokenizationError) -> TemplateArguments {
    switch current.kind {
    case .sign("("):
      return try arguments()
    case .name(let name) where ["else", "or", "and", "is", "if", "in", "not"].contains(name):
      return TemplateArguments()
    case .name, .string, .integer, .real, .sign("["), .sign("{"):
      return TemplateArguments(values: [try postfix(try primary())])
    default:
      return TemplateArguments()
    }
  }
}

extension TemplateArguments {
  fileprivate var parts: [TemplateExpression] { values + named.map(\.value) }
}
