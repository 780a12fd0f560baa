internal import Foundation
internal import LanguageModels
internal import Results
internal import Tensors

// Sums that must meet their wholes: of a block's parts, of a prediction's, of a logit's.

extension Verification {
  /// What is tried by adding up.
  var sumChecks: [Check] {
    [
      Check(
        name: "updates", claim: "a block's update is the sum of its branches", tolerance: .sum,
        measure: updates),
      Check(
        name: "heads", claim: "what attention adds is the sum over its heads", tolerance: .sum
      ) {
        try branch(\.attention, .attention(0, .heads), .attention(0, .output), "heads")
      },
      Check(
        name: "neurons", claim: "a network adds the sum over its neurons or experts",
        tolerance: .sum
      ) {
        let experts = try self.experts()
        if let experts { return experts }
        return try branch(
          \.feedForward, .feedForward(0, .hidden), .feedForward(0, .output), "neurons")
      },
      Check(
        name: "read-out", claim: "the last state is read as the model's own probability",
        tolerance: .probability, measure: readOut),
      Check(
        name: "probabilities", claim: "every layer's probability lies in [0, 1]",
        tolerance: .exact, measure: probabilities),
      Check(
        name: "layers", claim: "baseline and layers add up to the probability",
        tolerance: .probability
      ) {
        try explained(.layer) { .missed(abs($0.certificate)) }
      },
      tree("branches", "a layer's parts add up to the layer", .block) { $0.residual ?? 0 },
      tree("tree", "heads, neurons and source tokens add up to their branch", .token) { layer in
        (layer.parts ?? []).map(\.worst).max() ?? 0
      },
      Check(
        name: "logit", claim: "what every part wrote adds up to the logit",
        tolerance: Tolerance(single: 1e-5, double: 1e-12, brief: 0.05), measure: logit),
    ]
  }

  // MARK: In the stream

  /// r_after from the branches by the block's own wiring.
  private func updates() throws -> Outcome {
    let wanted = model.sites.filter { site in
      switch site {
      case .residual(_, .before), .residual(_, .after), .attention(_, .output),
        .feedForward(_, .output):
        true
      default: false
      }
    }
    let run = try model.run([ids], capturing: wanted)
    func rows(_ site: Site) -> Tensor {
      run.activations[site].reshaped([ids.count, model.shape.width])
    }
    var measures: [(Double, String)] = []
    for layer in 0..<layers {
      let (before, after) = (Site.residual(layer, .before), Site.residual(layer, .after))
      let (attention, fed) = (Site.attention(layer, .output), Site.feedForward(layer, .output))
      guard case .branches(let branches)? = model.rule(of: layer),
        wanted.isSuperset(of: [before, attention, fed, after])
      else { continue }
      let made = try withEngineErrors { () -> Tensor in
        let between = rows(before) + rows(attention)
        guard let norms = branches.norms else { return between + rows(fed) }
        return norms.feedForward(norms.attention(between) + rows(fed))
      }
      measures.append((try made.distance(from: rows(after)), after.description))
    }
    guard !measures.isEmpty else { return .none("no block has a rule that splits it") }
    return worst(measures)
  }

  /// What a branch adds, from what enters its projection.
  private func branch(
    _ path: (BlockBranches) -> Branch?, _ entering: Site, _ leaving: Site, _ name: String
  ) throws -> Outcome {
    let wanted = model.sites.filter { [entering, leaving].contains($0.at(0)) }
    let run = try model.run([ids], capturing: wanted)
    var measures: [(Double, String)] = []
    for layer in 0..<layers {
      let (input, output) = (entering.at(layer), leaving.at(layer))
      guard case .branches(let branches)? = model.rule(of: layer), let branch = path(branches),
        wanted.isSuperset(of: [input, output])
      else { continue }
      let made = try withEngineErrors { () -> Tensor in
        let projected = branch.output(run.activations[input].reshaped([ids.count, -1]))
        return branch.norm?(projected) ?? projected
      }
      let expected = run.activations[output].reshaped([ids.count, model.shape.width])
      measures.append((try made.distance(from: expected), output.description))
    }
    guard !measures.isEmpty else { return .none("no block shows its \(name)") }
    return worst(measures)
  }

