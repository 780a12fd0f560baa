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
import Tokenization

/// A tiny model with any tokenizer: these tests ask in ids.
func tinyModel(_ folder: String, _ type: ScalarType = .float64) throws -> LoadedModel {
  let url = Fixtures.url(folder)
  return LoadedModel(
    model: try loadNetwork(of: Checkpoint(url), type: type),
    tokenizer: try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: [])),
    name: url.lastPathComponent)
}

@Suite("Logit lens")
struct LogitLensTests {
  @Test(
    "Every cell is what norm and head read, at each moment and position",
    arguments: ["llama-six-layers", "llama-grouped-untied", "llama-biases", "qwen2", "gpt2"])
  func reference(_ name: String) throws {
    let folder = name == "llama-six-layers" ? "tree/models/" + name : "models/" + name
    let loaded = try tinyModel(folder)
    let file = try JSON.parse(Data(contentsOf: Fixtures.url("tree/\(name)/lens.json")))
    let ids = try #require(file["ids"]?.array).compactMap(\.integer)
    let token = try #require(file["token"]?.integer)
    let lens = try LogitLens(loaded)
    for moment in Site.Moment.allCases {
      var options = LogitLens.Options()
      options.moment = moment
      options.target = token
      let result = try lens.show(.init(text: "", ids: ids), options)
      let expected = try #require(file["grid"]?[moment.rawValue]?.array)
      let own = try #require(file["grid"]?["after"]?.array?.last)
      let rows = expected + (moment == .after ? [] : [own])
      #expect(result.layers.count == rows.count)
      for (layer, row) in zip(result.layers, rows) {
        func column(_ key: String) throws -> [Double] {
          try #require(row[key]?.array).compactMap(\.double)
        }
        for (found, key) in [
          (layer.cells.map(\.logit), "logit"), (layer.cells.map(\.probability), "probability"),
          (layer.cells.map { Double($0.rank) }, "rank"), (layer.cells.map(\.entropy), "entropy"),
          (layer.cells.map(\.divergence), "kl_final_lens"),
        ] {
          let error = try distance(found, column(key)).error
          #expect(error < 1e-10, "\(moment) \(layer.layer) \(key)")
        }
        let top = try #require(row["top"]?.array).map { $0.array?.compactMap(\.integer) ?? [] }
        #expect(layer.cells.map { $0.top.map(\.id) } == top)
        let shares = try #require(row["probabilities"]?.array)
          .flatMap { $0.array?.compactMap(\.double) ?? [] }
        #expect(distance(layer.cells.flatMap { $0.top.map(\.probability) }, shares).error < 1e-10)
      }
    }
  }
}
