internal import LanguageModels
internal import Results
internal import Tensors

/// What the maps of one layer share: its two halves, what enters and leaves them, and who receives.
struct FlowSetting {
  let flow: TokenFlow
  let layer: Int
  let request: FlowRequest
  /// The block by way of its sites.
  let route: BlockRoute
  /// The block cut at its heads' mixes, where it can be.
  let halves: BlockHalves?
  /// Whether heads and the stream beside them are all that carries to z′, so that K and R say everything.
  let hasSplit: Bool
  /// What attention's closed forms start from, where it has any.
  let projections: TokenProjections?

  init(_ flow: TokenFlow, _ layer: Int, _ request: FlowRequest) {
    self.flow = flow
    self.layer = layer
    self.request = request
    route = BlockRoute(
      model: flow.model, layer: layer, positions: flow.positions, type: flow.type)
    let transformer = flow.model as? Transformer
    let cut = transformer?.halves(of: layer, flow.positions)
    halves = request.options.formulas == .closed ? cut : nil
    hasSplit = route.hasHeads && (transformer == nil || cut != nil)
    let stream = flow.streams[layer]
    projections = halves.flatMap { halves in
      halves.attention.map { TokenProjections(stream, $0, halves.norm) }
    }
  }

  var stream: Tensor { flow.streams[layer] }
  var after: Tensor { flow.streams[layer + 1] }
  var tokens: Int { flow.ids.count }
  var heads: Int { flow.model.shape.heads }
  var type: ScalarType { flow.type }
  var targets: [Int] { request.targets }
  var usesLength: Bool { request.options.scalarisation == .length }

  /// u(0) and u(1) − u(0) by closed forms: [heads, targets, headWidth] each.
  func ends(_ isITB: Bool, _ projections: TokenProjections) -> (start: Tensor, change: Tensor) {
    // Some rows at a time: a row has as many numbers a head as there are tokens.
    let rows = max(1, request.options.numbersAtOnce / (heads * tokens))
    let changes = stride(from: 0, to: targets.count, by: rows).map { start in
      let some = Array(targets[start..<min(start + rows, targets.count)])
      return path(isITB, projections, some).state(at: [1]).change.sum(along: 0)
    }
    return (
      projections.start(isITB: isITB, targets), Tensor.concatenating(changes, along: 1)
    )
  }

  /// The flows asked for.
  func flows() throws -> FlowLayer {
    let options = request.options
    var made = FlowLayer(
      layer: layer,
      baseline: FlowBaselineNames(attention: nil, feedForward: nil, layer: nil))
    if options.granularities.contains(.attention) {
      made.baseline.attention = options.attentionBaseline.rawValue
      made.attentionFlow = try AttentionFlow(self).map()
    }
    if options.granularities.contains(.feedForward) {
      made.baseline.feedForward = options.feedForwardBaseline.rawValue
      (made.feedForwardFlow, made.feedForwardCoordinates) = try FeedForwardFlow(self).maps()
    }
    if options.granularities.contains(.layer) {
      made.baseline.layer = options.layerBaseline.rawValue
      (made.layerFlow, made.heads) = try LayerFlow(self).maps()
    }
    return made
  }

  /// The type in which outputs are computed.
  var outputType: ScalarType { halves == nil ? flow.model.type : type }

  /// The numbers of a node that moves every token's query, key and value.
  func tokenNumbers(isITB: Bool) -> Int {
    isITB ? 0 : 2 * (flow.mixes[layer]?.count ?? 0)
  }

  /// The path of attention for some targets.
  func path(_ isITB: Bool, _ projections: TokenProjections, _ targets: [Int]) -> any AttentionPath {
    isITB
      ? TargetPath(projections, targets: targets) : TokenPath(projections, targets: targets)
  }

  /// How slowly paths of the stream from zero start, for the map z → u.
  var attentionSlowness: Double { reading * steepness(.heads, .joinedHeads) }

  /// The same for the map z → z′, on which every norm of the block bends once more.
  var layerSlowness: Double {
    let branches =
      steepness(.afterAttention) * steepness(.beforeFeedForward) * steepness(.afterFeedForward)
    return min(reading * max(branches, steepness(.heads, .joinedHeads)), 1e18)
  }

