package import Tensors

/// What the first block receives: tokens' vectors, with what else a family puts there.
///
///     x = N(s · E[token] + P[position] + T[0])
package struct Embedding {
  /// E: [vocabulary, width].
  var tokens: Tensor
  /// s.
  var scale = 1.0
  /// P, without rows that no text uses: [context, width].
  var positions: Tensor?
  /// T[0], the vector of the first of a pair's two texts: [width].
  var firstText: Tensor?
  /// N.
  var norm: Norm?
  /// Made of the sum, where its width is not the stream's.
  var projection: Linear?

  /// [batch, position, width] for sequences of equal length that stand from `start` on.
  func callAsFunction(_ ids: [[Int]], from start: Int) -> Tensor {
    let count = ids[0].count
    var x = tokens.selecting(Array(ids.joined()), along: 0)
      .reshaped([ids.count, count, tokens.size(1)])
    if scale != 1 { x = x * scale }
    if let positions { x = x + positions.slice(start..<start + count, along: 0) }
    if let firstText { x = x + firstText }
    if let norm { x = norm(x) }
    return projection?(x) ?? x
  }
}
