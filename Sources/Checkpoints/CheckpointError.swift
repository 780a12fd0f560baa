/// Why a checkpoint cannot be read.
public struct CheckpointError: Error, Sendable {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// There is no such file, or a folder lacks one it needs.
    case missing
    /// The system refuses to read it.
    case unreadable
    /// The bytes break the rules of their format.
    case malformed
    /// Well formed, but of a kind that Telescope does not read.
    case unsupported
  }

  /// The kind of fault.
  public let code: Code
  /// One sentence: what, where, and what to do.
  public let message: String
  /// The error underneath, if another layer found the fault.
  public let cause: (any Error)?

  /// An error of this kind.
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
}

extension CheckpointError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
