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

private func composition(
  _ attention: AxisArray, _ feedForward: AxisArray,
  _ term: (Double, Double, Double, (source: Int, target: Int)) -> Double
) -> AxisArray {
  precondition(
    attention.axes == ["source", "target", "head"] && feedForward.axes == ["target", "head"]
      && Array(attention.shape.dropFirst()) == feedForward.shape,
    "maps of \(attention.shape) and \(feedForward.shape)")
  let (sources, columns, heads) = (
    attention.shape[0], attention.shape[1], attention.shape[2]
  )
  var totals = [Double](repeating: 0, count: columns * heads)
  for (index, value) in attention.values.enumerated() { totals[index % totals.count] += value }
  var values = [Double](repeating: 0, count: sources * columns)
  for source in 0..<sources {
    for column in 0..<columns {
      for head in 0..<heads {
        let cell = column * heads + head
        values[source * columns + column] += term(
          attention.values[source * columns * heads + cell], totals[cell],
          feedForward.values[cell], (source, column))
      }
    }
  }
  return AxisArray(axes: ["source", "target"], shape: [sources, columns], values: values)
}
