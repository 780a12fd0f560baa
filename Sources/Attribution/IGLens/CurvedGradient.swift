internal import LanguageModels
package import Tensors

// The path-mean gradient where a head does something nonlinear before its norm, z(h) = U·N(φ(h)) + c: a
// masked-language-model head's dense layer and activation.
//
// A straight segment h(t) = (1 − t) a + t b is then a curve φ(h(t)), and logits along it are no mixture of
// those at its ends. Each node is a row of its own. From φ on the closed form of PathGradient holds at a
// single point,
//
//     ∇_x F = P(γ ∘ Uᵀq) / ρ − s/(d ρ²) · x̄     at x = φ(h(t)),
//
// and the engine's autograd brings it through φ: ∇_h F = φ′(h)ᵀ ∇_x F, ḡ = Σ_t w_t ∇_h F(h(t)).

/// Path-mean gradients of segments seen through a head's transform.
package struct CurvedGradient: SegmentGradient {
  private let readout: Readout
  /// The readout of what φ has made.
  private let behind: Readout
  private let target: Target
  private let questions: [Readout.Question]
  private let segments: [(from: Int, to: Int)]
  /// [rows, width], in the readout's element type.
  private let states: Tensor

  /// The rows of nodes that are read at a time: each holds its logits.
  private static let rowsAtOnce = 64

  /// Prepares the segments between states: [rows, width], with one question per row.
  package init(
    _ segments: [(from: Int, to: Int)], states: Tensor, questions: [Readout.Question],
    target: Target, readout: Readout
  ) {
    self.readout = readout
    behind = readout.behindTransform
    self.target = target
    self.questions = questions
    self.segments = segments
    self.states = states.to(readout.type)
  }

  /// Whether numbers are in double.
  package var isWide: Bool { readout.type == .float64 }

  /// Never: the angle between the ends says nothing of the curve.
  package func isCircular(_ segment: Int) -> Bool { false }

  /// ḡ of some segments with one rule.
  ///
  /// - Throws: `EngineError` when memory runs out.
  /// - Complexity: no model run; chosen × nodes rows through the head and back.
  package func callAsFunction(
    _ chosen: [Int], _ rule: Quadrature, circular: Bool
  ) throws -> Tensor {
    let nodes = chosen.flatMap { segment in rule.nodes.map { (segment: segment, t: $0) } }
    var rows: [Tensor] = []
    for start in stride(from: 0, to: nodes.count, by: Self.rowsAtOnce) {
      rows.append(try at(Array(nodes[start..<min(nodes.count, start + Self.rowsAtOnce)])))
    }
    let width = states.size(1)
    guard !rows.isEmpty else { return Tensor(repeating: 0, [0, width], .float64) }
    let weights = Tensor(rule.weights, [1, rule.weights.count, 1], .float64)
    return
      (Tensor.concatenating(rows, along: 0).reshaped([chosen.count, -1, width]) * weights)
      .sum(along: 1)
  }

  /// The same, with how far a coarser rule's is from it.
  package func gradients(
    _ chosen: [Int], _ rule: Quadrature, comparedWith coarse: Quadrature?, circular: Bool
  ) throws -> (values: Tensor, drifts: [Double]) {
    let values = try self(chosen, rule, circular: circular)
    guard let coarse else { return (values, Array(repeating: 0, count: chosen.count)) }
    let moved = try values - self(chosen, coarse, circular: circular)
    return (values, try (moved * moved).sum(along: 1).values().map { $0.squareRoot() })
  }

  /// ∇F at some nodes: [nodes, width], float64.
  private func at(_ nodes: [(segment: Int, t: Double)]) throws -> Tensor {
    func ends(_ end: (Int) -> Int, _ share: (Double) -> Double) -> Tensor {
      states.selecting(nodes.map { end($0.segment) }, along: 0)
        * Tensor(nodes.map { share($0.t) }, [nodes.count, 1], readout.type, on: states.device)
    }
    let here = ends({ segments[$0].from }, { 1 - $0 }) + ends({ segments[$0].to }, { $0 })
    // The model's own rows stand behind the nodes, for targets that compare with them.
    let own = Array(Set(nodes.map { questions[segments[$0.segment].to].model })).sorted()
    let place = Dictionary(
      uniqueKeysWithValues: zip(own, own.indices.map { nodes.count + $0 }))
    let asked = nodes.map { node in
      var question = questions[segments[node.segment].to]
      question.model = place[question.model] ?? 0
      return question
    }
    let rest = own.enumerated().map { index, row in
      Readout.Question(
        token: questions[row].token, versus: questions[row].versus, model: nodes.count + index)
    }
    let seen = readout.transformed(
      Tensor.concatenating([here, states.selecting(own, along: 0)], along: 0))
    let points = nodes.indices.map { (from: $0, to: $0) }
    let reading = try behind.read(seen, asked + rest, target, top: 0, holding: true)
    let gradient = try PathGradient(
      points, states: seen, questions: asked + rest, reading: reading, target: target,
      readout: behind)
    let slopes = gradient(
      Array(points.indices), Quadrature(nodes: [0], weights: [1]), circular: false)
    return withRecording(true) {
      let leaf = here.requiringGradient()
      let met = (readout.transformed(leaf) * slopes.to(readout.type, on: here.device)).sum
      return met.gradient(withRespectTo: [leaf])[0].to(.float64, on: .cpu)
    }
  }
}
