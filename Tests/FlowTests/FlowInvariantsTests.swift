import Flow
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("What holds of every flow")
struct FlowInvariantsTests {
  private func flows(
    _ fixture: FlowFixture, _ options: FlowOptions, _ type: ScalarType = .float64
  ) throws -> [FlowLayer] {
    try TokenFlow(fixture.ids, in: fixture.model(type)).flows(options)
  }

  private func maps(_ layer: FlowLayer) -> [FlowMap] {
    [layer.layerFlow, layer.attentionFlow, layer.feedForwardFlow].compactMap { $0 }
  }

  /// Sums over sources; of the feed-forward map, which has none, over heads.
  private func sums(_ map: FlowMap) -> [Double] {
    let cells = map.totals.values.count
    let hasSources = map.array.axes.contains("source")
    return (0..<cells).map { cell in
      let size = map.array.values.count / cells
      return (0..<size).reduce(0) {
        $0 + map.array.values[hasSources ? $1 * cells + cell : cell * size + $1]
      }
    }
  }

  // MARK: - Completeness

  @Test(
    "Sources sum to the length of the change wherever the error is within the tolerance",
    arguments: FlowFixture.withHeads, [SlowFlow.Start.zero, .itb])
  func complete(fixture: FlowFixture, start: SlowFlow.Start) throws {
    // A mixture changes its experts in jumps on the way, and a stream between two norms takes its direction
    // where a is 10⁻⁸: there targets are marked, and what is not marked is complete.
    let isSmooth = !["mixtral", "switch-transformers", "gemma2", "gemma3"].contains(fixture.name)
    for kind in FlowScalarisation.allCases {
      let options = flowOptions(
        from: start, by: .adaptive(tolerance: 1e-3), layers: fixture.layers
      ) { $0.scalarisation = kind }
      for map in try flows(fixture, options).flatMap(maps) {
        let heads = map.totals.values.count / fixture.ids.count
        #expect(map.nodes.count == fixture.ids.count)
        if isSmooth || start == .itb && fixture.name.hasPrefix("gemma") {
          #expect(map.unconverged == [])
        }
        for (cell, sum) in sums(map).enumerated() {
          let total = map.totals.values[cell]
          // Where nothing changes, what little is found is held against the output instead.
          guard total > 1e-9 else {
            #expect(abs(sum) < 1e-9)
            continue
          }
          let error = abs(sum - total) / total
          #expect(abs(error - map.completenessError.values[cell]) < 1e-9)
          #expect(error <= 1e-3 || map.unconverged.contains(cell / heads))
        }
      }
    }
  }

