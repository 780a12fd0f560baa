import Attribution
import Checkpoints
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Tokens that stand still are run once")
struct MovingTokensTests {
  static let models = [
    "falcon", "falcon-new", "gemma2", "gemma3", "gpt-neox", "gpt2", "llama-biases",
    "llama-grouped-untied", "mamba", "mistral-window", "mixtral", "olmo2", "phi3", "qwen2", "qwen3",
    "smollm3", "stablelm-parallel", "llama-dynamic-rope", "phi3-long-rope",
  ]

  // Two pairs; the first moves from its fourth token on, the second from its fifth.
  private static let ids = [[5, 17, 3, 29, 11, 8, 2], [4, 9, 20, 13, 11, 7, 6]]
  private static let patch = [[5, 17, 3, 21, 11, 9, 2], [4, 9, 20, 13, 30, 7, 6]]
  private static let metric = Metric(.logit, tokens: [7, 3], versus: [2, 12], position: 5)

  /// m of rows of the texts, run whole, whose value at a site is x.
  private func moved(
    _ site: Site, _ x: Tensor, _ pass: Pass, _ model: any LanguageModel
  ) -> Tensor {
    let times = x.size(0) / Self.ids.count
    var metric = Self.metric
    metric.tokens = (0..<times).flatMap { _ in metric.tokens }
    metric.versus = (0..<times).flatMap { _ in metric.versus }
    var inner = pass
    inner.sites.insert(site)
    inner.visit = { place, value in
      let next = place == site ? x : value
      return pass.sites.contains(place) ? pass.visit(place, next) : next
    }
    let ids = (0..<times).flatMap { _ in Self.ids }
    guard let residual = try? model.run(ids, pass: inner).residual else { return x }
    return metric(residual, in: model, pass: pass)
  }

  /// The same path over whole texts.
  private func whole(
    _ model: any LanguageModel, _ sites: [Site], _ rule: PathRule, _ estimator: PathEstimator
  ) throws -> PathIntegral.Scores {
    func embedded(_ ids: [[Int]]) throws -> Tensor {
      try withRecording(false) {
        try model.run(ids, capturing: [.embedding]).activations[.embedding]
      }
    }
    let path = PathIntegral(
      .embedding, from: try embedded(Self.patch), to: try embedded(Self.ids)
    ) { x, pass in
      moved(.embedding, x, pass, model)
    }
    return try path.scores(of: sites, rule, estimator)
  }

  @Test("Scores are those of whole texts, and 0 where nothing moves", arguments: models)
  func scores(name: String) throws {
    let model = try BackwardRulesTests.model(name)
    let setting = try GradientSetting(
      Self.ids, Self.metric, from: .contrast(Self.patch), in: model)
    let sites = [
      Site.embedding, .feedForward(1, .hidden), .residual(0, .after), .attention(0, .heads),
      .attention(1, .output),
    ].filter { $0 == .embedding || model.sites.contains($0) }
    let methods: [(any GradientMethod, PathRule, PathEstimator)] = [
      (IntegratedGradients(.gaussLegendre(5)), .gaussLegendre(5), .endPoint),
      (IntegratedGradients(.adaptive(tolerance: 1e-4)), .adaptive(tolerance: 1e-4), .endPoint),
      (Conductance(.trapezoid(4)), .trapezoid(4), .stieltjes),
    ]
    for (method, rule, estimator) in methods {
      let found = try method.scores(of: sites, in: setting, progress: { _ in })
      let expected = try whole(model, sites, rule, estimator)
      #expect(distance(found.end, expected.end).error < 1e-12)
      #expect(distance(found.start ?? [], expected.start).error < 1e-12)
      #expect(found.nodes == expected.nodes)
      for site in sites {
        let value = try #require(found.values[site])
        #expect(value.shape == expected.values[site]?.shape)
        let close = distance(try value.values(), try expected.values[site]?.values() ?? [])
        #expect(close.error < 1e-10, "\(site), \(rule): \(close)")
        #expect(try value.slice(0..<3, along: 1).values().allSatisfy { $0 == 0 }, "\(site)")
      }
      // Four of seven tokens move, and three are run once.
      let share = 4.0 / 7
      #expect(abs(found.passes.forward - share * expected.passes.forward - 3.0 / 7) < 1e-9)
      #expect(abs(found.passes.backward - share * expected.passes.backward) < 1e-9)
    }
  }

  @Test(
    "A layer's path between two texts is that of whole texts, and 0 where nothing moves",
    arguments: models)
  func activations(name: String) throws {
    let model = try BackwardRulesTests.model(name)
    let setting = try GradientSetting(
      Self.ids, Self.metric, from: .contrast(Self.patch), in: model)
    let sites = [
      Site.feedForward(1, .hidden), .residual(0, .after), .residual(1, .before),
      .attention(0, .heads),
    ].filter(model.sites.contains)
    let found = try ActivationIG(.gaussLegendre(4)).scores(of: sites, in: setting)
    func seen(_ ids: [[Int]]) throws -> Activations {
      try withRecording(false) { try model.run(ids, capturing: Set(sites)).activations }
    }
    let (clean, patch) = (try seen(Self.ids), try seen(Self.patch))
    for site in sites {
      let path = PathIntegral(site, from: patch[site], to: clean[site]) { x, pass in
        moved(site, x, pass, model)
      }
      let expected = try path.scores(of: [site], .gaussLegendre(4), .endPoint)
      let value = try #require(found.values[site])
      let close = distance(try value.values(), try expected.values[site]?.values() ?? [])
      #expect(close.error < 1e-10, "\(site): \(close)")
      #expect(try value.slice(0..<3, along: 1).values().allSatisfy { $0 == 0 }, "\(site)")
      let change = zip(expected.end, expected.start).reduce(0) { $0 + $1.0 - $1.1 }
      #expect(abs((found.expected[site] ?? .nan) - change) < 1e-10)
    }
  }

  @Test("A text beside itself has scores of 0")
  func nothingMoves() throws {
    let model = try BackwardRulesTests.model("llama-biases")
    let setting = try GradientSetting(
      Self.ids, Self.metric, from: .contrast(Self.ids), in: model)
    let found = try IntegratedGradients().scores(of: [.embedding], in: setting)
    #expect(try found.values[.embedding]?.values().allSatisfy { $0 == 0 } == true)
    #expect(found.values[.embedding]?.shape == [2, 7, model.shape.width])
  }

  @Test("Fewer bytes change the rows that run together, and nothing else")
  func memory() throws {
    let model = try BackwardRulesTests.model("llama-biases")
    func scores(_ memory: Int?) throws -> (rows: Int, values: [Double]) {
      var rows = 0
      let setting = try GradientSetting(
        Self.ids, Self.metric, from: .contrast(Self.patch), in: model, memory: memory)
      let found = try IntegratedGradients(.gaussLegendre(9)).scores(of: [.embedding], in: setting) {
        _ in rows += 1
      }
      return (rows, try found.values[.embedding]?.values() ?? [])
    }
    let (many, few) = (try scores(nil), try scores(1))
    #expect(few.rows > many.rows)
    #expect(distance(few.values, many.values).error < 1e-12)
  }
}
