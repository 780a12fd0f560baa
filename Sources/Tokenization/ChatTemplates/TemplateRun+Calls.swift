import Foundation

extension TemplateRun {
  /// Calls a macro, a function of the language or a method.
  mutating func call(
    _ callee: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch callee {
    case .macro(let macro): return try call(macro, arguments, in: nil, line)
    case .caller(let macro, let scopes): return try call(macro, arguments, in: scopes, line)
    case .function(let name): return try function(name, arguments, line)
    case .method(let base, let name): return try method(base, name, arguments, line)
    case .undefined("strftime_now"):
      throw failure(line, "the template writes today's date, and it is rendered without a date")
    default: throw failure(line, "\(callee.kind) is not something to call")
    }
  }

  private mutating func function(
    _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch name {
    case "range":
      return try range(arguments, line)
    case "namespace":
      let space = TemplateNamespace()
      if case .object(let object)? = arguments.values.first {
        for member in object.members {
          if let name = member.key.text { space.members[name] = member.value }
        }
      }
      for (name, value) in arguments.named {
        _ = try TemplateList.depth(over: value.depth, line: line)
        space.members[name] = value
      }
      return .namespace(space)
    case "dict":
      var object = TemplateObject(members: [], depth: 1)
      if case .object(let given)? = arguments.values.first { object = given }
      for (name, value) in arguments.named { try object.set(.text(name), value, line: line) }
      return .object(object)
    case "strftime_now":
      let format = try text(arguments, 0, "format", of: name, line)
      return try made(try formatted(format, line), line)
    default:
      let reason = arguments.values.first?.written ?? "no reason given"
      throw TokenizationError(
        .templateFailure,
        "chat template, line \(line): the template refuses the conversation: "
          + "\(printable(reason, 400)).")
    }
  }

  private mutating func range(
    _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var bounds: [Int] = []
    for value in arguments.values {
      guard let bound = value.whole else {
        throw failure(line, "'range' takes whole numbers, not \(value.kind)")
      }
      bounds.append(bound)
    }
    guard (1...3).contains(bounds.count), bounds.count < 3 || bounds[2] != 0 else {
      throw failure(line, "'range' takes one to three whole numbers, the last not 0")
    }
    let numbers = stride(
      from: bounds.count == 1 ? 0 : bounds[0], to: bounds.count == 1 ? bounds[0] : bounds[1],
      by: bounds.count == 3 ? bounds[2] : 1)
    var items: [TemplateValue] = []
    for number in numbers {
      guard items.count < Self.longestRange else {
        throw .template(
          .templateLimit, line, "a range has more than \(Self.longestRange) numbers")
      }
      items.append(.integer(number))
    }
    return try made(items, line)
  }

  private func formatted(_ format: String, _ line: Int) throws(TokenizationError) -> String {
    guard let date, format.utf8.count <= 200 else {
      throw failure(line, "the format of a date is too long")
    }
    var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 4096)
    // A format that gives nothing and one that does not fit both return 0; nothing is right for both.
    let length = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer[..<length].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
