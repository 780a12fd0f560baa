import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Tokenization

/// GGUF files written again in the layout that they were converted from.
@Suite("GGUF to safetensors")
struct GGUFConversionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A GGUF file of a reference model, and what it is converted to.
  private func convert(
    _ name: String, as type: ElementType? = nil
  ) throws -> (gguf: Checkpoint, converted: Checkpoint) {
    let bytes = try #require(try GGUFRecipe(name).bytes())
    let gguf = try Checkpoint(try folder.write(bytes, as: "model.gguf"))
    let out = folder.url.appending(path: "out")
    try ModelConversion(translating: gguf, as: type).write(to: out)
    return (gguf, try Checkpoint(out))
  }

  private func numbers(_ tensor: StoredTensor) -> [Double] {
    [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
      if let base = buffer.baseAddress { tensor.read(into: base) }
      count = tensor.elementCount
    }
  }

  @Test(
    "Names, shapes and numbers are those of the checkpoint before", arguments: GGUFRecipe.names)
  func tensors(name: String) throws {
    let converted = try convert(name).converted.tensors
    var original = try Checkpoint(Fixtures.url("models/" + name)).tensors
    // An encoder without its head has no prefix on the hub.
    if name == "modernbert" {
      original = Dictionary(
        uniqueKeysWithValues: original.map { ($0.key.replacing(/^model\./, with: ""), $0.value) })
    }
    // Copies of tied weights, heads of encoders, and buffers are not weights of the file.
    let gone = Set(original.keys).subtracting(converted.keys)
    #expect(
      gone.allSatisfy { name in
        ["attention.bias", "attention.masked_bias", "rotary_emb.inv_freq"]
          .contains(where: name.hasSuffix)
          || ["head.", "decoder.", "lm_head."].contains(where: name.hasPrefix)
      }, "\(gone)")
    for (name, tensor) in converted {
      let before = try #require(original[name], "\(name) is new")
      #expect(tensor.shape == before.shape, "\(name)")
      // 1 + w and −eʷ are rounded in the file.
      let worst = distance(numbers(tensor), numbers(before))
      #expect(worst.error < 2e-7, "\(name) is off by \(worst)")
    }
  }

  @Test("What was converted computes what the file does", arguments: GGUFRecipe.names)
  func values(name: String) throws {
    let (gguf, converted) = try convert(name)
    let ids = try Reference(name, .float64).ids("0.ids")
    let states = try [gguf, converted].map {
      let model = try loadNetwork(of: $0, type: .float64)
      let outcome = model.head == nil ? Site.finalNorm : .logits
      return try model.run([ids], capturing: [outcome]).activations[outcome].values()
    }
    let tolerance = GGUFFamilyTests.rounded.contains(name) ? 2e-6 : 1e-10
    let worst = distance(states[1], states[0])
    #expect(worst.error <= tolerance, "off by \(worst)")
  }

  @Test("The default model explains alike after conversion, tokenizer and all")
  func whole() throws {
    let file = Fixtures.checkout.appending(path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    let out = folder.url.appending(path: "whole")
    let checkpoint = try Checkpoint(file)
    try ModelConversion(translating: checkpoint, as: .bf16).write(to: out)
    #expect(try Checkpoint(out).tensors.values.allSatisfy { $0.type == .bf16 })
    let (before, after) = (try LoadedModel(at: file), try LoadedModel(at: out))
    let text = "The capital of France is"
    let ids = before.tokenizer.encode(text)
    #expect(after.tokenizer.encode(text) == ids)
    #expect(after.tokenizer.endOfText == before.tokenizer.endOfText)
    #expect(after.chatTemplate == before.chatTemplate)
    #expect(
      try after.model.generate(from: ids.ids, atMost: 4)
        == before.model.generate(from: ids.ids, atMost: 4))
  }
}
