public import Results

// Under ITB every token starts as the target's own vector, so the target's own term is 0: the map says what
// the others change and nothing of the target. The ratio variants put a term of its own into a finished
// column c and shrink the others so that the sum A stays. As published, with S the sum of the others,
//
//     ĉ_j = ρ S,  ĉ_i = c_i,   out = ĉ · A / Σ ĉ
//
// where ρ is w_j / Σ_{i≠j} w_i of the zero baseline's column w, or α / (1 − α) of the attention α that the
// target pays itself. As c_j = 0, A = S and Σ ĉ = (1 + ρ) S; with the share f = ρ / (1 + ρ),
//
//     out_j = f A,  out_i = (1 − f) c_i,
//
// f = w_j / Σ w for the one and α for the other: both are one mixture. f is no share where it leaves
// [0, 1], which it can where terms of the zero baseline's column are negative; then others change their
// sign. It is used as it is, and `improperShares` names such columns.

/// What the published rule takes for 0 in a denominator.
private let negligible = 1e-8

/// The share f = w_j / Σ w that the zero baseline's column gives to the target itself.
///
/// - Parameters:
///   - zero: w, the target's column under the zero baseline.
///   - target: the place of the target itself.
/// - Returns: f; 0 where the others' terms sum to nothing, as published, and where the whole column does, as no
///   share then keeps a column's sum (the published rule leaves a column that sums to 0).
public func zeroRatioShare(_ zero: [Double], at target: Int) -> Double {
  var others = 0.0
  for (place, value) in zero.enumerated() where place != target { others += value }
  let total = others + zero[target]
  guard abs(others) > negligible, abs(total) > negligible else { return 0 }
  return zero[target] / total
}

/// The share f = α that a target's attention to itself gives it.
///
/// - Parameter weight: α, from the target to itself.
/// - Returns: f; 0 where the target sees nothing else (α = 1), as published.
public func mapRatioShare(_ weight: Double) -> Double {
  abs(1 - weight) > negligible ? weight : 0
}

/// A column in which the target itself has the share f, and the others what is left in their proportions.
///
/// - Parameters:
///   - share: f.
///   - column: c, the target's column under ITB.
///   - target: the place of the target itself.
/// - Returns: a column of the same sum; `column` itself where the others sum to nothing while the target's
///   own term, which ITB makes 0, is not 0.
public func withSelfShare(_ share: Double, _ column: [Double], at target: Int) -> [Double] {
  var others = 0.0
  for (place, value) in column.enumerated() where place != target { others += value }
  let total = others + column[target]
  var rest = 1 - share
  if column[target] != 0 {
    guard abs(others) > negligible else { return column }
    rest *= total / others
  }
  var made = column.map { rest * $0 }
  made[target] = share * total
  return made
}

/// The shares that a zero baseline's map gives to targets themselves.
///
/// - Parameters:
///   - zero: the map under the zero baseline: axes source, target, and head where it has heads.
///   - targets: the position of each column.
/// - Returns: f on the axes of the map less the source.
public func zeroRatioShares(_ zero: AxisArray, targets: [Int]) -> AxisArray {
  let (columns, stride) = columnPlaces(zero, targets)
  let sources = zero.shape[0]
  return AxisArray(
    axes: Array(zero.axes.dropFirst()), shape: Array(zero.shape.dropFirst()),
    values: columns.enumerated().map { column, target in
      zeroRatioShare((0..<sources).map { zero.values[$0 * stride + column] }, at: target)
    })
}

/// A map in which each target itself has a share of its column.
///
/// - Parameters:
///   - shares: f on the axes of the map less the source.
///   - map: the map under ITB: axes source, target, and head where it has heads.
///   - targets: the position of each column.
/// - Returns: a map whose columns sum to what they did.
public func withSelfShares(
  _ shares: AxisArray, _ map: AxisArray, targets: [Int]
) -> AxisArray {
  let (columns, stride) = columnPlaces(map, targets)
  precondition(shares.values.count == columns.count, "\(shares.shape) shares of \(map.shape)")
  let sources = map.shape[0]
  var made = map
  for (column, target) in columns.enumerated() {
    let old = (0..<sources).map { map.values[$0 * stride + column] }
    let new = withSelfShare(shares.values[column], old, at: target)
    for (source, value) in new.enumerated() { made.values[source * stride + column] = value }
  }
  return made
}

/// The places of shares outside [0, 1], where the other sources have changed their sign or the target has.
///
/// - Parameter shares: f on the axes target, and head where the map has heads.
/// - Returns: indices into `shares.values`, ascending.
public func improperShares(_ shares: AxisArray) -> [Int] {
  shares.values.indices.filter { !(0...1).contains(shares.values[$0]) }
}

/// The position of the target of each column, heads counted, and the step from one source to the next.
private func columnPlaces(_ map: AxisArray, _ targets: [Int]) -> (columns: [Int], stride: Int) {
  precondition(
    map.axes.first == "source" && map.axes.dropFirst().first == "target"
      && map.shape[1] == targets.count, "\(targets.count) targets of \(map.axes), \(map.shape)")
  let heads = map.shape.dropFirst(2).reduce(1, *)
  return (targets.flatMap { Array(repeating: $0, count: heads) }, targets.count * heads)
}
