extension TemplateRun {
  private static let textMethods: Set<String> = [
    "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "rsplit", "splitlines", "title",
    "capitalize", "upper", "lower", "replace", "find", "rfind", "index", "rindex", "count", "join",
    "removeprefix", "removesuffix", "format", "isdigit", "isdecimal", "isalpha", "isalnum",
    "isspace", "isupper", "islower", "partition", "rpartition", "zfill",
  ]

  static func hasMethod(_ value: TemplateValue, _ name: String) -> Bool {
    switch value {
    case .text: textMethods.contains(name)
    case .object: ["get", "items", "keys", "values", "copy"].contains(name)
    case .list: ["index", "count", "copy"].contains(name)
    default: false
    }
  }

  mutating func method(
    _ base: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    switch base {
    case .text(let text):
      return try method(text, name, arguments, line)
    case .object(let object):
      switch name {
      case "items": return try pairs(object, line)
      case "keys": return try made(object.members.map(\.key), line)
      case "values": return try made(object.members.map(\.value), line)
      case "copy": return base
      default:
        guard let key = arguments[0, "key"] else { throw failure(line, "'get' lacks its key") }
        return object[key: key] ?? arguments[1, "default"] ?? .none
      }
    case .list(let list):
      try step(list.items.count, line)
      if name == "copy" { return base }
      guard let wanted = arguments.values.first else {
        throw failure(line, "'\(name)' lacks its value")
      }
      if name == "count" {
        return .integer(list.items.count { $0.equals(wanted) })
      }
      guard let index = list.items.firstIndex(where: { $0.equals(wanted) }) else {
        throw failure(line, "the list does not hold the value 'index' looks for")
      }
      return .integer(index)
    case .loop(let loop):
      guard !arguments.values.isEmpty else { throw failure(line, "'\(name)' lacks its values") }
      if name == "changed" { return .boolean(try changed(loop, arguments.values, line)) }
      return arguments.values[loop.index % arguments.values.count]
    default:
      throw failure(line, "\(base.kind) has no '\(name)'")
    }
  }

  /// The members of an object as a list of pairs.
  mutating func pairs(
    _ object: TemplateObject, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var items: [TemplateValue] = []
    for member in object.members {
      items.append(try made([member.key, member.value], isTuple: true, line))
    }
    return try made(items, line)
  }

  private mutating func method(
    _ text: String, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    try step(1 + text.utf8.count / 16, line)
    switch name {
    case "strip", "lstrip", "rstrip":
      var characters: String?
      if let given = arguments.values.first, given.text != nil { characters = given.text }
      return .text(
        text.stripped(characters, start: name != "rstrip", end: name != "lstrip"))
    case "startswith", "endswith":
      var parts = try items(of: arguments.values.first ?? .undefined("prefix"), line)
      if case .text? = arguments.values.first { parts = [arguments.values[0]] }
      for part in parts {
        guard let part = part.text else { throw failure(line, "'\(name)' takes texts") }
        let holds =
          name == "startswith"
          ? text.utf8.starts(with: part.utf8)
          : text.utf8.reversed().starts(with: part.utf8.reversed())
        if holds { return .boolean(true) }
      }
      return .boolean(false)
    case "removeprefix":
      let part = try self.text(arguments, 0, "prefix", of: name, line)
      guard text.utf8.starts(with: part.utf8) else { return .text(text) }
      return .text(String(decoding: text.utf8.dropFirst(part.utf8.count), as: UTF8.self))
    case "removesuffix":
      let part = try self.text(arguments, 0, "suffix", of: name, line)
      guard text.utf8.reversed().starts(with: part.utf8.reversed()) else { return .text(text) }
      return .text(String(decoding: text.utf8.dropLast(part.utf8.count), as: UTF8.self))
    case "split", "rsplit", "splitlines":
      return try split(text, name, arguments, line)
    case "upper", "lower", "title", "capitalize":
      return try made(text.cased(name), line)
    case "replace":
      return try replaced(text, arguments, line)
    case "find", "rfind", "index", "rindex":
      return .integer(try place(text, name, arguments, line))
    case "partition", "rpartition":
      return try partition(text, name, arguments, line)
    case "zfill":
      guard let width = arguments[0, "width"]?.whole else {
        throw failure(line, "'zfill' takes a whole number")
      }
      let count = max(0, width - text.unicodeScalars.count)
      try room(text.utf8.count + min(count, 1 << 30), line)
      let hasSign = text.hasPrefix("-") || text.hasPrefix("+")
      return .text(
        text.prefix(hasSign ? 1 : 0) + String(repeating: "0", count: count)
          + text.dropFirst(hasSign ? 1 : 0))
    case "count":
      let part = try self.text(arguments, 0, "sub", of: name, line)
      guard !part.isEmpty else { return .integer(text.unicodeScalars.count + 1) }
      return .integer(ByteSearch(part).all(in: Array(text.utf8), atMost: nil).count)
    case "join":
      return try joined(arguments.values.first ?? .undefined("items"), text, line)
    case "isdigit", "isdecimal", "isalpha", "isalnum", "isspace", "isupper", "islower":
      return .boolean(text.isAll(name))
    default:
      return try formatted(text, arguments, line)
    }
  }

  private mutating func changed(
    _ loop: TemplateLoopState, _ values: [TemplateValue], _ line: Int
  ) throws(TokenizationError) -> Bool {
    // What can hold itself must not be kept by the loop, which may be part of it.
    _ = try TemplateList(values, line: line)
    let isSame = loop.last.map { last in
      last.count == values.count && zip(last, values).allSatisfy { $0.equals($1) }
    }
    loop.last = values
    return !(isSame ?? false)
  }

