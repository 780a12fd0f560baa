/// The numbers of a tensor where they stand in its mapped file, for use without a copy.
///
/// They may be read from many threads, and never written: the mapping is read-only.
public struct BorrowedNumbers: Sendable {
  /// How the numbers are written.
  public let type: ElementType
  /// How many they are.
  public let count: Int
  /// The first of them, at an address that is a multiple of a number's size.
  ///
  /// Valid as long as ``owner`` lives.
  public nonisolated(unsafe) let address: UnsafeRawPointer
  /// What keeps the numbers in memory: whoever keeps the address must keep this too.
  public let owner: MappedFile
}

extension StoredTensor {
  /// The numbers in place, if they can be used as they are.
  ///
  /// Nothing is read: pages come from the file when they are touched, and may leave memory again.
  /// The file must not be made shorter meanwhile. A file whose header leaves its numbers at odd
  /// addresses is read with ``read(into:)-(UnsafeMutablePointer<Float>)`` instead.
  ///
  /// - Parameter type: The type that is wanted.
  /// - Returns: The numbers; nil where they are of another type or quantised, where their address
  ///   is no multiple of a number's size, or where there are none.
  public func borrowed(as type: ElementType) -> BorrowedNumbers? {
    guard type == self.type, !type.isQuantised, elementCount > 0,
      let start = file.bytes.baseAddress.map({ $0 + range.lowerBound }),
      Int(bitPattern: start) % type.bytesPerBlock == 0
    else { return nil }
    return BorrowedNumbers(type: type, count: elementCount, address: start, owner: file)
  }
}
