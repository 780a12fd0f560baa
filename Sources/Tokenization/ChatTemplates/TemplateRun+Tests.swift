extension TemplateRun {
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
      case .macro, .caller, .function, .method: return true
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
