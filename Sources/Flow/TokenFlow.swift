public import LanguageModels
public import Results
internal import Tensors

// LIG attributes what a block does to a token to the tokens that entered it, by integrated gradients of a number
// of the output along a straight path x_i(a) = b_i + a (x_i − b_i) of all inputs at once:
//
//     S_j(a) = ‖F_j(x(a)) − F_j(x(0))‖,    i → j:  ⟨x_i − b_i, ∫₀¹ ∂S_j/∂x_i da⟩
//
// Its sum over sources is S_j(1) = ‖F_j(x) − F_j(b)‖, which is known apart from the integral and tells how good
// that is. F is one of three maps between a block's boundaries: z → u (`AttentionFlow`), u → z′
// (`FeedForwardFlow`) and z → z′ (`LayerFlow`).

/// The flows between the tokens of one text, layer by layer (LIG, arXiv 2606.21564).
public struct TokenFlow {
  /// The text.
  public let ids: [Int]
  let model: any BlockwiseModel
  let positions: Positions
  /// The type of the computation: the model's own, or single precision where that is narrower.
  let type: ScalarType
  /// The stream before each block, and after the last: [position, width].
  let streams: [Tensor]
  /// What each block's heads mix, joined: [position, heads · headWidth]; nil without heads.
  let mixes: [Tensor?]
  /// The stream between the branches: [position, width]; nil where there is none.
  let middles: [Tensor?]

  /// Runs a model over a text once and keeps what enters each block.
  ///
  /// - Parameters:
  ///   - ids: the text.
  ///   - model: the model.
  /// - Throws: `ModelError` for ids that the model does not have, `FlowError` for a model whose blocks cannot
  ///   be run one by one, `EngineError` when memory runs out.
  /// - Complexity: one forward pass.
  public init(_ ids: [Int], in model: any LanguageModel) throws {
    guard let blockwise = model as? any BlockwiseModel else {
      throw FlowError.notBlockwise(model.shape.architecture)
    }
    self.ids = ids
    self.model = blockwise
    let type: ScalarType = model.type == .float64 ? .float64 : .float32
    self.type = type
    positions = blockwise.positions(0..<max(1, ids.count))
    let layers = 0..<model.shape.layers
    let sites = Set(
      layers.flatMap { layer -> [Site] in
        [.residual(layer, .before), .residual(layer, .middle), .attention(layer, .heads)]
      }
    ).intersection(model.sites)
    let run = try withRecording(false) { try model.run([ids], capturing: sites) }
    func rows(_ site: Site) -> Tensor? {
      guard sites.contains(site) else { return nil }
      let value = run.activations[site].to(type)
      return value.reshaped([ids.count, value.count / ids.count])
    }
    streams =
      layers.compactMap { rows(.residual($0, .before)) }
      + [run.residual.to(type).reshaped([ids.count, model.shape.width])]
    guard streams.count == model.shape.layers + 1 else {
      throw FlowError.notBlockwise(model.shape.architecture)
    }
    mixes = layers.map { rows(.attention($0, .heads)) }
    middles = layers.map { rows(.residual($0, .middle)) }
  }

  /// The flows of every layer asked for.
  ///
  /// - Parameters:
  ///   - options: what is asked for.
  ///   - progress: told the share of layers done.
  /// - Returns: one for each layer, ascending.
  /// - Throws: `FlowError` for a layer, target, head or map that there is not, and for numbers that are not
  ///   finite; `EngineError` when memory runs out.
  /// - Complexity: no further forward pass. With n nodes, T tokens and blocks of W multiplications a token, 2nTW
  ///   for layer maps and nT² · width · 12 for attention; families without closed forms take T (attention: T ·
  ///   heads) times as long.
  public func flows(
    _ options: FlowOptions, progress: (Double) -> Void = { _ in }
  ) throws -> [FlowLayer] {
    let request = try FlowRequest(options, self)
    return try request.layers.enumerated().map { index, layer in
      let flow = try withRecording(false) {
        try withEngineErrors { try FlowSetting(self, layer, request).flows() }
      }
      progress(Double(index + 1) / Double(request.layers.count))
      return flow
    }
  }
}

/// Options that were checked against the model and the text.
struct FlowRequest {
  /// How many intermediate results live at once, about.
  private static let intermediates = 20

  var options: FlowOptions
  var layers: [Int]
  var targets: [Int]
  var heads: [Int]

  init(_ options: FlowOptions, _ flow: TokenFlow) throws {
    let shape = flow.model.shape
    self.options = options
    func chosen(_ asked: [Int]?, _ noun: String, of count: Int, _ owner: String) throws -> [Int] {
      guard let asked else { return Array(0..<count) }
      if let wrong = asked.first(where: { !(0..<count).contains($0) }) {
        throw FlowError.outOfRange(noun, wrong, count, owner)
      }
      guard !asked.isEmpty else { throw FlowError.none(noun) }
      return Set(asked).sorted()
    }
    layers = try chosen(options.layers, "Layer", of: shape.layers, "the model")
    targets = try chosen(options.targets, "Target", of: flow.ids.count, "the text")
    heads = try chosen(options.heads, "Head", of: shape.heads, "the model")
    switch options.quadrature {
    case .adaptive(let tolerance):
      guard tolerance > 0, tolerance.isFinite else { throw FlowError.tolerance }
    case .fixed(let nodes):
      guard (1...4096).contains(nodes) else { throw FlowError.nodes(nodes, from: 1) }
    case .captumTrapezoid(let steps):
      guard (2...4096).contains(steps) else { throw FlowError.nodes(steps, from: 2) }
    }
    guard !options.granularities.isEmpty else { throw FlowError.noMap }
    try limit(flow)
    let needsHeads = options.granularities.subtracting([.layer])
    guard let map = needsHeads.min(by: { $0.rawValue < $1.rawValue }) else { return }
    if let layer = layers.first(where: { flow.mixes[$0] == nil }) {
      throw FlowError.noHeads(shape.architecture, layer: layer, "\(map.rawValue) map")
    }
  }

  /// Fits what is computed together into the memory that results leave.
  private mutating func limit(_ flow: TokenFlow) throws {
    guard let allowed = options.memory else { return }
    let heads = flow.model.shape.heads
    let maps =
      (options.granularities.contains(.attention) ? heads : 0)
      + (options.granularities.contains(.layer) ? (options.splitsHeads ? heads : 0) + 1 : 0)
    // Numbers of every layer as doubles, and once more those of the layer at hand.
    let results = (layers.count + 1) * targets.count * flow.ids.count * maps * 8
    let each = Self.intermediates * flow.type.bytes
    let row = heads * flow.ids.count
    guard results + row * each <= allowed else {
      throw FlowError.memory(needed: results + row * each, allowed: allowed)
    }
    options.numbersAtOnce = min(options.numbersAtOnce, (allowed - results) / each)
  }
}
