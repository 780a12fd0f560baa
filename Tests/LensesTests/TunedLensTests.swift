import Attribution
import Checkpoints
import Foundation
import LanguageModels
import Lenses
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

@Suite("Tuned lens")
struct TunedLensTests {
  private let published = Fixtures.url("lenses/published")
  private let hash = String(repeating: "12", count: 32)

  /// A lens with a hash of its model, saved; the tensors can be changed before.
  private func write(
    _ url: URL, translators: Int = 6, width: Int = 24, modelHash: String? = nil,
    change: (inout SafetensorsWriter) -> Void = { _ in }, without: Set<String> = [],
    poison: String? = nil
  ) throws {
    let remarks = [
      "format": "telescope/tuned-lens/1", "model": "six", "model_sha256": modelHash ?? hash,
      "text_sha256": "00", "tool_version": "1", "held_out_tokens": "8",
      "held_out_bits_before": "1.5 1.25", "held_out_bits_after": "0.5 0.25", "steps": "3",
      "tokens_per_step": "64", "sequence": "8", "held_out": "0.1", "seed": "7",
      "learning_rate": "0.001", "weight_decay": "0.0", "warm_up": "1",
    ]
    var writer = SafetensorsWriter(remarks: remarks)
    for index in 0..<translators {
      for (kind, shape) in [("weight", [width, width]), ("bias", [width])] {
        let name = "\(index).\(kind)"
        if without.contains(name) { continue }
        var numbers = noise(shape.reduce(1, *), seed: UInt64(index + 1)).map(Float.init)
        if name == poison { numbers[3] = .infinity }
        writer.add(name, shape: shape, numbers)
      }
    }
    change(&writer)
    try writer.write(to: url)
  }

  @Test("The published layout loads, and translator i reads the input of block i")
  func layout() throws {
    let model = try sixLayers()
    for url in [published, published.appending(path: "params.pt")] {
      let lens = try TunedLens(at: url, for: model, modelHash: hash, unverified: true)
      let file = try reference("lenses/published/expected.json")
      let states = Tensor(file["states"]?.numbers ?? [], [3, 24], .float64)
      let expected = file["translated"]?.array?.map(\.numbers) ?? []
      #expect(lens.translators.count == 6 && expected.count == 6)
      for block in 0..<6 {
        let found = try lens(states, readingInputOf: block).values()
        #expect(distance(found, expected[block]).error < 1e-12)
        #expect(try lens(states, after: block - 1).values() == found)
      }
      // The state after the last block has no translator.
      #expect(try lens(states, after: 5).values() == states.values())
      #expect(lens.origin.file == "params.pt" && lens.origin.provenance == nil)
    }
  }

  @Test("The grid reads translated states, one translator for what enters each block")
  func grid() throws {
    let model = try sixLayers()
    let lens = try TunedLens(at: published, for: model, modelHash: hash, unverified: true)
    let prompt = Explainer.Prompt(text: "", ids: [5, 17, 96, 3])
    var options = LogitLens.Options()
    options.layers = .these([-1, 0, 1, 2, 3, 4])
    let after = try LogitLens(model, translating: lens).show(prompt, options)
    let plain = try LogitLens(model).show(prompt, options)
    options.moment = .before
    options.layers = .all
    let before = try LogitLens(model, translating: lens).show(prompt, options)
    // Before block i is after block i − 1: the same state, the same translator.
    for (a, b) in zip(after.layers, before.layers) {
      #expect(a.layer == b.layer - 1)
      #expect(distance(a.cells.map(\.logit), b.cells.map(\.logit)).error < 1e-12)
    }
    #expect(after.layers[6].cells.map(\.logit) == plain.layers[6].cells.map(\.logit))
    // Against the definition, for the state after block 2.
    let run = try model.model.run([prompt.ids], capturing: [.residual(2, .after)])
    let state = run.activations[.residual(2, .after)].slice(1..<2, along: 1)
    let file = try Safetensors.published(published)
    var translated = try state.values()
    let h = translated
    for row in 0..<24 {
      translated[row] += file.bias[row]
      for column in 0..<24 { translated[row] += file.weight[row * 24 + column] * h[column] }
    }
    let logits = try model.model.unembedding.logits(Tensor(translated, [1, 24], .float64)).values()
    #expect(abs(after.layers[3].cells[1].logit - logits[96]) < 1e-10)
    #expect(after.lens.kind == "tuned" && after.lens.file == "params.pt")
    options.moment = .middle
    expectLensError(
      .usage,
      "A tuned lens has translators for the inputs of blocks and none for --moment middle; use before "
        + "or after, or leave --lens out."
    ) { try LogitLens(model, translating: lens).show(prompt, options) }
  }

