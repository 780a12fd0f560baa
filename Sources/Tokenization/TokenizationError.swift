/// Why a tokenizer or a chat template cannot be read or used: what, where, and what to do.
public struct TokenizationError: Error, Equatable, Sendable {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// The file cannot be read from disk.
    case unreadable
    /// The text is not JSON, or lacks what a tokenizer needs.
    case malformed
    /// A part of a tokenizer, or of the template language, that Telescope does not know.
    case unsupported
    /// A template that is not well formed.
    case templateSyntax
    /// A template that failed while it ran.
    case templateFailure
    /// A template that asked for more steps, text or depth than allowed.
    case templateLimit
  }

  /// The kind of fault.
  public let code: Code
  /// What is wrong, where, and what to do, in one sentence.
  public let message: String

  /// An error with its sentence.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension TokenizationError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
