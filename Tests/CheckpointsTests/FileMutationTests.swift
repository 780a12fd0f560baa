import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Files under mutation")
struct FileMutationTests {
  private let url = URL(filePath: "/models/x")

  @Test(
    "A damaged file is refused with an error of the reader or read to its end",
    arguments: [
      "version2.gguf", "version3.gguf", "blocks.gguf", "types.safetensors",
    ])
  func mutations(name: String) throws {
    let original = [UInt8](try Data(contentsOf: Fixtures.url("checkpoints/\(name)")))
    var generator = SplitMix(state: 0x5EED)
    // Damage goes where the lies are: into the header.
    let header = min(original.count, 900)
    var (refused, read, numbers) = (0, 0, 0)
    for _ in 0..<2000 {
      var bytes = original
      for _ in 0...generator.below(3) {
        let place = generator.below(min(header, bytes.count))
        switch generator.below(5) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
        case 1: bytes[place] ^= 1 << UInt8(generator.below(8))
        case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][generator.below(5)]
        case 3: bytes.remove(at: place)
        default: bytes.insert(original[generator.below(header)], at: place)
        }
      }
      if generator.below(4) == 0 { bytes.removeLast(generator.below(bytes.count)) }
      let file = try MappedFile(copying: bytes, named: url)
      do throws(CheckpointError) {
        let tensors =
          name.hasSuffix("gguf") ? try openGGUF(file) : try Safetensors(file).tensors
        // Reading touches every byte that the header promised.
        for tensor in tensors.values { numbers += tensor.floats.count }
        read += 1
      } catch {
        if !error.message.hasPrefix("/models/x: ") { Issue.record(error) }
        refused += 1
      }
    }
    // Both must happen often, or the damage is too great or too small to find anything.
    #expect(refused > 200)
    #expect(read > 20)
    #expect(numbers > 0)
  }

  @Test(
    "Every beginning of a file is refused",
    arguments: ["version3.gguf", "types.safetensors"])
  func truncations(name: String) throws {
    let original = [UInt8](try Data(contentsOf: Fixtures.url("checkpoints/\(name)")))
    // GGUF pads its last tensor; all of that may be missing.
    let complete = name.hasSuffix("gguf") ? original.count - 32 : original.count
    for length in 0..<complete {
      let file = try MappedFile(copying: Array(original.prefix(length)), named: url)
      #expect(throws: CheckpointError.self, "\(length) bytes") {
        _ = try name.hasSuffix("gguf") ? GGUF(file).tensors : Safetensors(file).tensors
      }
    }
  }

  /// Opens a file and reads all texts of its metadata.
  private func openGGUF(_ file: MappedFile) throws(CheckpointError) -> [String: StoredTensor] {
    let gguf = try GGUF(file)
    for value in gguf.metadata.values {
      guard let texts = value.strings else { continue }
      var total = 0
      texts.forEach { _, bytes in total += bytes.count }
      if total > file.count { Issue.record("texts are longer than their file") }
    }
    return gguf.tensors
  }
}
