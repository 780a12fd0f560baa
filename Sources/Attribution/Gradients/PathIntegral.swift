internal import Foundation
public import LanguageModels
public import Results
public import Tensors

// Something moves from a start to an end, and a metric m follows. Every method of the family is a sum over points
// of the path, of gradients g = ∂m/∂y at a site's value y, and they differ in how a step is weighed:
//
//     end-point      (y(1) − y(0)) ⊙ Σ_k w_k g_k              integrated gradients, EAP-IG
//     Stieltjes      Σ_k f_k g_k ⊙ (y(b_k) − y(a_k))          conductance
//     squared share  Σ_k g_k²/‖g_k‖² · f_k (m(b_k) − m(a_k))  IDGI
//     influence      Σ_k w_k g_k                              internal influence
//
// For what moves itself the first two are one. Points run together in batches; one pass back gives the gradients
// at all sites.

/// How a step of a path is weighed.
public enum PathEstimator: String, Sendable, CaseIterable {
  /// Gradients averaged, times the whole change of the value.
  case endPoint = "end-point"
  /// Gradients times the value's change in their own cell.
  case stieltjes
  /// Each step's change of the metric, shared out by squared gradients.
  case squaredShare = "squared-share"
  /// Gradients averaged.
  case influence
}

/// m of each row of what moves, [rows, …] → [rows], showing values on the way to a pass.
public typealias PathFunction = (_ x: Tensor, _ pass: Pass) -> Tensor

/// A straight path of one value, and a metric that follows it.
public struct PathIntegral {
  /// What the site of the moving value is called.
  public var moving: Site
  /// y(0): [batch, …].
  public var start: Tensor
  /// y(1): [batch, …].
  public var end: Tensor
  /// m.
  public var function: PathFunction
  /// The rules of the way back.
  public var rules: BackwardRules
  /// The most rows that run together.
  public var rowsAtOnce: Int
  /// Whether the path begins where norms have nothing to measure, so that what matters happens near its start.
  var beginsAtZero = false

  /// A path from one value to another.
  public init(
    _ moving: Site, from start: Tensor, to end: Tensor, rules: BackwardRules = .gradient,
    rowsAtOnce: Int = 32, of function: @escaping PathFunction
  ) {
    self.moving = moving
    self.start = start
    self.end = end
    self.rules = rules
    self.rowsAtOnce = max(1, rowsAtOnce)
    self.function = function
  }

  /// Scores of a path's sites.
  public struct Scores {
    /// Shaped as the sites' values: [batch, …].
    public var values: [Site: Tensor]
    /// m at the start of the path, of each sequence.
    public var start: [Double]
    /// m at its end.
    public var end: [Double]
    /// The points at which gradients were taken.
    public var nodes: Int
    /// Runs over one sequence.
    public var passes: PassCount
  }

  /// The scores of some sites.
  ///
  /// - Parameters:
  ///   - sites: where; the moving value's own among them if it is wanted.
  ///   - rule: which points.
  ///   - estimator: how they are weighed.
  ///   - progress: told the share of points done.
  /// - Returns: a score for each number at each site.
  /// - Throws: `AttributionError` where a metric is not finite, and for an estimator that the rule does not have;
  ///   `EngineError` when memory runs out.
  /// - Complexity: a forward and a backward pass for each node, a forward pass for each end of a cell that is no
  ///   node.
  public func scores(
    of sites: [Site], _ rule: PathRule, _ estimator: PathEstimator,
    progress: (Double) -> Void = { _ in }
  ) throws -> Scores {
    try withEngineErrors {
      if case .adaptive(let tolerance) = rule {
        guard estimator == .endPoint || estimator == .influence else {
          throw AttributionError(
            .usage,
            "A tolerance finds nodes for integrated gradients, not for \(estimator.rawValue) steps; give "
              + "their number with --steps.")
        }
        return try adaptive(sites, tolerance, estimator, progress)
      }
      return try fixed(sites, rule.nodes, estimator, progress)
    }
  }

  func fixed(
    _ sites: [Site], _ nodes: [PathNode], _ estimator: PathEstimator,
    _ progress: (Double) -> Void
  ) throws -> Scores {
    // Ends of cells are looked at where steps are weighed by what happens in them.
    let ends =
      estimator == .stieltjes || estimator == .squaredShare
      ? nodes.flatMap { [$0.from, $0.to] } : []
    let places = Set(nodes.map(\.place))
    let looks = Set(ends + [0, 1]).subtracting(places)
    let valued = estimator == .stieltjes || estimator == .endPoint ? sites : []
    var sum = PathSum(estimator: estimator, path: self)
    let batch = start.size(0)
    let atOnce = max(1, rowsAtOnce / batch)
    let all = places.union(looks).sorted()
    var done = 0
    func take(_ points: [Double], gradients: Bool) throws {
      for part in stride(from: 0, to: points.count, by: atOnce) {
        let some = Array(points[part..<min(points.count, part + atOnce)])
        try sum.add(run(some, gradients ? sites : [], valued))
        done += some.count
        progress(Double(done) / Double(all.count))
      }
    }
    // Runs of points of one kind, in the path's order, so that what is settled can be let go.
    var pending: [Double] = []
    for place in all {
      if let last = pending.last, places.contains(last) != places.contains(place) {
        try take(pending, gradients: places.contains(last))
        sum.settle(nodes, before: place)
        pending = []
      }
      pending.append(place)
      if pending.count == atOnce {
        try take(pending, gradients: places.contains(place))
        sum.settle(nodes, before: place)
        pending = []
      }
    }
    if let last = pending.last { try take(pending, gradients: places.contains(last)) }
    sum.settle(nodes, before: 2)
    let metrics = try (sum.metric(at: 0), sum.metric(at: 1))
    guard (metrics.0 + metrics.1).allSatisfy(\.isFinite) else {
      throw AttributionError.metricNotFinite
    }
    return Scores(
      values: sum.scores(of: sites), start: metrics.0, end: metrics.1, nodes: places.count,
      passes: PassCount(
        forward: Double(all.count), backward: Double(places.count)))
  }

