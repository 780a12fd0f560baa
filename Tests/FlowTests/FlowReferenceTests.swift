import Checkpoints
import Flow
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

// At the nodes of the published rule both sides evaluate the same integrand, so that they must agree whether
// or not the rule is any good there: to 10⁻⁹ of a column's total, where central differences keep 10⁻¹¹ of
// what they are of.

/// A tiny random model of a family, and a text for it.
struct FlowFixture: CustomTestStringConvertible, Sendable {
  let name: String
  /// The layers that are looked at.
  let layers: [Int]
  let ids: [Int]

  init(_ name: String, _ layers: [Int], _ ids: [Int] = [5, 17, 9, 33, 9, 21, 12]) {
    (self.name, self.layers, self.ids) = (name, layers, ids)
  }

  var testDescription: String { name }

  func model(_ type: ScalarType = .float64) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
  }

  /// Windows are of four or six tokens, so that there are tokens that see less than the text.
  static let families = [
    FlowFixture("bert", [1]), .init("roberta", [0]), .init("distilbert", [1]),
    .init("mpnet", [0]), .init("deberta-v3", [1]), .init("modernbert", [0, 1]),
    .init("gpt2", [1]), .init("llama-grouped-untied", [2]), .init("mistral-window", [0]),
    .init("qwen3", [1]), .init("gemma2", [0, 1]), .init("gemma3", [0, 2]), .init("olmo2", [1]),
    .init("stablelm-parallel", [1]), .init("falcon", [0]), .init("gpt-neox", [1]),
    .init("switch-transformers", [1]), .init("mixtral", [0]), .init("mamba", [1]),
  ]

  static let withHeads = families.filter { $0.name != "mamba" }
}

/// The worst |found − expected| of each column's total, of numbers whose last axes are those of the totals.
func columnDistance(_ found: [Double], _ expected: [Double], of totals: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  var worst = 0.0
  for (place, pair) in zip(found, expected).enumerated() {
    // A column without a change is 0 on both sides.
    let error = abs(pair.0 - pair.1) / max(totals[place % totals.count], 1e-6)
    worst = error.isNaN ? .infinity : max(worst, error)
  }
  return worst
}

/// Options for maps by their baselines' names.
func flowOptions(
  _ maps: Set<FlowGranularity> = Set(FlowGranularity.allCases), from start: SlowFlow.Start,
  by quadrature: FlowQuadrature, layers: [Int]? = nil,
  _ change: (inout FlowOptions) -> Void = { _ in }
) -> FlowOptions {
  var options = FlowOptions()
  options.granularities = maps
  options.layerBaseline = start == .zero ? .zero : .itb
  options.attentionBaseline = start == .zero ? .zero : .itb
  options.feedForwardBaseline = start == .zero ? .zero : .attITB
  options.quadrature = quadrature
  options.layers = layers
  change(&options)
  return options
}

@Suite("Flows against the slow judge")
struct FlowReferenceTests {
  static let tolerance = 1e-9
  /// Of z → u, where a head's whole change may be a small part of what it mixes.
  static let tolerantly = 1e-8
  static let steps = 6

  private func maps(_ model: any LanguageModel) -> Set<FlowGranularity> {
    model.hasHeads ? Set(FlowGranularity.allCases) : [.layer]
  }