  /// What a mixture adds, from what its experts add; nil where there is no mixture.
  private func experts() throws -> Outcome? {
    let mixtures = (0..<layers).filter {
      model.sites.isSuperset(of: [.feedForward($0, .experts), .feedForward($0, .output)])
    }
    guard !mixtures.isEmpty else { return nil }
    // Of the experts only their sums are kept: all of them at once may be larger than the model.
    var sums: [Site: Tensor] = [:]
    let pass = Pass(sites: Set(mixtures.map { .feedForward($0, .experts) })) { site, value in
      sums[site] = value.sum(along: 2)
      return value
    }
    let outputs = mixtures.map { Site.feedForward($0, .output) }
    let run = try model.run([ids], capturing: Set(outputs), pass: pass)
    return worst(
      try zip(mixtures, outputs).compactMap { layer, output in
        guard let made = sums[.feedForward(layer, .experts)] else { return nil }
        let distance = try made.distance(from: run.activations[output])
        return (distance, output.description)
      })
  }

  // MARK: Of a prediction

  /// The prediction at the text's last position.
  func explained(
    _ depth: Depth, _ change: (inout Explainer.Options) -> Void = { _ in },
    _ measure: (Explanation) -> Outcome
  ) throws -> Outcome {
    if let noHead { return .none(noHead) }
    if depth != .layer, let noRule { return .none(noRule) }
    var options = Explainer.Options()
    options.continuation = .positions([ids.count - 1])
    options.depth = min(depth, deepest)
    options.rule = .certified(tolerance: integralTolerance)
    change(&options)
    let result = try Explainer(loaded).explain(text, options)
    guard let explanation = result.explanations.first else { return .none("nothing is predicted") }
    return measure(explanation)
  }

  /// Down to where the model's parts go: a model of mixers has no heads.
  private var deepest: Depth { model.hasHeads ? .token : .block }

  /// Why predictions cannot be split, where a block has no rule.
  private var noRule: String? {
    (0..<layers).first { model.rule(of: $0) == nil }.map {
      "block \($0) has no rule that splits it"
    }
  }

  /// How exact integrals are asked to be; what is measured is allowed ten times as much.
  var integralTolerance: Double { model.type == .float64 ? 1e-7 : 1e-4 }

  /// The largest miss of a layer's parts, in shares of Σ|A|.
  private func tree(
    _ name: String, _ claim: String, _ depth: Depth,
    _ miss: @escaping (LayerAttribution) -> Double
  ) -> Check {
    Check(name: name, claim: claim, tolerance: .integral) {
      try explained(depth) {
        if depth == .token { $0.neurons = .all }
      } _: { explanation in
        let layers = explanation.attributions
        let total = layers.reduce(0) { $0 + abs($1.value) }
        return worst(layers.map { (abs(miss($0)) / total, "layer \($0.layer)") })
      }
    }
  }

  private func probabilities() throws -> Outcome {
    try explained(.layer) { explanation in
      worst(
        explanation.attributions.map {
          (max(0, -$0.lens, $0.lens - 1), "layer \($0.layer)")
        })
    }
  }

  /// The readout's probability and its partition function against plain sums over the model's logits.
  private func readOut() throws -> Outcome {
    if let noHead { return .none(noHead) }
    let positions = Array(Set([0, ids.count / 2, ids.count - 1])).sorted()
    let run = try model.run([ids])
    let rows = try withEngineErrors {
      run.residual.selecting(positions, along: 1).reshaped([positions.count, model.shape.width])
    }
    let vocabulary = model.shape.vocabulary
    let logits = try withEngineErrors { try model.unembedding.logits(rows).values() }
    let own = positions.indices.map { row in
      OrdinaryReading(
        logits[row * vocabulary..<(row + 1) * vocabulary], next: nil, versus: nil)
    }
    let readout = try withEngineErrors { Readout(model.unembedding) }
    let read = try withEngineErrors {
      try readout.read(
        rows,
        own.enumerated().map { .init(token: $1.token, versus: nil, model: $0) }, .probability,
        top: 0)
    }
    return worst(
      positions.indices.map { row in
        let found = Target.probability.value(read.rows[row], modelEntropy: 0)
        return (
          abs(found - Target.probability.value(own[row])), "position \(positions[row])"
        )
      })
  }

  private func logit() throws -> Outcome {
    if let noHead { return .none(noHead) }
    if model.unembedding.transform != nil {
      return .none("the head has a nonlinear layer before its norm")
    }
    if let noRule { return .none(noRule) }
    var options = Explainer.Options()
    options.continuation = .positions([ids.count - 1])
    options.depth = min(.head, deepest)
    let result = try Explainer(loaded).directLogits(text, options)
    guard let explanation = result.explanations.first else { return .none("nothing is predicted") }
    let scale = explanation.parts.reduce(1) { $0 + abs($1.value) }
    return .missed(abs(explanation.certificate) / scale, nil)
  }
}

extension AttributionNode {
  /// The largest |residual| of the node and all that it is made of.
  fileprivate var worst: Double {
    (children ?? []).reduce(abs(residual)) { max($0, $1.worst) }
  }
}
