internal import LanguageModels
internal import Tensors

/// Which states a path visits, in the numbering of the result.
///
/// Ordinarily a layer is a block: layer ℓ is the state after it, −1 the embedding, and the last is
/// the residual stream before the final norm. The published script counts hidden states instead:
/// state s is what s blocks have made, and the last has already passed the final norm.
struct StatePath {
  /// The layers of the result, ascending.
  let layers: [Int]
  /// The second token of a difference.
  let versus: Int?
  private let compatible: Bool
  private let count: Int
  private let needsEmbedding: Bool

  init(_ options: Explainer.Options, layers count: Int) throws {
    compatible = options.compatible
    versus = options.versus
    self.count = count
    needsEmbedding = options.baseline == .embedding
    guard compatible else {
      layers = try options.layers.layers(of: count)
      return
    }
    switch options.layers {
    case .all: layers = Array(1...count)
    case .evenly(let k): layers = try LayerChoice.spacing(k, count)
    case .these(let states):
      if let wrong = states.first(where: { $0 < 0 || $0 > count }) {
        throw AttributionError(
          .usage,
          "State \(wrong) is out of range; with --compat iglens this model has hidden "
            + "states 0 to \(count).")
      }
      layers = Set(states + [count]).sorted()
    }
  }

  /// The blocks whose states are needed, −1 the embedding.
  var blocks: Set<Int> { Set(layers.map(block) + (needsEmbedding ? [-1] : [])) }

  /// The block whose states the baseline averages.
  var averaged: Int { block(layers.first ?? count - 1) }

  private func block(_ layer: Int) -> Int { compatible ? layer - 1 : layer }

  /// A layer's states at the explained positions.
  func state(_ layer: Int, _ trace: ResidualTrace, _ model: any LanguageModel) -> Tensor {
    if layer == -1, let embedding = trace.states[-1] { return embedding }
    return seen(trace.states[block(layer)] ?? Tensor(repeating: 0, [0]), layer, model)
  }

  /// The first chosen layer's states at every position.
  func averagedState(_ trace: ResidualTrace, _ model: any LanguageModel) -> Tensor {
    seen(trace.averaged, layers.first ?? count - 1, model)
  }

  private func seen(_ state: Tensor, _ layer: Int, _ model: any LanguageModel) -> Tensor {
    compatible && layer == count ? model.unembedding.norm(state) : state
  }
}
