internal import StrictJSON

// Qwen 1.5 MoE, Qwen 2 MoE and Qwen 3 MoE (Yang and others 2024, 2025): Qwen with a mixture of experts
// for a feed-forward network, in every `decoder_sparse_step`-th layer but those of `mlp_only_layers`.
// The older ones have one expert more, which all tokens use through a gate of its own.

extension Family {
  /// Qwen with experts.
  static let qwenMoE = Family(
    ["qwen2_moe", "qwen3_moe"],
    gguf: [
      GGUFDialect(
        architecture: "qwen2moe", modelType: "qwen2_moe", names: qwenMoENames
      ) { try qwenMoEMembers($0, $1, prefix: "qwen2moe.") },
      GGUFDialect(
        architecture: "qwen3moe", modelType: "qwen3_moe", names: qwenMoENames
      ) { try qwenMoEMembers($0, $1, prefix: "qwen3moe.") },
    ]
  ) { architecture, reader, weights in
    let isThird = architecture == "qwen3_moe"
    var layers = try GatedLayers(architecture, reader)
    let shape = layers.shape
    let uses = try reader.flag("use_sliding_window") ?? false
    let window = try reader.slidingWindow()
    if isThird {
      let bias = try reader.flag("attention_bias") ?? false
      layers.inputBias = bias
      layers.outputBias = bias
      layers.headNorms = .head
      layers.windows = Array(repeating: uses ? window : nil, count: shape.layers)
      reader.ignore(["max_window_layers"])
    } else {
      layers.inputBias = try reader.flag("qkv_bias") ?? true
      let full = try reader.optionalCount("max_window_layers") ?? 28
      layers.windows = try reader.windows(uses ? window : nil, layers: shape.layers) {
        $0 % 2 == 0 && $0 < full
      }
    }
    // transformers 5 saves the number under the name that it has in Mixtral.
    let experts = try reader.experts(
      reader.has("num_local_experts") ? "num_local_experts" : "num_experts",
      default: isThird ? 128 : 60, chosen: isThird ? 8 : 4,
      hidden: try reader.optionalCount("moe_intermediate_size") ?? (isThird ? 768 : 1408))
    let shared = isThird ? nil : try reader.optionalCount("shared_expert_intermediate_size") ?? 5632
    let isNormalised = try reader.flag("norm_topk_prob") ?? false
    let sparse = try reader.sparseLayers(shape.layers)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreRouterTraining()
    try reader.finishIgnoringBookkeeping()

    let activation = layers.activation
    return try layers.model(weights, tied: tied) { block, layer in
      guard sparse[layer] else { return layers.preNormBlock(block, layer) }
      let own = block.at("mlp")
      var mixture = own.mixture(
        experts, shape.width, activation, isNormalised: isNormalised,
        (gate: "gate_proj", up: "up_proj", down: "down_proj"))
      if let shared {
        mixture.shared = MixtureOfExperts.Shared(
          expert: own.at("shared_expert").gatedNetwork(shared, shape.width, activation),
          gate: own.linear("shared_expert_gate", 1, from: shape.width))
      }
      return layers.preNormBlock(block, layer, feedForward: mixture)
    }
  }

  private static let qwenMoENames: [GGUFDialect.Name] = {
    let network = "model.layers.#.mlp."
    return GGUFDialect.llamaNames(interleaved: false)
      + GGUFDialect.expertNames(network, gate: "gate_proj", up: "up_proj", down: "down_proj")
      + GGUFDialect.headNormNames() + [
        .init(network + "shared_expert_gate", "blk.#.ffn_gate_inp_shexp"),
        .init(network + "shared_expert.gate_proj", "blk.#.ffn_gate_shexp"),
        .init(network + "shared_expert.up_proj", "blk.#.ffn_up_shexp"),
        .init(network + "shared_expert.down_proj", "blk.#.ffn_down_shexp"),
      ]
  }()

  /// Metadata do not say whether weights are normalised: Qwen 3's are, its predecessors' are not.
  private static func qwenMoEMembers(
    _ reader: ConfigurationReader, _ file: GGUFDialect.Context, prefix: String
  ) throws -> [String: JSON] {
    var members = try GGUFDialect.decoderMembers(reader, file, prefix: prefix)
    let isThird = prefix == "qwen3moe."
    let chosen = try reader.count(prefix + "expert_used_count")
    let hidden = members["intermediate_size"]?.integer ?? 0
    members["num_experts"] = .number(.integer(try reader.count(prefix + "expert_count")))
    members["num_experts_per_tok"] = .number(.integer(chosen))
    members["moe_intermediate_size"] = .number(
      .integer(
        try reader.optionalCount(prefix + "expert_feed_forward_length") ?? hidden / chosen))
    members["norm_topk_prob"] = .boolean(isThird)
    let shared = try reader.optionalCount(prefix + "expert_shared_feed_forward_length") ?? hidden
    if !isThird { members["shared_expert_intermediate_size"] = .number(.integer(shared)) }
    members["mlp_only_layers"] = .array(
      (0..<(members["num_hidden_layers"]?.integer ?? 0))
        .filter { !file.has("blk.\($0).ffn_gate_inp.weight") }
        .map { .number(.integer($0)) })
    return members
  }
}

extension ConfigurationReader {
  /// Which layers have a mixture.
  fileprivate func sparseLayers(_ layers: Int) throws -> [Bool] {
    let step = try optionalCount("decoder_sparse_step") ?? 1
    var sparse = (0..<layers).map { ($0 + 1) % step == 0 }
    if let value = value("mlp_only_layers") {
      let plain = value.array?.map { $0.integer ?? -1 } ?? [-1]
      guard plain.allSatisfy({ $0 >= 0 }) else {
        throw bad("mlp_only_layers", value, "a list of layer numbers is expected")
      }
      for layer in plain where layer < layers { sparse[layer] = false }
    }
    return sparse
  }
}
