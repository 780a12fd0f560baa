internal import Foundation
internal import LanguageModels
internal import Results
internal import Tensors

// What an integral over a part of the path must come to is known: the change of m over it. So the path is cut into
// panels with a few Gauss–Legendre nodes each, and a panel that misses its change is halved, until what all
// panels miss together, each taken by its magnitude, is less than the tolerance asks. Sums that cancel by luck are no
// excuse: every panel has to be right.
//
// From a zero embedding all happens near the start: every norm multiplies what is small by 1/√ε, so that after some
// blocks a millionth of a millionth of an embedding is a whole one. So there the first panels are graded, and a panel whose
// ends are far apart in proportion is halved in proportion.

extension PathIntegral {
  /// The ends of the first panels: halves, or graded from a start at zero.
  private var first: [Double] { beginsAtZero ? [0, 0.001, 0.01, 0.1, 0.4, 1] : [0, 0.5, 1] }
  private static let nodesPerPanel = 5
  /// The most nodes that a path gets; past them its residual says how good it is.
  private static let mostNodes = 512

  private struct Panel {
    var from: Double
    var to: Double
    var sums: [Site: Tensor] = [:]
    /// What each sequence's integral misses of its metric's change.
    var missed: [Double] = []
  }

  func adaptive(
    _ sites: [Site], _ tolerance: Double, _ estimator: PathEstimator,
    _ progress: (Double) -> Void
  ) throws -> Scores {
    let batch = start.size(0)
    let watched = Array(Set(sites + [moving]))
    var metrics: [Double: [Double]] = [:]
    var ends: [Site: (start: Tensor, end: Tensor)] = [:]
    var (nodes, forward) = (0, 0)

    func look(_ places: [Double]) throws {
      let points = run(places, [], places == [0, 1] && estimator == .endPoint ? sites : [])
      let values = try points.metric.values()
      for (index, place) in places.enumerated() {
        metrics[place] = Array(values[index * batch..<(index + 1) * batch])
      }
      for (site, value) in points.values {
        func row(_ index: Int) -> Tensor {
          value.slice(index..<index + 1, along: 0).reshaped(Array(value.shape.dropFirst()))
        }
        ends[site] = (row(0), row(1))
      }
      forward += places.count
    }
    try look([0, 1])
    let whole = zip(metrics[0] ?? [], metrics[1] ?? []).map { abs($1 - $0) }
    guard ((metrics[0] ?? []) + (metrics[1] ?? [])).allSatisfy(\.isFinite) else {
      throw AttributionError.metricNotFinite
    }

    var settled: [Panel] = []
    var open = zip(first, first.dropFirst()).map { Panel(from: $0, to: $1) }
    while true {
      let new = Set(open.flatMap { [$0.from, $0.to] }).subtracting(metrics.keys).sorted()
      for part in new.chunked(max(1, rowsAtOnce / batch)) { try look(part) }
      open = try integrated(open, watched, metrics)
      nodes += open.count * Self.nodesPerPanel
      let panels = settled + open
      // The share of its tolerance that each sequence has used, by the one worst off.
      func misses(_ panel: Panel) -> Double {
        zip(panel.missed, whole).map { missed, whole in
          abs(missed) / max(whole * tolerance, Double.leastNormalMagnitude)
        }.max() ?? 0
      }
      let sum = panels.reduce(0) { $0 + misses($1) }
      progress(min(1, 1 / max(sum, 1)))
      guard sum > 1, nodes < Self.mostNodes else { return finished(panels) }
      // Halve whatever misses more than its part; there is one, for the sum is above 1.
      let allowed = 1 / Double(panels.count)
      settled = panels.filter { misses($0) <= allowed }
      open = panels.filter { misses($0) > allowed }.flatMap { panel in
        let middle =
          panel.from == 0
          ? panel.to / 64
          : panel.to > 4 * panel.from
            ? (panel.from * panel.to).squareRoot() : (panel.from + panel.to) / 2
        return [Panel(from: panel.from, to: middle), Panel(from: middle, to: panel.to)]
      }
    }

    func finished(_ panels: [Panel]) -> Scores {
      var sums: [Site: Tensor] = [:]
      for panel in panels {
        for (site, sum) in panel.sums { sums[site] = sums[site].map { $0 + sum } ?? sum }
      }
      sums = sums.filter { sites.contains($0.key) }
      if estimator == .endPoint {
        for (site, sum) in sums { sums[site] = ends[site].map { sum * ($0.end - $0.start) } }
      }
      return Scores(
        values: sums, start: metrics[0] ?? [], end: metrics[1] ?? [], nodes: nodes,
        passes: PassCount(forward: Double(forward + nodes), backward: Double(nodes)))
    }
  }

  /// Panels with their integrals.
  private func integrated(
    _ panels: [Panel], _ sites: [Site], _ metrics: [Double: [Double]]
  ) throws -> [Panel] {
    let batch = start.size(0)
    let atOnce = max(1, rowsAtOnce / batch / Self.nodesPerPanel)
    let change = end - start
    return try panels.chunked(atOnce).flatMap { panels -> [Panel] in
      let nodes = panels.map {
        PathNode.gaussLegendre(Self.nodesPerPanel, from: $0.from, to: $0.to)
      }
      let points = run(nodes.flatMap { $0.map(\.place) }, sites, [])
      return try panels.enumerated().map { index, panel in
        var panel = panel
        for (site, gradient) in points.gradients {
          let first = index * Self.nodesPerPanel
          let weights = Tensor(
            nodes[index].map(\.weight),
            [Self.nodesPerPanel] + gradient.shape.dropFirst().map { _ in 1 }, gradient.type,
            on: gradient.device)
          panel.sums[site] =
            (gradient.slice(first..<first + Self.nodesPerPanel, along: 0) * weights).sum(along: 0)
        }
        guard let sum = panel.sums[moving] else { return panel }
        let found = try (sum * change).to(.float64).reshaped([batch, -1]).sum(along: 1).values()
        panel.missed = found.indices.map { row in
          found[row] - ((metrics[panel.to]?[row] ?? 0) - (metrics[panel.from]?[row] ?? 0))
        }
        return panel
      }
    }
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
