/// The words of a command line, read once from left to right.
///
/// A command says which options it knows and what follows each; then it asks for them by name.
struct Arguments {
  /// What follows an option's name.
  enum Form: Sendable {
    /// Nothing.
    case alone
    /// One word: `--name word` or `--name=word`.
    case value
    /// As many words as are accepted, also joined by commas.
    case list(accepts: @Sendable (String) -> Bool)
  }

  private var given: [String: [[String]]] = [:]
  /// The words that are no options, and all after `--`.
  private(set) var rest: [String] = []

  /// Reads the words after a command's name.
  init(_ words: [String], _ forms: [String: Form], of command: String = "explain") throws {
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      if word == "--" {
        rest += words[index...]
        return
      }
      guard word.hasPrefix("-"), word != "-" else {
        rest.append(word)
        continue
      }
      let (name, attached) = Self.parts(word)
      guard let form = forms[name] else {
        throw CommandError(
          .usage,
          "Unknown option '\(name)'; telescope \(command) --help lists the options (a prompt "
            + "that begins with a dash goes after --).")
      }
      let end = words[index...].firstIndex { $0 == "--" || forms[Self.parts($0).name] != nil }
      let following = words[index..<(end ?? words.count)]
      let values = try Self.values(name, form, attached, following, command)
      if attached == nil { index += values.words }
      given[name, default: []].append(values.found)
    }
  }

  private static func parts(_ word: String) -> (name: String, attached: String?) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    return (String(parts[0]), parts.count > 1 ? String(parts[1]) : nil)
  }

  /// The values of one option, and how many of the following words they are.
  private static func values(
    _ name: String, _ form: Form, _ attached: String?, _ following: ArraySlice<String>,
    _ command: String
  ) throws -> (found: [String], words: Int) {
    switch form {
    case .alone:
      if let attached {
        throw CommandError(.usage, "\(name) takes no value; leave out '=\(attached)'.")
      }
      return ([], 0)
    case .value:
      guard let value = attached ?? following.first else {
        throw CommandError(.usage, "\(name) needs a value; see telescope \(command) --help.")
      }
      return ([value], 1)
    case .list(let accepts):
      func items(_ word: String) -> [String] { word.split(separator: ",").map(String.init) }
      func fits(_ word: String) -> Bool {
        !items(word).isEmpty && items(word).allSatisfy(accepts)
      }
      let words = attached.map { [$0] } ?? Array(following.prefix(while: fits))
      guard !words.isEmpty, words.allSatisfy(fits) else {
        let wrong = (attached ?? following.first).map { ", and '\($0)' is none" } ?? ""
        throw CommandError(
          .usage, "\(name) needs one or more values\(wrong); see telescope \(command) --help.")
      }
      return (words.flatMap(items), words.count)
    }
  }

  /// Whether a switch is given, under any of its names.
  func flag(_ names: String...) -> Bool { names.contains { given[$0] != nil } }

  /// Whether an option is given.
  func has(_ name: String) -> Bool { given[name] != nil }

  /// The value of an option that may be given once.
  func value(_ name: String) throws -> String? { try once(name)?.first }

  /// The values of an option that may be repeated.
  func values(_ name: String) -> [String] { given[name, default: []].flatMap(\.self) }

  /// The words of a list that may be given once.
  func list(_ name: String) throws -> [String]? { try once(name) }

  private func once(_ name: String) throws -> [String]? {
    let all = given[name, default: []]
    guard all.count < 2 else {
      throw CommandError(.usage, "\(name) is given \(all.count) times; give it once.")
    }
    return all.first
  }

  /// A whole number within a range; `word` is what else the option takes, for the refusal.
  func integer(
    _ name: String, in range: ClosedRange<Int>, or word: String? = nil
  ) throws -> Int? {
    guard let text = try value(name) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw CommandError(
        .usage,
        "\(name) '\(text)': give a whole number from \(range.lowerBound) to "
          + "\(range.upperBound)\(word.map { ", or \($0)" } ?? "").")
    }
    return number
  }

  /// A number that passes a test.
  func number(
    _ name: String, _ expected: String, where passes: (Double) -> Bool
  ) throws -> Double? {
    guard let text = try value(name) else { return nil }
    guard let number = Double(text), passes(number) else {
      throw CommandError(.usage, "\(name) '\(text)': give \(expected).")
    }
    return number
  }

  /// One of several named values.
  func choice<Value>(
    _ name: String, _ values: [Value], _ title: (Value) -> String
  ) throws -> Value? {
    guard let text = try value(name) else { return nil }
    if let value = values.first(where: { title($0) == text }) { return value }
    let titles = values.map(title).joined(separator: ", ")
    throw CommandError(
      .usage,
      "\(name) '\(text)': "
        + (values.count == 1 ? "the only choice is \(titles)." : "choose one of \(titles)."))
  }
}
