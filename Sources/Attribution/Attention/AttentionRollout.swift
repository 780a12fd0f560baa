public import LanguageModels
public import Results

// Rollout (Abnar and Zuidema 2020) follows shares back through the layers: with R_{−1} = I,
//
//     R_ℓ = Ā_ℓ R_{ℓ−1},
//
// row i of R_ℓ says what each input token is of what stands at token i after layer ℓ, were Ā all that happens.
// Scores of one position are a row of the last R, and its way there, eᵀ Ā_L … Ā_{ℓ+1}, are the shares of that
// position's result which stand at each token after each layer: every one of these rows sums to 1.

/// Attention rollout.
public struct AttentionRollout: Sendable {
  /// A rollout; there is nothing to choose.
  public init() {}

  /// R_ℓ of each layer, [query · count + token].
  ///
  /// - Complexity: L · T³.
  public func matrices(of graph: AttentionGraph) -> [[Double]] {
    let count = graph.count
    var rolled = (0..<count * count).map { $0 / count == $0 % count ? 1.0 : 0 }
    return graph.layers.map { layer in
      rolled = product(layer, rolled, rows: count, count)
      return rolled
    }
  }

  /// The shares of one position's result at each token: before the first block, and after each but the last.
  ///
  /// - Complexity: L · T².
  public func shares(of graph: AttentionGraph, at position: Int) -> [[Double]] {
    var row = [Double](repeating: 0, count: graph.count)
    row[position] = 1
    return graph.layers.reversed().map { layer in
      row = product(row, layer, rows: 1, graph.count)
      return row
    }.reversed()
  }

  /// Scores of a text's tokens for what stands at one position at the end.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose result.
  ///   - model: Any model whose every block has attention.
  /// - Returns: Scores of tokens, which sum to 1, and the shares at each layer's tokens, −1 being the
  ///   embedding.
  /// - Throws: As `AttentionGraph.init(of:in:)`, and `AttributionError` for a position that the text has not.
  /// - Complexity: One forward pass.
  public func scores(
    of ids: [Int], at position: Int, in model: any LanguageModel
  ) throws -> [AttributionScores] {
    try requirePosition(position, of: ids)
    let shares = shares(of: try AttentionGraph(of: ids, in: model), at: position)
    return .shares(shares)
  }

  private func product(
    _ a: [Double], _ b: [Double], rows: Int, _ count: Int
  ) -> [Double] {
    var made = [Double](repeating: 0, count: rows * count)
    for row in 0..<rows {
      for middle in 0..<count where a[row * count + middle] != 0 {
        let weight = a[row * count + middle]
        for column in 0..<count {
          made[row * count + column] += weight * b[middle * count + column]
        }
      }
    }
    return made
  }
}

extension [AttributionScores] {
  /// Shares of one position's result, which sum to 1 in each row: the input tokens', and each layer's tokens'.
  static func shares(_ shares: [[Double]]) -> [AttributionScores] {
    let certificates = shares.map { SumCertificate(sum: $0.reduce(0, +), expected: 1) }
    let tokens = shares.first ?? []
    return [
      AttributionScores(
        unit: "token",
        array: AxisArray(axes: ["position"], shape: [tokens.count], values: tokens),
        certificates: [SumCertificate](certificates.prefix(1))),
      AttributionScores(
        unit: "residual",
        array: AxisArray(
          axes: ["layer", "position"], shape: [shares.count, tokens.count],
          values: [Double](shares.joined())),
        layers: [Int](-1..<shares.count - 1), certificates: certificates),
    ]
  }
}
