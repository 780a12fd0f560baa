internal import StrictJSON

// Mixtral (Jiang and others 2024): Mistral with a mixture of experts for a feed-forward network, whose
// chosen experts' weights add up to 1.

extension Family {
  /// Mixtral.
  static let mixtral = Family(["mixtral"]) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader, epsilon: 1e-5, base: 1_000_000)
    let shape = layers.shape
    let window = try reader.optionalCount("sliding_window")
    layers.windows = Array(repeating: window, count: shape.layers)
    let experts = try reader.experts(
      "num_local_experts", default: 8, chosen: 2, hidden: shape.hidden)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreRouterTraining()
    reader.ignore(["router_jitter_noise"])
    try reader.finishIgnoringBookkeeping()

    // transformers 5 keeps them under another name.
    let isRenamed = weights.has("model.layers.0.mlp.gate.weight") == true
    let activation = layers.activation
    return try layers.model(weights, tied: tied) { block, layer in
      layers.preNormBlock(
        block, layer,
        feedForward: block.at(isRenamed ? "mlp" : "block_sparse_moe").mixture(
          experts, shape.width, activation, isNormalised: true,
          (gate: "w1", up: "w3", down: "w2")))
    }
  }
}

/// The sizes of a mixture.
struct ExpertCounts {
  var count: Int
  var chosen: Int
  /// The width of an expert.
  var hidden: Int
}

extension ConfigurationReader {
  /// How many experts there are, and how many a token uses.
  func experts(
    _ key: String, default count: Int, chosen: Int, hidden: Int
  ) throws -> ExpertCounts {
    let count = try optionalCount(key) ?? count
    let chosen = try optionalCount("num_experts_per_tok") ?? chosen
    guard count <= 10_000 else {
      throw bad(key, .number(.integer(count)), "at most 10000 experts are expected")
    }
    guard chosen <= count else {
      throw bad(
        "num_experts_per_tok", .number(.integer(chosen)), "there are \(count) experts to choose")
    }
    return ExpertCounts(count: count, chosen: chosen, hidden: hidden)
  }

  /// What only the training of a router reads.
  func ignoreRouterTraining() { ignore(["output_router_logits", "router_aux_loss_coef"]) }
}

extension WeightScope {
  /// A router, `gate`, and the experts: each with weights of its own, or all in one tensor.
  ///
  /// - Parameters:
  ///   - experts: how many, how many of them a token goes to, and their width.
  ///   - width: of the residual stream.
  ///   - activation: of the gate.
  ///   - isNormalised: whether the chosen experts' shares sum to 1.
  ///   - names: of the three maps of an expert that has weights of its own.
  /// - Returns: the mixture.
  func mixture(
    _ experts: ExpertCounts, _ width: Int, _ activation: Activation, isNormalised: Bool,
    _ names: (gate: String, up: String, down: String)
  ) -> MixtureOfExperts {
    let hidden = experts.hidden
    let all = prefix + "experts."
    /// A matrix of an expert.
    func part(_ expert: Int, _ name: String, _ shape: [Int]) -> WeightReader.Part {
      let together = all + name + ".weight"
      let own = "\(all)\(expert).\(name).weight"
      return weights.has(together) == true
        ? .slab(together, shape, expert, of: experts.count, own: own)
        : .init(name: own, shape: shape)
    }
    let isFused = weights.has(all + "gate_up_proj") == true
    return MixtureOfExperts(
      router: linear("gate", experts.count, from: width),
      experts: (0..<experts.count).map { expert in
        let input: [WeightReader.Part] =
          isFused
          ? [.slab(all + "gate_up_proj", [2 * hidden, width], expert, of: experts.count)]
          : [part(expert, names.gate, [hidden, width]), part(expert, names.up, [hidden, width])]
        let output: WeightReader.Part =
          isFused
          ? .slab(all + "down_proj", [width, hidden], expert, of: experts.count)
          : part(expert, names.down, [width, hidden])
        return FeedForward(
          input: .gated(Linear(weight: weights.stacked(input))),
          output: Linear(weight: weights.stacked([output])), activation: activation,
          hidden: hidden)
      }, chosen: experts.chosen, isNormalised: isNormalised)
  }
}

extension GGUFDialect {
  /// Mixtral's experts in a file whose architecture is `llama`; the oldest files have a tensor for
  /// each.
  static let mixtralNames = expertNames(
    "model.layers.#.block_sparse_moe.", gate: "w1", up: "w3", down: "w2")

  /// The names of a mixture.
  static func expertNames(
    _ mixture: String, gate: String, up: String, down: String
  ) -> [Name] {
    [Name(mixture + "gate", "blk.#.ffn_gate_inp")]
      + [(gate, "gate"), (up, "up"), (down, "down")].flatMap { own, file in
        [
          Name(mixture + "experts." + own, "blk.#.ffn_\(file)_exps"),
          Name(mixture + "experts.#." + own, "blk.#.ffn_\(file).#"),
        ]
      }
  }

  /// Llama's members, and Mixtral's where the file has experts.
  static func llamaMembers(
    _ reader: ConfigurationReader, _ file: Context
  ) throws -> [String: JSON] {
    var members = try decoderMembers(reader, file, prefix: "llama.")
    // Files of models without experts may say that they have none.
    let count = reader.value("llama.expert_count")
    let used = reader.value("llama.expert_used_count")
    if let experts = count?.integer, experts > 0 {
      members["model_type"] = .string("mixtral")
      members["num_local_experts"] = count
      members["num_experts_per_tok"] = used
      return members
    }
    return members.merging(file.biasMembers) { own, _ in own }
  }
}