  @Test(
    "Every map, its totals, and what passes through heads and past them are the definition's",
    arguments: FlowFixture.families, [SlowFlow.Start.zero, .itb])
  func everyMap(fixture: FlowFixture, start: SlowFlow.Start) throws {
    let model = try fixture.model()
    let flow = try TokenFlow(fixture.ids, in: model)
    for kind in FlowScalarisation.allCases {
      let found = try flow.flows(
        flowOptions(
          maps(model), from: start, by: .captumTrapezoid(steps: Self.steps),
          layers: fixture.layers
        ) { $0.scalarisation = kind })
      try #require(found.map(\.layer) == fixture.layers)
      for layer in found {
        let judge = try SlowFlow(fixture.ids, in: model, layer: layer.layer)
        let expected = try judge.flows(from: start, by: .published(Self.steps), kind)
        let whole = try #require(layer.layerFlow)
        #expect(whole.array.axes == ["source", "target"])
        #expect(
          columnDistance(whole.array.values, expected.layer, of: expected.layerTotals)
            < Self.tolerance)
        #expect(distance(whole.totals.values, expected.layerTotals).error < 1e-10)
        guard model.hasHeads else {
          #expect(layer.heads == nil)
          continue
        }
        let attention = try #require(layer.attentionFlow)
        #expect(attention.array.axes == ["source", "target", "head"])
        #expect(
          columnDistance(attention.array.values, expected.attention, of: expected.attentionTotals)
            < Self.tolerantly)
        #expect(distance(attention.totals.values, expected.attentionTotals).error < 1e-10)
        let heads = try #require(layer.heads)
        let byHead = expected.layerTotals.flatMap {
          Array(repeating: $0, count: model.shape.heads)
        }
        #expect(
          columnDistance(heads.conductance.values, expected.conductance, of: byHead)
            < Self.tolerance)
        #expect(
          columnDistance(heads.residual.values, expected.residual, of: expected.layerTotals)
            < Self.tolerance)
        try compareFeedForward(
          layer, judge, start == .zero ? .zero : .attITB, .strict, kind)
      }
    }
  }

  private func compareFeedForward(
    _ layer: FlowLayer, _ judge: SlowFlow, _ start: FeedForwardBaseline,
    _ boundary: FlowBoundary, _ kind: FlowScalarisation
  ) throws {
    let map = try #require(layer.feedForwardFlow)
    #expect(map.array.axes == ["target", "head"])
    let expected = try judge.feedForward(
      from: start, boundary, by: .published(Self.steps), kind)
    let byHead = expected.totals.flatMap {
      Array(repeating: $0, count: judge.model.shape.heads)
    }
    #expect(columnDistance(map.array.values, expected.values, of: byHead) < Self.tolerance)
    #expect(distance(map.totals.values, expected.totals).error < 1e-10)
  }

  @Test(
    "The published boundary is the stream between attention and feed-forward network",
    arguments: FlowFixture.withHeads, FeedForwardBaseline.allCases)
  func publishedBoundary(fixture: FlowFixture, start: FeedForwardBaseline) throws {
    let model = try fixture.model()
    let layer = fixture.layers[0]
    guard model.sites.contains(.residual(layer, .middle)) else { return }
    let options = flowOptions(
      [.feedForward], from: .itb, by: .captumTrapezoid(steps: Self.steps), layers: [layer]
    ) {
      $0.boundary = .published
      $0.feedForwardBaseline = start
    }
    let found = try #require(TokenFlow(fixture.ids, in: model).flows(options).first)
    try compareFeedForward(
      found, SlowFlow(fixture.ids, in: model, layer: layer), start,
      // With norms at both ends of its branches, the published package's u is the heads' mixes.
      fixture.name.hasPrefix("gemma") ? .strict : .published, .length)
  }

  @Test(
    "Ratio baselines give targets the share that the definition says",
    arguments: FlowFixture.withHeads)
  func ratios(fixture: FlowFixture) throws {
    let model = try fixture.model()
    let layer = fixture.layers[0]
    let flow = try TokenFlow(fixture.ids, in: model)
    let judge = try SlowFlow(fixture.ids, in: model, layer: layer)
    let itb = try judge.flows(from: .itb, by: .published(Self.steps), split: false)
    let zero = try judge.flows(from: .zero, by: .published(Self.steps), split: false)
    func found(_ baseline: AttentionBaseline) throws -> FlowLayer {
      try #require(
        flow.flows(
          flowOptions(
            [.attention, .layer], from: .itb, by: .captumTrapezoid(steps: Self.steps),
            layers: [layer]
          ) {
            $0.attentionBaseline = baseline
            $0.layerBaseline = .itbZeroRatio
          }
        ).first)
    }
    // What shares are off by grows where the column that they are of sums to little.
    func near(
      _ found: FlowMap?, _ columns: [Double], _ totals: [Double], _ ratios: [Double],
      growth: (_ cell: Int) -> Double = { _ in 1 }
    ) throws {
      let found = try #require(found).array.values
      let sizes = totals.indices.map {
        totals[$0] * growth($0) * (1 + abs(ratios[$0] / (1 + ratios[$0])))
      }
      #expect(
        columnDistance(found, judge.shared(columns, ratios), of: sizes) < Self.tolerantly)
    }
    func growth(_ columns: [Double], _ totals: [Double]) -> (Int) -> Double {
      { cell in
        let sum = stride(from: cell, to: columns.count, by: totals.count)
          .reduce(0) { $0 + columns[$1] }
        return max(1, totals[cell] / abs(sum))
      }
    }
    let byZero = try found(.itbZeroRatio)
    try near(
      byZero.layerFlow, itb.layer, itb.layerTotals, judge.zeroRatios(zero.layer),
      growth: growth(zero.layer, zero.layerTotals))
    try near(
      byZero.attentionFlow, itb.attention, itb.attentionTotals, judge.zeroRatios(zero.attention),
      growth: growth(zero.attention, zero.attentionTotals))
    try near(
      found(.itbMapRatio).attentionFlow, itb.attention, itb.attentionTotals, judge.mapRatios())
  }

  @Test(
    "Doubled to completeness, maps are the integrals",
    arguments: [
      (FlowFixture("bert", [1]), SlowFlow.Start.zero), (FlowFixture("bert", [1]), .itb),
      (FlowFixture("gpt2", [2]), .zero), (FlowFixture("gpt2", [2]), .itb),
      (FlowFixture("llama-grouped-untied", [2]), .itb), (FlowFixture("mpnet", [1]), .itb),
      (FlowFixture("gpt-neox", [1]), .zero), (FlowFixture("gpt-neox", [1]), .itb),
    ])
  func converged(fixture: FlowFixture, start: SlowFlow.Start) throws {
    let model = try fixture.model()
    let found = try #require(
      TokenFlow(fixture.ids, in: model).flows(
        flowOptions([.layer], from: start, by: .adaptive(tolerance: 1e-8), layers: fixture.layers)
      ).first)
    let judge = try SlowFlow(fixture.ids, in: model, layer: found.layer)
    let expected = try judge.flows(
      from: start, by: start == .zero ? .graded(64) : .plain(32))
    let map = try #require(found.layerFlow)
    #expect(map.unconverged == [])
    #expect(columnDistance(map.array.values, expected.layer, of: expected.layerTotals) < 1e-5)
    let heads = try #require(found.heads)
    let byHead = expected.layerTotals.flatMap { Array(repeating: $0, count: model.shape.heads) }
    #expect(columnDistance(heads.conductance.values, expected.conductance, of: byHead) < 1e-5)
  }
}

