import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Dequantisation")
struct DequantisationTests {
  private let stored: [String: StoredTensor]
  private let expected: [String: StoredTensor]

  init() throws {
    stored = try GGUF(Fixtures.url("checkpoints/blocks.gguf")).tensors
    expected = try Safetensors(Fixtures.url("checkpoints/blocks-expected.safetensors")).tensors
  }

  @Test(
    "Values are those of the gguf package bit for bit",
    arguments: [
      "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16",
      "F32",
    ])
  func values(type: String) throws {
    let tensor = try #require(stored[type])
    let reference = try #require(expected[type])
    #expect(tensor.type.rawValue == type)
    #expect(tensor.shape == reference.shape)
    let (found, wanted) = (tensor.floats, reference.floats)
    let wrong = found.indices.filter { found[$0].bitPattern != wanted[$0].bitPattern }
    #expect(wrong.isEmpty, "first at \(wrong.first ?? 0) of \(wrong.count)")
    #expect(tensor.doubles == wanted.map { Double($0) })
    // The fixture would prove little if it were mostly zeros.
    #expect(Set(wanted).count > wanted.count / 40)
  }

  @Test(
    "Any range of elements is that part of the whole",
    arguments: ["Q4_1", "Q8_0", "Q6_K", "F16", "BF16", "F32"])
  func ranges(type: String) throws {
    let tensor = try #require(stored[type])
    let whole = tensor.floats
    var generator = SplitMix(state: 7)
    var ranges = [0..<0, 0..<1, 0..<whole.count, (whole.count - 1)..<whole.count]
    for _ in 0..<200 {
      let (a, b) = (generator.below(whole.count + 1), generator.below(whole.count + 1))
      ranges.append(min(a, b)..<max(a, b))
    }
    for range in ranges {
      #expect(
        tensor.floats(range).map(\.bitPattern) == whole[range].map(\.bitPattern), "\(range)")
    }
  }

  #if !(os(macOS) && arch(x86_64))
    @Test("All 65,536 halves are converted exactly")
    func halves() throws {
      let folder = try TemporaryFolder()
      let bits = (0...UInt16.max).map { $0 }
      let header = #"{"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}"#
      let file = try folder.write(
        safetensorsBytes(header, data: bits.flatMap { little($0) }), as: "h.safetensors")
      let found = try #require(try Safetensors(file).tensors["h"])
      for range in [0..<65_536, 3..<65_531] {
        for (index, value) in zip(range, found.floats(range)) {
          let wanted = Float(Float16(bitPattern: bits[index]))
          guard value.bitPattern != wanted.bitPattern, !(value.isNaN && wanted.isNaN) else {
            continue
          }
          Issue.record("half \(index) became \(value), not \(wanted)")
        }
      }
    }
  #endif

  @Test("Doubles and whole numbers are exact as doubles and rounded once as singles")
  func plainTypes() throws {
    let tensors = try Safetensors(Fixtures.url("checkpoints/types.safetensors")).tensors
    func doubles(_ name: String) throws -> [Double] { try #require(tensors[name]).doubles }
    func floats(_ name: String) throws -> [Float] { try #require(tensors[name]).floats }
    #expect(try doubles("f64") == [0.1, -1e300, .leastNonzeroMagnitude, 3])
    #expect(try floats("f64") == [0.1, -.infinity, 0, 3])
    #expect(try floats("f32") == [0.1, -3e38, Float(bitPattern: 1)])
    #expect(try doubles("f16") == [0.0999755859375, -65504, 0x1p-24])
    #expect(try doubles("i64") == [-0x1p63, 9_007_199_254_740_992])
    #expect(try floats("i64") == [-0x1p63, 0x1p53])
    #expect(try doubles("i32") == [-2_147_483_648, 16_777_217])
    #expect(try floats("i32") == [-2_147_483_648, 16_777_216])
    #expect(try floats("i16") == [-32_768, 7])
    #expect(try floats("i8") == [-128, 7])
    #expect(try floats("u8") == [255, 7])
    #expect(try doubles("bool") == [1, 0, 1])
    #expect(try floats("single") == [2.5])
    #expect(tensors["single"]?.shape == [])
    #expect(tensors["empty"]?.shape == [3, 0])
    #expect(try floats("empty") == [])
  }

  @Test("Long tensors are widened piece by piece without a seam")
  func longDoubles() throws {
    let folder = try TemporaryFolder()
    let count = 10_001
    let header = #"{"x":{"dtype":"I16","shape":[10001],"data_offsets":[0,20002]}}"#
    let data = (0..<count).flatMap { little(Int16($0)) }
    let file = try folder.write(safetensorsBytes(header, data: data), as: "x.safetensors")
    let tensor = try #require(try Safetensors(file).tensors["x"])
    #expect(tensor.doubles == (0..<count).map { Double($0) })
  }
}
