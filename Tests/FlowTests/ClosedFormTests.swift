import Checkpoints
import Flow
import Foundation
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

// With the same nodes both routes form the same sum, so they agree to rounding, converged or not.
@Suite("Closed forms of flows")
struct ClosedFormTests {
  /// Every wiring, norm, position and mask that closed forms know, and blocks that they do not.
  static let names = [
    "bert", "roberta", "albert", "distilbert", "electra-discriminator", "mpnet", "deberta-v3",
    "deberta-v2-convolution", "modernbert", "gpt2", "llama-grouped-untied", "llama-biases",
    "llama-yarn-rope", "mistral-window", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3",
    "olmo2", "stablelm", "stablelm-parallel", "falcon", "falcon-new", "gpt-neox",
    "gpt-neox-sequential", "smollm3", "mixtral", "qwen3-moe", "switch-transformers", "t5-gated",
  ]

  static let baselines: [(AttentionBaseline, FeedForwardBaseline, LayerBaseline)] = [
    (.zero, .zero, .zero), (.itb, .attITB, .itb), (.itbZeroRatio, .attITB, .itbZeroRatio),
    (.itbMapRatio, .zero, .itb),
  ]

  static func text(_ model: any LanguageModel, _ count: Int = 7) -> [Int] {
    (0..<count).map { (3 + 11 * $0 + 5 * $0 * $0) % model.shape.vocabulary }
  }

  static func model(_ name: String, _ type: ScalarType = .float64) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
  }

  @Test(
    "Closed forms are what automatic gradients through the block's sites give", arguments: names)
  func agree(_ name: String) throws {
    let model = try Self.model(name)
    let flow = try TokenFlow(Self.text(model), in: model)
    for (attention, feedForward, layer) in Self.baselines {
      for scalarisation in FlowScalarisation.allCases {
        var options = FlowOptions()
        options.granularities = [.attention, .feedForward, .layer]
        (options.attentionBaseline, options.feedForwardBaseline, options.layerBaseline) = (
          attention, feedForward, layer
        )
        options.scalarisation = scalarisation
        options.quadrature = .fixed(nodes: 3)
        options.layers = [0, model.shape.layers - 1]
        options.targets = [0, 2, 6]
        let closed = try flow.flows(options)
        options.formulas = .automatic
        let automatic = try flow.flows(options)
        for (made, judge) in zip(closed, automatic) {
          let place = "\(name) \(made.layer) \(attention) \(layer) \(scalarisation)"
          try Self.same(made.attentionFlow?.array, judge.attentionFlow?.array, "A " + place)
          try Self.same(made.feedForwardFlow?.array, judge.feedForwardFlow?.array, "M " + place)
          try Self.same(made.layerFlow?.array, judge.layerFlow?.array, "Z " + place)
          try Self.same(made.layerFlow?.totals, judge.layerFlow?.totals, "totals " + place)
          #expect((made.heads == nil) == (judge.heads == nil))
          if made.heads != nil {
            try Self.same(made.heads?.conductance, judge.heads?.conductance, "K " + place)
            try Self.same(
              made.heads?.residual, judge.heads?.residual, "R " + place, isZero: layer == .itb)
          }
        }
      }
    }
  }

  static func same(
    _ a: AxisArray?, _ b: AxisArray?, _ place: String, isZero: Bool = false
  ) throws {
    let (a, b) = (try #require(a, "\(place)"), try #require(b, "\(place)"))
    #expect(a.axes == b.axes && a.shape == b.shape)
    let scale = b.values.map { abs($0) }.max() ?? 0
    let miss = zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0
    #expect(miss <= 1e-9 * (scale + 1), "\(place): \(miss) of \(scale)")
    #expect((scale == 0) == isZero, "\(place): \(scale)")
  }
}
