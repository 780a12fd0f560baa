import Foundation

/// One rendering of a template, with what it has used up.
struct TemplateRun {
  /// Values by name, the innermost block last.
  var scopes: [[String: TemplateValue]]
  /// The text written so far, of the innermost capture.
  var output = ""
  let date: Date?
  private var steps = 0
  private var depth = 0
  private var loops = 0
  private var jump: Jump?

  /// Each part evaluated is a step, and so are 64 bytes of text or one item of a list made.
  static let mostSteps = 1_000_000
  /// The longest text, in bytes.
  static let longestText = 16 << 20
  /// How deep evaluation nests.
  static let deepest = 200
  /// The number of scopes outside all blocks.
  static let outermost = 2
  /// The longest range.
  static let longestRange = 100_000

  private enum Jump {
    case leave
    case skip
  }

  init(globals: [String: TemplateValue], date: Date?) {
    scopes = [globals, [:]]
    self.date = date
  }

  mutating func text(of statements: [TemplateStatement]) throws(TokenizationError) -> String {
    try execute(statements)
    return output
  }

  // MARK: Limits

  /// Counts steps.
  mutating func step(_ count: Int = 1, _ line: Int) throws(TokenizationError) {
    steps += count
    guard steps <= Self.mostSteps else {
      throw .template(
        .templateLimit, line, "the template took more than \(Self.mostSteps) steps")
    }
  }

  /// Counts a text that was made.
  mutating func made(_ text: String, _ line: Int) throws(TokenizationError) -> TemplateValue {
    try room(text.utf8.count, line)
    return .text(text)
  }

  /// Counts bytes before they are made.
  mutating func room(_ bytes: Int, _ line: Int) throws(TokenizationError) {
    guard bytes <= Self.longestText else {
      throw .template(
        .templateLimit, line, "the template made a text of more than \(Self.longestText) bytes")
    }
    try step(bytes / 64, line)
  }

  /// Counts a list that was made.
  mutating func made(
    _ items: [TemplateValue], isTuple: Bool = false, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    try step(items.count, line)
    return .list(try TemplateList(items, isTuple: isTuple, line: line))
  }

  mutating func descend(_ line: Int) throws(TokenizationError) {
    depth += 1
    guard depth <= Self.deepest else {
      throw .template(
        .templateLimit, line, "blocks, expressions and macros nest deeper than \(Self.deepest)")
    }
  }

  mutating func ascend() { depth -= 1 }

  func failure(_ line: Int, _ what: String) -> TokenizationError {
    .template(.templateFailure, line, what)
  }

