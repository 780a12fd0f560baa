import Foundation

/// The entries of a zip file whose contents stand in it as they are.
///
/// A zip file says everything twice, in its directory and before each entry, and readers that
/// believe different halves see different files. Here both must agree, entries must follow one
/// another from the first byte to the directory, and the directory must end the file.
struct ZipArchive {
  /// One file within the file.
  struct Entry {
    let name: String
    let bytes: Range<Int>
    let checksum: UInt32
    /// Where its local header begins.
    fileprivate let start: Int
    fileprivate let flags: UInt16
  }

  /// The most entries that are read.
  static let mostEntries = 1 << 18
  /// The longest name of an entry, in bytes.
  static let longestName = 1024

  let file: MappedFile
  /// The entries in the directory's order.
  private(set) var entries: [Entry] = []
  private var indices: [String: Int] = [:]
  private let path: String

  /// Reads the directory and checks it against the entries.
  init(_ file: MappedFile) throws(CheckpointError) {
    self.file = file
    path = file.url.plainPath
    let end = try directoryEnd()
    try readEntries(end)
    try place(upTo: end.offset)
  }

  /// The entry of this name, if there is one.
  subscript(name: String) -> Entry? { indices[name].map { entries[$0] } }

  /// Compares an entry's bytes with the checksum that the directory has.
  func verify(_ entry: Entry) throws(CheckpointError) {
    let found = file.withBytes {
      checksum(UnsafeRawBufferPointer(rebasing: $0[entry.bytes]))
    }
    guard found == entry.checksum else {
      throw damaged(
        "entry \(quoted(entry.name)) has the checksum \(hexadecimal(found)) where "
          + "\(hexadecimal(entry.checksum)) is recorded")
    }
  }

  // MARK: The directory's place

  private struct DirectoryEnd {
    var count: Int
    var size: Int
    var offset: Int
    /// Where the records that describe the directory begin.
    var end: Int
  }

  /// What the records at the very end say of the directory.
  private func directoryEnd() throws(CheckpointError) -> DirectoryEnd {
    let record = file.count - 22
    // PyTorch writes no comment after the record, so there is one place to look.
    guard file.count >= 22, long(record) == 0x0605_4B50, short(record + 20) == 0 else {
      throw damaged("the file does not end with a zip directory, as what torch.save writes does")
    }
    guard short(record + 4) == 0, short(record + 6) == 0,
      short(record + 8) == short(record + 10)
    else { throw damaged("the zip directory is one of several parts") }
    var end = DirectoryEnd(
      count: Int(short(record + 10)), size: Int(long(record + 12)),
      offset: Int(long(record + 16)), end: record)
    if record >= 20, long(record - 20) == 0x0706_4B50 {
      end = try wideDirectoryEnd(locator: record - 20, narrow: end)
    }
    guard end.count <= Self.mostEntries else {
      throw damaged(
        "the zip directory counts \(end.count) entries where \(Self.mostEntries) are the most")
    }
    let (sum, overflow) = end.offset.addingReportingOverflow(end.size)
    guard !overflow, sum == end.end, end.count <= end.size / 46 else {
      throw damaged(
        "the zip directory of \(end.count) entries and \(end.size) bytes at \(end.offset) does "
          + "not end at \(end.end), where its own description begins")
    }
    return end
  }

  /// The ZIP64 record, which must stand just before its locator and agree with the plain one.
  private func wideDirectoryEnd(
    locator: Int, narrow: DirectoryEnd
  ) throws(CheckpointError) -> DirectoryEnd {
    let record = locator - 56
    guard record >= 0, long(locator + 4) == 0, wide(locator + 8) == UInt64(record),
      long(locator + 16) == 1, long(record) == 0x0606_4B50, wide(record + 4) == 44,
      long(record + 16) == 0, long(record + 20) == 0, wide(record + 24) == wide(record + 32)
    else { throw damaged("the ZIP64 record does not stand where its locator says") }
    guard let count = Int(exactly: wide(record + 32)), let size = Int(exactly: wide(record + 40)),
      let offset = Int(exactly: wide(record + 48))
    else { throw damaged("the ZIP64 record has numbers beyond 2^63") }
    guard narrow.count == 0xFFFF || narrow.count == count,
      narrow.size == 0xFFFF_FFFF || narrow.size == size,
      narrow.offset == 0xFFFF_FFFF || narrow.offset == offset
    else { throw damaged("the ZIP64 record and the plain one describe different directories") }
    return DirectoryEnd(count: count, size: size, offset: offset, end: record)
  }

