/// Why a lens cannot be loaded, trained or shown.
public struct LensError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure; the command's exit code follows from it.
  public enum Code: String, Sendable {
    /// The request does not fit the model or the text.
    case usage
    /// The file does not hold a lens that fits the model.
    case badData
    /// The numbers are not finite.
    case notFinite
    /// The run would need more memory than allowed.
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

  static let modelNotFinite = LensError(
    .notFinite,
    "The model's numbers are not finite at some layer; the file may be damaged, or need more "
      + "range than --dtype bfloat16 has: get it again, or use float32.")
}
