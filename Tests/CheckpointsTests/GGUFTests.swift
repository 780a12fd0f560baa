import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("GGUF")
struct GGUFTests {
  @Test("Metadata of every type is read exactly, in versions 2 and 3", arguments: [2, 3])
  func metadata(version: Int) throws {
    let file = try GGUF(Fixtures.url("checkpoints/version\(version).gguf"))
    #expect(file.version == version)
    let metadata = file.metadata
    #expect(metadata["general.architecture"]?.string == "fixture")
    #expect(metadata["u8"]?.integer == 200)
    #expect(metadata["i8"]?.integer == -100)
    #expect(metadata["u16"]?.integer == 60_000)
    #expect(metadata["i16"]?.integer == -30_000)
    #expect(metadata["u32"]?.integer == 4_000_000_000)
    #expect(metadata["i32"]?.integer == -2_000_000_000)
    #expect(metadata["i64"]?.integer == .min)
    #expect(metadata["u64"]?.integer == nil)
    #expect(metadata["u64"]?.double == 0x1p64)
    #expect(metadata["f32"]?.double == Double(Float(0.1)))
    #expect(metadata["f64"]?.double == 0.1)
    #expect(metadata["u8"]?.double == 200)
    #expect(metadata["yes"]?.boolean == true)
    #expect(metadata["no"]?.boolean == false)
    #expect(metadata["text"]?.string.map { Array($0.utf8) } == Array("caf\u{E9}".utf8))
    #expect(metadata["bytes"]?.string == nil)
    guard case .bytes([0xFF, 0xFE]) = metadata["bytes"] else {
      Issue.record("text that is not UTF-8 became \(String(describing: metadata["bytes"]))")
      return
    }
    #expect(metadata["small"]?.integers == [1, 2, 3])
    #expect(metadata["flags"]?.booleans == [true, false, true])
    #expect(metadata["doubles"]?.reals == [0.1, 1e300])
    #expect(metadata["tokenizer.ggml.scores"]?.reals == [0.5, -1, 0, 2, -0.25])
    #expect(metadata["tokenizer.ggml.token_type"]?.integers == [1, 1, 6, 3, 1])
    guard case .unsigneds([.max, 3]) = metadata["big"] else {
      Issue.record("large whole numbers became \(String(describing: metadata["big"]))")
      return
    }
  }

  @Test("Tokens are bytes: equivalent spellings stay apart and invalid UTF-8 stays as it is")
  func tokens() throws {
    let file = try GGUF(Fixtures.url("checkpoints/version3.gguf"))
    let tokens = try #require(file.metadata["tokenizer.ggml.tokens"]?.strings)
    let expected: [[UInt8]] = [
      Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8), [0x80], [], Array("\u{120}the".utf8),
    ]
    #expect((0..<tokens.count).map { tokens[$0] } == expected)
    #expect(tokens.string(at: 1).map { Array($0.utf8) } == expected[1])
    #expect(tokens.string(at: 2) == nil)
    var visited: [[UInt8]] = []
    tokens.forEach { index, bytes in
      #expect(index == visited.count)
      visited.append(Array(bytes))
    }
    #expect(visited == expected)
  }

  @Test("Shapes are outermost first and numbers in row-major order")
  func tensors() throws {
    let tensors = try GGUF(Fixtures.url("checkpoints/version3.gguf")).tensors
    #expect(tensors["matrix"]?.shape == [2, 3])
    #expect(tensors["matrix"]?.floats == [0, 1, 2, 3, 4, 5])
    #expect(tensors["counts"]?.shape == [2, 1])
    #expect(tensors["counts"]?.type == .i32)
    #expect(tensors["counts"]?.doubles == [-3, 2_147_483_647])
  }

  @Test("Lists may nest, and a stated alignment moves the data")
  func nestedAndAligned() throws {
    let folder = try TemporaryFolder()
    let inner = little(UInt32(0)) + little(UInt64(2)) + [1, 2]
    var file = GGUFBytes()
    file.alignment = 64
    file.pairs = [
      GGUFBytes.list("nested", 9, 2, inner + inner),
      GGUFBytes.pair("general.alignment", 4, little(UInt32(64))),
    ]
    file.tensors = [
      GGUFBytes.tensor("b", [2], 24, at: 64), GGUFBytes.tensor("a", [], 24, at: 0),
      GGUFBytes.tensor("none", [0, 3], 0, at: 64),
    ]
    file.data = [5] + [UInt8](repeating: 0, count: 63) + [6, 0xFF]
    let gguf = try GGUF(try folder.write(file.bytes, as: "a.gguf"))
    #expect(gguf.tensors["a"]?.floats == [5])
    #expect(gguf.tensors["a"]?.shape == [])
    #expect(gguf.tensors["b"]?.floats == [6, -1])
    #expect(gguf.tensors["none"]?.shape == [3, 0])
    guard case .arrays(let arrays) = gguf.metadata["nested"] else {
      Issue.record("the nested list is \(String(describing: gguf.metadata["nested"]))")
      return
    }
    #expect(arrays.map(\.integers) == [[1, 2], [1, 2]])
  }
}