  func value(of name: String) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return .undefined(name)
  }

  // MARK: Statements

  mutating func execute(_ statements: [TemplateStatement]) throws(TokenizationError) {
    for statement in statements {
      try step(1, statement.line)
      try descend(statement.line)
      try execute(statement)
      ascend()
      if jump != nil { return }
    }
  }

  private mutating func write(_ text: String, _ line: Int) throws(TokenizationError) {
    try room(text.utf8.count, line)
    guard output.utf8.count + text.utf8.count <= Self.longestText else {
      throw .template(
        .templateLimit, line, "the template made a text of more than \(Self.longestText) bytes")
    }
    output += text
  }

  private mutating func execute(_ statement: TemplateStatement) throws(TokenizationError) {
    let line = statement.line
    switch statement.form {
    case .text(let text):
      try write(text, line)
    case .output(let expression):
      try write(try written(try evaluate(expression), line), line)
    case .choice(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition).isTrue {
        return try execute(branch.body)
      }
      try execute(otherwise)
    case .loop(let loop):
      try execute(loop, line)
    case .set(let target, let expression):
      try assign(target, try evaluate(expression), line)
    case .setAttribute(let name, let attribute, let expression):
      guard case .namespace(let space) = value(of: name) else {
        throw failure(line, "'\(name)' is not a namespace, so '\(name).\(attribute)' cannot be set")
      }
      let value = try evaluate(expression)
      _ = try TemplateList.depth(over: value.depth, line: line)
      space.members[attribute] = value
    case .capture(let name, let body, let filters):
      let value = try captured(body, filters, line)
      scopes[scopes.count - 1][name] = value
    case .macro(let macro):
      guard scopes.count == Self.outermost else {
        throw failure(
          line,
          "the macro '\(macro.name)' is defined inside a loop or block, which this subset of "
            + "Jinja does not know")
      }
      scopes[scopes.count - 1][macro.name] = .macro(macro)
    case .call(let caller, let callee):
      try write(try called(callee, with: .caller(caller, scopes)).written, line)
    case .filtered(let body, let filters):
      try write(try captured(body, filters, line).written, line)
    case .scope(let assignments, let body):
      var scope: [String: TemplateValue] = [:]
      for assignment in assignments { scope[assignment.name] = try evaluate(assignment.value) }
      scopes.append(scope)
      try execute(body)
      scopes.removeLast()
    case .leave:
      guard loops > 0 else { throw failure(line, "'break' stands outside a loop") }
      jump = .leave
    case .skip:
      guard loops > 0 else { throw failure(line, "'continue' stands outside a loop") }
      jump = .skip
    }
  }

  /// What a body writes, through filters.
  private mutating func captured(
    _ body: [TemplateStatement], _ filters: [TemplateFilter], _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let outer = output
    output = ""
    scopes.append([:])
    try execute(body)
    scopes.removeLast()
    var value = TemplateValue.text(output)
    output = outer
    for filter in filters {
      let arguments = try evaluate(filter.arguments)
      value = try self.filter(value, filter.name, arguments, filter.line)
    }
    return value
  }

  private mutating func assign(
    _ target: TemplateTarget, _ value: TemplateValue, _ line: Int
  ) throws(TokenizationError) {
    switch target {
    case .name(let name):
      scopes[scopes.count - 1][name] = value
    case .several(let targets):
      let items = try items(of: value, line)
      guard items.count == targets.count else {
        throw failure(line, "\(items.count) values cannot be given to \(targets.count) names")
      }
      for (target, item) in zip(targets, items) { try assign(target, item, line) }
    }
  }

  private mutating func execute(
    _ loop: TemplateLoop, _ line: Int
  ) throws(TokenizationError) {
    var items = try items(of: try evaluate(loop.items), line)
    if let condition = loop.condition {
      var kept: [TemplateValue] = []
      for item in items {
        scopes.append([:])
        try assign(loop.target, item, line)
        if try evaluate(condition).isTrue { kept.append(item) }
        scopes.removeLast()
      }
      items = kept
    }
    guard !items.isEmpty else { return try execute(loop.otherwise) }
    loops += 1
    let state = TemplateLoopState(items: items)
    for (index, item) in items.enumerated() {
      try step(1, line)
      state.index = index
      scopes.append(["loop": .loop(state)])
      try assign(loop.target, item, line)
      try execute(loop.body)
      scopes.removeLast()
      let ended = jump
      jump = nil
      if ended == .leave { break }
    }
    loops -= 1
  }

  /// The items of a value that a loop can go through.
  mutating func items(
    of value: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .list(let list): return list.items
    case .object(let object): return object.members.map(\.key)
    case .text(let text):
      try step(text.utf8.count, line)
      return text.unicodeScalars.map { .text(String($0)) }
    default: throw failure(line, "\(value.kind) cannot be gone through item by item")
    }
  }

  /// The text of a value, as `{{ }}` writes it.
  mutating func written(
    _ value: TemplateValue, _ line: Int
  ) throws(TokenizationError) -> String {
    if case .text(let text) = value { return text }
    try step(value.weight, line)
    return value.written
  }

  // MARK: Macros

  /// Runs a macro, which sees its parameters and the outermost names, or those of its call block.
  mutating func call(
    _ macro: TemplateMacro, _ arguments: TemplateRunArguments, in outer: [[String: TemplateValue]]?,
    _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let takesValues = macro.extras.contains("varargs")
    guard takesValues || arguments.values.count <= macro.parameters.count else {
      throw failure(
        line,
        "the macro '\(macro.name)' takes \(macro.parameters.count) values, not "
          + "\(arguments.values.count)")
    }
    var extras = TemplateObject(members: [], depth: 1)
    var caller: TemplateValue?
    for named in arguments.named where !macro.parameters.contains(where: { $0.name == named.name })
    {
      if named.name == "caller", macro.extras.contains("caller") {
        caller = named.value
      } else if macro.extras.contains("kwargs") {
        try extras.set(.text(named.name), named.value, line: line)
      } else {
        throw failure(line, "the macro '\(macro.name)' has no parameter '\(named.name)'")
      }
    }
    let rest = try TemplateList(
      Array(arguments.values.dropFirst(macro.parameters.count)), isTuple: true, line: line)
    let saved = (scopes, output, loops)
    scopes = (outer ?? Array(scopes.prefix(Self.outermost))) + [[:]]
    let inner = scopes.count - 1
    if let caller { scopes[inner]["caller"] = caller }
    if takesValues { scopes[inner]["varargs"] = .list(rest) }
    if macro.extras.contains("kwargs") { scopes[inner]["kwargs"] = .object(extras) }
    output = ""
    loops = 0
    for (index, parameter) in macro.parameters.enumerated() {
      var value = TemplateValue.undefined(parameter.name)
      if index < arguments.values.count {
        value = arguments.values[index]
      } else if let named = arguments[parameter.name] {
        value = named
      } else if let standard = parameter.standard {
        value = try evaluate(standard)
      }
      scopes[inner][parameter.name] = value
    }
    try execute(macro.body)
    let text = output
    (scopes, output, loops) = saved
    return try made(text, line)
  }
}

extension TemplateValue {
  /// How much there is to write, in 64 bytes or items.
  var weight: Int {
    switch self {
    case .text(let text): 1 + text.utf8.count / 64
    case .list(let list): list.items.reduce(1) { $0 + $1.weight }
    case .object(let object): object.members.reduce(1) { $0 + 1 + $1.value.weight }
    default: 1
    }
  }
}
