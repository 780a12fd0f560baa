import Checkpoints
import Foundation
import TestSupport
import Testing

/// What makes an archive wrong, and what is said of it.
struct WrongArchive: CustomTestStringConvertible {
  let change: @Sendable (inout ZipBytes) -> Void
  let what: String

  init(_ change: @escaping @Sendable (inout ZipBytes) -> Void, _ what: String) {
    self.change = change
    self.what = what
  }

  var testDescription: String { what }
}

@Suite("Zip archives")
struct ZipArchiveTests {
  private typealias P = PickleBytes

  private static let numbers: [UInt8] = [0, 1, 2, 3, 4, 5].flatMap { little(Float($0).bitPattern) }
  /// A file that is read: 'x/data.pkl', 'x/byteorder', 'x/data/0'.
  fileprivate static let plain = ZipBytes.torch(
    P.whole(P.dictionary("a", P.tensor())), [("0", numbers)])

  @Test("The checksum is that of its definition, for every length of tail")
  func checksums() throws {
    #expect(slowChecksum(Array("123456789".utf8)) == 0xCBF4_3926)
    var generator = SplitMix(state: 7)
    for length in 0..<70 {
      var zip = Self.plain
      zip.entries.append(
        .init(
          name: "x/other",
          data: (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        ))
      #expect(try open(zip.bytes).names == ["a"], "\(length) bytes")
    }
  }

  @Test("Archives with ZIP64 records, and with descriptions after the data, are read")
  func legal() throws {
    #expect(try open(Self.plain.bytes).tensors["a"]?.floats == [0, 1, 2, 3, 4, 5])
    var zip = Self.plain
    zip.wide = Self.wideRecord(of: zip)
    #expect(try open(zip.bytes).names == ["a"])
    zip.count = 0xFFFF
    zip.directorySize = .max
    zip.directoryOffset = .max
    #expect(try open(zip.bytes).names == ["a"])
    var described = Self.plain
    for (index, entry) in described.entries.enumerated() {
      let sum = little(slowChecksum(entry.data))
      let size = entry.data.count
      described.entries[index].flags = 0x0808
      described.entries[index].description =
        little(UInt32(0x0807_4B50)) + sum
        + (index == 1
          ? little(UInt64(size)) + little(UInt64(size))
          : little(UInt32(size)) + little(UInt32(size)))
    }
    #expect(try open(described.bytes).tensors["a"]?.floats == [0, 1, 2, 3, 4, 5])
    // Sizes and a place that stand in the ZIP64 field alone.
    var wide = Self.plain
    let offset = wide.parts.entries.count - wide.entries[2].data.count - 30 - 8
    wide.entries[2].size = .max
    wide.entries[2].localSize = .max
    wide.entries[2].offset = .max
    wide.entries[2].extra =
      little(UInt16(0x4246)) + little(UInt16(2)) + [0, 0] + little(UInt16(1)) + little(UInt16(24))
      + little(UInt64(24)) + little(UInt64(24)) + little(UInt64(offset))
    #expect(try open(wide.bytes).tensors["a"]?.floats == [0, 1, 2, 3, 4, 5])
  }

  @Test(
    "An archive that breaks a rule is refused, and the rule is named",
    arguments: [
      WrongArchive(
        { $0.comment = [0x61] },
        "the file does not end with a zip directory, as what torch.save writes does"
      ),
      WrongArchive({ $0.disk = 1 }, "the zip directory is one of several parts"),
      WrongArchive(
        { $0.count = 4 },
        "the zip directory of 4 entries and 167 bytes at 337 does not end at 504, where its own "
          + "description begins"
      ),
      WrongArchive(
        {
          $0.count = 4
          $0.directoryRest = [UInt8](repeating: 0, count: 46)
        },
        "the zip directory has no entry 3 of 4"
      ),
      WrongArchive(
        { $0.count = 2 },
        "54 bytes of the zip directory belong to no entry"
      ),
      WrongArchive(
        { $0.count = 0xFFFF },
        "the zip directory of 65535 entries and 167 bytes at 337 does not end at 504, where its own "
          + "description begins"
      ),
      WrongArchive(
        { $0.directorySize = 100 },
        "the zip directory of 3 entries and 100 bytes at 337 does not end at 504, where its own "
          + "description begins"
      ),
      WrongArchive(
        { $0.directorySize = .max },
        "the zip directory of 3 entries and 4294967295 bytes at 337 does not end at 504, where its "
          + "own description begins"
      ),
      WrongArchive(
        { $0.directoryOffset = 0 },
        "the zip directory of 3 entries and 167 bytes at 0 does not end at 504, where its own "
          + "description begins"
      ),
      // Two directories: the second one, or the first, would be bytes that belong to no entry.
      WrongArchive(
        { $0.gap = ZipArchiveTests.plain.parts.directory },
        "167 bytes before the zip directory belong to no entry"
      ),
      WrongArchive(
        { $0.wide = ZipArchiveTests.plain.parts.directory },
        "the zip directory of 3 entries and 167 bytes at 337 does not end at 671, where its own "
          + "description begins"
      ),
      WrongArchive({ $0.directoryRest = [0] }, "1 bytes of the zip directory belong to no entry"),
      WrongArchive(
        { $0.wide = ZipBytes.wide(count: 3, size: 167, offset: 337, record: 503) },
        "the ZIP64 record does not stand where its locator says"
      ),
      WrongArchive(
        { $0.wide = ZipBytes.wide(count: 3, size: 167, offset: 337, record: 504, stated: 45) },
        "the ZIP64 record does not stand where its locator says"
      ),
      WrongArchive(
        { $0.wide = ZipBytes.wide(count: 2, size: 167, offset: 337, record: 504) },
        "the ZIP64 record and the plain one describe different directories"
      ),
      WrongArchive(
        {
          $0.wide = ZipBytes.wide(count: .max, size: 167, offset: 337, record: 504)
          $0.count = 0xFFFF
        },
        "the ZIP64 record has numbers beyond 2^63"
      ),
      WrongArchive(
        {
          $0.wide = ZipBytes.wide(count: 1 << 40, size: 167, offset: 337, record: 504)
          $0.count = 0xFFFF
        },
        "the zip directory counts 1099511627776 entries where 262144 are the most"
      ),
      WrongArchive(
        {
          $0.wide = ZipBytes.wide(count: 3, size: 1 << 62, offset: 1 << 62, record: 504)
          $0.directorySize = .max
          $0.directoryOffset = .max
        },
        "the zip directory of 3 entries and 4611686018427387904 bytes at 4611686018427387904 does "
          + "not end at 504, where its own description begins"
      ),
      WrongArchive({ $0.entries[2].disk = 1 }, "entry 'x/data/0' lies in another file"),
      WrongArchive(
        { $0.entries[2].packedSize = 23 },
        "entry 'x/data/0' is stored, yet takes 23 bytes for 24"
      ),
      WrongArchive(
        { $0.entries[2].size = 25 },
        "entry 'x/data/0' of 25 bytes from 313 ends beyond the 337 bytes of entries"
      ),
      WrongArchive(
        { $0.entries[2].size = .max },
        "entry 'x/data/0' is said to be over 4 GB, without a size"
      ),
      WrongArchive(
        {
          $0.entries[2].size = .max
          $0.entries[2].extra = little(UInt16(1)) + little(UInt16(8)) + little(UInt64(24))
        },
        "entry 'x/data/0' is said to be over 4 GB, without a size"
      ),
      WrongArchive(
        {
          $0.entries[2].size = .max
          $0.entries[2].extra = little(UInt16(1)) + little(UInt16(99)) + little(UInt64(24))
        },
        "entry 'x/data/0' is said to be over 4 GB, without a size"
      ),
      WrongArchive(
        {
          $0.entries[2].size = .max
          $0.entries[2].extra =
            little(UInt16(1)) + little(UInt16(16)) + little(UInt64.max) + little(UInt64.max)
        },
        "entry 'x/data/0' of 18446744073709551615 bytes from 313 ends beyond the 337 bytes of entries"
      ),
      WrongArchive(
        { $0.entries[2].offset = 336 },
        "entry 'x/data/0' begins at 336, beyond the 337 bytes of entries"
      ),
      WrongArchive(
        { $0.entries[2].offset = 4_000_000_000 },
        "entry 'x/data/0' begins at 4000000000, beyond the 337 bytes of entries"
      ),
      // Two entries at one place overlap, and so do two names for it.
      WrongArchive(
        { $0.entries[2].offset = 0 },
        "entry 'x/data/0' has another header at 0 than the zip directory says"
      ),
      WrongArchive(
        {
          $0.entries[2].name = "x/data.pkl"
          $0.entries[2].offset = 0
        },
        "entry 'x/data.pkl' has another header at 0 than the zip directory says"
      ),
      WrongArchive(
        { $0.entries[2].localName = "x/data/1" },
        "entry 'x/data/0' has another header at 275 than the zip directory says"
      ),
      WrongArchive(
        { $0.entries[2].localSize = 23 },
        "entry 'x/data/0' has another header at 275 than the zip directory says"
      ),
      WrongArchive({ $0.entries.append($0.entries[2]) }, "two entries have the name 'x/data/0'"),
      WrongArchive(
        { $0.entries[2].checksum = 0xABCD },
        "entry 'x/data/0' has the checksum 91e79017 where 0000abcd is recorded"
      ),
      WrongArchive(
        { $0.entries[0].checksum = 0xABCD },
        "entry 'x/data.pkl' has the checksum df026dc0 where 0000abcd is recorded"
      ),
      WrongArchive(
        { $0.entries[2].flags = 8 },
        "entry 'x/data/0' is not followed by its description"
      ),
      WrongArchive(
        { $0.entries[1].description = [1, 2, 3] },
        "entry 'x/data/0' begins at 278 where 275 is next: bytes belong to no entry"
      ),
      WrongArchive(
        { $0.gap = [0] },
        "1 bytes before the zip directory belong to no entry"
      ),
      WrongArchive(
        { $0.entries[2].name = "x/../0" }, "entry 2 has the name 'x/../0', which is no plain path"),
      WrongArchive(
        { $0.entries[2].name = "/x/0" }, "entry 2 has the name '/x/0', which is no plain path"),
      WrongArchive(
        { $0.entries[2].name = "x\\0" }, "entry 2 has the name 'x\\\\0', which is no plain path"),
      WrongArchive(
        { $0.entries[2].name = "x/" }, "entry 2 has the name 'x/', which is no plain path"),
      WrongArchive({ $0.entries[2].name = "" }, "entry 2 has the name '', which is no plain path"),
      WrongArchive(
        { $0.entries[2].name = String(repeating: "x", count: 1025) },
        "entry 2 has a name that is not UTF-8 text of at most 1024 bytes"
      ),
      WrongArchive(
        { $0.entries = [] }, "the file does not begin as one of torch.save; name such a file"),
      WrongArchive(
        { $0.entries[2].name = "y/data/0" },
        "the entries 'x/data.pkl' and 'y/data/0' are not in one folder"
      ),
      WrongArchive({ $0.entries[0].name = "x/data.pk" }, "the archive has no entry 'x/data.pkl'"),
      WrongArchive(
        { $0.entries[1].data = Array("middle".utf8) },
        "the entry 'byteorder' says neither little nor big"
      ),
    ] as [WrongArchive])
  func rules(_ wrong: WrongArchive) throws {
    var zip = Self.plain
    wrong.change(&zip)
    let remedy = wrong.what.hasSuffix("name such a file") ? ", or" : "; the file is damaged,"
    #expect(message(zip.bytes) == "malformed: \(wrong.what)\(remedy) download it again")
  }

  @Test(
    "Archives of kinds that torch.save does not write are refused as such",
    arguments: [
      WrongArchive(
        { $0.entries[2].method = 8 },
        "entry 'x/data/0' is compressed (method 8), as torch.save never does"
      ),
      WrongArchive(
        { $0.entries[0].method = 14 },
        "entry 'x/data.pkl' is compressed (method 14), as torch.save never does"
      ),
      WrongArchive({ $0.entries[2].flags = 1 }, "entry 'x/data/0' is encrypted"),
      WrongArchive({ $0.entries[2].flags = 0x2000 }, "entry 'x/data/0' has the zip flags 8192"),
    ] as [WrongArchive])
  func kinds(_ wrong: WrongArchive) throws {
    var zip = Self.plain
    wrong.change(&zip)
    #expect(
      message(zip.bytes) == "unsupported: \(wrong.what); save the tensors again with torch.save")
  }

  @Test("Big-endian numbers are refused")
  func byteOrder() {
    let zip = ZipBytes.torch(P.whole(P.none), byteOrder: "big")
    #expect(
      message(zip.bytes)
        == "unsupported: the numbers are big-endian; save the tensors again on a little-endian machine"
    )
  }

  private static func wideRecord(of zip: ZipBytes) -> [UInt8] {
    let (entries, directory) = zip.parts
    return ZipBytes.wide(
      count: UInt64(zip.entries.count), size: UInt64(directory.count),
      offset: UInt64(entries.count), record: UInt64(entries.count + directory.count))
  }

  private func open(_ bytes: [UInt8]) throws -> TorchArchive {
    try TorchArchive(try MappedFile(copying: bytes, named: URL(filePath: "/models/x")))
  }

  private func message(_ bytes: [UInt8]) -> String {
    failure { try open(bytes) }.replacing("/models/x: ", with: "")
  }
}
