public import Results

// The product of z → u and u → z′ is the published route from token to token. It multiplies two norms and
// keeps neither; scaled by the sums of A it conserves M; and on the layer's own path nothing need be
// multiplied at all: what passes through head h of target j is K, and
//
//     Z[i, j] = Σ_h K[i, j, h] + δ_ij R[j].

/// A way from the maps z → u and u → z′ to z → z′.
public enum Composition: String, Sendable, Hashable, CaseIterable {
  /// C[i, j] = Σ_h A[i, j, h] M[j, h] (the paper's).
  case product
  /// C[i, j] = Σ_h (A[i, j, h] / Σ_k A[k, j, h]) M[j, h], so that Σ_i C[i, j] = Σ_h M[j, h].
  case conserving
  /// Σ_h K[i, j, h] + δ_ij R[j], which is the layer's own map.
  case exact
}

/// Σ_h A[i, j, h] M[j, h].
///
/// - Parameters:
///   - attention: A, on the axes source, target, head.
///   - feedForward: M, on the axes target, head.
/// - Returns: C, on the axes source, target.
public func productComposition(attention: AxisArray, feedForward: AxisArray) -> AxisArray {
  productByHead(attention: attention, feedForward: feedForward).summedOverHeads
}

/// A[i, j, h] M[j, h], each head by itself: axes source, target, head.
public func productByHead(attention: AxisArray, feedForward: AxisArray) -> AxisArray {
  composition(attention, feedForward) { flow, _, weight, _ in flow * weight }
}

/// Σ_h (A[i, j, h] / Σ_k A[k, j, h]) M[j, h].
///
/// A head of which no source says anything (Σ_k A = 0: under ITB, one that sees the target alone) leaves its M
/// with the target itself.
///
/// - Parameters:
///   - attention: A, on the axes source, target, head.
///   - feedForward: M, on the axes target, head.
///   - targets: the position of each column.
/// - Returns: C, on the axes source, target, each column of the sum Σ_h M.
public func conservingComposition(
  attention: AxisArray, feedForward: AxisArray, targets: [Int]
) -> AxisArray {
  conservingByHead(attention: attention, feedForward: feedForward, targets: targets)
    .summedOverHeads
}

/// The terms of the conserving composition, each head by itself: axes source, target, head.
public func conservingByHead(
  attention: AxisArray, feedForward: AxisArray, targets: [Int]
) -> AxisArray {
  composition(attention, feedForward) { flow, total, weight, place in
    total == 0 ? (place.source == targets[place.target] ? weight : 0) : flow / total * weight
  }
}

/// Σ_h K[i, j, h] + δ_ij R[j].
///
/// - Parameters:
///   - heads: K and R of the layer's own path.
///   - targets: the position of each column.
/// - Returns: Z, on the axes source, target.
public func exactComposition(_ heads: FlowHeads, targets: [Int]) -> AxisArray {
  let conductance = heads.conductance
  let (sources, columns, count) = (
    conductance.shape[0], conductance.shape[1], conductance.shape[2]
  )
  var values: [Double] = []
  values.reserveCapacity(sources * columns)
  for source in 0..<sources {
    for column in 0..<columns {
      let start = (source * columns + column) * count
      let through = conductance.values[start..<start + count].reduce(0, +)
      values.append(through + (targets[column] == source ? heads.residual.values[column] : 0))
    }
  }
  return AxisArray(axes: ["source", "target"], shape: [sources, columns], values: values)
}

/// Terms of each head: axes source, target, head.
private func composition(
  _ attention: AxisArray, _ feedForward: AxisArray,
  _ term: (Double, Double, Double, (source: Int, target: Int)) -> Double
) -> AxisArray {
  precondition(
    attention.axes == ["source", "target", "head"] && feedForward.axes == ["target", "head"]
      && Array(attention.shape.dropFirst()) == feedForward.shape,
    "maps of \(attention.shape) and \(feedForward.shape)")
  let heads = attention.shape[2]
  let cells = attention.shape[1] * heads
  var totals = [Double](repeating: 0, count: cells)
  for (index, value) in attention.values.enumerated() { totals[index % cells] += value }
  var made = attention
  for (index, value) in attention.values.enumerated() {
    let (source, cell) = index.quotientAndRemainder(dividingBy: cells)
    made.values[index] = term(
      value, totals[cell], feedForward.values[cell], (source, cell / heads))
  }
  return made
}

extension AxisArray {
  /// Sums over heads: axes source, target.
  var summedOverHeads: AxisArray {
    let heads = shape[2]
    return AxisArray(
      axes: ["source", "target"], shape: [shape[0], shape[1]],
      values: stride(from: 0, to: values.count, by: heads).map {
        values[$0..<$0 + heads].reduce(0, +)
      })
  }
}
