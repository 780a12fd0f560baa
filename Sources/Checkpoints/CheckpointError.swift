import Foundation

/// Why a checkpoint cannot be read or written.
public struct CheckpointError: Error, Sendable {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// There is no such file, or a folder lacks one it needs.
    case missing
    /// The system refuses to read it.
    case unreadable
    /// The system refuses to write it.
    case unwritable
    /// The bytes break the rules of their format.
    case malformed
    /// Well formed, but of a kind that Telescope does not read.
    case unsupported
    /// The network, or a service in it, does not do what it should.
    case unavailable
    /// A name or a setting that cannot be meant.
    case usage
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

  /// The file breaks the rules of its format: `file: what; remedy`.
  static func malformed(_ path: String, _ what: String, cause: (any Error)? = nil) -> Self {
    Self(.malformed, "\(path): \(what); the file is damaged, download it again", cause: cause)
  }

  /// The system refuses to read the file.
  static func unreadable(_ path: String, errno code: Int32) -> Self {
    Self(
      .unreadable,
      "\(path): the file cannot be read (\(String(cString: strerror(code)))); check its permissions"
    )
  }
}

extension CheckpointError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}

/// Text of a file as a message shows it: short, on one line, in quotes.
func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(80).map { $0.escaped(asASCII: false) }.joined()
  return "'\(shown)" + (text.unicodeScalars.count > 80 ? "…'" : "'")
}

extension URL {
  /// The path as a message shows it: a folder's without the slash at its end.
  var plainPath: String {
    let path = path(percentEncoded: false)
    return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }
}
