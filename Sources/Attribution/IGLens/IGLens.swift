internal import LanguageModels
package import Results
public import Tensors

// IG-Lens (arXiv 2606.29693): exact additive attribution of a prediction over layers.
//
// Let r_ℓ be the residual stream at one position after layer ℓ and f the readout of a target. Walk
// the path b → r_ℓ1 → … → r_ℓk from a baseline b through the chosen layers and credit each segment
// to the layer it ends at. By the gradient theorem
//
//     A_j = ∫ ∇f · dh over segment j = f(r_ℓj) − f(r_ℓ(j−1)),     Σ_j A_j = f(r_ℓk) − f(b).
//
// `observed` needs one readout per layer and nothing else. The integral itself, for comparison and
// for what later splits a segment, is the closed form in vocabulary space: on a straight segment the
// logits are a mixture of those at its ends (see Segment.swift), so dF/dt is one pass over a
// vocabulary-long vector per step and no further product with the unembedding.

/// How a segment's share is computed.
public enum Estimator: Sendable, Equatable {
  /// The change of f, which is what every grid of observed changes sums to.
  case observed
  /// n midpoint steps of ⟨∇f, Δ⟩, as the paper's script takes them.
  case gradient(steps: Int)
  /// Gauss–Legendre with n nodes.
  case gauss(nodes: Int)
  /// Gauss–Legendre, nodes doubled from 8 until a segment meets its change of f.
  case adaptive(tolerance: Double)

  /// The name in commands and results.
  public var name: String {
    switch self {
    case .observed: "observed"
    case .gradient: "gradient"
    case .gauss, .adaptive: "gauss"
    }
  }
}

/// Explains predictions, layer by layer.
public struct IGLens: Sendable {
  /// What is explained.
  public var target: Target
  /// How a segment's share is computed.
  public var estimator: Estimator
  /// The share of Σ|A| at which the onset layer is reached.
  public var onsetFraction: Double
  /// How many of the most probable tokens to list per layer.
  public var top: Int
  /// The most rows that are read in one sweep over the vocabulary.
  public var rowsPerSweep: Int

  /// The most nodes that the adaptive estimator spends on a segment.
  public static let mostNodes = 1024

  /// A method with its parameters.
  public init(
    target: Target = .probability, estimator: Estimator = .observed, onsetFraction: Double = 0.5,
    top: Int = 5, rowsPerSweep: Int = 512
  ) {
    self.target = target
    self.estimator = estimator
    self.onsetFraction = onsetFraction
    self.top = top
    self.rowsPerSweep = rowsPerSweep
  }

  /// One prediction to explain.
  public struct Prediction {
    /// The token y.
    public var token: Int
    /// The token x of a difference.
    public var versus: Int?
    /// b, then r_ℓ1 … r_ℓk: [1 + k, width], before the final norm.
    public var path: Tensor

    /// Describes a prediction.
    public init(token: Int, versus: Int? = nil, path: Tensor) {
      self.token = token
      self.versus = versus
      self.path = path
    }
  }

  /// The numbers of one prediction, in the order of its path.
  public struct Explanation: Sendable {
    /// f(b).
    public var baseline: Double
    /// A_1 … A_k.
    public var attributions: [Double]
    /// f(r_ℓ1) … f(r_ℓk).
    public var lens: [Double]
    /// The rank of y at each layer, from 1; ties share the best.
    public var ranks: [Int]
    /// The entropy at each layer, in nats.
    public var entropies: [Double]
    /// The most probable tokens at each layer.
    public var top: [[(id: Int, probability: Double)]]
    /// The nodes spent on each segment; empty for `observed`.
    public var nodes: [Int]
    /// Whether each segment met the tolerance; empty unless adaptive.
    public var converged: [Bool]
    /// What each layer's value is made of; empty where it is not split.
    package var parts: [[AttributionNode]] = []
    /// ḡ of each layer's segment, [layer][width]; empty where there are no integrals.
    package var gradients: [[Double]] = []
    /// The standard error of each attribution, where orders of layers were sampled.
    public var standardErrors: [Double]?
    /// The same for log p_y, from which the chain rule sums a span.
    public var logProbability: (baseline: Double, attributions: [Double], lens: [Double])

    /// Σ A.
    public var sum: Double { attributions.reduce(0, +) }
  }

