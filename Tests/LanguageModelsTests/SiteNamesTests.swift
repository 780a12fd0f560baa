import Checkpoints
import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite("Names of sites")
struct SiteNamesTests {
  private func model() throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/llama-tied")))
  }

  private func refusal(_ name: String) throws -> String? {
    let model = try model()
    do {
      _ = try model.sites(named: [name])
      return nil
    } catch let error as ModelError {
      #expect(error.code == .usage)
      return error.message
    }
  }

  @Test("Every site is read back from its description, and from no other spelling")
  func roundTrip() throws {
    let sites = try model().sites
    #expect(sites.count == 3 + 2 * (3 + 7 + 5 + 2))
    for site in sites { #expect(Site(site.description) == site) }
    #expect(Site("feed-forward.router.12") == .feedForward(12, .router))
    for name in [
      "", "residual", "residual.after", "residual.after.", "residual.after.-1", "residual.after.+1",
      "residual.after.01", "residual.after.1-1", "residual.after.0-1", "Residual.after.0",
      "logits.0", "embedding.", "residual.after.99999999999999999999",
    ] { #expect(Site(name) == nil, "\(name)") }
  }

  @Test("A name is all layers, one layer or a range, each site once and in the order of the pass")
  func names() throws {
    let model = try model()
    #expect(
      try model.sites(named: ["residual.after"]) == [.residual(0, .after), .residual(1, .after)])
    #expect(
      try model.sites(named: ["logits", "residual.after.1", "residual.after.0-1", "embedding"])
        == [.embedding, .residual(0, .after), .residual(1, .after), .logits])
    #expect(
      try model.sites(named: ["feed-forward.output.1", "attention.query.1", "residual.middle.1"])
        == [.attention(1, .query), .residual(1, .middle), .feedForward(1, .output)])
    #expect(
      model.sites.kindsInOrder == [
        "embedding", "residual.before", "attention.input", "attention.query", "attention.key",
        "attention.value", "attention.pattern", "attention.heads", "attention.output",
        "scale.attention-input", "residual.middle", "feed-forward.input", "feed-forward.gate",
        "feed-forward.up", "feed-forward.hidden", "feed-forward.output",
        "scale.feed-forward-input", "residual.after", "final-norm", "logits",
      ])
  }

  @Test("An unknown name is answered with the names that there are")
  func unknown() throws {
    let list =
      "embedding, residual.before, attention.input, attention.query, attention.key, "
      + "attention.value, attention.pattern, attention.heads, attention.output, "
      + "scale.attention-input, residual.middle, feed-forward.input, feed-forward.gate, "
      + "feed-forward.up, feed-forward.hidden, feed-forward.output, scale.feed-forward-input, "
      + "residual.after, final-norm, "
      + "logits (in blocks with a layer from 0 to 1, such as residual.after.0, a range such as "
      + "residual.after.0-1, or neither for all layers)."
    for name in ["resid", "feed-forward.router", "residual.after.1-0", "residual.after.x"] {
      #expect(try refusal(name) == "There is no site '\(name)' in this model; it has " + list)
    }
    for name in ["residual.after.2", "residual.after.0-2", "attention.query.9999999999"] {
      #expect(
        try refusal(name) == "There is no site '\(name)'; this llama has layers 0 to 1.")
    }
  }

  @Test("The axes of a site are the dimensions of its value")
  func axes() throws {
    for name in ["llama-grouped-untied", "mixtral", "gpt-neox", "mamba", "qwen2-moe"] {
      let checkpoint = try Checkpoint(Fixtures.url("models/" + name))
      let model = try loadNetwork(of: checkpoint)
      let inspection = try Inspection(of: checkpoint.url)
      let run = try model.run([[3, 1, 4, 1, 5]], capturing: model.sites)
      for site in model.sites {
        let stated = site.axes.map { inspection.extent(of: $0, at: site) ?? 5 }
        #expect(run.activations[site].shape == [1] + stated, "\(site) of \(name)")
      }
    }
  }
}