  /// Where a text holds another, in characters; −1 for `find` and `rfind` of what is not there.
  private mutating func place(
    _ text: String, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> Int {
    let part = try self.text(arguments, 0, "sub", of: name, line)
    guard arguments.values.count == 1 else {
      throw failure(line, "'\(name)' takes one text here, not where to begin or end")
    }
    let bytes = Array(text.utf8)
    guard let place = ByteSearch(part).place(in: bytes, last: name.hasPrefix("r")) else {
      guard name.hasSuffix("find") else {
        throw failure(line, "the text does not hold what '\(name)' looks for")
      }
      return -1
    }
    return String(decoding: bytes[..<place], as: UTF8.self).unicodeScalars.count
  }

  private mutating func partition(
    _ text: String, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let part = try self.text(arguments, 0, "sep", of: name, line)
    guard !part.isEmpty else {
      throw failure(line, "'\(name)' takes a separator that is not empty")
    }
    let bytes = Array(text.utf8)
    let isLast = name == "rpartition"
    guard let place = ByteSearch(part).place(in: bytes, last: isLast) else {
      return try made(
        isLast ? [.text(""), .text(""), .text(text)] : [.text(text), .text(""), .text("")],
        isTuple: true, line)
    }
    let end = place + part.utf8.count
    return try made(
      [
        .text(String(decoding: bytes[..<place], as: UTF8.self)), .text(part),
        .text(String(decoding: bytes[end...], as: UTF8.self)),
      ], isTuple: true, line)
  }

  /// The text of an argument.
  func text(
    _ arguments: TemplateRunArguments, _ index: Int, _ name: String, of function: String,
    _ line: Int
  ) throws(TokenizationError) -> String {
    guard let value = arguments[index, name], let text = value.text else {
      let found = arguments[index, name]?.kind ?? "nothing"
      throw failure(line, "'\(function)' takes a text, not \(found)")
    }
    return text
  }

  private mutating func split(
    _ text: String, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    // Counts the parts before they are made: there is at most one for every other byte.
    try step(text.utf8.count / 4, line)
    if name == "splitlines" {
      return try made(text.templateLines.map { .text($0) }, line)
    }
    let most = arguments[1, "maxsplit"]?.whole.flatMap { $0 < 0 ? nil : $0 }
    guard let separator = arguments[0, "sep"], separator.text != nil else {
      guard most == nil else {
        throw failure(line, "'\(name)' at white space takes no greatest number of parts here")
      }
      let words = text.unicodeScalars.split(whereSeparator: \.isTemplateSpace)
      return try made(words.map { .text(String($0)) }, line)
    }
    let part = try self.text(arguments, 0, "sep", of: name, line)
    guard !part.isEmpty else {
      throw failure(line, "'\(name)' takes a separator that is not empty")
    }
    let bytes = Array(text.utf8)
    var places = ByteSearch(part).all(in: bytes, atMost: name == "split" ? most : nil)
    if name == "rsplit", let most { places = Array(places.suffix(most)) }
    var items: [TemplateValue] = []
    var start = 0
    for place in places {
      items.append(.text(String(decoding: bytes[start..<place], as: UTF8.self)))
      start = place + part.utf8.count
    }
    items.append(.text(String(decoding: bytes[start...], as: UTF8.self)))
    return try made(items, line)
  }

  mutating func replaced(
    _ text: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let old = try self.text(arguments, 0, "old", of: "replace", line)
    let new = try self.text(arguments, 1, "new", of: "replace", line)
    guard !old.isEmpty else { throw failure(line, "'replace' takes a text that is not empty") }
    let count = arguments[2, "count"]?.whole.flatMap { $0 < 0 ? nil : $0 }
    let bytes = Array(text.utf8)
    let places = ByteSearch(old).all(in: bytes, atMost: count)
    try step(places.count, line)
    try room(bytes.count + min(places.count, 1 << 24) * min(new.utf8.count, 1 << 24), line)
    var result: [UInt8] = []
    var start = 0
    for place in places {
      result.append(contentsOf: bytes[start..<place])
      result.append(contentsOf: new.utf8)
      start = place + old.utf8.count
    }
    result.append(contentsOf: bytes[start...])
    return .text(String(decoding: result, as: UTF8.self))
  }

  mutating func joined(
    _ value: TemplateValue, _ separator: String, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var text = ""
    for (index, item) in try items(of: value, line).enumerated() {
      if index > 0 { text += separator }
      text += try written(item, line)
      // Counts what was added, and refuses the sum before it grows.
      try step(1 + separator.utf8.count / 64, line)
      guard text.utf8.count <= Self.longestText else {
        throw .template(
          .templateLimit, line, "the template made a text of more than \(Self.longestText) bytes")
      }
    }
    return try made(text, line)
  }

  /// Python's `format`, with `{}` and `{0}`.
  private mutating func formatted(
    _ text: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    var result = ""
    var next = 0
    var rest = Substring(text).unicodeScalars
    while let scalar = rest.popFirst() {
      if (scalar == "{" || scalar == "}") && rest.first == scalar {
        rest.removeFirst()
        result.unicodeScalars.append(scalar)
      } else if scalar == "{" {
        let field = String(rest.prefix { $0 != "}" })
        rest = rest.dropFirst(field.unicodeScalars.count + 1)
        let value: TemplateValue?
        if field.isEmpty {
          value = arguments.values.item(next)
          next += 1
        } else {
          value =
            Int(field).flatMap { $0 < 0 ? nil : arguments.values.item($0) } ?? arguments[field]
        }
        guard let value else {
          throw failure(line, "'format' has no value for '{\(printable(field))}'")
        }
        result += try written(value, line)
        try room(result.utf8.count, line)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return try made(result, line)
  }
}
