/// Why a text is not the JSON that was asked for, and at which byte.
public struct JSONError: Error, Equatable, Sendable {
  /// The kind of fault.
  public enum Code: String, Sendable {
    /// A byte stands where the grammar has no place for it.
    case syntax
    /// The text ends inside a value.
    case unexpectedEnd
    /// Bytes follow the value.
    case trailingBytes
    /// A key stands twice in one object.
    case duplicateKey
    /// A string is not UTF-8.
    case invalidUTF8
    /// An escape that JSON does not have, or half of a surrogate pair.
    case invalidEscape
    /// Digits that are no JSON number, or a number no `Double` can hold.
    case invalidNumber
    /// Arrays and objects nest deeper than allowed.
    case tooDeep
  }

  /// The kind of fault.
  public let code: Code
  /// Where it is, in bytes from the start of the text.
  public let offset: Int
  /// What is wrong, with the place, for a sentence that names the file.
  public let message: String

  init(_ code: Code, at offset: Int, _ what: String) {
    self.code = code
    self.offset = offset
    self.message = "byte \(offset): \(what)"
  }
}

extension JSONError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