  /// The same for u → z′: nil for an even start, where no norm reads u alone.
  func feedForwardSlowness(_ u: Tensor, isMiddle: Bool) -> Double? {
    let place: NormFacts.Place = isMiddle ? .beforeFeedForward : .afterAttention
    guard let norm = norms.first(where: { $0.place == place }) else { return nil }
    return size(of: u, beside: norm)
  }

  /// The largest ratio of the stream to the √ε of the norm that reads it; where none does, of streams to biases.
  private var reading: Double {
    let places: Set<NormFacts.Place> = [.beforeAttention, .beforeBoth, .beforeMixer]
    guard let norm = norms.first(where: { places.contains($0.place) }) else { return 100 }
    return size(of: stream, beside: norm)
  }

  /// What a norm that reads the work of another norm makes of a start: it bends where that is of the size of
  /// its own √ε.
  private func steepness(_ places: NormFacts.Place...) -> Double {
    norms.filter { places.contains($0.place) && $0.epsilon > 0 }
      .map { max(1, 10 / $0.epsilon.squareRoot()) }.max() ?? 1
  }

  private var norms: [NormFacts] {
    let facts = (flow.model as? Transformer)?.blocks[layer].facts
    return (facts?.norms ?? []) + (facts?.attention?.norms ?? [])
  }

  private func size(of values: Tensor, beside norm: NormFacts) -> Double {
    guard norm.epsilon > 0, let squares = try? (values * values).mean(along: -1).values(),
      let most = squares.max()
    else { return 100 }
    return max(100, 4 * (most / norm.epsilon).squareRoot())
  }

  /// Divides targets and nodes so that none of what is computed together is too large, and sums over nodes.
  ///
  /// - Parameters:
  ///   - places: places among the targets.
  ///   - nodes: the rule.
  ///   - size: numbers a target and node.
  ///   - beside: numbers a node, whatever the targets.
  ///   - prepare: what a group of targets shares for all nodes, from their positions.
  ///   - body: the weighted sum over some nodes: [targets, numbers].
  /// - Returns: one list a target.
  /// - Throws: `FlowError` for numbers that are not finite.
  func gather<Shared>(
    _ places: [Int], _ nodes: PathNodes, size: Int, beside: Int = 0,
    prepare: (_ targets: [Int], _ places: [Int]) -> Shared,
    body: (Shared, PathNodes) -> Tensor
  ) throws -> [[Double]] {
    let most = request.options.numbersAtOnce
    let rowsAtOnce = max(1, min(places.count, most / max(1, size)))
    let nodesAtOnce = max(1, most / max(1, size * rowsAtOnce, beside))
    var lists: [[Double]] = []
    for start in stride(from: 0, to: places.count, by: rowsAtOnce) {
      let some = Array(places[start..<min(start + rowsAtOnce, places.count)])
      let shared = prepare(some.map { targets[$0] }, some)
      var sum: Tensor?
      for part in nodes.chunks(of: nodesAtOnce) {
        let made = body(shared, part)
        sum = sum.map { $0 + made } ?? made
      }
      guard let values = try sum?.values() else { continue }
      guard values.allSatisfy(\.isFinite) else { throw FlowError.notFinite(layer: layer) }
      let length = values.count / some.count
      // What is added makes 0 of −0.
      lists += some.indices.map { values[$0 * length..<($0 + 1) * length].map { $0 + 0 } }
    }
    return lists
  }
}

extension Tensor {
  /// Each vector of the last dimension at length 1; 0 stays 0, as the gradient of ‖x‖ does in the field's
  /// libraries.
  var directions: Tensor {
    let square = (self * self).sum(along: -1, keepingDimension: true)
    return self * (square + 1e-36).reciprocalSquareRoot
  }

  /// The lengths of the last dimension's vectors.
  func lengths() throws -> [Double] {
    let wide = to(.float64, on: .cpu)
    return try (wide * wide).sum(along: -1).values().map { $0.squareRoot() }
  }
}