  @Test(
    "On a linear map the published rule gives (2n − 3)/2n of the whole, and Gauss–Legendre all of it"
  )
  func linearMap() throws {
    let model = try LinearMixing(sizesOf: FlowFixture("gpt2", []).model())
    let ids = [3, 1, 4, 0, 5]
    func ratios(_ quadrature: FlowQuadrature) throws -> [Double] {
      let map = try #require(
        TokenFlow(ids, in: model).flows(flowOptions([.layer], from: .zero, by: quadrature))
          .first?.layerFlow)
      return zip(sums(map), map.totals.values).map { $0 / $1 }
    }
    for count in [2, 5, 32] {
      let share = Double(2 * count - 3) / Double(2 * count)
      #expect(try ratios(.captumTrapezoid(steps: count)).allSatisfy { abs($0 - share) < 1e-12 })
      #expect(try ratios(.fixed(nodes: 16)).allSatisfy { abs($0 - 1) < 1e-4 })
    }
  }

  @Test("A linear map's flows are its entries times the inputs, on the direction of the change")
  func linearEntries() throws {
    let model = try LinearMixing(sizesOf: FlowFixture("gpt2", []).model())
    let ids = [3, 1, 4, 0, 5]
    let z = ids.map { model.vector($0) }
    let found = try TokenFlow(ids, in: model)
      .flows(flowOptions([.layer], from: .itb, by: .fixed(nodes: 2)))[0]
    let map = try #require(found.layerFlow)
    #expect(found.heads == nil)
    for target in ids.indices {
      // z′_j − z′_j(b) = Σ_i W[j, i] (z_i − z_j)
      let changes = ids.indices.map { source in
        (0..<2).map { model.mixing[target][source] * (z[source][$0] - z[target][$0]) }
      }
      let whole = (0..<2).map { axis in changes.reduce(0) { $0 + $1[axis] } }
      let length = (whole[0] * whole[0] + whole[1] * whole[1]).squareRoot()
      #expect(abs(map.totals.values[target] - length) < 1e-12)
      for source in ids.indices {
        let expected =
          (changes[source][0] * whole[0] + changes[source][1] * whole[1]) / length
        #expect(abs(map.array[source, target] - expected) < 1e-12)
      }
    }
  }

  @Test(
    "In single precision too, only what does not converge is marked",
    arguments: ["bert", "gpt2", "llama-grouped-untied", "mistral-window", "falcon"])
  func singlePrecisionConverges(name: String) throws {
    // The first token of a causal text sees itself alone: under ITB nothing changes but the last digits.
    let fixture = FlowFixture(name, [])
    for map in try flows(fixture, flowOptions(from: .itb, by: .adaptive(tolerance: 1e-3)), .float32)
      .flatMap(maps)
    {
      #expect(map.unconverged == [], "\(map.array.axes) \(map.totals.values)")
      #expect(map.nodes.allSatisfy { $0 <= 64 })
    }
  }

  // MARK: - Identities

  @Test(
    "Under ITB a target gives itself exactly nothing, and nothing passes beside the heads",
    arguments: FlowFixture.families)
  func ownTerm(fixture: FlowFixture) throws {
    let model = try fixture.model()
    let maps: Set<FlowGranularity> = model.hasHeads ? [.layer, .attention] : [.layer]
    for layer in try flows(fixture, flowOptions(maps, from: .itb, by: .fixed(nodes: 3))) {
      for target in fixture.ids.indices {
        #expect(layer.layerFlow?.array[target, target] == 0)
        for head in 0..<(layer.heads == nil ? 0 : model.shape.heads) {
          #expect(layer.heads?.conductance[target, target, head] == 0)
          #expect(layer.attentionFlow?.array[target, target, head] == 0)
        }
        if layer.heads != nil { #expect(layer.heads?.residual[target] == 0) }
      }
      let others = layer.layerFlow?.array.values.filter { $0 != 0 } ?? []
      #expect(others.count >= fixture.ids.count * (fixture.ids.count - 1) / 3)
    }
  }

  @Test(
    "What passes through heads and beside them sums to the layer's map",
    arguments: FlowFixture.withHeads, LayerBaseline.allCases)
  func parts(fixture: FlowFixture, baseline: LayerBaseline) throws {
    let options = flowOptions([.layer], from: .itb, by: .fixed(nodes: 3)) {
      $0.layerBaseline = baseline
    }
    for layer in try flows(fixture, options) {
      let map = try #require(layer.layerFlow)
      let joined = exactComposition(
        try #require(layer.heads), targets: Array(fixture.ids.indices))
      #expect(columnDistance(joined.values, map.array.values, of: map.totals.values) < 1e-12)
    }
  }

  @Test(
    "From the start of ITB's path, heads sum to the layer's whole change",
    arguments: FlowFixture.withHeads)
  func sameEnds(fixture: FlowFixture) throws {
    for layer in try flows(
      fixture, flowOptions([.layer, .feedForward], from: .itb, by: .fixed(nodes: 2)))
    {
      let (whole, heads) = (
        try #require(layer.layerFlow?.totals.values),
        try #require(layer.feedForwardFlow?.totals.values)
      )
      #expect(columnDistance(heads, whole, of: whole) < 1e-10)
    }
  }

  @Test("Ratio baselines keep columns' sums", arguments: FlowFixture.withHeads)
  func ratioSums(fixture: FlowFixture) throws {
    func made(_ attention: AttentionBaseline, _ layer: LayerBaseline) throws -> [FlowMap] {
      try flows(
        fixture,
        flowOptions([.attention, .layer], from: .itb, by: .fixed(nodes: 3)) {
          ($0.attentionBaseline, $0.layerBaseline) = (attention, layer)
        }
      ).flatMap(maps)
    }
    let plain = try made(.itb, .itb)
    for (attention, layer) in [
      (AttentionBaseline.itbZeroRatio, LayerBaseline.itbZeroRatio), (.itbMapRatio, .itbZeroRatio),
    ] {
      for (map, old) in zip(try made(attention, layer), plain) {
        #expect(columnDistance(sums(map), sums(old), of: old.totals.values) < 1e-9)
        #expect(map.array != old.array)
        #expect(map.selfShare != nil)
      }
    }
  }

  // MARK: - Who can see whom

  @Test(
    "Exactly what a token cannot see gives it nothing",
    arguments: [
      ("gpt2", Int.max, true), ("llama-grouped-untied", .max, true), ("mistral-window", 4, true),
      ("qwen3", .max, true), ("falcon", .max, true), ("mamba", .max, true),
      ("bert", .max, false), ("deberta-v3", .max, false),
    ])
  func visibility(name: String, window: Int, isCausal: Bool) throws {
    // Of two tokens that are the same, one gives the other nothing where positions are not in the stream.
    let fixture = FlowFixture(name, [0], [5, 17, 9, 33, 2, 21, 12])
    for start in [SlowFlow.Start.zero, .itb] {
      let layer = try flows(
        fixture,
        flowOptions(
          name == "mamba" ? [.layer] : [.layer, .attention], from: start, by: .fixed(nodes: 3),
          layers: [0]))[0]
      for source in fixture.ids.indices {
        for target in fixture.ids.indices where start == .zero || source != target {
          let isSeen = !isCausal || source <= target && target - source < window
          let value = layer.layerFlow?.array[source, target] ?? .nan
          if isSeen { #expect(abs(value) > 1e-9) } else { #expect(value == 0) }
          for head in 0..<(layer.attentionFlow?.array.shape[2] ?? 0) {
            let value = layer.attentionFlow?.array[source, target, head] ?? .nan
            if isSeen { #expect(abs(value) > 1e-12) } else { #expect(value == 0) }
          }
        }
      }
    }
  }

  @Test("Without positions, tokens in another order flow as they did, in the other order")
  func permutation() throws {
    let bert = try #require(FlowFixture("bert", []).model() as? any BlockwiseModel)
    let model = Unpositioned(model: bert)
    let ids = [5, 17, 9, 33, 21, 12]
    let order = [3, 0, 5, 1, 4, 2]
    for start in [SlowFlow.Start.zero, .itb] {
      let options = flowOptions(from: start, by: .fixed(nodes: 4))
      let plain = try TokenFlow(ids, in: model).flows(options)
      let turned = try TokenFlow(order.map { ids[$0] }, in: model).flows(options)
      for (one, other) in zip(plain, turned) {
        let (z, y) = (try #require(one.layerFlow), try #require(other.layerFlow))
        let (a, b) = (try #require(one.attentionFlow), try #require(other.attentionFlow))
        for source in order.indices {
          for target in order.indices {
            #expect(
              abs(z.array[order[source], order[target]] - y.array[source, target]) < 1e-10)
            for head in 0..<a.array.shape[2] {
              #expect(
                abs(a.array[order[source], order[target], head] - b.array[source, target, head])
                  < 1e-10)
            }
          }
        }
      }
    }
  }

  // MARK: - Parts, and how the work is divided

  @Test(
    "Some targets, heads and layers are the same of the whole",
    arguments: ["bert", "gpt2", "gemma3", "deberta-v3"], FlowFormulas.both)
  func subsets(name: String, formulas: FlowFormulas) throws {
    let fixture = FlowFixture(name, [])
    let whole = flowOptions(from: .itb, by: .fixed(nodes: 3)) { $0.formulas = formulas }
    var part = whole
    (part.layers, part.targets, part.heads) = ([1], [5, 2], [3, 1])
    let all = try flows(fixture, whole)[1]
    let found = try flows(fixture, part)
    try #require(found.map(\.layer) == [1])
    let (targets, heads) = ([2, 5], [1, 3])
    for source in fixture.ids.indices {
      for (column, target) in targets.enumerated() {
        func same(_ path: (FlowLayer) -> Double?, _ other: (FlowLayer) -> Double?) {
          let (a, b) = (path(found[0]) ?? .nan, other(all) ?? .nan)
          #expect(abs(a - b) <= 1e-12 * (1 + abs(b)))
        }
        same({ $0.layerFlow?.array[source, column] }, { $0.layerFlow?.array[source, target] })
        same({ $0.layerFlow?.totals[column] }, { $0.layerFlow?.totals[target] })
        same({ $0.heads?.residual[column] }, { $0.heads?.residual[target] })
        for (place, head) in heads.enumerated() {
          same(
            { $0.attentionFlow?.array[source, column, place] },
            { $0.attentionFlow?.array[source, target, head] })
          same(
            { $0.heads?.conductance[source, column, place] },
            { $0.heads?.conductance[source, target, head] })
          same(
            { $0.feedForwardFlow?.array[column, place] },
            { $0.feedForwardFlow?.array[target, head] })
        }
      }
    }
  }

  @Test(
    "How many threads there are and how much is computed together changes nothing",
    arguments: ["bert", "llama-grouped-untied", "gemma2", "modernbert"], FlowFormulas.both)
  func division(name: String, formulas: FlowFormulas) throws {
    let fixture = FlowFixture(name, [])
    let threads = Engine.threads
    defer { Engine.threads = threads }
    for start in [SlowFlow.Start.zero, .itb] {
      var options = flowOptions(from: start, by: .fixed(nodes: 5), layers: [1]) {
        $0.formulas = formulas
      }
      let whole = try flows(fixture, options).flatMap(maps)
      for (count, size) in [(1, 1), (2, 700), (3, 5_000)] {
        Engine.threads = count
        options.numbersAtOnce = size
        for (map, same) in zip(try flows(fixture, options).flatMap(maps), whole) {
          #expect(distance(map.array.values, same.array.values).error < 1e-12)
          #expect(distance(map.totals.values, same.totals.values).error < 1e-12)
        }
      }
    }
  }

  @Test(
    "Single precision keeps four digits of a column",
    arguments: FlowFixture.withHeads.filter { $0.name != "mixtral" })
  func precision(fixture: FlowFixture) throws {
    let fixture = FlowFixture(fixture.name, fixture.layers, [5, 17, 9, 33, 2, 21, 12])
    for start in [SlowFlow.Start.zero, .itb] {
      let options = flowOptions(
        from: start, by: .captumTrapezoid(steps: 6), layers: fixture.layers)
      let double = try flows(fixture, options).flatMap(maps)
      for (single, exact) in zip(try flows(fixture, options, .float32).flatMap(maps), double) {
        let parts = exact.array.axes.contains("source") ? 1 : exact.array.shape[1]
        let totals = exact.totals.values.flatMap {
          Array(repeating: max($0, 1e-2), count: parts)
        }
        #expect(columnDistance(single.array.values, exact.array.values, of: totals) < 1e-4)
      }
    }
  }

  // MARK: - What cannot be made

  @Test("What a model or a text does not have is refused, with what to do")
  func refusals() throws {
    func message(
      _ name: String = "gpt2", _ change: (inout FlowOptions) -> Void
    ) throws -> String? {
      var options = FlowOptions()
      change(&options)
      let flow = try TokenFlow([5, 17, 9], in: FlowFixture(name, []).model())
      do {
        _ = try flow.flows(options)
        return nil
      } catch let error as FlowError {
        #expect(error.code == .usage)
        return error.description
      }
    }
    #expect(
      try message { $0.layers = [0, 3] }
        == "Layer 3 is out of range; the model has layers 0 to 2.")
    #expect(
      try message { $0.targets = [-1] }
        == "Target -1 is out of range; the text has targets 0 to 2.")
    #expect(
      try message { $0.heads = [4] } == "Head 4 is out of range; the model has heads 0 to 3.")
    #expect(
      try message { $0.targets = [] }
        == "No target was named; name at least one, or leave it out for all.")
    for tolerance in [0, -1, .nan, .infinity] {
      #expect(
        try message { $0.quadrature = .adaptive(tolerance: tolerance) }
          == "The tolerance must be a positive number, such as 1e-3.")
    }
    for count in [0, -3, 4097, .max] {
      #expect(
        try message { $0.quadrature = .fixed(nodes: count) }
          == "\(count) nodes cannot integrate a path; give 1 to 4096.")
    }
    #expect(
      try message { $0.quadrature = .captumTrapezoid(steps: 1) }
        == "1 nodes cannot integrate a path; give 2 to 4096.")
    #expect(
      try message { $0.granularities = [] }
        == "No map was named; name attention, feed-forward or layer.")
    #expect(
      try message("mamba") { $0.granularities = [.feedForward, .layer] }
        == "Block 0 of mamba has no attention heads, so there is no feed-forward map; ask for layer."
    )
    #expect(
      try message("falcon") {
        $0.granularities = [.feedForward]
        $0.boundary = .published
      } == "Block 0 of falcon has no stream between its branches, so it has no published boundary; "
        + "use strict.")
    #expect(throws: ModelError.self) { try TokenFlow([], in: FlowFixture("gpt2", []).model()) }
    #expect(throws: ModelError.self) {
      try TokenFlow([5, 97], in: FlowFixture("gpt2", []).model())
    }
  }
}