  /// Explains predictions of one model.
  ///
  /// - Parameters:
  ///   - predictions: paths of equal length.
  ///   - readout: the model's readout.
  ///   - progress: told the share of the work done.
  /// - Returns: one explanation per prediction, in their order.
  /// - Throws: `EngineError` when memory runs out, `AttributionError` when the model's numbers are
  ///   not finite.
  /// - Complexity: no model run; predictions × (k + 1) rows through the head, once, and once more
  ///   for each doubling of segments that did not converge.
  public func explain(
    _ predictions: [Prediction], with readout: Readout, progress: (Double) -> Void = { _ in }
  ) throws -> [Explanation] {
    try explain(predictions, with: readout, split: nil, progress: progress)
  }

  /// The same, with each layer's value split over its parts.
  func explain(
    _ predictions: [Prediction], with readout: Readout, split: PathSplit?,
    progress: (Double) -> Void = { _ in }
  ) throws -> [Explanation] {
    let perPrediction = predictions.first?.path.size(0) ?? 1
    let perSweep = max(1, rowsPerSweep / perPrediction)
    var explanations: [Explanation] = []
    for start in stride(from: 0, to: predictions.count, by: perSweep) {
      let part = Array(predictions[start..<min(predictions.count, start + perSweep)])
      explanations += try withEngineErrors {
        try sweep(part, readout, split, Array(start..<start + part.count)) { share in
          progress((Double(start) + share * Double(part.count)) / Double(predictions.count))
        }
      }
    }
    // What float32 left open is read again in double, whole predictions at a time: their layers
    // still telescope.
    let open = explanations.indices.filter { explanations[$0].converged.contains(false) }
    if split != nil, readout.type == .float32 {
      for start in stride(from: 0, to: open.count, by: max(1, perSweep / 2)) {
        let part = Array(open[start..<min(open.count, start + max(1, perSweep / 2))])
        let again = try withEngineErrors {
          try sweep(part.map { predictions[$0] }, readout.wide, split, part) { _ in }
        }
        for (index, found) in zip(part, again) { explanations[index] = found }
      }
    }
    return explanations
  }

  // MARK: - One sweep

  private func sweep(
    _ predictions: [Prediction], _ readout: Readout, _ split: PathSplit?,
    _ indices: [Int], _ progress: (Double) -> Void
  ) throws -> [Explanation] {
    let length = predictions.first?.path.size(0) ?? 0
    let states = Tensor.concatenating(predictions.map(\.path), along: 0)
    let questions = predictions.enumerated().flatMap { index, prediction in
      (0..<length).map { _ in
        Readout.Question(
          token: prediction.token, versus: prediction.versus, model: (index + 1) * length - 1)
      }
    }
    let ends = predictions.indices.flatMap { index in
      (1..<length).map { (from: index * length + $0 - 1, to: index * length + $0) }
    }

    let rule: Quadrature? =
      switch estimator {
      case .observed, .adaptive: nil
      case .gradient(let steps): .midpoint(steps)
      case .gauss(let nodes): .gaussLegendre(nodes)
      }
    let geometry = rule == nil || !readout.isStraight ? [] : try segments(states, ends, readout)
    let reading = try readout.read(
      states, questions, target, top: top,
      segments: zip(ends, geometry).map { end, segment in
        (end.from, end.to, (rule?.nodes ?? []).map(segment.straight))
      }, holding: split != nil, progress: progress)
    try checkFinite(reading.rows)

    let modelEntropy = predictions.indices.map { reading.rows[($0 + 1) * length - 1].entropy }
    let values = reading.rows.enumerated().map { row, read in
      target.value(read, modelEntropy: modelEntropy[row / length])
    }
    let logs = reading.rows.map { Target.logProbability.value($0, modelEntropy: 0) }
    var shares = ends.map { values[$0.to] - values[$0.from] }
    var logShares = ends.map { logs[$0.to] - logs[$0.from] }
    var nodes: [Int] = []
    var converged: [Bool] = []
    if !readout.isStraight, estimator != .observed {
      (shares, logShares, nodes, converged) = try curved(
        states, questions, ends, exact: shares, perPrediction: length - 1, rule, readout)
    } else if let rule {
      shares = reading.points.map { points in integral(points, rule) { target.slope($0) } }
      logShares = reading.points.map { points in
        integral(points, rule) { Target.logProbability.slope($0) }
      }
      nodes = Array(repeating: rule.nodes.count, count: ends.count)
    } else if case .adaptive(let tolerance) = estimator {
      let refined = try refine(
        states, questions, ends, exact: shares, exactLogs: logShares,
        perPrediction: length - 1, tolerance, readout)
      (shares, logShares, nodes, converged) = refined
    }
    var parts: [[AttributionNode]] = []
    var gradients: [[Double]] = []
    if let split {
      let segments =
        split.isStraight
        ? predictions.indices.map { (from: $0 * length, to: ($0 + 1) * length - 1) } : ends
      let gradient: any SegmentGradient =
        readout.isStraight
        ? try PathGradient(
          segments, states: states, questions: questions, reading: reading, target: target,
          readout: readout)
        : CurvedGradient(
          segments, states: states, questions: questions, target: target, readout: readout)
      let found = try split.split(
        gradient, predictions: indices, shares: shares)
      (shares, parts, nodes, converged) =
        (found.shares, found.parts, found.nodes, found.converged)
      gradients = try found.gradients.map { try $0.values() }
    }

    return predictions.indices.map { index in
      let rows = index * length + 1..<(index + 1) * length
      let cells = index * (length - 1)..<(index + 1) * (length - 1)
      return Explanation(
        baseline: values[index * length],
        attributions: Array(shares[cells]),
        lens: Array(values[rows]),
        ranks: rows.map { reading.rows[$0].rank },
        entropies: rows.map { reading.rows[$0].entropy },
        top: rows.map { row in
          let read = reading.rows[row]
          return read.top.map { ($0.index, exponential($0.logit - read.logPartition)) }
        },
        nodes: nodes.isEmpty ? [] : Array(nodes[cells]),
        converged: converged.isEmpty ? [] : Array(converged[cells]),
        parts: parts.isEmpty ? [] : Array(parts[cells]),
        gradients: gradients.isEmpty ? [] : Array(gradients[cells]),
        logProbability: (
          logs[index * length], Array(logShares[cells]), Array(logs[rows])
        ))
    }
  }

