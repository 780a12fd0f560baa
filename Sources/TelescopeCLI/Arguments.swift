/// The words of a command line, taken one option at a time.
///
/// A command asks for every option it knows; ``finish()`` refuses what is left.
struct Arguments {
  private var words: [String]
  /// Words after `--`, never options.
  private let literal: [String]

  init(_ words: [String]) {
    if let end = words.firstIndex(of: "--") {
      self.words = Array(words[..<end])
      literal = Array(words[(end + 1)...])
    } else {
      self.words = words
      literal = []
    }
  }

  /// Takes a switch.
  mutating func flag(_ names: String...) -> Bool {
    let found = words.contains(where: names.contains)
    words.removeAll(where: names.contains)
    return found
  }

  /// Takes an option with one value: `--name value` or `--name=value`.
  mutating func value(_ name: String) throws -> String? {
    let all = try values(name)
    guard all.count < 2 else {
      throw CommandError(.usage, "\(name) is given \(all.count) times; give it once.")
    }
    return all.first
  }

  /// Takes an option that may be repeated.
  mutating func values(_ name: String) throws -> [String] {
    var found: [String] = []
    var index = 0
    while index < words.count {
      let word = words[index]
      if word.hasPrefix(name + "=") {
        found.append(String(word.dropFirst(name.count + 1)))
        words.remove(at: index)
      } else if word == name {
        guard index + 1 < words.count else {
          throw CommandError(.usage, "\(name) needs a value; see telescope explain --help.")
        }
        found.append(words[index + 1])
        words.removeSubrange(index...index + 1)
      } else {
        index += 1
      }
    }
    return found
  }

  /// Takes an option followed by as many words as `belongs` accepts, also joined by commas.
  mutating func list(_ name: String, where belongs: (String) -> Bool) throws -> [String]? {
    guard let start = words.firstIndex(where: { $0 == name || $0.hasPrefix(name + "=") }) else {
      return nil
    }
    func parts(_ word: String) -> [String] { word.split(separator: ",").map(String.init) }
    var found: [String] = []
    var end = start + 1
    if words[start] != name {
      found = parts(String(words[start].dropFirst(name.count + 1)))
    } else {
      while end < words.count, !parts(words[end]).isEmpty, parts(words[end]).allSatisfy(belongs) {
        found += parts(words[end])
        end += 1
      }
    }
    guard !found.isEmpty, found.allSatisfy(belongs) else {
      let given = end < words.count ? " ('\(words[end])' is none)" : ""
      throw CommandError(.usage, "\(name) needs one or more values\(given); see telescope explain --help.")
    }
    words.removeSubrange(start..<end)
    if words.contains(where: { $0 == name || $0.hasPrefix(name + "=") }) {
      throw CommandError(.usage, "\(name) is given twice; list its values once.")
    }
    return found
  }

  /// A whole number within a range.
  mutating func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = try value(name) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw CommandError(
        .usage, "\(name) '\(text)': a whole number from \(range.lowerBound) to "
          + "\(range.upperBound) is expected.")
    }
    return number
  }

  /// A number that passes a test.
  mutating func number(
    _ name: String, _ expected: String, where passes: (Double) -> Bool
  ) throws -> Double? {
    guard let text = try value(name) else { return nil }
    guard let number = Double(text), passes(number) else {
      throw CommandError(.usage, "\(name) '\(text)': \(expected) is expected.")
    }
    return number
  }

  /// The words that are left, once no option is among them.
  func finish() throws -> [String] {
    if let unknown = words.first(where: { $0.hasPrefix("-") && $0 != "-" }) {
      let name = unknown.split(separator: "=").first.map(String.init) ?? unknown
      throw CommandError(.usage, "Unknown option \(name); see telescope explain --help.")
    }
    return words + literal
  }
}
