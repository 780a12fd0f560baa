import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// Weights that are used where they stand in the mapped file.
@Suite("Borrowed weights")
struct BorrowedWeightsTests {
  private let ids = [3, 1, 4, 15, 92, 65]

  /// A copy of a model's folder, in which the numbers stand so many bytes further on.
  private func folder(_ name: String, shiftedBy shift: Int = 0) throws -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "telescope-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: Fixtures.url("models/" + name), to: folder)
    let file = folder.appending(path: "model.safetensors")
    let bytes = [UInt8](try Data(contentsOf: file))
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    // A header may end in spaces: as many as put every number off its place.
    let header = Array(bytes[8..<8 + length]) + Array(repeating: 0x20, count: shift)
    let count = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    try Data(count + header + bytes[(8 + length)...]).write(to: file)
    return folder
  }

  private func logits(_ model: any LanguageModel) throws -> [Double] {
    try model.run([ids], capturing: [.logits]).activations[.logits].values()
  }

  @Test(
    "A weight of the wanted type is the file's own memory, and one of another type is not",
    arguments: [
      ("llama-tied", ScalarType.float32, ElementType.f32), ("llama-tied", .float64, .f32),
      ("llama-tied", .bfloat16, .f32), ("llama-bfloat16-stored", .bfloat16, .bf16),
      ("llama-bfloat16-stored", .float32, .bf16), ("llama-bfloat16-stored", .float16, .bf16),
    ])
  func addresses(name: String, type: ScalarType, stored: ElementType) throws {
    let checkpoint = try Checkpoint(Fixtures.url("models/" + name))
    let model = try loadNetwork(of: checkpoint, type: type)
    let tensor = try #require(checkpoint.tensors["model.embed_tokens.weight"])
    #expect(tensor.type == stored)
    let isSame = type.name == [.f32: "float32", .bf16: "bfloat16"][stored]
    let weight = model.unembedding.weight
    #expect(weight.type == type)
    #expect((weight.address == tensor.withBytes { $0.baseAddress }) == isSame)
    // Rounding a number to fewer digits is exact where it was read from as few.
    let expected = [Float](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
      buffer.baseAddress.map { tensor.read(into: $0) }
      count = tensor.elementCount
    }
    let wide = expected.map(Double.init)
    let rounding = type == .bfloat16 && !isSame ? 0x1p-8 : 0
    for (a, b) in zip(try weight.values(), wide) { #expect(abs(a - b) <= rounding * abs(b)) }
  }

  @Test("Numbers at odd addresses are copied, and the model is the same to the last bit")
  func shifted() throws {
    let inPlace = try Checkpoint(folder("llama-tied"))
    let shifted = try Checkpoint(folder("llama-tied", shiftedBy: 3))
    defer { for one in [inPlace, shifted] { try? FileManager.default.removeItem(at: one.url) } }
    func weight(_ checkpoint: Checkpoint) -> UnsafeRawPointer? {
      checkpoint.tensors["model.embed_tokens.weight"]?.withBytes { $0.baseAddress }
    }
    let models = try [inPlace, shifted].map { try loadNetwork(of: $0) }
    #expect(models[0].unembedding.weight.address == weight(inPlace))
    #expect(models[1].unembedding.weight.address != weight(shifted))
    #expect(Int(bitPattern: weight(shifted)) % 4 == 3)
    #expect(try logits(models[0]) == logits(models[1]))
  }

  @Test("A model outlives its checkpoint and its file")
  func lifetime() throws {
    let url = try folder("llama-tied")
    func load() throws -> any LanguageModel { try loadNetwork(of: Checkpoint(url)) }
    let model = try load()
    try FileManager.default.removeItem(at: url)
    let kept = try loadNetwork(of: Checkpoint(Fixtures.url("models/llama-tied")))
    #expect(try logits(model) == logits(kept))
  }

  @Test("The memory of a borrowed tensor is let go with the last view of it")
  func release() throws {
    final class Owner {
      let numbers = UnsafeMutablePointer<Float>.allocate(capacity: 6)
      init() { for place in 0..<6 { numbers[place] = Float(place) } }
      deinit { numbers.deallocate() }
    }
    weak var owner: Owner?
    func make() -> Tensor {
      let made = Owner()
      owner = made
      let tensor = Tensor(borrowing: made.numbers, [2, 3], .float32, from: made)
      return tensor.slice(1..<2, along: 0)
    }
    func look(_ view: Tensor) throws {
      #expect(owner != nil)
      #expect(try view.values() == [3, 4, 5])
      #expect((view + 1).address != view.address)
    }
    try look(make())
    #expect(owner == nil)
  }

  @Test("A failed call lets the owner go, too")
  func failure() {
    final class Owner {}
    weak var owner: Owner?
    func make() throws {
      let made = Owner()
      owner = made
      try withEngineErrors {
        _ = Tensor(repeating: 0, [2, 3]).matmul(Tensor(repeating: 0, [2, 3]))
        _ = Tensor(borrowing: UnsafeRawPointer(bitPattern: 64)!, [1], .float32, from: made)
      }
    }
    #expect(throws: EngineError.self) { try make() }
    #expect(owner == nil)
  }

  @Test("What float16 cannot hold is refused by name")
  func overflow() throws {
    let url = try folder("llama-tied")
    defer { try? FileManager.default.removeItem(at: url) }
    let file = url.appending(path: "model.safetensors")
    var writer = SafetensorsWriter()
    for (name, tensor) in try Safetensors(file).tensors {
      guard name.hasSuffix("norm.weight"), name.hasPrefix("model.norm") else {
        writer.add(tensor)
        continue
      }
      writer.add(name, shape: tensor.shape, Array(repeating: Float(70_000), count: 24))
    }
    try writer.write(to: file)
    #expect(throws: Never.self) { try loadNetwork(of: Checkpoint(url), type: .bfloat16) }
    do {
      _ = try loadNetwork(of: Checkpoint(url), type: .float16)
      Issue.record("nothing was thrown")
    } catch let error as ModelError {
      #expect(
        error.message
          == "\(url.lastPathComponent): tensor 'model.norm.weight' has numbers beyond what float16 "
          + "can hold; use --dtype bfloat16 or float32.")
    }
  }
}
