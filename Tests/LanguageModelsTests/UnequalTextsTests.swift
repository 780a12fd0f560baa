import LanguageModels
import Tensors
import TestSupport
import Testing

/// Texts of any lengths, without padding.
@Suite("Texts of unequal lengths")
struct UnequalTextsTests {
  @Test("Each text gets what it gets alone", arguments: Reference.names)
  func alone(name: String) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let (first, second) = (reference.ids("0.ids"), reference.ids("1.ids"))
    let texts = [
      first, second, [first[0]], Array(first.prefix(second.count)), second, Array(first.reversed()),
    ]
    let last = Site.residual(model.shape.layers - 1, .after)
    let sites: Set<Site> = model.head == nil ? [.embedding, last] : [.embedding, last, .logits]
    for tokens in [4096, 2 * first.count, 1] {
      let runs = try model.runs(of: texts, capturing: sites, tokensAtOnce: tokens)
      #expect(runs.count == texts.count)
      for (text, run) in zip(texts, runs) {
        let single = try model.run([text], capturing: sites)
        #expect(run.residual.shape == [1, text.count, model.shape.width])
        let worst = distance(try run.residual.values(), try single.residual.values())
        #expect(worst.error <= 1e-12, "\(text.count) tokens are off by \(worst)")
        #expect(run.activations.sites == sites)
        for site in sites {
          let worst = distance(
            try run.activations[site].values(), try single.activations[site].values())
          #expect(worst.error <= 1e-12, "\(site) of \(text.count) tokens is off by \(worst)")
        }
      }
    }
  }

  @Test("A text that cannot run is refused before any runs, and none gives none")
  func refusals() throws {
    let model = try Reference("gpt2", .float32).model
    func message(_ texts: [[Int]], _ sites: Set<Site> = []) -> String {
      do {
        _ = try model.runs(of: texts, capturing: sites)
        return "nothing was thrown"
      } catch { return "\(error)" }
    }
    #expect(
      message([[1], []]) == "The prompt is empty; give at least one token of text.")
    #expect(
      message([[1], [1, 97]])
        == "Token id 97 is out of range; this model's vocabulary has ids 0 to 96.")
    #expect(
      message([[1]], [.feedForward(0, .gate)])
        == "gpt2 has no site 'feed-forward.gate.0'; its layers are 0 to 2 (see its sites with "
        + "`LanguageModel.sites`).")
    #expect(try model.runs(of: []).isEmpty)
  }
}