  private func integral(
    _ points: [SoftmaxPoints.Reading], _ rule: Quadrature,
    _ slope: (SoftmaxPoints.Reading) -> Double
  ) -> Double {
    zip(points, rule.weights).reduce(0) { $0 + $1.1 * slope($1.0) }
  }

  private func segments(
    _ states: Tensor, _ ends: [(from: Int, to: Int)], _ readout: Readout
  ) throws -> [Segment] {
    let values = try states.values()
    let width = states.size(1)
    return ends.map { end in
      Segment(
        values[end.from * width..<(end.from + 1) * width],
        values[end.to * width..<(end.to + 1) * width], readout.norm)
    }
  }

  /// Doubles the nodes of each segment until its integral meets its known change of f.
  ///
  /// At each count both variables are tried, t and the angle; neither is better everywhere, and
  /// the known change says which one is.
  private func refine(
    _ states: Tensor, _ questions: [Readout.Question], _ ends: [(from: Int, to: Int)],
    exact: [Double], exactLogs: [Double], perPrediction: Int, _ tolerance: Double,
    _ readout: Readout
  ) throws -> (shares: [Double], logShares: [Double], nodes: [Int], converged: [Bool]) {
    let geometry = try segments(states, ends, readout)
    let totals = stride(from: 0, to: exact.count, by: perPrediction).map { start in
      exact[start..<start + perPrediction].reduce(0) { $0 + abs($1) }
    }
    var shares = [Double](repeating: .infinity, count: ends.count)
    var logShares = exactLogs
    var nodes = [Int](repeating: 0, count: ends.count)
    func meets(_ index: Int) -> Bool {
      let scale = max(abs(exact[index]), 0.01 * totals[index / perPrediction])
      return abs(shares[index] - exact[index]) <= tolerance * scale
    }
    var count = 8
    var open = Array(ends.indices)
    while !open.isEmpty, count <= Self.mostNodes {
      let rule = Quadrature.gaussLegendre(count)
      for circular in [false, true] where !open.isEmpty {
        let mixtures = open.map { index -> [SoftmaxPoints.Mixture] in
          let segment = geometry[index]
          return rule.nodes.map {
            (circular ? segment.circular($0) : nil) ?? segment.straight($0)
          }
        }
        // Only the rows that open segments touch, and the model's own.
        let rows = Set(
          open.flatMap { [ends[$0].from, ends[$0].to, questions[ends[$0].to].model] }
        ).sorted()
        let place = Dictionary(uniqueKeysWithValues: zip(rows, rows.indices))
        let reading = try readout.read(
          states.selecting(rows, along: 0),
          rows.map { row in
            var question = questions[row]
            question.model = place[question.model] ?? 0
            return question
          }, target, top: 0,
          segments: zip(open, mixtures).map { index, points in
            (place[ends[index].from] ?? 0, place[ends[index].to] ?? 0, points)
          })
        for (index, points) in zip(open, reading.points) {
          let share = integral(points, rule) { target.slope($0) }
          if abs(share - exact[index]) < abs(shares[index] - exact[index]) {
            shares[index] = share
            logShares[index] = integral(points, rule) { Target.logProbability.slope($0) }
            nodes[index] = count
          }
        }
        open.removeAll(where: meets)
      }
      count *= 2
    }
    return (shares, logShares, nodes, ends.indices.map(meets))
  }

