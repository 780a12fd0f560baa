/// A part of a template that has a value.
struct TemplateExpression: Sendable {
  indirect enum Form: Sendable {
    case none
    case boolean(Bool)
    case integer(Int)
    case real(Double)
    case text(String)
    case name(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case object([(key: TemplateExpression, value: TemplateExpression)])
    case not(TemplateExpression)
    case negative(TemplateExpression)
    case positive(TemplateExpression)
    case both(TemplateExpression, TemplateExpression)
    case either(TemplateExpression, TemplateExpression)
    case compare(TemplateExpression, [(sign: String, operand: TemplateExpression)])
    case arithmetic(TemplateExpression, String, TemplateExpression)
    case concatenation([TemplateExpression])
    case condition(TemplateExpression, then: TemplateExpression, else: TemplateExpression?)
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, [TemplateExpression?])
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, String, TemplateArguments)
    case test(TemplateExpression, String, TemplateArguments)
  }

  let form: Form
  let line: Int
  /// How deep the expression nests, which bounds the recursion that evaluates it.
  let depth: Int
}

/// The arguments of a call.
struct TemplateArguments: Sendable {
  var values: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
}

/// A part of a template that writes or does something.
struct TemplateStatement: Sendable {
  indirect enum Form: Sendable {
    case text(String)
    case output(TemplateExpression)
    case choice(
      [(condition: TemplateExpression, body: [TemplateStatement])], else: [TemplateStatement])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    case setAttribute(name: String, attribute: String, TemplateExpression)
    case capture(name: String, body: [TemplateStatement], filters: [TemplateFilter])
    case macro(TemplateMacro)
    case call(TemplateMacro, TemplateExpression)
    case filtered(body: [TemplateStatement], filters: [TemplateFilter])
    case scope(assignments: [(name: String, value: TemplateExpression)], body: [TemplateStatement])
    case leave
    case skip
  }

  let form: Form
  let line: Int
}

/// One filter of a block.
struct TemplateFilter: Sendable {
  var name: String
  var arguments: TemplateArguments
  var line: Int
}

/// What a value is given to: a name, or several that its items go to.
indirect enum TemplateTarget: Sendable {
  case name(String)
  case several([TemplateTarget])
}

/// A loop: `{% for target in items if condition %}`.
struct TemplateLoop: Sendable {
  var target: TemplateTarget
  var items: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

/// A macro: `{% macro name(parameters) %}`, or the body of a call block, which is called `caller`.
struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, standard: TemplateExpression?)]
  var body: [TemplateStatement]
  /// Which of `caller`, `varargs` and `kwargs` the body names: it may be given those alone.
  var extras: Set<String>
}
