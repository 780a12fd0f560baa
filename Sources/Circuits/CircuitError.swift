internal import Attribution
internal import LanguageModels

/// Why a circuit cannot be found or evaluated.
public struct CircuitError: Error, Sendable, CustomStringConvertible, Equatable {
  /// The kind of failure.
  public enum Code: String, Sendable {
    /// The request does not fit the model or the prompts.
    case usage
    /// A file of prompts is not what it should be.
    case badData
    /// The model produced numbers that are not finite.
    case notFinite
    /// A file cannot be read.
    case unreadable
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
extension CircuitError {
  static let noPrompts = CircuitError(.usage, "There are no prompts; give at least one.")

  static func noUnits(_ kind: UnitKind, _ architecture: String) -> CircuitError {
    CircuitError(
      .usage,
      "No block of \(architecture) shows the site '\(kind.site(0).kind)', so it has no units of kind "
        + "\(kind.rawValue); choose another kind (telescope inspect lists the sites).")
  }

  static func lengths(_ shortest: Int, _ longest: Int) -> CircuitError {
    CircuitError(
      .usage,
      "The prompts have \(shortest) to \(longest) tokens, and positions can only be told apart in prompts "
        + "of one length; sum the positions, or keep prompts of one length.")
  }

  static func unevenPair(_ index: Int, _ clean: Int, _ patch: Int) -> CircuitError {
    CircuitError(
      .usage,
      "Prompt \(index + 1) has \(clean) tokens and its changed prompt \(patch); positions can only be "
        + "exchanged between texts of equal length.")
  }

  static func noPatch(_ index: Int) -> CircuitError {
    CircuitError(
      .usage,
      "Prompt \(index + 1) has no changed prompt, which values are to be taken from; give one "
        + "(--contrast), or ablate to zero and score without pairs.")
  }

  static let mixedVersus = CircuitError(
    .usage,
    "Some prompts have a second answer and others have none; give all of them one, or none.")

  static func scores(_ found: String, _ expected: String) -> CircuitError {
    CircuitError(
      .usage,
      "The scores are of \(found) and the prompts of \(expected); score units of the same kind on "
        + "prompts of the same length.")
  }

  static func noNode(_ what: String, _ range: String) -> CircuitError {
    CircuitError(.usage, "There is no \(what) here; there are \(range).")
  }

  static func notFinite(_ architecture: String) -> CircuitError {
    CircuitError(
      .notFinite,
      "The metric of \(architecture) is not finite; use --dtype float32 or float64, and check the model "
        + "with telescope verify.")
  }

  static func noneLeft(
    _ task: String, _ model: String, _ split: String, _ leftOut: PromptSet.LeftOut
  ) -> CircuitError {
    CircuitError(
      .usage,
      "Task \(task) has no prompt left for \(split) with the tokenizer of \(model): the answers of "
        + "\(leftOut.answers) are not one token, and \(leftOut.lengths) differ in length from their changed "
        + "prompts; choose another task or model.")
  }
}
