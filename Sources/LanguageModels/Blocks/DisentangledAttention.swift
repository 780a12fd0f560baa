internal import Foundation
package import Tensors

// DeBERTa (He and others 2021) gives a token two vectors, what it is and how far it lies from another.
// With c = content, p = position, and δ = q − k how far key k lies behind query q, a score is
//
//     s[q, k] = (Q_q · K_k  +  Q_q · P_K[row(δ)]  +  K_k · P_Q[row(δ)]) / √(headWidth · terms)
//                 c → c          c → p                 p → c
//
// P_K and P_Q are what key and query projections make of a table of distances, so they are made once
// and hold the scale.
//
// No score needs an index of its own. A text of n tokens has 2n − 1 distances; the products with their
// rows, in the order of k − q,
//
//     T[q, j] = Q_q · P_K[row(n − 1 − j)],      s[q, k] = T[q, k − q + n − 1],
//
// lie in memory so that the element wanted of row q + 1 is 2n − 2 after that of row q: the scores are
// T's numbers from n − 1 on, read in rows of 2n − 2 and cut at n. For p → c the same holds with keys and
// queries exchanged.

/// Self-attention in which scores also depend on how far apart tokens lie (He and others 2021).
package struct DisentangledAttention: AttentionBranch {
  /// Queries, keys and values in one product: [3 · heads · headWidth, width].
  var input: Linear
  /// W_O: [width, heads · headWidth].
  package var output: Linear
  /// The branch's own norm after W_O, where the family has one.
  package var outputNorm: Norm?
  var heads: Int
  var headWidth: Int
  /// Which row of a table is a distance's.
  var distances: RelativeDistances
  /// P_K, times the scale; nil where scores have no such term: [heads, rows, headWidth].
  var keys: Tensor?
  /// P_Q, times the scale; nil where scores have no such term: [heads, rows, headWidth].
  var queries: Tensor?
  /// What products of queries and keys are multiplied by.
  var scale: Double

  package var parts: [Site.AttentionPart] { Site.AttentionPart.within }

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let batch = x.size(0)
    let count = x.size(1)
    // [batch, position, 3 · heads, headWidth]
    let mixed = input(x, layer, pass).reshaped([batch, count, 3 * heads, headWidth])
    func part(_ number: Int) -> Tensor {
      mixed.slice(number * heads..<(number + 1) * heads, along: 2).transposed(1, 2)
    }
    // [batch, heads, position, headWidth]
    let query = pass.rules.pattern(pass(.attention(layer, .query), part(0)))
    let key = pass.rules.pattern(pass(.attention(layer, .key), part(1)))
    let value = pass(.attention(layer, .value), part(2))
    let added = relativeScores(query, key)

    func fused(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ added: Tensor?) -> Tensor {
      Tensor.attention(
        query: query, key: key, value: value, mask: added, causal: false, scale: scale)
    }
    func explicit() -> Tensor {
      let content = query.matmul(key.transposed(2, 3)) * scale
      let scores = added.map { content + $0 } ?? content
      return pass(.attention(layer, .pattern), scores.softmax(along: -1)).matmul(value)
    }
    let mixture: Tensor
    if pass.wants(.attention(layer, .pattern)) {
      mixture = explicit()
    } else if let added, added.isRecorded {
      // Fused attention does not pass gradients to what is added; its values stay what they are without them.
      mixture = fused(query.detached, key.detached, value.detached, added.detached)
        .carryingGradient(of: explicit())
    } else {
      mixture = fused(query, key, value, added)
    }
    // [batch, position, heads, headWidth]
    let perHead = pass(.attention(layer, .heads), mixture.transposed(1, 2))
    return self.added(by: perHead.reshaped([batch, count, heads * headWidth]), layer, pass)
  }

  /// The terms that depend on distance, of queries and keys [batch, heads, position, headWidth]:
  /// [batch, heads, query, key].
  private func relativeScores(_ query: Tensor, _ key: Tensor) -> Tensor? {
    let count = query.size(2)
    let rows = (1 - count..<count).map(distances.row)
    let toPosition = keys.map { table in
      Self.diagonals(query.matmul(table.selecting(rows.reversed(), along: 1).transposed(1, 2)))
    }
    let toContent = queries.map { table in
      Self.diagonals(key.matmul(table.selecting(rows, along: 1).transposed(1, 2)))
        .transposed(2, 3)
    }
    guard let toPosition, let toContent else { return toPosition ?? toContent }
    return toPosition + toContent
  }

  /// [batch, heads, n, n] with element (i, j) from (i, j − i + n − 1) of [batch, heads, n, 2n − 1].
  private static func diagonals(_ products: Tensor) -> Tensor {
    let (batch, heads, count) = (products.size(0), products.size(1), products.size(2))
    // One row has one element and no next row.
    guard count > 1 else { return products }
    return products.reshaped([batch, heads, count * (2 * count - 1)])
      .slice(count - 1..<count - 1 + count * (2 * count - 2), along: 2)
      .reshaped([batch, heads, count, 2 * count - 2])  // from here on, row i starts at k = 0
      .slice(0..<count, along: 3)
  }
}

/// The rows of a table of distances: each distance has one, or far ones share them.
struct RelativeDistances {
  /// Rows on each side; the table has twice as many.
  var span: Int
  /// With buckets: distances up to this have a row each, and beyond it rows grow with the logarithm.
  var exact: Int?
  /// With buckets: distances from here on share the last row.
  var farthest: Int

  /// The row of a key that lies `distance` behind the query (negative: ahead of it).
  func row(_ distance: Int) -> Int {
    min(max(bucket(distance) + span, 0), 2 * span - 1)
  }

  /// A bucket's number has the sign of its distances.
  private func bucket(_ distance: Int) -> Int {
    let far = abs(distance)
    guard let exact, far > exact else { return distance }
    // In float32, as the published models were trained.
    let share =
      Foundation.log(Float(far) / Float(exact))
      / Foundation.log(Float(farthest - 1) / Float(exact)) * Float(exact - 1)
    let number = exact + Int(share.rounded(.up))
    return distance < 0 ? -number : number
  }
}
