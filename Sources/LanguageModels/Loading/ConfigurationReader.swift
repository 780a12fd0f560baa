internal import Checkpoints
internal import StrictJSON

/// Reads a model's configuration key by key and refuses what it was not told about.
///
/// One reader serves both spellings: `config.json` and GGUF metadata become the same JSON values. A
/// family asks for every key it handles and names those it knowingly ignores; ``finish()`` refuses
/// any other, all at once, because an unread key may mean a different model.
final class ConfigurationReader {
  /// The file, for messages.
  let file: String
  private let members: [(key: String, value: JSON)]
  /// Keys that the person vouches for.
  let exempt: Set<String>
  private var handled: Set<ExactString> = []

  /// Reads members; `exempt` are keys that the person vouches for (`--ignore-config-key`).
  init(_ members: [(key: String, value: JSON)], file: String, exempt: Set<String>) {
    self.members = members
    self.file = file
    self.exempt = exempt
  }

  /// The value of a key, or nil if absent or null.
  func value(_ key: String) -> JSON? {
    handled.insert(ExactString(key))
    return members.first { ExactString($0.key) == ExactString(key) }
      .flatMap { $0.value.isNull ? nil : $0.value }
  }

  /// Whether a key is there, be it null.
  func has(_ key: String) -> Bool { members.contains { ExactString($0.key) == ExactString(key) } }

  /// A whole number of at least 1 that must be there.
  func count(_ key: String) throws -> Int {
    guard let value = try optionalCount(key) else {
      throw ModelError.missingKey(key, file: file)
    }
    return value
  }

  /// A whole number of at least 1, or nil if absent.
  func optionalCount(_ key: String) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.integer, number > 0, number <= 1 << 31 else {
      throw bad(key, value, "a whole number from 1 to 2147483648 is expected")
    }
    return number
  }

  /// A whole number of at least 0, or nil if absent.
  func wholeNumber(_ key: String) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.integer, number >= 0, number <= 1 << 31 else {
      throw bad(key, value, "a whole number from 0 to 2147483648 is expected")
    }
    return number
  }

  /// The number of blocks: a count that no file may make absurd, since work is done for each.
  func layerCount(_ key: String) throws -> Int {
    let layers = try count(key)
    guard layers <= 10_000 else {
      throw bad(key, .number(.integer(layers)), "at most 10000 layers are expected")
    }
    return layers
  }

  /// A positive finite number that must be there.
  func number(_ key: String) throws -> Double {
    guard let number = try optionalNumber(key) else {
      throw ModelError.missingKey(key, file: file)
    }
    return number
  }

  /// A positive finite number, or nil if absent.
  func optionalNumber(_ key: String) throws -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.double, number > 0, number.isFinite else {
      throw bad(key, value, "a number above 0 is expected")
    }
    return number
  }

  /// true or false, or nil if absent.
  func flag(_ key: String) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard let flag = value.boolean else { throw bad(key, value, "true or false is expected") }
    return flag
  }

  /// A string, or nil if absent.
  func string(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard let string = value.string else { throw bad(key, value, "a string is expected") }
    return string
  }

  /// A key that may only have one value, because Telescope computes only that.
  func require(_ key: String, _ allowed: (JSON) -> Bool, _ expected: String) throws {
    guard let value = value(key), !allowed(value) else { return }
    throw bad(key, value, expected)
  }

  /// Keys that do not change what is computed here.
  func ignore(_ keys: [String]) { handled.formUnion(keys.map(ExactString.init)) }

  /// Keys under a prefix that do not change what is computed here.
  func ignore(prefix: String) {
    handled.formUnion(members.lazy.filter { $0.key.hasPrefix(prefix) }.map { ExactString($0.key) })
  }

  /// An error about a key's value.
  func bad(_ key: String, _ value: JSON, _ expected: String) -> ModelError {
    .badValue(key, shown(value), expected: expected, file: file)
  }

  /// - Throws: `ModelError` naming every key that nobody asked for.
  func finish() throws {
    let unknown = members.map(\.key)
      .filter { !handled.contains(ExactString($0)) && !exempt.contains($0) }
    if !unknown.isEmpty { throw ModelError.unknownKeys(unknown.sorted(), file: file) }
  }

  private func shown(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .boolean(let flag): flag ? "true" : "false"
    case .number(.integer(let number)): "\(number)"
    case .number(let number): "\(number.double)"
    case .string(let text): "'\(text.prefix(60))'"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
