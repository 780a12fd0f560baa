import TestSupport

/// Builds zip files, right or wrong.
struct ZipBytes {
  struct Entry {
    var name: String
    var data: [UInt8]
    var flags: UInt16 = 0
    var method: UInt16 = 0
    /// What the directory says; by default what is so.
    var checksum: UInt32?
    var size: UInt32?
    var packedSize: UInt32?
    var offset: UInt32?
    var extra: [UInt8] = []
    /// What the local header says.
    var localName: String?
    var localSize: UInt32?
    var localExtra: [UInt8] = []
    var disk: UInt16 = 0
    /// What follows the data.
    var description: [UInt8] = []
  }

  var entries: [Entry] = []
  var gap: [UInt8] = []
  var count: UInt16?
  var directorySize: UInt32?
  var directoryOffset: UInt32?
  var directoryRest: [UInt8] = []
  var wide: [UInt8] = []
  var comment: [UInt8] = []
  var disk: UInt16 = 0

  /// The entries, the directory, and what is known of it.
  var parts: (entries: [UInt8], directory: [UInt8]) {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let start = UInt32(bytes.count)
      let size = UInt32(entry.data.count)
      let sum = entry.checksum ?? slowChecksum(entry.data)
      let local = Array((entry.localName ?? entry.name).utf8)
      bytes += little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(entry.flags)
      bytes += little(entry.method) + little(UInt32(0))
      if entry.flags & 8 == 0 {
        bytes += little(sum) + little(entry.localSize ?? entry.size ?? size)
        bytes += little(entry.localSize ?? entry.size ?? size)
      } else {
        bytes += [UInt8](repeating: 0, count: 12)
      }
      bytes += little(UInt16(local.count)) + little(UInt16(entry.localExtra.count))
      bytes += local + entry.localExtra + entry.data + entry.description
      let name = Array(entry.name.utf8)
      directory += little(UInt32(0x0201_4B50)) + little(UInt32(20)) + little(entry.flags)
      directory += little(entry.method) + little(UInt32(0)) + little(sum)
      directory += little(entry.packedSize ?? entry.size ?? size) + little(entry.size ?? size)
      directory += little(UInt16(name.count)) + little(UInt16(entry.extra.count))
      directory += little(UInt16(0)) + little(entry.disk) + little(UInt16(0)) + little(UInt32(0))
      directory += little(entry.offset ?? start) + name + entry.extra
    }
    return (bytes + gap, directory + directoryRest)
  }

  var bytes: [UInt8] {
    let (entries, directory) = parts
    var bytes = entries + directory + wide
    bytes += little(UInt32(0x0605_4B50)) + little(disk) + little(disk)
    let count = self.count ?? UInt16(self.entries.count)
    bytes += little(count) + little(count)
    bytes += little(directorySize ?? UInt32(directory.count))
    bytes += little(directoryOffset ?? UInt32(entries.count))
    return bytes + little(UInt16(comment.count)) + comment
  }

  /// The ZIP64 record and its locator.
  static func wide(
    count: UInt64, size: UInt64, offset: UInt64, record: UInt64, stated: UInt64 = 44
  ) -> [UInt8] {
    little(UInt32(0x0606_4B50)) + little(stated) + little(UInt32(45)) + little(UInt64(0))
      + little(count) + little(count) + little(size) + little(offset)
      + little(UInt32(0x0706_4B50)) + little(UInt32(0)) + little(record) + little(UInt32(1))
  }

  /// A file of torch.save with this pickle and these storages.
  static func torch(
    _ pickle: [UInt8], _ storages: [(key: String, data: [UInt8])] = [], byteOrder: String = "little"
  ) -> ZipBytes {
    var zip = ZipBytes()
    zip.entries = [
      Entry(name: "x/data.pkl", data: pickle),
      Entry(name: "x/byteorder", data: Array(byteOrder.utf8)),
    ]
    zip.entries += storages.map { Entry(name: "x/data/\($0.key)", data: $0.data) }
    return zip
  }
}

/// CRC-32 bit by bit, as its definition has it.
func slowChecksum(_ bytes: [UInt8]) -> UInt32 {
  var remainder = UInt32.max
  for byte in bytes {
    for bit in 0..<8 {
      let carry = (remainder ^ UInt32(byte) >> UInt32(bit)) & 1
      remainder = remainder >> 1 ^ carry * 0xEDB8_8320
    }
  }
  return ~remainder
}

/// Pieces of pickles.
enum PickleBytes {
  static let mark: [UInt8] = [0x28]
  static let tuple: [UInt8] = [0x74]
  static let reduce: [UInt8] = [0x52]
  static let none: [UInt8] = [0x4E]
  static let emptyList: [UInt8] = [0x5D]
  static let append: [UInt8] = [0x61]
  static let emptyDictionary: [UInt8] = [0x7D]
  static let setItem: [UInt8] = [0x73]
  static let build: [UInt8] = [0x62]
  static let orderedDictionary = global("collections", "OrderedDict") + [0x29] + reduce

  /// A whole pickle of protocol 2.
  static func whole(_ body: [UInt8]) -> [UInt8] { [0x80, 2] + body + [0x2E] }

  static func text(_ text: String) -> [UInt8] {
    [0x58] + little(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + little(value) }

  static func integers(_ values: [Int]) -> [UInt8] { mark + values.flatMap(integer) + tuple }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    [0x63] + Array("\(module)\n\(name)\n".utf8)
  }

  static func storage(
    _ type: String = "FloatStorage", key: String = "0", device: String = "cpu", count: Int = 6
  ) -> [UInt8] {
    mark + text("storage") + global("torch", type) + text(key) + text(device) + integer(count)
      + tuple + [0x51]
  }

  static func tensor(
    of storage: [UInt8] = storage(), offset: Int = 0, _ shape: [Int] = [2, 3],
    _ strides: [Int] = [3, 1], hooks: [UInt8] = orderedDictionary, rest: [UInt8] = []
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2") + mark + storage + integer(offset)
      + integers(shape) + integers(strides) + [0x89] + hooks + rest + tuple + reduce
  }

  /// A dictionary with one member.
  static func dictionary(_ key: String, _ value: [UInt8]) -> [UInt8] {
    emptyDictionary + text(key) + value + setItem
  }
}
