/// Why a result could not be written or read.
public struct ResultsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of thing went wrong.
  public enum Code: String, Sendable {
    /// The bytes are not JSON.
    case notJSON
    /// The JSON names no schema, or not one of Telescope's.
    case unknownSchema
    /// The schema is Telescope's, but of another kind or major version.
    case unsupportedSchema
    /// A field is missing, of the wrong type or out of range.
    case malformed
    /// A number is NaN or infinite, which JSON cannot carry.
    case notFinite
  }

  /// What kind of thing went wrong.
  public var code: Code
  /// What, where and what to do, in one or two sentences.
  public var message: String

  /// Names an error.
  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

extension ExplainResult {
  /// The command that writes it, for errors.
  fileprivate static let writtenBy = "telescope explain --json"
}

/// The sentences, in one place.
extension ResultsError {
  static let notJSON = notJSON(writer: ExplainResult.writtenBy)

  static let noSchema = noSchema(writer: ExplainResult.writtenBy)

  static func schema(_ found: String) -> ResultsError {
    schema(found, wanted: ExplainResult.schemaName, writer: ExplainResult.writtenBy)
  }

  static func notJSON(writer: String) -> ResultsError {
    ResultsError(
      code: .notJSON,
      message: "This is not a Telescope result: it is not a complete JSON object. "
        + "Give a file that '\(writer)' wrote.")
  }

  static func noSchema(writer: String) -> ResultsError {
    ResultsError(
      code: .unknownSchema,
      message: "This JSON is not a Telescope result: it has no text field 'schema'. "
        + "Give a file that '\(writer)' wrote.")
  }

  static func schema(_ found: String, wanted: String, writer: String) -> ResultsError {
    let shown = printable(found)
    let parts = found.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "telescope" else {
      return ResultsError(
        code: .unknownSchema,
        message: "This JSON is not a Telescope result: its schema is '\(shown)', "
          + "not '\(wanted)'. Give a file that '\(writer)' wrote.")
    }
    guard wanted.split(separator: "/").dropLast().last == parts[1] else {
      return ResultsError(
        code: .unsupportedSchema,
        message: "This result's schema is '\(shown)', and '\(wanted)' is wanted. "
          + "Give a file that '\(writer)' wrote.")
    }
    return ResultsError(
      code: .unsupportedSchema,
      message: "This result's schema is '\(shown)', and this version of Telescope reads "
        + "'\(wanted)'. Use the version that wrote it, or write it again.")
  }

  static func missing(_ path: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "This result has no '\(path)'. "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func wrongType(_ path: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result is not of the type that the schema says. "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func outOfRange(_ path: String, _ value: Int, _ range: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result is \(value), which is not \(range). "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func wrongCount(
    _ path: String, _ count: Int, other: String, otherCount: Int
  ) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result has \(count) entries, and '\(other)' has \(otherCount). "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func notFinite(_ path: String) -> ResultsError {
    ResultsError(
      code: .notFinite,
      message: "'\(path)' is not a finite number, so the result cannot be written. "
        + "The model's numbers overflowed; compute in a wider dtype.")
  }

  /// A schema name cut to what a person can use and a terminal can show.
  private static func printable(_ text: String) -> String {
    let scalars = text.unicodeScalars.prefix(60).map { scalar -> String in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        "\u{FFFD}"
      default: String(scalar)
      }
    }
    return scalars.joined()
  }
}

/// Sentences about parts, alternatives and checks.
extension ResultsError {
  static func outOfRange(_ path: String, _ value: Double, _ range: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result is \(value), which is not \(range). "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func count(_ path: String, _ count: Int, _ other: String, _ wanted: Int) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result has \(count) entries, and '\(other)' has \(wanted). "
        + "It is damaged or not from Telescope; write it again.")
  }

  static func unknown(_ path: String, _ name: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "'\(path)' of this result is '\(printable(name))', which this version of Telescope "
        + "does not know. Use the version that wrote it, or write it again.")
  }
}

/// Sentences about flows and their arrays.
extension ResultsError {
  static func noArray(_ tensor: String, of path: String) -> ResultsError {
    ResultsError(
      code: .malformed,
      message: "The file of arrays has no '\(printable(tensor))', which '\(path)' of this result "
        + "names. Keep both files of one run together, or write them again.")
  }

  static func arraySize(
    _ tensor: String, _ count: Int, shape: [Int], of path: String
  ) -> ResultsError {
    let extents = shape.map(String.init).joined(separator: " × ")
    return ResultsError(
      code: .malformed,
      message:
        "'\(printable(tensor))' in the file of arrays has \(count) numbers, and '\(path)' of "
        + "this result wants \(extents). Keep both files of one run together, or write them again.")
  }

  static func axes(_ path: String, _ axes: [String], wanted: [String]) -> ResultsError {
    func list(_ names: [String]) -> String { printable(names.joined(separator: ", ")) }
    return ResultsError(
      code: .malformed,
      message: "'\(path)' of this result is '\(list(axes))', where '\(list(wanted))' is wanted. "
        + "It is damaged or not from Telescope; write it again.")
  }
}