  /// Integrals of ⟨∇f, Δ⟩ where the logits along a segment are no mixture of those at its ends: with a
  /// rule, or with nodes doubled from 8 until a segment meets its known change of f.
  private func curved(
    _ states: Tensor, _ questions: [Readout.Question], _ ends: [(from: Int, to: Int)],
    exact: [Double], perPrediction: Int, _ rule: Quadrature?, _ readout: Readout
  ) throws -> (shares: [Double], logShares: [Double], nodes: [Int], converged: [Bool]) {
    let wide = states.to(.float64, on: .cpu)
    func integrals(_ chosen: [Int], _ target: Target, _ rule: Quadrature) throws -> [Double] {
      let gradients = try CurvedGradient(
        ends, states: states, questions: questions, target: target, readout: readout)(
          chosen, rule, circular: false)
      let updates =
        wide.selecting(chosen.map { ends[$0].to }, along: 0)
        - wide.selecting(chosen.map { ends[$0].from }, along: 0)
      return try (gradients * updates).sum(along: 1).values()
    }
    /// Of the target and of log p, once where they are the same.
    func both(_ chosen: [Int], _ rule: Quadrature) throws -> (shares: [Double], logShares: [Double])
    {
      let shares = try integrals(chosen, target, rule)
      return (
        shares,
        target == .logProbability ? shares : try integrals(chosen, .logProbability, rule)
      )
    }
    let all = Array(ends.indices)
    if let rule {
      let found = try both(all, rule)
      return (
        found.shares, found.logShares, Array(repeating: rule.nodes.count, count: ends.count), []
      )
    }
    guard case .adaptive(let tolerance) = estimator else { return (exact, exact, [], []) }
    let totals = stride(from: 0, to: exact.count, by: perPrediction).map { start in
      exact[start..<start + perPrediction].reduce(0) { $0 + abs($1) }
    }
    var shares = [Double](repeating: .infinity, count: ends.count)
    var logShares = shares
    var nodes = [Int](repeating: 0, count: ends.count)
    func meets(_ index: Int) -> Bool {
      let scale = max(abs(exact[index]), 0.01 * totals[index / perPrediction])
      return abs(shares[index] - exact[index]) <= tolerance * scale
    }
    var open = all
    var count = 8
    while !open.isEmpty, count <= Self.mostNodes {
      let rule = Quadrature.gaussLegendre(count)
      let found = try both(open, rule)
      for (index, (share, logShare)) in zip(open, zip(found.shares, found.logShares)) {
        (shares[index], logShares[index], nodes[index]) = (share, logShare, count)
      }
      open.removeAll(where: meets)
      count *= 2
    }
    return (shares, logShares, nodes, all.map(meets))
  }

  private func checkFinite(_ rows: [SoftmaxRows.Reading]) throws {
    guard rows.allSatisfy({ $0.logPartition.isFinite && $0.entropy.isFinite }) else {
      throw AttributionError(
        .notFinite,
        "The model's numbers are not finite at some layer; the file may be damaged, or need more "
          + "range than --dtype bfloat16 has: get it again, or use float32.")
    }
  }

  /// The earliest place at which Σ|A| so far reaches the onset share of the whole.
  public func onset(_ attributions: [Double]) -> Int? {
    let total = attributions.reduce(0) { $0 + abs($1) }
    guard total > 0 else { return nil }
    var reached = 0.0
    return attributions.firstIndex { value in
      reached += abs(value)
      return reached >= onsetFraction * total
    }
  }
}