extension FlowFormulas {
  fileprivate static let both = [FlowFormulas.closed, .automatic]
}

// MARK: - Models of the tests' own

/// A block z′_j = Σ_i W[j, i] z_i of vectors of two numbers, W of five tokens.
private struct LinearMixing: BlockwiseModel {
  let mixing: [[Double]] = [
    [0.9, -0.2, 0.4, 0.1, 0.3], [0.2, 1.1, -0.5, 0.7, 0.1], [-0.3, 0.6, 0.8, 0.2, -0.4],
    [0.5, 0.3, -0.1, 1.2, 0.6], [0.1, -0.7, 0.2, 0.4, 0.5],
  ]
  let shape: ModelShape
  let sites: Set<Site> = [.embedding, .residual(0, .before), .residual(0, .after)]
  let head: Unembedding? = nil
  let isCausal = false
  let type = ScalarType.float64
  let device = Device.cpu

  /// A model of these sizes, whatever else the other has.
  init(sizesOf other: any LanguageModel) {
    var shape = other.shape
    (shape.architecture, shape.layers, shape.width, shape.hidden) = ("linear", 1, 2, 2)
    (shape.vocabulary, shape.contextLength) = (6, 5)
    self.shape = shape
  }

  func vector(_ id: Int) -> [Double] { [Double(id) - 2.5, Double(id * id % 5) + 0.5] }

  func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
    pass(
      .embedding, Tensor(ids.joined().flatMap(vector), [ids.count, ids[0].count, 2], .float64))
  }

  func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor {
    range.reduce(x) { x, _ in
      let before = pass(.residual(0, .before), x)
      let weight = Tensor(mixing.flatMap { $0 }, [1, 5, 5], .float64)
      return pass(.residual(0, .after), weight.matmul(before))
    }
  }
}

/// Another model's blocks on vectors that know no position.
private struct Unpositioned: BlockwiseModel {
  let model: any BlockwiseModel
  var shape: ModelShape { model.shape }
  var sites: Set<Site> { model.sites }
  var head: Unembedding? { nil }
  var isCausal: Bool { model.isCausal }
  var type: ScalarType { model.type }
  var device: Device { model.device }

  func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
    let rows = ids.joined().map { id in model.embed([[id]], from: 0, pass: .plain) }
    return pass(
      .embedding,
      Tensor.concatenating(rows, along: 1).reshaped([ids.count, ids[0].count, shape.width]))
  }

  func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor {
    model.blocks(range, x, positions, cache: cache, pass: pass)
  }
}
