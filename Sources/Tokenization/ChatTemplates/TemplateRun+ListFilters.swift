extension TemplateRun {
  /// The value of a filter that takes or gives a list.
  mutating func listFilter(
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
    case "min", "max":
      return try extreme(value, name, arguments, line)
    case "sum":
      var sum = arguments[1, "start"] ?? .integer(0)
      for var item in try items(of: value, line) {
        try step(1, line)
        if let attribute = arguments[0, "attribute"] { item = try part(item, attribute, line) }
        sum = try arithmetic(sum, "+", item, line)
      }
      return sum
    case "batch":
      return try batched(value, arguments, line)
    case "map":
      return try mapped(value, arguments, line)
    case "select", "reject", "selectattr", "rejectattr":
      return try selected(value, name, arguments, line)
    default:
      throw failure(line, "the filter '\(name)' is not one this subset of Jinja knows")
    }
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

  private mutating func extreme(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    let isCaseSensitive = arguments[0, "case_sensitive"]?.isTrue ?? false
    var best: (key: TemplateValue, item: TemplateValue)?
    for item in try items(of: value, line) {
      try step(1, line)
      var key = item
      if let attribute = arguments[1, "attribute"] { key = try part(item, attribute, line) }
      if !isCaseSensitive, let text = key.text {
        try step(text.utf8.count / 64, line)
        key = .text(text.lowercased())
      }
      guard let found = best else {
        best = (key, item)
        continue
      }
      let isBetter =
        name == "min" ? try isLess(key, found.key, line) : try isLess(found.key, key, line)
      if isBetter { best = (key, item) }
    }
    return best?.item ?? .undefined("the \(name) of nothing")
  }

  private mutating func batched(
    _ value: TemplateValue, _ arguments: TemplateRunArguments, _ line: Int
  ) throws(TokenizationError) -> TemplateValue {
    guard let count = arguments[0, "linecount"]?.whole, (1...Self.longestRange).contains(count)
    else { throw failure(line, "'batch' takes a whole number from 1 to \(Self.longestRange)") }
    let items = try items(of: value, line)
    var batches: [TemplateValue] = []
    for start in stride(from: 0, to: items.count, by: count) {
      var batch = Array(items[start..<min(start + count, items.count)])
      if let filling = arguments[1, "fill_with"], !filling.isNone {
        batch += Array(repeating: filling, count: count - batch.count)
      }
      batches.append(try made(batch, line))
    }
    return try made(batches, line)
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
}
