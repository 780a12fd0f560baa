internal import Foundation
internal import LanguageModels
internal import Results
internal import Tensors

// What an integral over a part of the path must come to is known: the change of m over it. So nodes are added until the
// sum meets it. They are Clenshaw–Curtis', whose nodes are kept when their steps are doubled: 5 of them, 9, 17 and
// 33 on a panel of the path, after which the panel is halved, for what moves abruptly is met sooner there.
//
// A sum may meet the change by luck. The error of a rule that converges is about squared when its steps are
// doubled; so what the scores changed by when they last were, squared, stands beside what the sum misses, and the
// larger of the two must be less than the tolerance.
//
// From a zero embedding all happens near the start: every norm multiplies what is small by 1/√ε, so that after some
// blocks a millionth of a millionth of an embedding is a whole one. So there the first panels are graded, and a panel whose
// ends are far apart in proportion is halved in proportion.

extension PathIntegral {
  /// The ends of the first panels: the whole path, or graded from a start at zero.
  private var first: [Double] { beginsAtZero ? [0, 0.001, 0.01, 0.1, 0.4, 1] : [0, 1] }
  /// The most nodes that a path gets; past them its residual says how good it is.
  private static let mostNodes = 512

  /// A part of the path with the nodes of a rule of 8, 16 or 32 steps; half as many show what doubling changed.
  private struct Panel {
    static let fewest = 8
    static let most = 32

    var from: Double
    var to: Double
    var steps = fewest
    /// What it may miss, of each sequence.
    var errors: [Double] = []

    var worst: Double { errors.max() ?? 0 }
    /// What refining it takes: the nodes between its own, or those of two new panels beside the ends and the middle.
    var newNodes: Int { steps < Self.most ? steps : 2 * (Self.fewest - 1) }

    /// The nodes of a rule, which are those of the finest, so that equal ones are equal to the last bit.
    func nodes(_ steps: Int) -> [PathNode] {
      let finest = Quadrature.clenshawCurtis(Self.most).nodes
      return Quadrature.clenshawCurtis(steps).weights.enumerated().map { k, weight in
        let share = finest[k * Self.most / steps]
        return PathNode(
          place: k == 0 ? from : k == steps ? to : from + share * (to - from), from: 0, to: 1,
          factor: weight * (to - from))
      }
    }
  }

