internal import Telescope

/// A method of `telescope attribute` by its name: what it scores, and which options it takes.
struct AttributeMethod: Sendable {
  let name: String
  /// What it shows where `--units` does not say.
  let levels: [AttributionLevel]
  /// What it can show.
  let allowed: [AttributionLevel]
  /// Options of its own.
  let options: Set<String>
  /// Whether it compares the text with nothing, so that a contrast would change no score.
  var lacksStart: Bool {
    lacksMetric || ["saliency", "smoothgrad", "gradient-x-input", "occlusion"].contains(name)
  }
  /// Whether it follows attention alone, whatever is predicted.
  var lacksMetric: Bool {
    ["rollout", "attention-flow", "attention-norms", "information-flow"].contains(name)
  }
  /// One line of help.
  let says: String
  /// The method that options make.
  let make: @Sendable (AttributeChoices) throws -> any AttributionSource

  /// Over heads they sum to attention, over neurons to the network.
  private static let units: [AttributionLevel] = [.units(.head), .units(.neuron)]
  private static let shares: [AttributionLevel] = [.tokens, .units(.residual)]
  private static let path: Set<String> = ["--baseline", "--hold", "--steps", "--quadrature"]

  /// All, as help lists them.
  static let all: [AttributeMethod] = [
    AttributeMethod(
      name: "saliency", levels: [.tokens], allowed: AttributionLevel.all, options: [],
      says: "the length of the gradient"
    ) { _ in Saliency() },
    AttributeMethod(
      name: "smoothgrad", levels: [.tokens], allowed: AttributionLevel.all,
      options: ["--samples", "--noise", "--seed"], says: "the same, averaged over noise"
    ) { choices in
      Saliency(
        noise: .init(
          share: choices.noise ?? 0.15, samples: choices.samples ?? 20, seed: choices.seed))
    },
    AttributeMethod(
      name: "gradient-x-input", levels: [.tokens], allowed: [.tokens], options: [],
      says: "gradient times embedding"
    ) { _ in AttributionPatching(at: .clean, .gradient, name: "gradient-x-input") },
    AttributeMethod(
      name: "ig", levels: [.tokens], allowed: [.tokens], options: path.union(["--tol"]),
      says: "integrated gradients"
    ) { choices in IntegratedGradients(try choices.rule(or: .adaptive(tolerance: 1e-3))) },
    AttributeMethod(
      name: "expected-gradients", levels: [.tokens], allowed: [.tokens],
      options: ["--baseline", "--hold", "--samples", "--seed"],
      says: "the same at random places of the path"
    ) { choices in
      IntegratedGradients(.random(choices.samples ?? 50, seed: choices.seed))
    },
    AttributeMethod(
      name: "idgi", levels: [.tokens], allowed: [.tokens],
      options: ["--baseline", "--hold", "--steps"],
      says: "each step's change, shared out by squared gradients"
    ) { choices in IDGI(steps: choices.steps ?? 20) },
    AttributeMethod(
      name: "dig", levels: [.tokens], allowed: [.tokens],
      options: ["--baseline", "--hold", "--steps", "--neighbours"],
      says: "integrated gradients by way of real words"
    ) { choices in
      DiscretizedIG(steps: choices.steps ?? 30, neighbours: choices.neighbours ?? 500)
    },
    AttributeMethod(
      name: "sequential-ig", levels: [.tokens], allowed: [.tokens], options: path,
      says: "integrated gradients of one token at a time"
    ) { choices in SequentialIG(try choices.rule(or: .gaussLegendre(20))) },
    AttributeMethod(
      name: "relp", levels: [.tokens] + units, allowed: AttributionLevel.all,
      options: ["--rules", "--at"], says: "value times coefficient, nonlinearities held (RelP)"
    ) { choices in RelevancePropagation(choices.rules ?? .relp, at: choices.point ?? .clean) },
    AttributeMethod(
      name: "atp", levels: units, allowed: AttributionLevel.all, options: ["--at"],
      says: "attribution patching: change times gradient"
    ) { choices in AttributionPatching(at: choices.point ?? .clean) },
    AttributeMethod(
      name: "eap-ig", levels: units, allowed: AttributionLevel.all, options: path,
      says: "gradients averaged along the input's path, times the whole change"
    ) { choices in IntegratedGradients(try choices.rule(or: .midpoint(10)), name: "eap-ig") },
    AttributeMethod(
      name: "clean-corrupted", levels: units, allowed: AttributionLevel.all,
      options: ["--baseline", "--hold"], says: "the same with the gradients of both ends"
    ) { _ in IntegratedGradients(.trapezoid(1), name: "clean-corrupted") },
    AttributeMethod(
      name: "conductance", levels: [.units(.residual)] + units, allowed: AttributionLevel.all,
      options: path, says: "what of the change passes through a value, all layers at once"
    ) { choices in Conductance(try choices.rule(or: .trapezoid(20))) },
    AttributeMethod(
      name: "neuron-conductance", levels: [.tokens], allowed: [.tokens],
      options: path.union(["--neuron"]), says: "what passes through one neuron, by token"
    ) { choices in
      guard let neuron = choices.neuron else {
        throw CommandError(
          .usage, "neuron-conductance is of one neuron; name it by --neuron LAYER.NEURON@POSITION.")
      }
      return NeuronConductance(
        .feedForward(neuron.layer, .hidden), position: neuron.position, unit: neuron.unit,
        try choices.rule(or: .gaussLegendre(20)))
    },
    AttributeMethod(
      name: "internal-influence", levels: units, allowed: AttributionLevel.all, options: path,
      says: "the mean gradient along the path"
    ) { choices in InternalInfluence(try choices.rule(or: .gaussLegendre(20))) },
    AttributeMethod(
      name: "ig-activations", levels: [.units(.neuron)], allowed: AttributionLevel.all,
      options: ["--steps", "--quadrature", "--tol", "--scope"],
      says: "integrated gradients of a layer's values"
    ) { choices in
      ActivationIG(try choices.rule(or: .gaussLegendre(10)), scope: choices.scope ?? .layer)
    },
    AttributeMethod(
      name: "occlusion", levels: [.tokens], allowed: [.tokens], options: ["--baseline"],
      says: "what the metric loses without each token"
    ) { choices in
      switch choices.start {
      case .mean: Occlusion(.mean)
      case .token(let token): Occlusion(.token(token))
      case .zero, .contrast: Occlusion(.zero)
      }
    },
    AttributeMethod(
      name: "rollout", levels: shares, allowed: shares, options: [],
      says: "attention shares multiplied through the layers"
    ) { _ in AttentionRollout() },
    AttributeMethod(
      name: "attention-flow", levels: [.tokens], allowed: [.tokens], options: [],
      says: "the largest flow of attention from each token"
    ) { _ in AttentionFlow() },
    AttributeMethod(
      name: "attention-norms", levels: [.units(.attention)], allowed: [.units(.attention)],
      options: ["--norms"], says: "how long what attention moves is"
    ) { choices in AttentionNorms(choices.norms ?? .block) },
    AttributeMethod(
      name: "information-flow", levels: shares, allowed: shares, options: ["--threshold"],
      says: "routes along the most important edges"
    ) { choices in
      choices.threshold.map(InformationFlowRoutes.init) ?? InformationFlowRoutes()
    },
  ]
}