  @Test("A lens that names another model file is refused, unless a person vouches for it")
  func otherModel() throws {
    let (model, folder) = (try sixLayers(), try Folder())
    let file = folder / "lens.safetensors"
    try write(file)
    let lens = try TunedLens(at: file, for: model, modelHash: hash)
    #expect(lens.origin.provenance?.modelSHA256 == hash)
    #expect(lens.origin.provenance?.options.seed == 7)
    #expect(
      lens.origin.provenance?.heldOut == [
        .init(before: 1.5, after: 0.5), .init(before: 1.25, after: 0.25),
      ])
    let other = String(repeating: "f", count: 64)
    expectLensError(
      .badData,
      "lens.safetensors: the lens was trained for six with SHA-256 121212121212… and llama-six-layers "
        + "has ffffffffffff…; use that model, train a lens for this one with telescope lens train, or, "
        + "if you know that the lens fits, add --unverified-lens."
    ) { try TunedLens(at: file, for: model, modelHash: other) }
    #expect(throws: Never.self) {
      try TunedLens(at: file, for: model, modelHash: other, unverified: true)
    }
    expectLensError(
      .badData,
      "params.pt: the lens says that it is for 'example/llama-six-layers' but does not name its "
        + "model's file by hash, so whether it fits llama-six-layers cannot be checked; if you know "
        + "that it does, add --unverified-lens."
    ) { try TunedLens(at: published, for: model, modelHash: hash) }
  }

  @Test("A wrong width, number, name or value of translators is refused in words")
  func shapes() throws {
    let (model, folder) = (try sixLayers(), try Folder())
    let file = folder / "lens.safetensors"
    func refused(_ message: String) {
      expectLensError(.badData, "lens.safetensors: " + message) {
        try TunedLens(at: file, for: model, modelHash: hash)
      }
    }
    try write(file, width: 20)
    refused(
      "the weight of translator 0 is [20, 20] and llama-six-layers is 24 wide, so [24, 24] is "
        + "expected; the lens is for another model.")
    try write(file, translators: 7)
    refused(
      "the lens has 7 translators and llama-six-layers 6 blocks; a lens has one for the input of each "
        + "block, and none for the state after the last. The lens is for another model.")
    try write(file, without: ["2.weight"])
    refused("translator 2 has no weight; the file is incomplete, get it again.")
    try write(file, without: ["4.bias"])
    refused("translator 4 has no bias; the file is incomplete, get it again.")
    try write(file, poison: "1.weight")
    refused(
      "the weight of translator 1 holds a number that is not finite; the file is damaged, get it "
        + "again.")
    try write(file, change: { $0.add("unembed.weight", shape: [1], [Float(0)]) })
    refused(
      "tensor 'unembed.weight' is no part of a tuned lens, whose tensors are 'i.weight' and 'i.bias'; "
        + "name the file of a tuned lens.")
    try write(file, change: { $0.add("\(Int.max).weight", shape: [1], [Float(0)]) })
    refused(
      "tensor '9223372036854775807.weight' is no part of a tuned lens, whose tensors are 'i.weight' and "
        + "'i.bias'; name the file of a tuned lens.")
    try write(file, change: { $0.remarks["format"] = "telescope/tuned-lens/2" })
    refused(
      "the lens is stored as 'telescope/tuned-lens/2' and this version of Telescope reads "
        + "'telescope/tuned-lens/1'; use the version that trained it.")
    try write(file, change: { $0.remarks["steps"] = "many" })
    refused(
      "the remark 'steps' is 'many' where a whole number is expected; the file is damaged, get it "
        + "again.")
    try write(file, change: { $0.remarks["model_sha256"] = nil })
    refused("its remarks lack 'model_sha256'; the file is damaged, get it again.")
  }

  @Test("What config.json says of another model is refused in words")
  func configuration() throws {
    let (model, folder) = (try sixLayers(), try Folder())
    try Data(contentsOf: published.appending(path: "params.pt")).write(to: folder / "params.pt")
    for (text, message) in [
      (
        #"{"d_model": 768}"#,
        "params.pt: its config.json says 'd_model' 768 where llama-six-layers is 24 wide; the lens is "
          + "for another model."
      ),
      (
        #"{"num_hidden_layers": "six"}"#,
        "params.pt: its config.json says 'num_hidden_layers' a string where llama-six-layers has 6 "
          + "blocks; the lens is for another model."
      ),
      (
        #"{"lens_type": "other"}"#,
        "params.pt: its config.json says 'lens_type' 'other'; Telescope reads 'linear_tuned_lens'."
      ),
      (
        "[]",
        "\((folder / "config.json").path): the file is no JSON object; get the lens's config.json "
          + "again."
      ),
    ] {
      try Data(text.utf8).write(to: folder / "config.json")
      expectLensError(.badData, message) {
        try TunedLens(at: folder.url, for: model, modelHash: hash, unverified: true)
      }
    }
  }

  @Test("Saving and loading keeps every number and all provenance")
  func roundTrip() throws {
    let (model, folder) = (try sixLayers(), try Folder())
    let (first, second) = (folder / "lens.safetensors", folder / "again.safetensors")
    try write(first)
    let lens = try TunedLens(at: first, for: model, modelHash: hash)
    try lens.save(to: second)
    let again = try TunedLens(at: second, for: model, modelHash: hash)
    #expect(again.origin.provenance == lens.origin.provenance)
    for (a, b) in zip(again.translators, lens.translators) {
      #expect(try a.weight.values() == b.weight.values())
      #expect(try a.bias?.values() == b.bias?.values())
    }
  }
}

extension Safetensors {
  /// Translator 3 of the published lens.
  fileprivate static func published(_ folder: URL) throws -> (weight: [Double], bias: [Double]) {
    let archive = try TorchArchive(at: folder.appending(path: "params.pt"))
    func values(_ name: String) throws -> [Double] {
      let tensor = try #require(archive.tensors[name])
      return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
        if let base = buffer.baseAddress { tensor.read(into: base) }
        count = tensor.elementCount
      }
    }
    return (try values("3.weight"), try values("3.bias"))
  }
}
