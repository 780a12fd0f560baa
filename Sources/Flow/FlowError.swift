/// Why a flow cannot be made.
public struct FlowError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public enum Code: String, Sendable {
    /// The request does not fit the model or the text.
    case usage
    /// The model produced numbers that are not finite.
    case notFinite
  }

  /// The kind of failure.
  public let code: Code
  /// What, where and what to do.
  public let message: String

  /// The message.
  public var description: String { message }
}
