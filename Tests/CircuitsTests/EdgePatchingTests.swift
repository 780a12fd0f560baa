import Attribution
import Checkpoints
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Edges between branches")
struct EdgePatchingTests {
  private func model(_ name: String) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/\(name)")), type: .float64)
  }

  private let pair = PromptPair(
    clean: [5, 17, 3, 29, 11], patch: [5, 21, 3, 8, 11], answer: 7, versus: 12)

  @Test(
    "The edges into a branch sum to the change of its reading times the gradient there",
    arguments: [
      "llama-grouped-untied", "gpt2", "gemma2", "olmo2", "gpt-neox", "falcon", "stablelm",
    ],
    [nil, PathRule.midpoint(3)])
  func sums(name: String, rule: PathRule?) throws {
    let model = try model(name)
    let metric = PromptPair.metric(of: [pair])
    let found = try EdgePatching(rule).edges(of: pair, metric, in: model)
    let setting = try GradientSetting(
      [pair.clean], metric, from: .contrast([pair.patch ?? []]), in: model)
    let last = model.shape.layers - 1
    let readings: [(EdgePatching.Target, Site)] = [
      (.attention(0), .attention(0, .input)), (.mlp(0), .feedForward(0, .input)),
      (.attention(last), .attention(last, .input)), (.mlp(last), .feedForward(last, .input)),
      (.metric, .residual(last, .after)),
    ]
    let sites = readings.map(\.1)
    let nodes =
      try rule.map { try IntegratedGradients($0).scores(of: sites, in: setting) }
      ?? AttributionPatching().scores(of: sites, in: setting)
    for (target, site) in readings {
      let expected = try #require(nodes.values[site]).sum.scalar()
      let sum = found.edges.filter { $0.target == target }.reduce(0) { $0 + $1.value }
      #expect(abs(sum - expected) < 1e-11 * (1 + abs(expected)), "\(target)")
    }
    #expect(found.edges.contains { abs($0.value) > 1e-6 && $0.target == .mlp(last) })
  }

  @Test("What a branch reads can be patched alone, and an edge is that to first order")
  func patched() throws {
    let model = try model("gpt2")
    let metric = PromptPair.metric(of: [pair])
    let found = try EdgePatching().edges(of: pair, metric, in: model)
    let edge = try #require(
      found.edges.first { $0.source == .attention(0) && $0.target == .mlp(1) })
    let source = Site.attention(0, .output)
    let reading = Site.feedForward(1, .input)
    func run(_ ids: [Int], adding change: Tensor?) throws -> (Double, Tensor) {
      var seen: Tensor?
      let run = try withRecording(false) {
        try model.run(
          [ids],
          pass: Pass(sites: [source, reading]) { site, value in
            if site == source { seen = value }
            return site == reading ? change.map { value + $0 } ?? value : value
          })
      }
      return (try metric(run.residual, in: model).scalar(), try #require(seen))
    }
    let clean = try run(pair.clean, adding: nil).1
    let patch = try run(pair.patch ?? [], adding: nil).1
    let step = 1e-5
    let up = try run(pair.clean, adding: (clean - patch) * step).0
    let down = try run(pair.clean, adding: (clean - patch) * -step).0
    #expect(abs((up - down) / (2 * step) - edge.value) < 1e-7 * (1 + abs(edge.value)))
  }

  @Test("No edge leads back, and a block that normalises the stream is refused")
  func order() throws {
    let found = try EdgePatching().edges(
      of: pair, PromptPair.metric(of: [pair]), in: model("llama-tied"))
    for edge in found.edges {
      switch (edge.source, edge.target) {
      case (.attention(let source), .attention(let target)): #expect(source < target)
      case (.attention(let source), .mlp(let target)): #expect(source <= target)
      case (.mlp(let source), .attention(let target)), (.mlp(let source), .mlp(let target)):
        #expect(source < target)
      default: break
      }
    }
    let error = #expect(throws: CircuitError.self) {
      try EdgePatching().edges(of: pair, PromptPair.metric(of: [pair]), in: model("bert"))
    }
    #expect(
      error?.message
        == "Block 0 of bert does not simply add to the stream, so no reading of it is a sum of branches; use edges "
        + "between neurons.")
  }
}