  // MARK: Entries

  private mutating func readEntries(_ end: DirectoryEnd) throws(CheckpointError) {
    entries.reserveCapacity(end.count)
    indices.reserveCapacity(end.count)
    var position = end.offset
    for index in 0..<end.count {
      guard position <= end.end - 46, long(position) == 0x0201_4B50 else {
        throw damaged("the zip directory has no entry \(index) of \(end.count)")
      }
      let lengths = [28, 30, 32].map { Int(short(position + $0)) }
      let next = position + 46 + lengths[0] + lengths[1] + lengths[2]
      guard next <= end.end else { throw damaged("entry \(index) ends beyond the zip directory") }
      let name = try name(of: index, at: position + 46, length: lengths[0])
      let entry = try entry(name, at: position, extra: lengths[1], directory: end.offset)
      guard indices.updateValue(index, forKey: name) == nil else {
        throw damaged("two entries have the name \(quoted(name))")
      }
      entries.append(entry)
      position = next
    }
    guard position == end.end else {
      throw damaged("\(end.end - position) bytes of the zip directory belong to no entry")
    }
  }

  private func name(of index: Int, at start: Int, length: Int) throws(CheckpointError) -> String {
    guard length <= Self.longestName,
      let name = validString(UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + length)]))
    else {
      throw damaged(
        "entry \(index) has a name that is not UTF-8 text of at most \(Self.longestName) bytes")
    }
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    // By bytes: a combining mark would make '/' a different `Character`.
    guard !name.utf8.contains(0), !name.utf8.contains(UInt8(ascii: "\\")),
      !parts.contains(where: { ["", ".", ".."].contains(String(Substring($0))) })
    else { throw damaged("entry \(index) has the name \(quoted(name)), which is no plain path") }
    return name
  }

  private func entry(
    _ name: String, at position: Int, extra: Int, directory: Int
  ) throws(CheckpointError) -> Entry {
    let what = "entry \(quoted(name))"
    let flags = short(position + 8)
    let method = short(position + 10)
    guard flags & 1 == 0 else { throw unsupported("\(what) is encrypted") }
    guard method == 0 else {
      throw unsupported("\(what) is compressed (method \(method)), as torch.save never does")
    }
    // Bit 3 has a description follow the data, bit 11 names in UTF-8.
    guard flags & ~0x0808 == 0 else { throw unsupported("\(what) has the zip flags \(flags)") }
    guard short(position + 34) == 0 else { throw damaged("\(what) lies in another file") }
    let nameEnd = position + 46 + Int(short(position + 28))
    var sizes = [24, 20, 42].map { UInt64(long(position + $0)) }
    if sizes.contains(0xFFFF_FFFF) {
      try widen(&sizes, extra: nameEnd..<(nameEnd + extra), of: what)
    }
    guard sizes[0] == sizes[1] else {
      throw damaged("\(what) is stored, yet takes \(sizes[1]) bytes for \(sizes[0])")
    }
    guard sizes[2] <= UInt64(directory), UInt64(directory) - sizes[2] >= 30 else {
      throw damaged("\(what) begins at \(sizes[2]), beyond the \(directory) bytes of entries")
    }
    let start = Int(sizes[2])
    let bytes = try data(
      of: what, named: position + 46, length: nameEnd - position - 46, start: start, flags: flags,
      size: sizes[0], checksum: long(position + 16), directory: directory)
    return Entry(
      name: name, bytes: bytes, checksum: long(position + 16), start: start, flags: flags)
  }

  /// Replaces the numbers that have no room in the directory by those of the ZIP64 field.
  private func widen(
    _ numbers: inout [UInt64], extra: Range<Int>, of what: String
  ) throws(CheckpointError) {
    var position = extra.lowerBound
    while position + 4 <= extra.upperBound {
      let fieldEnd = position + 4 + Int(short(position + 2))
      guard fieldEnd <= extra.upperBound else { break }
      guard short(position) == 1 else {
        position = fieldEnd
        continue
      }
      position += 4
      for index in numbers.indices where numbers[index] == 0xFFFF_FFFF {
        guard position + 8 <= fieldEnd else { break }
        numbers[index] = wide(position)
        position += 8
      }
      break
    }
    guard !numbers.contains(0xFFFF_FFFF) else {
      throw damaged("\(what) is said to be over 4 GB, without a size")
    }
  }

  /// Where an entry's data are, by its local header, which must say what the directory says.
  private func data(
    of what: String, named name: Int, length: Int, start: Int, flags: UInt16, size: UInt64,
    checksum: UInt32, directory: Int
  ) throws(CheckpointError) -> Range<Int> {
    let nameEnd = start + 30 + length
    guard nameEnd <= directory, long(start) == 0x0403_4B50, short(start + 6) == flags,
      short(start + 8) == 0, Int(short(start + 26)) == length,
      file.bytes[(start + 30)..<nameEnd].elementsEqual(file.bytes[name..<(name + length)])
    else { throw damaged("\(what) has another header at \(start) than the zip directory says") }
    let stated = [UInt64(checksum), size, size]
    for (offset, number) in zip([14, 18, 22], stated) {
      let local = UInt64(long(start + offset))
      // A description after the data leaves these 0; a ZIP64 size has no room here.
      let absent = flags & 8 != 0 && local == 0 || offset != 14 && local == 0xFFFF_FFFF
      guard absent || local == number else {
        throw damaged("\(what) has another header at \(start) than the zip directory says")
      }
    }
    let first = nameEnd + Int(short(start + 28))
    guard first <= directory, size <= UInt64(directory - first) else {
      throw damaged(
        "\(what) of \(size) bytes from \(first) ends beyond the \(directory) bytes of entries")
    }
    return first..<(first + Int(size))
  }

  /// Entries must follow one another, so that none overlap and no byte is outside them.
  private func place(upTo directory: Int) throws(CheckpointError) {
    var expected = 0
    for entry in entries.sorted(by: { $0.start < $1.start }) {
      guard entry.start == expected else {
        throw damaged(
          "entry \(quoted(entry.name)) begins at \(entry.start) where \(expected) is next: "
            + (entry.start < expected ? "entries overlap" : "bytes belong to no entry"))
      }
      expected = try endOfDescription(after: entry, upTo: directory)
    }
    guard expected == directory else {
      throw damaged("\(directory - expected) bytes before the zip directory belong to no entry")
    }
  }

  /// Where an entry ends: behind its data, or behind the description of them that follows.
  private func endOfDescription(
    after entry: Entry, upTo directory: Int
  ) throws(CheckpointError) -> Int {
    let end = entry.bytes.upperBound
    guard entry.flags & 8 != 0 else { return end }
    let size = UInt64(entry.bytes.count)
    if end + 16 <= directory, long(end) == 0x0807_4B50, long(end + 4) == entry.checksum {
      if UInt64(long(end + 8)) == size, UInt64(long(end + 12)) == size { return end + 16 }
      if end + 24 <= directory, wide(end + 8) == size, wide(end + 16) == size { return end + 24 }
    }
    throw damaged("entry \(quoted(entry.name)) is not followed by its description")
  }

  // MARK: Bytes

  private func short(_ offset: Int) -> UInt16 { number(offset) }
  private func long(_ offset: Int) -> UInt32 { number(offset) }
  private func wide(_ offset: Int) -> UInt64 { number(offset) }

  private func number<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Number {
    precondition(offset >= 0 && offset <= file.count - MemoryLayout<Number>.size)
    return Number(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
  }

  private func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  private func damaged(_ what: String) -> CheckpointError { .malformed(path, what) }

  private func unsupported(_ what: String) -> CheckpointError {
    CheckpointError(.unsupported, "\(path): \(what); save the tensors again with torch.save")
  }
}
