import Attribution
import Foundation
import LanguageModels
import Lenses
import Results
import StrictJSON
import TestSupport
import Testing

@Suite("Logit lens on the default model")
struct SmolLM2Tests {
  @Test("Every layer of \"The capital of France is\", at each moment, in float32")
  func reference() throws {
    let file = try LensesTests.reference("tree/smollm2.json")
    let loaded = try LoadedModel(
      at: Fixtures.checkout.appending(path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    let lens = try LogitLens(loaded)
    var options = LogitLens.Options()
    options.positions = [try #require(file["position"]?.integer)]
    options.target = file["token"]?.integer
    for moment in Site.Moment.allCases {
      options.moment = moment
      let result = try lens.show(.init(text: "", ids: file["ids"]?.integers ?? []), options)
      let stored = try #require(file["lens"]?[moment.rawValue])
      let cells = result.layers.prefix(30).map { $0.cells[0] }
      for (found, key) in [
        (cells.map(\.logit), "logit"), (cells.map(\.probability), "probability"),
        (cells.map(\.entropy), "entropy"), (cells.map(\.divergence), "kl_final_lens"),
      ] {
        let error = distance(found, stored[key]?.numbers ?? []).error
        #expect(error < 1e-4, "\(moment) \(key)")
      }
      // Of two logits that float32 cannot tell apart either may be the larger.
      let ranks = zip(cells, stored["rank"]?.numbers ?? []).map { abs(Double($0.rank) - $1) }
      #expect(ranks.count == 30 && ranks.allSatisfy { $0 <= 1 } && ranks.count { $0 > 0 } <= 2)
      let top = stored["top"]?.array?.map(\.integers) ?? []
      #expect(zip(cells, top).allSatisfy { $0.top.first?.id == $1.first } && top.count == 30)
    }
  }
}
