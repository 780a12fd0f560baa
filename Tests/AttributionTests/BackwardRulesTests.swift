import Attribution
import Checkpoints
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Backward rules")
struct BackwardRulesTests {
  static let models = [
    "albert", "bert", "bert-untied", "camembert", "deberta", "deberta-v2-convolution",
    "deberta-v3", "distilbert", "electra-generator", "falcon", "falcon-new",
    "falcon-new-plain", "gemma", "gemma2", "gemma3", "gpt-neox", "gpt-neox-sequential", "gpt2",
    "llama-biases", "llama-grouped-untied", "mistral-window", "mixtral", "modernbert", "mpnet",
    "olmo2", "phi3", "qwen2", "qwen2-moe", "qwen3", "qwen3-moe", "roberta", "smollm3", "stablelm",
    "stablelm-parallel", "xlm-roberta",
  ]

  static func model(_ name: String, _ type: ScalarType = .float64) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/\(name)")), type: type)
  }

  static let ids = [5, 17, 3, 29, 11, 8]

  private func setting(
    _ model: any LanguageModel, versus: Int? = nil, from start: GradientSetting.Start = .zero
  ) throws -> GradientSetting {
    try GradientSetting(
      [Self.ids], Metric(.logit, token: 7, versus: versus, position: Self.ids.count - 2),
      from: start, in: model)
  }

  @Test("Values under every rule are those of the plain run, bit by bit", arguments: models)
  func forward(name: String) throws {
    for type in [ScalarType.float32, .float64] {
      let model = try Self.model(name, type)
      let sites = model.sites.filter { site in
        if case .attention(_, .pattern) = site { return false }
        return site != .finalNorm && site != .logits
      }
      let plain = try withRecording(false) { try model.run([Self.ids], capturing: sites) }
      for (_, rules) in BackwardRules.named {
        let seen = try withRecording(true) {
          try model.run(
            [Self.ids], capturing: sites.union([.logits]),
            pass: Pass(sites: [.embedding], rules: rules) { site, value in
              site == .embedding ? value.requiringGradient() : value
            })
        }
        #expect(try seen.residual.detached.values() == plain.residual.values())
        let own = withRecording(false) { model.unembedding.logits(plain.residual) }
        #expect(try seen.activations[.logits].detached.values() == own.values())
        for site in sites where site != .embedding {
          #expect(
            try seen.activations[site].detached.values() == plain.activations[site].values(),
            "\(site)")
        }
      }
    }
  }

  @Test("Value times coefficient and biases sum to the metric at every cut", arguments: models)
  func conservation(name: String) throws {
    let model = try Self.model(name)
    let cuts =
      [.embedding]
      + (0..<model.shape.layers).flatMap {
        [Site.residual($0, .before), .residual($0, .after)]
      }.filter(model.sites.contains)
    let setting = try setting(model, versus: 12)
    for rules in [BackwardRules.relp, .cpLRP] {
      let found = try RelevancePropagation(rules).scores(of: cuts, in: setting)
      for cut in cuts {
        let expected = try #require(found.expected[cut])
        let sum = try #require(found.values[cut]).sum.scalar() + (found.constants[cut] ?? 0)
        #expect(abs(sum - expected) < 1e-10 * (1 + abs(expected)), "\(cut): \(sum), \(expected)")
      }
    }
  }

  @Test("Rules refuse a model with something that they do not know")
  func coverage() throws {
    let setting = try setting(Self.model("mamba"))
    #expect(throws: Never.self) { try Saliency().scores(of: [.embedding], in: setting) }
    let error = #expect(throws: ModelError.self) {
      try RelevancePropagation().scores(of: [.embedding], in: setting)
    }
    #expect(
      error?.message
        == "Layer 0 of mamba has a selective state space, which no relevance rule knows; use the gradient "
        + "itself (--rules gradient).")
  }

  @Test("Integrated gradients and the conductance of every cut come to the metric's change")
  func completeness() throws {
    for name in ["llama-grouped-untied", "gpt2", "gemma2", "gpt-neox", "bert", "olmo2", "mamba"] {
      let model = try Self.model(name)
      let other = [[6, 2, 3, 21, 11, 9]]
      let setting = try setting(model, versus: 12, from: .contrast(other))
      let ig = try IntegratedGradients(.adaptive(tolerance: 1e-6)).scores(
        of: [.embedding], in: setting)
      let expected = try #require(ig.expected[.embedding])
      let sum = try #require(ig.values[.embedding]).sum.scalar()
      #expect(abs(sum - expected) < 2e-6 * abs(expected), "\(name) \(sum) \(expected)")
      let cuts = [Site.embedding, .residual(0, .after), .residual(model.shape.layers - 1, .before)]
      let conductance = try Conductance(.trapezoid(400)).scores(of: cuts, in: setting)
      for cut in cuts {
        let sum = try #require(conductance.values[cut]).sum.scalar()
        #expect(
          abs(sum - expected) < 2e-4 * (1 + abs(expected)), "\(name) \(cut) \(sum) \(expected)")
      }
    }
  }
}
