/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
  /// A whole number of any width.
  case integer(Int)
  /// A whole number beyond `Int`.
  case unsigned(UInt64)
  /// A float32 or float64.
  case real(Double)
  /// A truth value.
  case boolean(Bool)
  /// Text that is valid UTF-8, unchanged.
  case string(String)
  /// Text that is not valid UTF-8.
  case bytes([UInt8])
  /// Whole numbers of one width.
  case integers([Int])
  /// Numbers of one width with one beyond `Int` among them.
  case unsigneds([UInt64])
  /// Float32s or float64s.
  case reals([Double])
  /// Truth values.
  case booleans([Bool])
  /// Texts.
  case strings(GGUFStrings)
  /// Arrays.
  case arrays([GGUFValue])

  /// The whole number, if this is one.
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }

  /// The number, if this is one; a whole number is converted.
  public var double: Double? {
    switch self {
    case .real(let value): value
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    default: nil
    }
  }

  /// The truth value, if this is one.
  public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }

  /// The text, if this is one and valid UTF-8.
  public var string: String? { if case .string(let value) = self { value } else { nil } }

  /// The whole numbers, if this is an array of them.
  public var integers: [Int]? { if case .integers(let values) = self { values } else { nil } }

  /// The numbers, if this is an array of floats.
  public var reals: [Double]? { if case .reals(let values) = self { values } else { nil } }

  /// The truth values, if this is an array of them.
  public var booleans: [Bool]? { if case .booleans(let values) = self { values } else { nil } }

  /// The texts, if this is an array of them.
  public var strings: GGUFStrings? { if case .strings(let values) = self { values } else { nil } }

  /// The number of elements, if this is an array.
  public var elementCount: Int? {
    switch self {
    case .integers(let values): values.count
    case .unsigneds(let values): values.count
    case .reals(let values): values.count
    case .booleans(let values): values.count
    case .strings(let values): values.count
    case .arrays(let values): values.count
    default: nil
    }
  }
}

/// An array of texts inside a GGUF file, read where they lie.
///
/// The texts are bytes: nothing promises UTF-8, and two that `String` takes for equal may differ.
public struct GGUFStrings: Sendable {
  /// The file that holds the texts.
  public let file: MappedFile
  /// Where each text's bytes begin; its length is the eight bytes before.
  private let starts: [Int]

  /// Texts whose lengths have been checked to lie within the file.
  init(file: MappedFile, starts: [Int]) {
    self.file = file
    self.starts = starts
  }

  /// How many texts.
  public var count: Int { starts.count }

  /// The bytes of one text.
  public subscript(index: Int) -> [UInt8] { withBytes(at: index) { Array($0) } }

  /// One text, if it is valid UTF-8, unchanged.
  public func string(at index: Int) -> String? {
    withBytes(at: index) { validString($0) }
  }

  /// Calls a function with the bytes of one text.
  ///
  /// - Parameters:
  ///   - index: Which text.
  ///   - body: The function; it may not keep the buffer.
  /// - Returns: What the function returns.
  /// - Throws: What the function throws.
  public func withBytes<Result, Failure: Error>(
    at index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let start = starts[index]
    return try file.withBytes { (bytes) throws(Failure) in try body(text(in: bytes, at: start)) }
  }

  /// Calls a function with the bytes of every text in order.
  ///
  /// - Parameter body: The function; it gets the index and the bytes, and may not keep the buffer.
  /// - Throws: What the function throws.
  public func forEach<Failure: Error>(
    _ body: (Int, UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try file.withBytes { (bytes) throws(Failure) in
      for index in starts.indices { try body(index, text(in: bytes, at: starts[index])) }
    }
  }

  private func text(in bytes: UnsafeRawBufferPointer, at start: Int) -> UnsafeRawBufferPointer {
    let length = Int(bytes.loadUnaligned(fromByteOffset: start - 8, as: UInt64.self).littleEndian)
    // The length was checked when the file was opened; it may have been written to since.
    let end = start.addingReportingOverflow(length)
    precondition(!end.overflow && length >= 0 && end.partialValue <= bytes.count)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<end.partialValue])
  }
}

/// The text of these bytes, if they are valid UTF-8.
func validString(_ bytes: UnsafeRawBufferPointer) -> String? {
  let text = String(decoding: bytes, as: UTF8.self)
  // Repair puts U+FFFD where the bytes were not; then they differ.
  guard text.utf8.count == bytes.count, text.utf8.elementsEqual(bytes) else { return nil }
  return text
}
