/// The bytes of a safetensors file with this header, right or wrong.
func safetensorsBytes(_ header: String, data: [UInt8] = []) -> [UInt8] {
  little(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// A number as little-endian bytes.
func little(_ number: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { Array($0) }
}

/// Builds GGUF files, right or wrong.
struct GGUFBytes {
  var magic = "GGUF"
  var version: UInt32 = 3
  var pairs: [[UInt8]] = []
  var tensors: [[UInt8]] = []
  var pairCount: UInt64?
  var tensorCount: UInt64?
  var alignment = 32
  var data: [UInt8] = []

  /// A length and the bytes of a text.
  static func text(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }

  /// A key, the code of its type, its value.
  static func pair(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(key) + little(type) + value
  }

  /// A key and a list: code of the elements' type, stated length, elements.
  static func list(_ key: String, _ type: UInt32, _ count: UInt64, _ value: [UInt8]) -> [UInt8] {
    pair(key, 9, little(type) + little(count) + value)
  }

  /// A tensor: name, extents innermost first, code of its type, offset.
  static func tensor(
    _ name: String, _ extents: [UInt64], _ type: UInt32, at offset: UInt64, rank: UInt32? = nil
  ) -> [UInt8] {
    text(name) + little(rank ?? UInt32(extents.count)) + extents.flatMap { little($0) }
      + little(type) + little(offset)
  }

  var bytes: [UInt8] {
    var bytes = Array(magic.utf8) + little(version)
    bytes += little(tensorCount ?? UInt64(tensors.count))
    bytes += little(pairCount ?? UInt64(pairs.count))
    for part in pairs + tensors { bytes += part }
    if !data.isEmpty { while bytes.count % alignment != 0 { bytes.append(0) } }
    return bytes + data
  }
}