// MARK: - What the fixtures can tell apart

@Suite("Faults that the slow judge tells from the truth")
struct FlowFaultTests {
  /// A hundred times the tolerance of the comparison above.
  static let visible = 100 * FlowReferenceTests.tolerance
  static let visibleByHead = 100 * FlowReferenceTests.tolerantly

  private func judge(
    _ fixture: FlowFixture, _ layer: Int, fault: SlowFlow.Fault? = nil
  ) throws -> SlowFlow {
    try SlowFlow(fixture.ids, in: fixture.model(), layer: layer, fault: fault)
  }

  @Test(
    "Sources for targets, one baseline for the other and heads in another order would be seen",
    arguments: FlowFixture.families)
  func orders(fixture: FlowFixture) throws {
    for layer in fixture.layers {
      let judge = try judge(fixture, layer)
      let itb = try judge.flows(from: .itb, by: .published(FlowReferenceTests.steps))
      let zero = try judge.flows(from: .zero, by: .published(FlowReferenceTests.steps))
      let count = fixture.ids.count
      for right in [itb, zero] {
        let turned = (0..<count * count).map { right.layer[$0 % count * count + $0 / count] }
        #expect(columnDistance(turned, right.layer, of: right.layerTotals) > Self.visible)
      }
      #expect(columnDistance(zero.layer, itb.layer, of: zero.layerTotals) > Self.visible)
      guard judge.heads > 0 else { continue }
      #expect(
        columnDistance(zero.attention, itb.attention, of: zero.attentionTotals) > Self.visibleByHead
      )
      let heads = judge.heads
      func reversed(_ values: [Double]) -> [Double] {
        values.indices.map { values[$0 / heads * heads + heads - 1 - $0 % heads] }
      }
      for right in [itb, zero] {
        let byHead = right.layerTotals.flatMap { Array(repeating: $0, count: heads) }
        #expect(
          columnDistance(reversed(right.conductance), right.conductance, of: byHead)
            > Self.visible)
        #expect(
          columnDistance(reversed(right.attention), right.attention, of: right.attentionTotals)
            > Self.visibleByHead)
      }
      // R is what a zero baseline's composition through heads alone would miss.
      #expect(zip(zero.residual, zero.layerTotals).allSatisfy { abs($0) > Self.visible * $1 })
    }
  }

  @Test(
    "A dropped mask would be seen",
    arguments: FlowFixture.families.filter {
      ["gpt2", "llama-grouped-untied", "mistral-window", "qwen3", "falcon", "gpt-neox"]
        .contains($0.name)
    })
  func mask(fixture: FlowFixture) throws {
    try differs(fixture, .allVisible)
  }

  @Test(
    "Keys rotated as at another position would be seen",
    arguments: FlowFixture.families.filter {
      [
        "modernbert", "llama-grouped-untied", "mistral-window", "qwen3", "gemma2", "gemma3",
        "olmo2", "stablelm-parallel", "falcon", "gpt-neox", "mixtral",
      ].contains($0.name)
    })
  func rotation(fixture: FlowFixture) throws {
    try differs(fixture, .shiftedKeys)
  }

  private func differs(_ fixture: FlowFixture, _ fault: SlowFlow.Fault) throws {
    for layer in fixture.layers {
      for start in [SlowFlow.Start.zero, .itb] {
        let right = try judge(fixture, layer)
          .flows(from: start, by: .published(FlowReferenceTests.steps), split: false)
        let wrong = try judge(fixture, layer, fault: fault)
          .flows(from: start, by: .published(FlowReferenceTests.steps), split: false)
        #expect(columnDistance(wrong.layer, right.layer, of: right.layerTotals) > Self.visible)
        #expect(
          columnDistance(wrong.attention, right.attention, of: right.attentionTotals)
            > Self.visibleByHead)
      }
    }
  }

  @Test(
    "A stream that moves together with the heads would be seen",
    arguments: FlowFixture.withHeads)
  func movedStream(fixture: FlowFixture) throws {
    for start in FeedForwardBaseline.allCases {
      let right = try judge(fixture, fixture.layers[0])
        .feedForward(from: start, .strict, by: .published(FlowReferenceTests.steps))
      let wrong = try judge(fixture, fixture.layers[0], fault: .movedStream)
        .feedForward(from: start, .strict, by: .published(FlowReferenceTests.steps))
      let byHead = right.totals.flatMap {
        Array(repeating: $0, count: right.values.count / right.totals.count)
      }
      #expect(columnDistance(wrong.values, right.values, of: byHead) > Self.visible)
    }
  }

  @Test(
    "The judge is complete, and its heads and residual sum to the whole",
    arguments: [SlowFlow.Start.zero, .itb])
  func complete(start: SlowFlow.Start) throws {
    for fixture in FlowFixture.families where ["bert", "gpt2", "gpt-neox"].contains(fixture.name) {
      let judge = try judge(fixture, fixture.layers[0])
      let found = try judge.flows(from: start, by: start == .zero ? .graded(64) : .plain(32))
      let (count, heads) = (fixture.ids.count, judge.heads)
      func sums(_ values: [Double], _ cells: Int) -> [Double] {
        (0..<cells).map { cell in
          stride(from: cell, to: values.count, by: cells).reduce(0) { $0 + values[$1] }
        }
      }
      #expect(
        columnDistance(sums(found.layer, count), found.layerTotals, of: found.layerTotals) < 1e-7)
      #expect(
        columnDistance(
          sums(found.attention, count * heads), found.attentionTotals, of: found.attentionTotals)
          < 1e-7)
      let joined = (0..<count * count).map { cell in
        (0..<heads).reduce(cell / count == cell % count ? found.residual[cell / count] : 0) {
          $0 + found.conductance[cell * heads + $1]
        }
      }
      #expect(columnDistance(joined, found.layer, of: found.layerTotals) < 1e-7)
    }
  }
}
