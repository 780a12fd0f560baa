internal import LanguageModels
internal import Tensors

// Derivatives by several ways: the change of F over a segment, its integral in closed form, and the same
// integral with the engine's autograd; and what a gradient may not be.
//
// For an RMS norm without bias before a linear head, a logit m(z) less its bias is a function of z/ρ with
// ρ² = ‖z‖²/D + ε. It is homogeneous of degree 0 but for ε, so by Euler's identity
//
//     ⟨z, ∂m/∂z⟩ = m · Dε / (‖z‖² + Dε).

extension Verification {
  /// What is tried by differentiating.
  var derivativeChecks: [Check] {
    [
      Check(
        name: "integral", claim: "a segment's integral is the change over it",
        tolerance: .integral
      ) {
        try compared(
          { try shares(.adaptive(tolerance: integralTolerance), $0) },
          { try shares(.observed, $0) })
      },
      Check(
        name: "autograd", claim: "the integral's closed form is autograd's integral",
        tolerance: .quadrature
      ) {
        try compared({ try shares(.gauss(nodes: Self.nodes), $0) }, autograd)
      },
      Check(
        name: "reversal", claim: "a path walked back takes away what it gave",
        tolerance: .quadrature
      ) {
        try compared(
          { try shares(.gauss(nodes: Self.nodes), $0.reversed).reversed().map { -$0 } },
          { try shares(.gauss(nodes: Self.nodes), $0) })
      },
      Check(
        name: "scale", claim: "a logit hardly grows with its state, as the norm says",
        tolerance: .quadrature, measure: scale),
      Check(
        name: "gradient", claim: "a logit has no gradient at later tokens", tolerance: .exact,
        measure: laterGradient),
    ]
  }

  private static let nodes = 16

  /// Some states at the text's last position, from the embedding up, and what is predicted there.
  private struct Path {
    /// [states, width].
    var states: Tensor
    var names: [String]
    var token: Int

    var reversed: Path {
      let order = Array((0..<states.size(0)).reversed())
      return Path(
        states: states.selecting(order, along: 0), names: names.reversed(), token: token)
    }
  }

  private func path() throws -> Path {
    let last = ids.count - 1
    let sites = [.embedding] + someLayers(4).map { Site.residual($0, .after) }
    let run = try model.run([ids], capturing: Set(sites))
    return try withEngineErrors {
      let rows = sites.map {
        run.activations[$0].slice(last..<last + 1, along: 1).reshaped([1, model.shape.width])
      }
      let logits = model.unembedding.logits(run.residual.slice(last..<last + 1, along: 1))
      return Path(
        states: Tensor.concatenating(rows, along: 0), names: sites.map(\.description),
        token: try logits.reshaped([-1]).argmax(along: 0).integers()[0])
    }
  }

  /// The largest difference of two ways to get each segment's share, in shares of the segment or of a
  /// hundredth of all.
  private func compared(
    _ first: (Path) throws -> [Double], _ second: (Path) throws -> [Double]
  ) throws -> Outcome {
    if let noHead { return .none(noHead) }
    let path = try path()
    let (found, expected) = try (first(path), second(path))
    let total = expected.reduce(0) { $0 + abs($1) }
    return worst(
      zip(found, expected).enumerated().map { index, pair in
        let scale = max(abs(pair.1), 0.01 * total)
        return (
          scale == 0 ? abs(pair.0) : abs(pair.0 - pair.1) / scale,
          "\(path.names[index]) to \(path.names[index + 1])"
        )
      })
  }

  private func shares(_ estimator: Estimator, _ path: Path) throws -> [Double] {
    let readout = try withEngineErrors { Readout(model.unembedding) }
    return try IGLens(estimator: estimator, top: 0).explain(
      [.init(token: path.token, path: path.states)], with: readout)[0].attributions
  }

  /// Each segment's Σ w ⟨∇p, Δ⟩ with the model's own head and the engine's gradients.
  private func autograd(_ path: Path) throws -> [Double] {
    let rule = Quadrature.gaussLegendre(Self.nodes)
    let type = model.type
    return try (1..<path.states.size(0)).map { end in
      try withEngineErrors {
        func row(_ index: Int) -> Tensor {
          path.states.slice(index..<index + 1, along: 0).to(.float64)
        }
        let update = row(end) - row(end - 1)
        let shares = Tensor(rule.nodes, [Self.nodes, 1], .float64, on: model.device)
        let nodes = (row(end - 1) + update * shares).to(type)
        return try withRecording(true) {
          let leaf = nodes.requiringGradient()
          let logits = model.unembedding.logits(leaf)
          let probability = logits.softmax(along: -1).selecting([path.token], along: -1)
          let gradient = probability.sum.gradient(withRespectTo: [leaf])[0].to(.float64)
          let slopes = try (gradient * update).sum(along: 1).values()
          return zip(slopes, rule.weights).reduce(0) { $0 + $1.0 * $1.1 }
        }
      }
    }
  }

  private func scale() throws -> Outcome {
    if let noHead { return .none(noHead) }
    let head = model.unembedding
    guard head.transform == nil, head.norm.kind == .rms, head.norm.bias == nil,
      head.softCap == nil
    else { return .none("the head is not linear after an RMS norm without bias") }
    let path = try path()
    return try withEngineErrors {
      let last = path.states.size(0) - 1
      let state = path.states.slice(last..<last + 1, along: 0)
      let width = Double(model.shape.width)
      let square = try (state * state).sum.scalar()
      return try withRecording(true) {
        let leaf = state.requiringGradient()
        let logit = head.logits(leaf).selecting([path.token], along: -1).sum
        let gradient = logit.gradient(withRespectTo: [leaf])[0]
        let bias = try head.bias.map { try $0.selecting([path.token], along: 0).scalar() } ?? 0
        let own = try logit.detached.scalar() - bias
        let grown = try (gradient * state).sum.scalar()
        let epsilon = width * head.norm.epsilon
        return .missed(abs(grown - own * epsilon / (square + epsilon)) / max(abs(own), 1e-30))
      }
    }
  }

  private func laterGradient() throws -> Outcome {
    guard model.isCausal else { return .none("every position sees every other") }
    if let noHead { return .none(noHead) }
    let middle = (ids.count - 1) / 2
    var leaf: Tensor?
    let pass = Pass(sites: [.embedding]) { _, value in
      let made = value.requiringGradient()
      leaf = made
      return made
    }
    return try withRecording(true) {
      let residual = try model.run([ids], pass: pass).residual
      guard let leaf else { return .none("the model shows no embedding") }
      return try withEngineErrors {
        let logits = model.unembedding.logits(residual.slice(middle..<middle + 1, along: 1))
        let highest = try logits.detached.reshaped([-1]).argmax(along: 0).integers()[0]
        let gradient = logits.selecting([highest], along: -1).sum
          .gradient(withRespectTo: [leaf])[0]
        let later = gradient.slice(middle + 1..<ids.count, along: 1)
        return .missed(try later.values().reduce(0) { $1.isNaN ? .nan : max($0, abs($1)) }, nil)
      }
    }
  }
}
