extension JSON {
  /// The depth of nesting that no caller can raise: the parser recurses.
  public static let deepestNesting = 512

  /// Reads one JSON text (RFC 8259) that fills the bytes.
  ///
  /// Stricter than the RFC asks: a key may stand only once in an object (compared by bytes), text is
  /// valid UTF-8 without byte order mark, half of a surrogate pair is refused as no `String` can hold
  /// it, and so is a real number beyond the range of `Double`. Time and memory are linear in the
  /// length of the text.
  ///
  /// - Parameters:
  ///   - bytes: The text.
  ///   - maximumDepth: How deep arrays and objects may nest; at most ``deepestNesting``.
  ///   - allowNonFinite: Whether `NaN`, `Infinity` and `-Infinity` are numbers, as Python writes them.
  /// - Returns: The value.
  /// - Throws: What is wrong, and at which byte.
  public static func parse(
    _ bytes: UnsafeRawBufferPointer, maximumDepth: Int = 128, allowNonFinite: Bool = false
  ) throws(JSONError) -> JSON {
    var parser = Parser(
      bytes: bytes.assumingMemoryBound(to: UInt8.self),
      maximumDepth: min(maximumDepth, deepestNesting), allowNonFinite: allowNonFinite)
    return try parser.document()
  }

  /// Reads one JSON text that fills the bytes, by the same rules as for a raw buffer.
  ///
  /// - Parameters:
  ///   - bytes: The text: `[UInt8]`, `Data`, a string's `utf8`.
  ///   - maximumDepth: How deep arrays and objects may nest; at most ``deepestNesting``.
  ///   - allowNonFinite: Whether `NaN`, `Infinity` and `-Infinity` are numbers, as Python writes them.
  /// - Returns: The value.
  /// - Throws: What is wrong, and at which byte.
  public static func parse(
    _ bytes: some Collection<UInt8>, maximumDepth: Int = 128, allowNonFinite: Bool = false
  ) throws(JSONError) -> JSON {
    let read = { (buffer: UnsafeBufferPointer<UInt8>) -> Result<JSON, JSONError> in
      do throws(JSONError) {
        return .success(
          try parse(
            UnsafeRawBufferPointer(buffer), maximumDepth: maximumDepth,
            allowNonFinite: allowNonFinite))
      } catch {
        return .failure(error)
      }
    }
    let result =
      bytes.withContiguousStorageIfAvailable(read)
      ?? Array(bytes).withUnsafeBufferPointer(read)
    return try result.get()
  }
}
