package import Tensors

/// What the first block receives: tokens' vectors, with what else a family puts there.
///
///     x = N′(W · N(s · E[token] + P[position] + T[0]))
///
/// Each part beside E is there or is not.
package struct Embedding {
  /// E: [vocabulary, width].
  package var tokens: Tensor
  /// s.
  var scale = 1.0
  /// P: [rows, width].
  var positions: Tensor?
  /// The token that counts no position, where there is one (RoBERTa).
  ///
  /// It takes the row of its own number, and the others, in order, those after that. Where there is
  /// none, a position's row is its number.
  var padding: Int?
  /// T[0], the vector of the first of a pair's two texts: [width].
  var firstText: Tensor?
  /// N.
  var norm: Norm?
  /// W, where E's width is not the stream's.
  var projection: Linear?
  /// N′.
  var lastNorm: Norm?

  /// What tokens themselves put into the stream, s · E: [vocabulary, width]; nil where it is not added as it is.
  package var words: Tensor? {
    norm == nil && projection == nil && lastNorm == nil ? tokens * scale : nil
  }

  /// [batch, position, width] for sequences of equal length that stand from `start` on.
  func callAsFunction(_ ids: [[Int]], from start: Int) -> Tensor {
    let count = ids[0].count
    var x = tokens.selecting(Array(ids.joined()), along: 0)
      .reshaped([ids.count, count, tokens.size(1)])
    if scale != 1 { x = x * scale }
    if let positions { x = x + rows(of: positions, for: ids, from: start) }
    if let firstText { x = x + firstText }
    if let norm { x = norm(x) }
    if let projection { x = projection(x) }
    return lastNorm?(x) ?? x
  }

  /// The vectors of positions: [position, width], or [batch, position, width] where texts differ.
  private func rows(of positions: Tensor, for ids: [[Int]], from start: Int) -> Tensor {
    guard let padding else {
      return positions.slice(start..<start + ids[0].count, along: 0)
    }
    let rows = ids.flatMap { text in
      var last = padding + start
      return text.map { token in
        if token == padding { return padding }
        last += 1
        return last
      }
    }
    return positions.selecting(rows, along: 0)
      .reshaped([ids.count, ids[0].count, positions.size(1)])
  }
}
