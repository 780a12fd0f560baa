import Foundation
import LanguageModels
import Lenses
import Tensors
import TestSupport
import Testing

@Suite("Mean updates")
struct MeanUpdatesTests {
  private let text = tokens(3, of: 7, vocabulary: 97, seed: 2)

  @Test("They are the plain means over all positions of what enters and what each block adds")
  func definition() throws {
    let model = try sixLayers()
    let means = try MeanUpdates(of: text, in: model, modelHash: "aa", toolVersion: "1")
    let sites = Set(
      [Site.embedding] + (0..<6).flatMap { [.residual($0, .before), .residual($0, .after)] })
    var embedding = [Double](repeating: 0, count: 24)
    var updates = Array(repeating: embedding, count: 6)
    for sequence in text.sequences {
      let run = try model.model.run([sequence], capturing: sites)
      func rows(_ site: Site) throws -> [Double] { try run.activations[site].values() }
      for (index, value) in try rows(.embedding).enumerated() {
        embedding[index % 24] += value / 21
      }
      for layer in 0..<6 {
        let pairs = zip(
          try rows(.residual(layer, .after)), try rows(.residual(layer, .before)))
        for (index, pair) in pairs.enumerated() {
          updates[layer][index % 24] += (pair.0 - pair.1) / 21
        }
      }
    }
    #expect(distance(means.embedding, embedding).error < 1e-12)
    #expect(distance(means.updates.flatMap(\.self), updates.flatMap(\.self)).error < 1e-12)
    #expect(means.origin.tokens == 21 && means.origin.sequence == 7)
  }

  @Test("Saving and loading keeps every number; another model is refused in words")
  func file() throws {
    let (model, folder) = (try sixLayers(), try Folder())
    let means = try MeanUpdates(of: text, in: model, modelHash: "aa", toolVersion: "1")
    let url = folder / "means.safetensors"
    try means.save(to: url)
    #expect(try MeanUpdates(load: url, for: model, modelHash: "aa") == means)
    expectLensError(
      .badData,
      "means.safetensors: the means were measured in llama-six-layers with SHA-256 aa… and "
        + "llama-six-layers has bb…; use that model, or measure them for this one with telescope lens "
        + "means."
    ) { try MeanUpdates(load: url, for: model, modelHash: "bb") }
    #expect(try MeanUpdates(load: url, for: model, modelHash: "bb", unverified: true) == means)
    expectLensError(
      .badData,
      "means.safetensors: the means are of 6 blocks of width 24, and llama-tied has 2 of width 24; "
        + "measure them for this model with telescope lens means."
    ) { try MeanUpdates(load: url, for: tinyModel("models/llama-tied"), modelHash: "aa") }
    let lens = Fixtures.url("tree/models/llama-six-layers/model.safetensors")
    expectLensError(
      .badData,
      "model.safetensors: this is no file of mean updates (its remarks lack 'format' "
        + "'telescope/mean-updates/1'); make one with telescope lens means."
    ) { try MeanUpdates(load: lens) }
  }

  @Test("What does not fit the budget is refused in words")
  func memory() throws {
    expectLensError(
      .memory,
      "Averaging needs about 14 kB beyond the model and --memory allows 5 kB; allow more, or choose a "
        + "shorter --sequence."
    ) {
      try MeanUpdates(of: text, in: sixLayers(), modelHash: "", toolVersion: "1", memory: 5_000)
    }
  }
}
