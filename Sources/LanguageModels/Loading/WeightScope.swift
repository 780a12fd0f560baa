internal import Tensors

/// Weights whose names begin alike: `model.layers.3.`.
struct WeightScope {
  let weights: WeightReader
  let prefix: String

  /// A narrower scope.
  func at(_ name: String) -> WeightScope {
    WeightScope(weights: weights, prefix: prefix + name + ".")
  }

  /// A linear map: `name.weight` [out, in], and `name.bias`.
  func linear(_ name: String, _ out: Int, from: Int, bias: Bool = false) -> Linear {
    joined([(name, out)], from: from, bias: bias)
  }

  /// Linear maps of one input, joined so that one product serves all.
  func joined(_ parts: [(name: String, out: Int)], from: Int, bias: Bool = false) -> Linear {
    Linear(
      weight: weights.stacked(
        parts.map { .init(name: prefix + $0.name + ".weight", shape: [$0.out, from]) }),
      bias: bias
        ? weights.stacked(parts.map { .init(name: prefix + $0.name + ".bias", shape: [$0.out]) })
        : nil)
  }

  /// Rows of one linear map, in another order than the file's.
  func picked(
    _ name: String, _ out: Int, from: Int, bias: Bool = false, stored rows: Int,
    _ source: @escaping @Sendable (Int) -> Int
  ) -> Linear {
    func part(_ suffix: String, _ shape: [Int]) -> Tensor {
      weights.stacked([
        .init(name: prefix + name + suffix, shape: shape, order: .picked(from: rows, source))
      ])
    }
    return Linear(weight: part(".weight", [out, from]), bias: bias ? part(".bias", [out]) : nil)
  }

  /// An RMS norm: `name.weight`, to which `adding` is added (Gemma's 1 + w).
  func rmsNorm(_ name: String, _ width: Int, _ epsilon: Double, adding: Double = 0) -> Norm {
    var norm = Norm(
      kind: .rms, weight: weights.tensor(prefix + name + ".weight", [width], adding: adding),
      bias: nil, epsilon: epsilon)
    norm.added = adding
    return norm
  }

  /// A LayerNorm: `name.weight` and `name.bias`.
  func layerNorm(_ name: String, _ width: Int, _ epsilon: Double, bias: Bool = true) -> Norm {
    Norm(
      kind: .layer, weight: weights.tensor(prefix + name + ".weight", [width]),
      bias: bias ? weights.tensor(prefix + name + ".bias", [width]) : nil, epsilon: epsilon)
  }
}

extension WeightReader {
  /// The weights whose names begin with a path: `scope("model.layers.0")`, or all.
  func scope(_ path: String = "") -> WeightScope {
    WeightScope(weights: self, prefix: path.isEmpty ? "" : path + ".")
  }

  /// The head's matrix: the embedding where they are tied, though a tied checkpoint may still carry
  /// the copy.
  func head(_ name: String, tiedTo embedding: Tensor, _ tied: Bool) -> Tensor {
    guard tied else { return tensor(name, embedding.shape) }
    skip(name)
    return embedding
  }
}
