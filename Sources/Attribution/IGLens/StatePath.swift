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

  init(_ options: Explainer.Options, layers count: Int) throws {
    compatible = options.compatible
    versus = options.versus
    self.count = count
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
  var blocks: Set<Int> { Set(layers.map(block)) }

  /// The block whose states the baseline averages.
  var averaged: Int { block(layers.first ?? count - 1) }

  private func block(_ layer: Int) -> Int { compatible ? layer - 1 : layer }

  /// By segment, the blocks whose updates it has.
  var updates: [Range<Int>] {
    var start = 0
    return layers.map { layer in
      defer { start = block(layer) + 1 }
      return start..<block(layer) + 1
    }
  }

  /// A layer's states at the explained positions.
  func state(_ layer: Int, _ trace: ResidualTrace, _ model: any LanguageModel) -> Tensor {
    if layer == -1 { return trace.state(-1) }
    return seen(trace.state(block(layer)), layer, model)
  }

  /// The first chosen layer's states at every position.
  func averagedState(_ trace: ResidualTrace, _ model: any LanguageModel) -> Tensor {
    let site = Site.state(after: averaged)
    guard let states = trace.whole[site] else { preconditionFailure("\(site) was not traced") }
    return seen(states, layers.first ?? count - 1, model)
  }

  private func seen(_ state: Tensor, _ layer: Int, _ model: any LanguageModel) -> Tensor {
    compatible && layer == count ? model.unembedding.norm(state) : state
  }
}