  /// What a batch of points shows.
  struct Points {
    var places: [Double]
    /// m: [points, batch].
    var metric: Tensor
    /// [points, batch, …].
    var values: [Site: Tensor]
    var gradients: [Site: Tensor]
  }

  /// Runs some points: with gradients at `sites`, and values at `valued`.
  func run(_ places: [Double], _ sites: [Site], _ valued: [Site]) -> Points {
    let batch = start.size(0)
    let shape = Array(start.shape.dropFirst())
    let a = Tensor(
      places, [places.count, 1] + shape.map { _ in 1 }, start.type, on: start.device)
    let moved = (start + a * (end - start)).reshaped([places.count * batch] + shape)
    return withRecording(!sites.isEmpty) {
      let x = sites.isEmpty ? moved : moved.requiringGradient()
      var seen: [Site: Tensor] = [moving: x]
      let watched = Set(sites + valued).subtracting([moving])
      let metric = function(
        x,
        Pass(sites: watched, rules: rules) { site, value in
          seen[site] = value
          return value
        })
      func apart(_ value: Tensor) -> Tensor {
        let value = value.detached
        return value.reshaped([places.count, batch] + value.shape.dropFirst())
      }
      var points = Points(
        places: places, metric: metric.detached.reshaped([places.count, batch]), values: [:],
        gradients: [:])
      for site in valued { points.values[site] = seen[site].map(apart) }
      let wanted = sites.compactMap { site in seen[site].map { (site, $0) } }
      if !wanted.isEmpty {
        let found = metric.gradient(withRespectTo: wanted.map(\.1))
        for (place, gradient) in zip(wanted, found) { points.gradients[place.0] = apart(gradient) }
      }
      return points
    }
  }
}

/// A sum over points that come in the path's order.
private struct PathSum {
  let estimator: PathEstimator
  let path: PathIntegral
  private var values: [Double: [Site: Tensor]] = [:]
  private var gradients: [Double: [Site: Tensor]] = [:]
  private var metrics: [Double: Tensor] = [:]
  private var ends: (start: [Site: Tensor], end: [Site: Tensor]) = ([:], [:])
  private var sums: [Site: Tensor] = [:]
  private var settled = 0

  init(estimator: PathEstimator, path: PathIntegral) {
    self.estimator = estimator
    self.path = path
  }

  mutating func add(_ points: PathIntegral.Points) throws {
    for (index, place) in points.places.enumerated() {
      func row(_ value: Tensor) -> Tensor {
        value.slice(index..<index + 1, along: 0).reshaped(Array(value.shape.dropFirst()))
      }
      metrics[place] = row(points.metric)
      let seen = points.values.mapValues(row)
      if place == 0 { ends.start = seen }
      if place == 1 { ends.end = seen }
      if estimator == .stieltjes { values[place] = seen }
      if !points.gradients.isEmpty { gradients[place] = points.gradients.mapValues(row) }
    }
  }

  /// Adds what nodes give whose cells end before a place, and lets go of what no later node needs.
  mutating func settle(_ nodes: [PathNode], before place: Double) {
    let waits = estimator == .stieltjes || estimator == .squaredShare
    while settled < nodes.count {
      let node = nodes[settled]
      guard node.place < place, !waits || node.to < place || metrics[node.to] != nil,
        let gradients = gradients[node.place]
      else { break }
      for (site, gradient) in gradients {
        guard let term = term(node, site, gradient) else { continue }
        sums[site] = sums[site].map { $0 + term } ?? term
      }
      settled += 1
    }
    let needed =
      nodes[min(settled, nodes.count)...].map { waits ? min($0.from, $0.place) : $0.place }.min()
      ?? 2
    for old in values.keys where old < needed { values[old] = nil }
    for old in gradients.keys where old < needed { gradients[old] = nil }
  }

  private func term(_ node: PathNode, _ site: Site, _ gradient: Tensor) -> Tensor? {
    switch estimator {
    case .endPoint, .influence: return gradient * node.weight
    case .stieltjes:
      guard let from = values[node.from]?[site], let to = values[node.to]?[site] else { return nil }
      return gradient * (to - from) * node.factor
    case .squaredShare:
      guard let from = metrics[node.from], let to = metrics[node.to] else { return nil }
      // In double, where a square of a small gradient is not nothing; a gradient that is nothing everywhere
      // shares nothing out.
      let wide = gradient.to(.float64)
      let squares = wide * wide
      let batch = gradient.size(0)
      let whole = squares.reshaped([batch, -1]).sum(along: 1) + 1e-200
      let step = ((to - from).to(.float64) / whole) * node.factor
      return squares * step.reshaped([batch] + gradient.shape.dropFirst().map { _ in 1 })
    }
  }

  func metric(at place: Double) throws -> [Double] { try metrics[place]?.values() ?? [] }

  func scores(of sites: [Site]) -> [Site: Tensor] {
    guard estimator == .endPoint else { return sums }
    return sums.reduce(into: [:]) { scores, sum in
      guard let start = ends.start[sum.key], let end = ends.end[sum.key] else { return }
      scores[sum.key] = sum.value * (end - start)
    }
  }
}