/// The values of a method's own options.
struct AttributeChoices {
  var steps: Int?
  var tolerance: Double?
  var quadrature: String?
  var samples: Int?
  var noise: Double?
  var seed = 0
  var neighbours: Int?
  var rules: BackwardRules?
  var point: LinearisationPoint?
  var scope: ActivationIG.Scope?
  var norms: AttentionNorms.Kind?
  var threshold: Double?
  /// Where paths start; of occlusion, what stands in a token's place.
  var start = GradientSetting.Start.zero
  var neuron: (layer: Int, unit: Int, position: Int)?

  static let quadratures = ["left", "right", "midpoint", "trapezoid", "gauss-legendre"]

  /// The path rule, or the method's own.
  func rule(or usual: PathRule) throws -> PathRule {
    if let tolerance {
      if steps != nil || quadrature != nil {
        throw CommandError(
          .usage, "--tol finds the nodes, and --steps and --quadrature fix them; give one.")
      }
      return .adaptive(tolerance: tolerance)
    }
    guard steps != nil || quadrature != nil else { return usual }
    let count = steps ?? usual.steps ?? 20
    return switch quadrature ?? (usual.steps == nil ? "gauss-legendre" : usual.name) {
    case "left": .left(count)
    case "right": .right(count)
    case "midpoint": .midpoint(count)
    case "trapezoid": .trapezoid(count)
    default: .gaussLegendre(count)
    }
  }
}
