import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Files of torch.save under mutation")
struct TorchMutationTests {
  private let url = URL(filePath: "/models/x")

  @Test("Every beginning of a file is refused", arguments: ["nested", "protocol4", "lens"])
  func truncations(name: String) throws {
    let original = try bytes(of: name)
    for length in 0..<original.count {
      #expect(throws: CheckpointError.self, "\(length) bytes") {
        try TorchArchive(try MappedFile(copying: Array(original.prefix(length)), named: url))
      }
    }
  }

  @Test("Every end of a file is refused", arguments: ["nested", "lens"])
  func ends(name: String) throws {
    let original = try bytes(of: name)
    for length in 0..<original.count {
      #expect(throws: CheckpointError.self, "\(length) bytes") {
        try TorchArchive(try MappedFile(copying: Array(original.suffix(length)), named: url))
      }
    }
  }

  @Test("No bit of the data can change without notice", arguments: ["types", "stored"])
  func bits(name: String) throws {
    let original = try bytes(of: name)
    let expected = try numbers(original)
    for place in original.indices {
      var bytes = original
      bytes[place] ^= 1 << UInt8(place % 8)
      // Dates and versions of programs may change; numbers may not.
      guard let found = try? numbers(bytes) else { continue }
      #expect(found == expected, "byte \(place)")
    }
  }

  @Test(
    "A damaged archive is refused with an error of the reader or read to its end",
    arguments: ["types", "nested", "protocol4"])
  func archives(name: String) throws {
    let original = try bytes(of: name)
    // The directory, where the archive's lies would be.
    let directory = original.count - 900
    try mutate(leastRead: 0) { generator in
      var bytes = original
      for _ in 0...generator.below(2) {
        let place = directory + generator.below(bytes.count - directory)
        Self.damage(&bytes, at: place, &generator)
      }
      return bytes
    }
  }

  @Test(
    "A damaged pickle in a sound archive is refused or read to its end",
    arguments: ["types", "lens", "nested", "protocol4"])
  func pickles(name: String) throws {
    let original = try bytes(of: name)
    let archive = try TorchArchive(at: fixture(name))
    let parts = try Self.parts(of: original)
    #expect(archive.names.count > 1)
    // The same parts, packed again: its checksums then are right, whatever the pickle says.
    #expect(try numbers(ZipBytes.torch(parts.pickle, parts.storages).bytes) == numbers(original))
    try mutate(leastRead: 10) { generator in
      var pickle = parts.pickle
      for _ in 0...generator.below(3) {
        Self.damage(&pickle, at: generator.below(pickle.count), &generator)
      }
      return ZipBytes.torch(pickle, parts.storages).bytes
    }
  }

  /// Opens a thousand files and reads what can be read of them.
  private func mutate(leastRead: Int, _ make: (inout SplitMix) -> [UInt8]) throws {
    var generator = SplitMix(state: 0x5EED)
    var (refused, read, numbers) = (0, 0, 0)
    for _ in 0..<1000 {
      let file = try MappedFile(copying: make(&generator), named: url)
      do throws(CheckpointError) {
        for tensor in try TorchArchive(file).tensors.values { numbers += tensor.floats.count }
        read += 1
      } catch {
        if !error.message.hasPrefix("/models/x: ") { Issue.record(error) }
        refused += 1
      }
    }
    // Both must happen often, or the damage is too great or too small to find anything.
    #expect(refused > 100)
    #expect(read >= leastRead)
    #expect(numbers > 0 || leastRead == 0)
  }

  private static func damage(_ bytes: inout [UInt8], at place: Int, _ generator: inout SplitMix) {
    switch generator.below(6) {
    case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
    case 1: bytes[place] ^= 1 << UInt8(generator.below(8))
    case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][generator.below(5)]
    case 3: bytes.remove(at: place)
    case 4: bytes.insert(bytes[generator.below(bytes.count)], at: place)
    default:
      // An opcode of pickle in place of another.
      let opcodes: [UInt8] = [
        0x28, 0x29, 0x4A, 0x4B, 0x4E, 0x51, 0x52, 0x58, 0x5D, 0x61, 0x62, 0x63, 0x65, 0x68, 0x71,
        0x73, 0x74, 0x75, 0x7D, 0x85, 0x86, 0x87, 0x88, 0x8A, 0x93, 0x94,
      ]
      bytes[place] = opcodes[generator.below(opcodes.count)]
    }
  }

  /// The pickle and the storages of a file, found by their local headers alone.
  private static func parts(
    of bytes: [UInt8]
  ) throws -> (pickle: [UInt8], storages: [(key: String, data: [UInt8])]) {
    var pickle: [UInt8] = []
    var storages: [(key: String, data: [UInt8])] = []
    // The directory has the sizes; it is the last thing with its signature.
    func word(_ place: Int, _ count: Int) -> Int {
      bytes[place..<(place + count)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    var place = word(bytes.count - 6, 4)
    while word(place, 4) == 0x0201_4B50 {
      let (size, nameLength, start) = (
        word(place + 24, 4), word(place + 28, 2), word(place + 42, 4)
      )
      let name = String(decoding: bytes[(place + 46)..<(place + 46 + nameLength)], as: UTF8.self)
      let data = start + 30 + nameLength + word(start + 28, 2)
      let content = Array(bytes[data..<(data + size)])
      if name.hasSuffix("/data.pkl") { pickle = content }
      if let key = name.firstMatch(of: /\/data\/([0-9]+)$/)?.1 {
        storages.append((String(key), content))
      }
      place += 46 + nameLength + word(place + 30, 2)
    }
    return (pickle, storages)
  }

  /// The bytes of all tensors by name.
  private func numbers(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
    try TorchArchive(try MappedFile(copying: bytes, named: url)).tensors
      .mapValues { $0.withBytes { Array($0) } }
  }

  private func bytes(of name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: fixture(name)))
  }

  private func fixture(_ name: String) -> URL {
    Fixtures.url("checkpoints/torch-archive/\(name).pt")
  }
}
