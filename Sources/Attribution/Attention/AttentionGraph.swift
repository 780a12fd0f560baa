public import LanguageModels
internal import Tensors

// Attention as a graph (Abnar and Zuidema 2020). Heads are averaged, and the stream that goes on beside
// attention is an edge of each token to itself of the same weight:
//
//     Ā_ℓ = ½ · mean_h A_ℓʰ + ½ · I.
//
// Rows of Ā sum to 1, and in a decoder Ā is lower-triangular. Norms, values and feed-forward networks are not
// in it.

/// How much each token of a text reads from each other, layer by layer.
public struct AttentionGraph: Sendable, Equatable {
  /// Tokens of the text.
  public let count: Int
  /// Ā of each layer, [query · count + key].
  public let layers: [[Double]]

  /// A graph of given weights, each layer a square of rows that sum to 1.
  public init(count: Int, layers: [[Double]]) {
    precondition(layers.allSatisfy { $0.count == count * count }, "a layer is no square")
    self.count = count
    self.layers = layers
  }

  /// The graph of a text.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - model: Any model whose every block has attention.
  /// - Throws: `AttributionError` for a block without attention, `ModelError` for a text that the model
  ///   cannot run, `EngineError` when memory runs out.
  /// - Complexity: One forward pass.
  public init(of ids: [Int], in model: any LanguageModel) throws {
    try model.requireAttention()
    var layers = [[Double]](repeating: [], count: model.shape.layers)
    var failure: (any Error)?
    let sites = Set(layers.indices.map { Site.attention($0, .pattern) })
    _ = try withRecording(false) {
      try model.run(
        [ids],
        pass: Pass(sites: sites) { site, value in
          guard case .attention(let layer, _) = site, failure == nil else { return value }
          do {
            layers[layer] = try value.to(.float64).mean(along: 1).reshaped([-1]).values()
          } catch { failure = error }
          return value
        })
    }
    if let failure { throw failure }
    let count = ids.count
    self.init(
      count: count,
      layers: layers.map { pattern in
        pattern.indices.map { place in
          0.5 * pattern[place] + (place / count == place % count ? 0.5 : 0)
        }
      })
  }
}

extension LanguageModel {
  /// Checks that every block has attention, before a method begins that reads it.
  ///
  /// - Throws: `AttributionError` that names the first block without.
  func requireAttention() throws {
    let here = sites
    for layer in 0..<shape.layers where !here.contains(.attention(layer, .pattern)) {
      throw AttributionError(
        .usage,
        "Block \(layer) of \(shape.architecture) has no attention, so there is no pattern of what its "
          + "tokens read; use occlusion or a method of gradients.")
    }
  }
}

extension AttributionError {
  static func positionOutOfRange(_ position: Int, count: Int) -> AttributionError {
    AttributionError(
      .usage,
      "Position \(position) is out of range; the text has positions 0 to \(count - 1).")
  }
}

/// Checks that a text has a position.
func requirePosition(_ position: Int, of ids: [Int]) throws {
  guard ids.indices.contains(position) else {
    throw AttributionError.positionOutOfRange(position, count: ids.count)
  }
}
