internal import LanguageModels
internal import Tensors

// A norm at the scale that a run had is a linear map and a shift: N(x) = D x + β with
//
//     RMSNorm     D = diag(γ) / ρ          Dᵀ = diag(γ) / ρ
//     LayerNorm   D = diag(γ) P / ρ        Dᵀ = P diag(γ) / ρ,      P x = x − mean(x)
//
// and ρ² = mean((P x)²) + ε of the run's own x. So sums pass through it, and gradients come back.

/// A norm as a linear map, for each of some rows.
struct NormMap {
  var norm: Norm
  /// 1/ρ: [rows, 1].
  var scale: Tensor

  /// The map at the scales of values: [rows, width].
  init(_ norm: Norm, at values: Tensor) {
    self.norm = norm
    let centred =
      norm.kind == .layer ? values - values.mean(along: 1, keepingDimension: true) : values
    scale =
      ((centred * centred).mean(along: 1, keepingDimension: true) + norm.epsilon)
      .reciprocalSquareRoot
  }

  /// D of pieces [..., rows, width].
  func callAsFunction(_ pieces: Tensor) -> Tensor { norm.unscaled(pieces) * scale }

  /// Dᵀ of gradients [rows, width].
  func pullBack(_ gradients: Tensor) -> Tensor {
    let pulled =
      gradients * norm.weight.to(gradients.type, on: gradients.device)
      * scale.to(gradients.type, on: gradients.device)
    return norm.kind == .layer
      ? pulled - pulled.mean(along: 1, keepingDimension: true) : pulled
  }
}

extension Norm {
  /// The same in double.
  var wide: Norm {
    Norm(
      kind: kind, weight: weight.to(.float64, on: .cpu), bias: bias?.to(.float64, on: .cpu),
      epsilon: epsilon)
  }

  /// ρ D of pieces [..., width].
  func unscaled(_ pieces: Tensor) -> Tensor {
    let centred =
      kind == .layer ? pieces - pieces.mean(along: -1, keepingDimension: true) : pieces
    return centred * weight.to(pieces.type)
  }
}

/// The way of what a branch's projection makes into the residual stream: the branch's own norm, then the
/// norms of a post-norm block.
struct BranchWay {
  let branch: Branch
  /// The branch's own norm.
  let own: NormMap?
  /// A post-norm block's, in the order that they are passed.
  let post: [NormMap]

  /// The element type in which products are formed.
  private var type: ScalarType { branch.output.weight.type == .float64 ? .float64 : .float32 }
  private var maps: [NormMap] { (own.map { [$0] } ?? []) + post }

  /// The way at the scales that a branch's inputs c set: [rows, inputs].
  init(_ branch: Branch, at inputs: Tensor, post: [NormMap]) {
    self.branch = branch
    self.post = post
    let type: ScalarType = branch.output.weight.type == .float64 ? .float64 : .float32
    own = branch.norm.map { NormMap($0, at: branch.output(inputs).to(type)) }
  }

  /// The gradients of a branch's inputs c, and what its biases score.
  ///
  /// - Parameter gradients: ḡ at the branch's end, before any post-norm: [rows, width], float64.
  /// - Returns: Wᵀ Dᵀ ḡ: [rows, inputs], and ⟨Dᵀ ḡ, b⟩ + ⟨ḡ, β⟩: [rows], nil without biases.
  func backward(_ gradients: Tensor) -> (inputs: Tensor, bias: Tensor?) {
    let weight = branch.output.weight
    var pulled = gradients.to(type, on: weight.device)
    var biases: [Tensor] = []
    if let own {
      if let shift = own.norm.bias { biases.append((pulled * shift.to(type)).sum(along: 1)) }
      pulled = own.pullBack(pulled)
    }
    if let bias = branch.output.bias { biases.append((pulled * bias.to(type)).sum(along: 1)) }
    let bias = biases.dropFirst().reduce(biases.first) { sum, next in sum.map { $0 + next } }
    return (pulled.linear(weight.to(type).transposed(0, 1)), bias)
  }

  /// What pieces of the projection's output come to in the stream: [..., rows, width].
  func callAsFunction(_ pieces: Tensor) -> Tensor { maps.reduce(pieces) { $1($0) } }

  /// The same without the rows' scales, for pieces that all rows share: [..., width].
  func unscaled(_ pieces: Tensor) -> Tensor { maps.reduce(pieces) { $1.norm.unscaled($0) } }

  /// The product of the rows' scales: [rows, 1]; nil without norms.
  var scale: Tensor? {
    maps.dropFirst().reduce(maps.first?.scale) { product, next in product.map { $0 * next.scale } }
  }

  /// The squared norm of what the biases come to, for each of so many rows.
  func biasSquares(rows: Int) throws -> [Double] {
    let width = branch.output.weight.size(0)
    var bias = branch.output.bias.map {
      (own?($0.reshaped([1, width])) ?? $0.reshaped([1, width]))
    }
    if let shift = own?.norm.bias?.reshaped([1, width]) { bias = bias.map { $0 + shift } ?? shift }
    guard let bias else { return Array(repeating: 0, count: rows) }
    let arrived = post.reduce(bias) { $1($0) }
    let squares = try (arrived * arrived).sum(along: 1).values()
    return squares.count == rows ? squares : Array(repeating: squares[0], count: rows)
  }
}