  func adaptive(
    _ sites: [Site], _ tolerance: Double, _ estimator: PathEstimator,
    _ progress: (Double) -> Void
  ) throws -> Scores {
    let batch = start.size(0)
    let share = sites == [moving] ? 1 : 0.5
    // Where gradients were taken, of what moves alone: those of other sites would fill the memory.
    var gradients: [Double: Tensor] = [:]
    var metrics: [Double: [Double]] = [:]
    func look(_ places: [Double]) throws {
      for part in places.chunked(max(1, rowsAtOnce / batch)) {
        let points = run(part, [moving], [])
        let values = try points.metric.values()
        guard values.allSatisfy(\.isFinite) else { throw AttributionError.metricNotFinite }
        for (index, place) in part.enumerated() {
          metrics[place] = Array(values[index * batch..<(index + 1) * batch])
          gradients[place] = points.gradients[moving].map { row(index, of: $0) }
        }
      }
    }
    /// Σ w g ⊙ (x(1) − x(0)) of each sequence's positions.
    func scores(_ nodes: [PathNode]) throws -> [[Double]] {
      let sum = (weighted(nodes, gradients) * (end - start)).to(.float64)
      let positions = start.shape.count > 2 ? start.size(1) : 1
      return try sum.reshaped([batch, positions, -1]).sum(along: 2).values().chunked(positions)
    }
    func errors(_ panel: Panel, _ whole: [Double]) throws -> [Double] {
      let fine = try scores(panel.nodes(panel.steps))
      let coarse = try scores(panel.nodes(panel.steps / 2))
      return (0..<batch).map { row in
        let expected = (metrics[panel.to]?[row] ?? 0) - (metrics[panel.from]?[row] ?? 0)
        let size = max(whole[row], .leastNormalMagnitude)
        let missed = abs(fine[row].reduce(0, +) - expected) / size
        let changed = zip(fine[row], coarse[row]).reduce(0) { $0 + abs($1.0 - $1.1) } / size
        return max(missed, changed * changed)
      }
    }

    var panels = zip(first, first.dropFirst()).map { Panel(from: $0, to: $1) }
    var whole: [Double] = []
    while true {
      let new = panels.filter(\.errors.isEmpty)
      let places = Set(new.flatMap { $0.nodes($0.steps).map(\.place) })
      try look(places.subtracting(metrics.keys).sorted())
      if whole.isEmpty {
        whole = zip(metrics[0] ?? [], metrics[1] ?? []).map { abs($1 - $0) }
      }
      for index in panels.indices where panels[index].errors.isEmpty {
        panels[index].errors = try errors(panels[index], whole)
      }
      // The share of its tolerance that the sequence has used which is worst off.
      let used =
        (0..<batch).map { row in
          panels.reduce(0) { $0 + $1.errors[row] } / tolerance
        }.max() ?? 0
      progress(share * min(1, 1 / max(used, 1)))
      guard used > 1 else { break }
      // Refine whatever errs more than its part, the worst first, as far as nodes go.
      let allowed = tolerance / Double(panels.count)
      var left = Self.mostNodes - gradients.count
      var chosen: Set<Int> = []
      for (index, panel) in panels.enumerated().sorted(by: { $0.element.worst > $1.element.worst })
      where panel.worst > allowed && panel.newNodes <= left {
        left -= panel.newNodes
        chosen.insert(index)
      }
      if chosen.isEmpty { break }
      panels = panels.enumerated().flatMap { chosen.contains($0) ? refined($1) : [$1] }
    }

    let nodes = panels.flatMap { $0.nodes($0.steps) }
    guard sites == [moving] else {
      // The nodes are known now; gradients elsewhere are added up as they come.
      var found = try fixed(sites, merged(nodes), estimator) { progress(share + (1 - share) * $0) }
      found.passes =
        found.passes
        + PassCount(forward: Double(metrics.count), backward: Double(gradients.count))
      return found
    }
    let sum = weighted(nodes, gradients).to(start.type)
    return Scores(
      values: [moving: estimator == .endPoint ? sum * (end - start) : sum],
      start: metrics[0] ?? [], end: metrics[1] ?? [], nodes: gradients.count,
      passes: PassCount(forward: Double(metrics.count), backward: Double(gradients.count)))
  }

  private func row(_ index: Int, of value: Tensor) -> Tensor {
    value.slice(index..<index + 1, along: 0).reshaped(Array(value.shape.dropFirst()))
  }

  /// Σ w g.
  private func weighted(_ nodes: [PathNode], _ gradients: [Double: Tensor]) -> Tensor {
    // Types of sixteen bits are too narrow for a sum of many.
    let wide: ScalarType = start.type == .float64 ? .float64 : .float32
    return nodes.reduce(start.to(wide) * 0) { sum, node in
      gradients[node.place].map { sum + $0.to(wide) * node.weight } ?? sum
    }
  }

  /// A panel with twice the steps, or its halves.
  private func refined(_ panel: Panel) -> [Panel] {
    if panel.steps < Panel.most {
      return [Panel(from: panel.from, to: panel.to, steps: 2 * panel.steps)]
    }
    let middle =
      beginsAtZero && panel.from == 0
      ? panel.to / 64
      : beginsAtZero && panel.to > 4 * panel.from
        ? (panel.from * panel.to).squareRoot() : (panel.from + panel.to) / 2
    return [Panel(from: panel.from, to: middle), Panel(from: middle, to: panel.to)]
  }

  /// Nodes in the path's order, those at one place as one.
  private func merged(_ nodes: [PathNode]) -> [PathNode] {
    Dictionary(grouping: nodes, by: \.place).map { place, nodes in
      PathNode(place: place, from: 0, to: 1, factor: nodes.reduce(0) { $0 + $1.weight })
    }.sorted { $0.place < $1.place }
  }
}

extension Array {
  /// The elements in runs of at most this many.
  func chunked(_ count: Int) -> [[Element]] {
    stride(from: 0, to: self.count, by: count).map {
      Array(self[$0..<Swift.min(self.count, $0 + count)])
    }
  }
}
