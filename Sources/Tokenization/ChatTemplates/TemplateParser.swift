/// Builds the statements of a template from its tokens.
struct TemplateParser {
  private var tokens: [TemplateToken]
  private var position = 0
  private var depth = 0
  /// The lines of the tags whose blocks are being read, innermost last.
  private var openings: [Int] = []

  /// How deep blocks and brackets nest, and how long a chain of operators may be.
  static let deepest = 120

  static func parse(_ source: String) throws(TokenizationError) -> [TemplateStatement] {
    var parser = TemplateParser(tokens: try TemplateLexer.tokens(source))
    return try parser.statements(until: [])
  }

  private init(tokens: [TemplateToken]) { self.tokens = tokens }

  // MARK: Tokens

  var current: TemplateToken { tokens[position] }

  var following: TemplateToken { tokens[min(position + 1, tokens.count - 1)] }

  mutating func advance() { if position < tokens.count - 1 { position += 1 } }

  func isSign(_ sign: String) -> Bool { current.kind == .sign(sign) }

  func isName(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func skipSign(_ sign: String) -> Bool {
    guard isSign(sign) else { return false }
    advance()
    return true
  }

  mutating func skipName(_ name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ kind: TemplateToken.Kind) throws(TokenizationError) {
    guard current.kind == kind else {
      throw unexpected(TemplateToken(kind: kind, line: 0).shown)
    }
    advance()
  }

  mutating func name() throws(TokenizationError) -> String {
    guard case .name(let name) = current.kind else { throw unexpected("a name") }
    advance()
    return name
  }

  func unexpected(_ wanted: String) -> TokenizationError {
    syntax("\(wanted) should stand where \(current.shown) is")
  }

  func syntax(_ what: String) -> TokenizationError {
    .template(.templateSyntax, current.line, what)
  }

  mutating func descend() throws(TokenizationError) {
    depth += 1
    guard depth <= Self.deepest else {
      throw .template(
        .templateLimit, current.line, "blocks and brackets nest deeper than \(Self.deepest)")
    }
  }

  mutating func ascend() { depth -= 1 }

  // MARK: Statements

  /// Reads statements up to a tag with one of these names, which is left at its name.
  private mutating func statements(
    until ends: [String]
  ) throws(TokenizationError) -> [TemplateStatement] {
    try descend()
    var result: [TemplateStatement] = []
    while true {
      let line = current.line
      switch current.kind {
      case .text(let text):
        advance()
        result.append(TemplateStatement(form: .text(text), line: line))
      case .variableBegin:
        advance()
        let value = try expressions()
        try expect(.variableEnd)
        result.append(TemplateStatement(form: .output(value), line: line))
      case .blockBegin:
        if case .name(let tag) = following.kind, ends.contains(tag) {
          advance()
          ascend()
          return result
        }
        advance()
        result.append(contentsOf: try block(line))
      case .end:
        guard ends.isEmpty else {
          throw .template(
            .templateSyntax, openings.last ?? 1, "the block that begins here has no '\(ends.last!)'"
          )
        }
        ascend()
        return result
      default:
        throw unexpected("text")
      }
    }
  }

  private mutating func block(_ line: Int) throws(TokenizationError) -> [TemplateStatement] {
    let token = current
    let tag = try name()
    openings.append(line)
    defer { openings.removeLast() }
    let form: TemplateStatement.Form
    switch tag {
    case "if": form = try choice()
    case "for": form = try loop()
    case "set": form = try set()
    case "macro": form = try macro()
    case "filter":
      let filters = try self.filters()
      try expect(.blockEnd)
      form = .filtered(body: try body("endfilter"), filters: filters)
    case "with": form = try scope()
    case "call": form = try call()
    case "break":
      try expect(.blockEnd)
      form = .leave
    case "continue":
      try expect(.blockEnd)
      form = .skip
    case "generation":
      // Marks what a model wrote; renders as its content, in a scope of its own.
      try expect(.blockEnd)
      form = .scope(assignments: [], body: try body("endgeneration"))
    default:
      throw .template(
        .templateSyntax, token.line, "the tag '\(tag)' is not one this subset of Jinja knows")
    }
    return [TemplateStatement(form: form, line: line)]
  }

  private mutating func body(_ end: String) throws(TokenizationError) -> [TemplateStatement] {
    let body = try statements(until: [end])
    advance()
    try expect(.blockEnd)
    return body
  }

  private mutating func choice() throws(TokenizationError) -> TemplateStatement.Form {
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    while true {
      let condition = try expressions()
      try expect(.blockEnd)
      branches.append((condition, try statements(until: ["elif", "else", "endif"])))
      switch try name() {
      case "elif":
        continue
      case "else":
        try expect(.blockEnd)
        return .choice(branches, else: try body("endif"))
      default:
        try expect(.blockEnd)
        return .choice(branches, else: [])
      }
    }
  }

  /// `a`, `a, b` or `a, (b, c)`.
  private mutating func target() throws(TokenizationError) -> TemplateTarget {
    let first = try oneTarget()
    guard isSign(",") else { return first }
    var targets = [first]
    while skipSign(",") { targets.append(try oneTarget()) }
    return .several(targets)
  }

  private mutating func oneTarget() throws(TokenizationError) -> TemplateTarget {
    guard skipSign("(") else { return .name(try name()) }
    try descend()
    defer { ascend() }
    let target = try target()
    try expect(.sign(")"))
    return target
  }

  private mutating func loop() throws(TokenizationError) -> TemplateStatement.Form {
    let target = try target()
    try expect(.name("in"))
    let items = try expressions(withCondition: false)
    let condition = skipName("if") ? try expression() : nil
    guard !isName("recursive") else {
      throw syntax("'recursive' is not a word this subset of Jinja knows")
    }
    try expect(.blockEnd)
    let body = try statements(until: ["else", "endfor"])
    var otherwise: [TemplateStatement] = []
    if try name() == "else" {
      try expect(.blockEnd)
      otherwise = try self.body("endfor")
    } else {
      try expect(.blockEnd)
    }
    return .loop(
      TemplateLoop(
        target: target, items: items, condition: condition, body: body, otherwise: otherwise))
  }

  private mutating func set() throws(TokenizationError) -> TemplateStatement.Form {
    let target = try target()
    if case .name(let name) = target, skipSign(".") {
      let attribute = try self.name()
      try expect(.sign("="))
      let value = try expressions()
      try expect(.blockEnd)
      return .setAttribute(name: name, attribute: attribute, value)
    }
    guard !isSign("="), case .name(let name) = target else {
      try expect(.sign("="))
      let value = try expressions()
      try expect(.blockEnd)
      return .set(target, value)
    }
    let filters = skipSign("|") ? try self.filters() : []
    try expect(.blockEnd)
    return .capture(name: name, body: try body("endset"), filters: filters)
  }

  private mutating func filters() throws(TokenizationError) -> [TemplateFilter] {
    var filters: [TemplateFilter] = []
    repeat {
      let line = current.line
      let name = try dottedName()
      let arguments = isSign("(") ? try arguments() : TemplateArguments()
      filters.append(TemplateFilter(name: name, arguments: arguments, line: line))
    } while skipSign("|")
    return filters
  }

  mutating func dottedName() throws(TokenizationError) -> String {
    var name = try name()
    while skipSign(".") { name += "." + (try self.name()) }
    return name
  }

  private mutating func macro() throws(TokenizationError) -> TemplateStatement.Form {
    let name = try name()
    let parameters = try parameters()
    try expect(.blockEnd)
    return .macro(try macro(name, parameters, until: "endmacro"))
  }

  /// `{% call macro(arguments) %}…{% endcall %}` and `{% call(parameters) macro(arguments) %}`.
  private mutating func call() throws(TokenizationError) -> TemplateStatement.Form {
    let parameters = isSign("(") ? try parameters() : []
    let callee = try expression()
    guard case .call = callee.form else { throw syntax("a call block calls no macro") }
    try expect(.blockEnd)
    return .call(try macro("caller", parameters, until: "endcall"), callee)
  }

  private mutating func macro(
    _ name: String, _ parameters: [(name: String, standard: TemplateExpression?)], until end: String
  ) throws(TokenizationError) -> TemplateMacro {
    let start = position
    let body = try body(end)
    var extras: Set<String> = []
    for extra in ["caller", "varargs", "kwargs"]
    where tokens[start..<position].contains(where: { $0.kind == .name(extra) }) {
      extras.insert(extra)
    }
    return TemplateMacro(name: name, parameters: parameters, body: body, extras: extras)
  }

  private mutating func parameters() throws(TokenizationError) -> [(
    name: String, standard: TemplateExpression?
  )] {
    var parameters: [(name: String, standard: TemplateExpression?)] = []
    try expect(.sign("("))
    while !isSign(")") {
      if !parameters.isEmpty { try expect(.sign(",")) }
      let parameter = try self.name()
      parameters.append((parameter, skipSign("=") ? try expression() : nil))
    }
    advance()
    return parameters
  }

  private mutating func scope() throws(TokenizationError) -> TemplateStatement.Form {
    var assignments: [(name: String, value: TemplateExpression)] = []
    while current.kind != .blockEnd {
      if !assignments.isEmpty { try expect(.sign(",")) }
      let name = try name()
      try expect(.sign("="))
      assignments.append((name, try expression()))
    }
    advance()
    return .scope(assignments: assignments, body: try body("endwith"))
  }
}
