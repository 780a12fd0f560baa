internal import CTorch

/// What went wrong in the engine.
public struct EngineError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure.
  public enum Code: Sendable {
    /// The device asked for is not there.
    case deviceUnavailable
    /// An allocation failed.
    case outOfMemory
    /// Anything else the engine refused: a mistake in our code, never in a person's input.
    case refused
  }

  /// The kind of failure.
  public var code: Code
  /// What, where and what to do, in one sentence.
  public var message: String

  /// The message.
  public var description: String { message }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Reads the engine's own text.
  init(text: String) {
    let lower = text.lowercased()
    if lower.contains("out of memory") || lower.contains("can't allocate memory")
      || lower.contains("bad_alloc")
    {
      self.init(
        .outOfMemory,
        "Not enough memory for this run; use a shorter text, fewer tokens, or a smaller model.")
    } else {
      self.init(.refused, firstLine(text))
    }
  }
}

func lastEngineText() -> String { String(cString: ct_last_error()) }

func firstLine(_ text: String) -> String {
  String(text.split(separator: "\n", omittingEmptySubsequences: true).first ?? "")
}

/// Runs formulas whose engine failures are thrown at the end rather than trapped where they happen.
///
/// Inside, the first failing operation yields an empty tensor and every later one does nothing, so
/// a formula needs no `try` of its own. Reading a tensor's values rethrows at once.
///
/// - Throws: what `body` throws, or an `EngineError`.
public func withEngineErrors<Value>(_ body: () throws -> Value) throws -> Value {
  ct_begin_scope()
  let result = Result { try body() }
  if ct_end_scope() {
    throw EngineError(text: lastEngineText())
  }
  return try result.get()
}
