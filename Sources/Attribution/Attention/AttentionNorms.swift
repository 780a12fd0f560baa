internal import Foundation
public import LanguageModels
public import Results
internal import Tensors

// A large weight on a small vector moves little. Norm-based analysis weighs what is moved (Kobayashi and others
// 2020): with f_h(x_j) = W_Oʰ (W_V N(x_j) + b_V), heads summed before the norm is taken,
//
//     weighted    ‖ Σ_h α_hij f_h(x_j) ‖.
//
// The block about it has a residual connection, and in encoders a norm behind it (Kobayashi and others 2021): with
// g the norm as a linear map at the scale of the run,
//
//     block       ‖ g( Σ_h α_hij f_h(x_j) + [i = j] x_i ) ‖.
//
// The bias of values counts, in f; b_O and a norm's shift are no token's and do not. A branch's own norm (Gemma 2,
// OLMo 2) is part of f, at the scale of the run.

/// Norm-based attention.
public struct AttentionNorms: Sendable {
  /// What is measured.
  public enum Kind: String, Sendable, CaseIterable {
    /// What attention moves.
    case weighted
    /// The same with the residual connection, and the norm of a post-norm block.
    case block
  }

  /// What is measured.
  public var kind: Kind

  /// Chooses what is measured.
  public init(_ kind: Kind = .block) { self.kind = kind }

  /// Numbers of a product that is formed at a time.
  private static let atOnce = 1 << 22

  /// The norms of each layer, [query · count + source].
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - model: A model whose blocks' attention is known to be a sum.
  /// - Returns: One square for each layer.
  /// - Throws: `AttributionError` for another model, `ModelError` for a text that it cannot run,
  ///   `EngineError` when memory runs out.
  /// - Complexity: One forward pass, and for each layer T² · heads · width multiplications.
  public func matrices(of ids: [Int], in model: any LanguageModel) throws -> [[Double]] {
    let branches = try model.attentionBranches()
    var matrices = [[Double]](repeating: [], count: branches.count)
    let watch = AttentionWatch(branches) { layer, vectors in
      matrices[layer] = try self.norms(vectors)
    }
    try watch.run(ids, in: model)
    return matrices
  }

  private func norms(_ vectors: AttentionVectors) throws -> [Double] {
    let count = vectors.count
    let width = vectors.before.size(1)
    var matrix = [Double](repeating: 0, count: count * count)
    let stream = kind == .block ? vectors.stream : nil
    let step = max(1, Self.atOnce / (count * width))
    for start in stride(from: 0, to: count, by: step) {
      let sources = start..<min(count, start + step)
      var moved = vectors.summed(sources)
      if let stream {
        var own = [Double](repeating: 0, count: sources.count * count)
        for (row, source) in sources.enumerated() { own[row * count + source] = 1 }
        moved = moved + Tensor(own, [sources.count, count, 1], .float64) * stream
      }
      let squares = try (moved * moved).sum(along: 2).values()
      for (row, source) in sources.enumerated() {
        for query in 0..<count {
          matrix[query * count + source] = squares[row * count + query].squareRoot()
        }
      }
    }
    return matrix
  }

  /// Scores of a text's tokens for what stands at one position at the end.
  ///
  /// Rows are divided by their sums. Those of `block` are rolled out over the layers, as they hold the
  /// residual connection; of `weighted`, which do not, a token's score is the mean over layers of what the
  /// position itself reads.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose result.
  ///   - model: A model whose blocks' attention is known to be a sum.
  /// - Returns: Scores of tokens, which sum to 1, and what the position reads in each layer, as norms.
  /// - Throws: As `matrices(of:in:)`, and `AttributionError` for a position that the text has not.
  /// - Complexity: As `matrices(of:in:)`.
  public func scores(
    of ids: [Int], at position: Int, in model: any LanguageModel
  ) throws -> [AttributionScores] {
    try requirePosition(position, of: ids)
    let count = ids.count
    let matrices = try matrices(of: ids, in: model)
    let shares = matrices.map { matrix in
      (0..<count).flatMap { query -> [Double] in
        let row = matrix[query * count..<(query + 1) * count]
        let sum = row.reduce(0, +)
        return sum > 0 ? row.map { $0 / sum } : Array(row)
      }
    }
    let own = position * count..<(position + 1) * count
    let tokens: [Double]
    switch kind {
    case .block:
      let graph = AttentionGraph(count: count, layers: shares)
      tokens = AttentionRollout().shares(of: graph, at: position)[0]
    case .weighted:
      tokens = (0..<count).map { token in
        shares.reduce(0) { $0 + $1[position * count + token] } / Double(shares.count)
      }
    }
    return [
      AttributionScores(
        unit: "token", array: AxisArray(axes: ["position"], shape: [count], values: tokens),
        certificates: [SumCertificate(sum: tokens.reduce(0, +), expected: 1)]),
      AttributionScores(
        unit: "attention",
        array: AxisArray(
          axes: ["layer", "position"], shape: [matrices.count, count],
          values: matrices.flatMap { $0[own] }),
        layers: Array(matrices.indices),
        reason: "Norms are lengths: those of a sum's terms do not sum to the sum's."),
    ]
  }
}
