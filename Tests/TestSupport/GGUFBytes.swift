/// A number as little-endian bytes.
public func little(_ number: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { Array($0) }
}

/// Builds GGUF files, right or wrong.
public struct GGUFBytes {
  /// The first four bytes.
  public var magic: String
  /// The stated version.
  public var version: UInt32
  /// Metadata.
  public var pairs: [[UInt8]]
  /// Descriptions of tensors.
  public var tensors: [[UInt8]]
  /// The stated count of metadata; nil for the true one.
  public var pairCount: UInt64?
  /// The stated count of tensors; nil for the true one.
  public var tensorCount: UInt64?
  /// What the beginning of the data is a multiple of.
  public var alignment: Int
  /// The tensors' numbers.
  public var data: [UInt8]

  /// A file; an empty one where nothing is said.
  public init(
    magic: String = "GGUF", version: UInt32 = 3, pairs: [[UInt8]] = [], tensors: [[UInt8]] = [],
    pairCount: UInt64? = nil, tensorCount: UInt64? = nil, alignment: Int = 32, data: [UInt8] = []
  ) {
    self.magic = magic
    self.version = version
    self.pairs = pairs
    self.tensors = tensors
    self.pairCount = pairCount
    self.tensorCount = tensorCount
    self.alignment = alignment
    self.data = data
  }

  /// A length and the bytes of a text.
  public static func text(_ text: String) -> [UInt8] {
    little(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// A key, the code of its type, its value.
  public static func pair(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(key) + little(type) + value
  }

  /// A key and a list: code of the elements' type, stated length, elements.
  public static func list(
    _ key: String, _ type: UInt32, _ count: UInt64, _ value: [UInt8]
  ) -> [UInt8] {
    pair(key, 9, little(type) + little(count) + value)
  }

  /// A tensor: name, extents innermost first, code of its type, offset.
  public static func tensor(
    _ name: String, _ extents: [UInt64], _ type: UInt32, at offset: UInt64, rank: UInt32? = nil
  ) -> [UInt8] {
    text(name) + little(rank ?? UInt32(extents.count)) + extents.flatMap { little($0) }
      + little(type) + little(offset)
  }

  /// Adds a tensor of singles, with its numbers where the next multiple of the alignment is.
  public mutating func add(_ name: String, shape: [Int], _ numbers: [Float]) {
    data += [UInt8](repeating: 0, count: -data.count & (alignment - 1))
    tensors.append(
      Self.tensor(name, shape.reversed().map(UInt64.init), 0, at: UInt64(data.count)))
    for number in numbers { data += little(number.bitPattern) }
  }

  /// The file.
  public var bytes: [UInt8] {
    var bytes = Array(magic.utf8) + little(version)
    bytes += little(tensorCount ?? UInt64(tensors.count))
    bytes += little(pairCount ?? UInt64(pairs.count))
    for part in pairs + tensors { bytes += part }
    if !data.isEmpty { while bytes.count % alignment != 0 { bytes.append(0) } }
    return bytes + data
  }
}
