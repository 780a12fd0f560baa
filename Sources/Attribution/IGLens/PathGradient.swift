internal import LanguageModels
package import Tensors

// The path-mean gradient of a segment, in closed form.
//
// On h(t) = (1 − t) a + t b, with q = ∂F/∂l the target's gradient with respect to the logits,
// γ the final norm's weight, s(t) = q·(l − c′), and P the identity for RMSNorm or the projection
// x − mean(x) for LayerNorm,
//
//     ∇F(h(t)) = P(γ ∘ Uᵀq) / ρ − s/(d ρ²) · h̄(t)
//     ḡ = ∫₀¹ ∇F(h(t)) dt = P(γ ∘ Uᵀ Q) − Σ_t w_t s_t/(d ρ_t²) h̄(t),    Q = Σ_t w_t q_t / ρ_t.
//
// So all nodes cost passes over vocabulary-long vectors, and one product with Uᵀ a segment. A part Δ
// of the segment's update then scores ⟨ḡ, Δ⟩, and the scores of all parts sum to F(b) − F(a).

/// Path-mean gradients of segments between the rows of one sweep.
package struct PathGradient: SegmentGradient {
  private let readout: Readout
  private let target: Target
  private let questions: [Readout.Question]
  private let rows: [SoftmaxRows.Reading]
  private let held: Readout.HeldLogits
  private let geometry: [Segment]
  private let segments: [(from: Int, to: Int)]
  /// h̄ of every row: [rows, width], float64.
  private let centred: Tensor
  /// ‖h̄‖ of every row.
  private let lengths: [Double]

  /// Prepares the segments between rows that were read and held.
  ///
  /// - Parameters:
  ///   - segments: pairs of rows.
  ///   - states: the rows: [rows, width].
  ///   - questions: one per row.
  ///   - reading: what was read of them, with their logits held.
  ///   - target: F.
  ///   - readout: the readout that read them.
  /// - Throws: `EngineError` when memory runs out.
  package init(
    _ segments: [(from: Int, to: Int)], states: Tensor, questions: [Readout.Question],
    reading: Readout.Reading, target: Target, readout: Readout
  ) throws {
    guard let held = reading.held else { preconditionFailure("the rows' logits were not held") }
    self.readout = readout
    self.target = target
    self.questions = questions
    self.segments = segments
    self.held = held
    rows = reading.rows
    let wide = states.to(.float64, on: .cpu)
    centred =
      readout.norm.kind == .layer
      ? wide - wide.mean(along: 1, keepingDimension: true) : wide
    lengths = try (centred * centred).sum(along: 1).values().map { $0.squareRoot() }
    let values = try wide.values()
    let width = states.size(1)
    geometry = segments.map { ends in
      Segment(
        values[ends.from * width..<(ends.from + 1) * width],
        values[ends.to * width..<(ends.to + 1) * width], readout.norm)
    }
  }

  /// Whether logits are in double.
  package var isWide: Bool { readout.type == .float64 }

  /// Whether nodes can be placed by angle: the ends are neither parallel nor opposed.
  package func isCircular(_ segment: Int) -> Bool {
    geometry[segment].node(0.5, circular: true) != nil
  }

  /// ḡ of some segments with one rule.
  ///
  /// - Parameters:
  ///   - chosen: indices of segments.
  ///   - rule: where on each segment gradients are taken.
  ///   - circular: whether nodes are placed in the angle between the ends.
  /// - Returns: [chosen, width], float64.
  /// - Complexity: no model run; 2 × chosen × nodes × vocabulary exponentials, and chosen × width ×
  ///   vocabulary multiplications.
  package func callAsFunction(_ chosen: [Int], _ rule: Quadrature, circular: Bool) -> Tensor {
    gradients(chosen, rule, comparedWith: nil, circular: circular).values
  }

  /// The same, with a bound on ‖ḡ − ḡ_coarse‖ for a coarser rule, which costs no product with Uᵀ.
  package func gradients(
    _ chosen: [Int], _ rule: Quadrature, comparedWith coarse: Quadrature?, circular: Bool
  ) -> (values: Tensor, drifts: [Double]) {
    let coarseCount = coarse?.nodes.count ?? 0
    let places = (coarse?.nodes ?? []) + rule.nodes
    let weights = (coarse?.weights ?? []) + rule.weights
    let nodes = chosen.map { segment in
      places.map { geometry[segment].node($0, circular: circular) }
    }
    let points = readout.points(
      zip(chosen, nodes).map { segment, nodes in
        let (from, to) = segments[segment]
        let question = questions[to]
        return .init(
          from: from, to: to, target: question.token, versus: question.versus,
          model: question.model, points: nodes.map { $0?.mixture ?? .nothing })
      }, target, of: held)

    let width = Double(centred.size(1))
    // Weights of h̄_a and h̄_b in the second term, of either rule.
    var pulls: [[(start: Double, end: Double)]] = []
    let gradients = zip(chosen, zip(nodes, points)).map { segment, at in
      let (from, to) = segments[segment]
      let question = questions[to]
      var pull = [(start: 0.0, end: 0.0), (start: 0.0, end: 0.0)]
      let seeds = zip(weights, zip(at.0, at.1)).enumerated().map {
        index, place -> SoftmaxGradients.Point in
        let (weight, (node, point)) = place
        guard let node else {
          return .init(alpha: 0, beta: 0, logPartition: point.logPartition)
        }
        let share = weight * node.stretch
        let strength = share * target.slope(point) / (width * node.scale * node.scale)
        let which = index < coarseCount ? 1 : 0
        pull[which].start += strength * (1 - node.t)
        pull[which].end += strength * node.t
        return target.seed(point, node.mixture, weight: share / node.scale)
      }
      pulls.append(pull)
      return SoftmaxGradients.Segment(
        from: from, to: to, target: question.token, versus: question.versus,
        model: target.needsModel
          ? (question.model, rows[question.model].logPartition) : nil,
        points: seeds)
    }
    var (pulled, drifts) = readout.pullBack(gradients, coarse: coarseCount, of: held)
    if readout.norm.kind == .layer {
      pulled = pulled - pulled.mean(along: 1, keepingDimension: true)
    }
    func weighted(_ weights: [Double], _ end: (Int) -> Int) -> Tensor {
      centred.selecting(chosen.map(end), along: 0) * Tensor(weights, [chosen.count, 1], .float64)
    }
    let values =
      pulled - weighted(pulls.map { $0[0].start }) { segments[$0].from }
      - weighted(pulls.map { $0[0].end }) { segments[$0].to }
    for (row, segment) in chosen.enumerated() where coarseCount > 0 {
      let (fine, rough) = (pulls[row][0], pulls[row][1])
      drifts[row] +=
        abs(fine.start - rough.start) * lengths[segments[segment].from]
        + abs(fine.end - rough.end) * lengths[segments[segment].to]
    }
    return (values, drifts)
  }
}

extension SoftmaxPoints.Mixture {
  /// A point that is nowhere, in place of one that has no digits.
  fileprivate static var nothing: Self { .init(alpha: 0, beta: 0, alphaSlope: 0, betaSlope: 0) }
}
