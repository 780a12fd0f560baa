public import LanguageModels
public import Results

// Attention flow (Abnar and Zuidema 2020) asks how much can go from an input token to one position's result when
// Ā_ℓ are the widths of pipes: the largest flow through the layered graph of (L + 1) · T nodes, for each input
// token a problem of its own. What leaves the result is at most its row of Ā, which sums to 1, so each is in
// [0, 1]; together they can be more than 1, which is why shares are given beside them.

/// Attention flow.
public struct AttentionFlow: Sendable {
  /// A flow; there is nothing to choose.
  public init() {}

  /// The largest flow from each input token to one position after the last layer.
  ///
  /// - Complexity: T maximum flows by Dinic's algorithm, each on L · T² edges (half of them in a decoder), which
  ///   takes up to the square of the nodes times the edges and in practice a small multiple of edges times
  ///   layers.
  public func flows(
    of graph: AttentionGraph, to position: Int, progress: (Double) -> Void = { _ in }
  ) -> [Double] {
    (0..<graph.count).map { token in
      progress(Double(token) / Double(graph.count))
      var flow = LayeredFlow(graph)
      return flow.largest(from: position, to: token)
    }
  }

  /// Scores of a text's tokens for what stands at one position at the end.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose result.
  ///   - isNormalised: Whether scores are shares of the flows' sum, rather than flows.
  ///   - model: Any model whose every block has attention.
  ///   - progress: Told the share of tokens done.
  /// - Returns: Scores of tokens.
  /// - Throws: As `AttentionGraph.init(of:in:)`, and `AttributionError` for a position that the text has not.
  /// - Complexity: One forward pass and `flows(of:to:progress:)`.
  public func scores(
    of ids: [Int], at position: Int, isNormalised: Bool = false, in model: any LanguageModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> [AttributionScores] {
    try requirePosition(position, of: ids)
    let flows = flows(
      of: try AttentionGraph(of: ids, in: model), to: position, progress: progress)
    let sum = flows.reduce(0, +)
    let scores = isNormalised && sum > 0 ? flows.map { $0 / sum } : flows
    return [
      AttributionScores(
        unit: "token",
        array: AxisArray(axes: ["position"], shape: [scores.count], values: scores),
        certificates: isNormalised
          ? [SumCertificate(sum: scores.reduce(0, +), expected: sum > 0 ? 1 : 0)] : nil,
        reason: isNormalised
          ? nil
          : "Each token's flow is a problem of its own, so their sum is nothing in particular.")
    ]
  }
}
