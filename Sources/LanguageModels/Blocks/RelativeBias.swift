internal import Foundation
internal import Tensors

/// Numbers added to attention scores, by head and by how far key and query lie apart (Raffel and
/// others 2020): near distances have a bucket each, far ones share buckets that grow with their logarithm.
///
/// One table serves all layers that name it.
package struct RelativeBias {
  /// [buckets, heads].
  var table: Tensor
  /// The distance from which all share the last bucket.
  var farthest: Int
  /// Which table this is, among those of the model.
  var number = 0

  private var buckets: Int { table.size(0) }

  /// The bucket of a key that lies `distance` behind the query (negative: ahead of it).
  ///
  /// Half of the buckets are for keys ahead. Of each half, half are for single distances.
  func bucket(_ distance: Int) -> Int {
    let half = buckets / 2
    let side = distance < 0 ? half : 0
    let far = abs(distance)
    let exact = half / 2
    guard far >= exact else { return side + far }
    let share =
      Foundation.log(Float(far) / Float(exact))
      / Float(Foundation.log(Double(farthest) / Double(exact)))
    return side + min(half - 1, exact + Int(share * Float(half - exact)))
  }

  /// [1, heads, query, key] for a text of so many tokens.
  func values(_ count: Int) -> Tensor {
    let rows = (0..<count).flatMap { query in (0..<count).map { bucket(query - $0) } }
    return table.selecting(rows, along: 0).reshaped([1, count, count, table.size(1)])
      .transposed(2, 3).transposed(1, 2)
  }
}
