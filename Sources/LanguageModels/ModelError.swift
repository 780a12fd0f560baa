/// Why a model cannot be loaded or run.
public struct ModelError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure; the command's exit code follows from it.
  public enum Code: String, Sendable {
    /// The request does not fit the model.
    case usage
    /// The files do not make a model that Telescope knows.
    case badData
    /// The machine has too little memory.
    case memory
  }

  /// The kind of failure.
  public let code: Code
  /// What, where and what to do.
  public let message: String

  /// Describes a failure.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

// The sentences, in one place.
extension ModelError {
  static let emptyPrompt = ModelError(
    .usage, "The prompt is empty; give at least one token of text.")

  static func tokenOutOfRange(_ id: Int, vocabulary: Int) -> ModelError {
    ModelError(
      .usage,
      "Token id \(id) is out of range; this model's vocabulary has ids 0 to "
        + "\(vocabulary - 1).")
  }

  static func tooLong(_ length: Int, context: Int) -> ModelError {
    ModelError(
      .usage,
      "The text is \(length) tokens long and the model's context holds \(context); "
        + "shorten the prompt or generate fewer tokens.")
  }

  static func lengthChangesKeys(from length: Int, to longer: Int) -> ModelError {
    ModelError(
      .usage,
      "This model's rotary positions go by the length of the text: keys kept of \(length) tokens are "
        + "not those of \(longer); run the whole text without the cache.")
  }

  static func readsBothWays(_ architecture: String) -> ModelError {
    ModelError(
      .usage,
      "\(architecture) reads a text both ways, so what it keeps of a part is not that of the whole; "
        + "run whole texts, and ask for predictions at their own positions.")
  }

  package static func noHead(_ name: String) -> ModelError {
    ModelError(
      .usage,
      "\(name) has no language-model head, so it gives no probabilities of tokens; use a checkpoint "
        + "that has one.")
  }

  static func unknownArchitecture(_ name: String, file: String) -> ModelError {
    ModelError(
      .badData,
      "\(file): the architecture '\(name)' is not one that Telescope runs; it runs "
        + "\(familyNames.joined(separator: ", ")).")
  }

  static func unknownKeys(_ keys: [String], file: String) -> ModelError {
    let list = keys.map { "'\($0)'" }.joined(separator: ", ")
    let flags = keys.map { "--ignore-config-key \($0)" }.joined(separator: " ")
    return ModelError(
      .badData,
      "\(file): unknown configuration \(keys.count == 1 ? "key" : "keys") \(list); the "
        + "model may differ from what Telescope computes (if you know that it does not, add "
        + "\(flags)).")
  }

  static func badValue(_ key: String, _ found: String, expected: String, file: String)
    -> ModelError
  {
    ModelError(.badData, "\(file): '\(key)' is \(found); \(expected).")
  }

  static func missingKey(_ key: String, file: String) -> ModelError {
    ModelError(
      .badData, "\(file): the configuration lacks '\(key)'; the file is incomplete, get it again.")
  }

  static func overflow(of tensor: String, as type: String, file: String) -> ModelError {
    ModelError(
      .badData,
      "\(file): tensor '\(tensor)' has numbers beyond what \(type) can hold; use --dtype bfloat16 "
        + "or float32.")
  }

  static func weights(_ problems: [String], file: String) -> ModelError {
    ModelError(
      .badData,
      "\(file): \(problems.joined(separator: "; ")). The weights and the configuration "
        + "are from different models, or the file is incomplete.")
  }
}
