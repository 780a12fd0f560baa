internal import StrictJSON
internal import Tensors

// Encoders in T5's layout (Raffel and others 2020): pre-norm blocks with RMS norms and no biases, scores
// that are not scaled but get a number by distance, from one table for all blocks,
//
//     x ← x + attention(N₁(x));   x ← x + feedForward(N₂(x))
//
// Switch Transformers (Fedus and others 2022) have a mixture of experts in some of the blocks. A token
// goes to the one expert that its router thinks most probable, whose result is multiplied by that
// probability. In training an expert took a limited number of a text's tokens (`expert_capacity`). The
// reference implementation (transformers 5) counts each token by itself, so that none is ever turned
// away, and a token's result does not depend on how many others want its expert; Telescope does the same.
//
// Both are encoder–decoders: the encoder is run, and the decoder's weights are not read.

extension Family {
  /// The encoder of Switch Transformers.
  static let switchTransformers = Family(["switch_transformers"]) { architecture, reader, weights in
    var layers = try RelativeLayers(architecture, reader)
    layers.activation = try reader.activation("dense_act_fn", default: "relu")
    let experts = try reader.count("num_experts")
    let routerBias = try reader.flag("router_bias") ?? false
    let sparse = try reader.sparseLayers(layers.shape.layers)
    reader.ignore([
      "expert_capacity", "router_dtype", "router_ignore_padding_tokens", "router_jitter_noise",
      "router_z_loss_coef", "router_aux_loss_coef", "router_type", "batch_prioritized_routing",
      "add_router_probs", "num_sparse_decoder_layers", "decoder_sparse_step", "is_gated_act",
      "feed_forward_proj",
    ])
    try reader.finish()

    return try layers.model(weights) { block, layer in
      let network = block.at("layer.1.mlp")
      guard sparse[layer] else { return layers.network(network) }
      return MixtureOfExperts(
        router: network.linear(
          "router.classifier", experts, from: layers.shape.width, bias: routerBias),
        experts: (0..<experts).map { layers.network(network.at("experts.expert_\($0)")) },
        chosen: 1, isNormalised: false)
    }
  }

  /// The encoder of T5.
  static let t5 = Family(["t5"]) { architecture, reader, weights in
    var layers = try RelativeLayers(architecture, reader)
    let kind = try reader.string("feed_forward_proj") ?? "relu"
    layers.isGated = kind.hasPrefix("gated-")
    // The one configuration that calls the approximation by the exact function's name.
    let name = kind == "gated-gelu" ? "gelu_new" : kind.trimmed("gated-")
    guard let activation = Activation(named: name) else {
      throw reader.bad(
        "feed_forward_proj", .string(kind),
        "Telescope computes silu, relu, gelu and tanh, and each after 'gated-'")
    }
    layers.activation = activation
    reader.ignore(["dense_act_fn", "is_gated_act", "scale_decoder_outputs"])
    try reader.finish()

    return try layers.model(weights) { block, _ in
      layers.network(block.at("layer.1.DenseReluDense"))
    }
  }
}

/// Blocks in T5's layout, and the values by which families in it differ.
private struct RelativeLayers {
  var shape: ModelShape
  var epsilon: Double
  var buckets: Int
  /// The distance from which all share a bucket.
  var farthest: Int
  var activation = Activation.relu
  var isGated = false

  /// Reads the keys that both families have.
  init(_ architecture: String, _ reader: ConfigurationReader) throws {
    let width = try reader.count("d_model")
    let heads = try reader.count("num_heads")
    shape = ModelShape(
      architecture: architecture, layers: try reader.layerCount("num_layers"), width: width,
      heads: heads, keyValueHeads: heads, headWidth: try reader.count("d_kv"),
      hidden: try reader.count("d_ff"), vocabulary: try reader.count("vocab_size"),
      // Distances have no end; this is how long the texts were that published models learned from.
      contextLength: try reader.optionalCount("n_positions") ?? 512)
    epsilon = try reader.optionalNumber("layer_norm_epsilon") ?? 1e-6
    buckets = try reader.optionalCount("relative_attention_num_buckets") ?? 32
    farthest = try reader.optionalCount("relative_attention_max_distance") ?? 128
    guard buckets % 4 == 0 else {
      throw reader.bad(
        "relative_attention_num_buckets", .number(.integer(buckets)),
        "a multiple of 4 is expected: half of them for each side, and half of those for single "
          + "distances")
    }
    guard farthest > buckets / 4 else {
      throw reader.bad(
        "relative_attention_max_distance", .number(.integer(farthest)),
        "more is expected than the \(buckets / 4) distances that have buckets of their own")
    }
    reader.ignoreTasks()
    reader.ignore([
      "num_decoder_layers", "dropout_rate", "initializer_factor", "tie_word_embeddings",
      "is_decoder", "add_cross_attention", "hidden_size", "num_attention_heads",
      "num_hidden_layers",
      "classifier_dropout",
    ])
  }

  /// A feed-forward network, or an expert.
  func network(_ weights: WeightScope) -> FeedForward {
    let (width, hidden) = (shape.width, shape.hidden)
    return FeedForward(
      input: isGated
        ? .gated(weights.joined([("wi_0", hidden), ("wi_1", hidden)], from: width))
        : .plain(weights.linear("wi", hidden, from: width)),
      output: weights.linear("wo", width, from: hidden), activation: activation, hidden: hidden)
  }

  /// The encoder.
  ///
  /// - Parameters:
  ///   - weights: the weights.
  ///   - network: makes a block's feed-forward network.
  /// - Returns: the encoder, with the norm after its last block and no head.
  /// - Throws: what the weights do not fit.
  func model(
    _ weights: WeightReader, network: (WeightScope, Int) -> any FeedForwardBranch
  ) throws -> Transformer {
    let encoder = weights.scope("encoder")
    let width = shape.width
    let all = shape.heads * shape.headWidth
    // Under the name that encoder and decoder share, or the encoder's own.
    let shared = "shared.weight"
    let own = encoder.prefix + "embed_tokens.weight"
    let tokens = weights.tensor(
      weights.has(shared) == false ? own : shared, [shape.vocabulary, width])
    let bias = RelativeBias(
      table: weights.tensor(
        encoder.prefix + "block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        [buckets, shape.heads]),
      farthest: farthest)
    let blocks = (0..<shape.layers).map { layer -> PreNormBlock in
      let block = encoder.at("block.\(layer)")
      let attention = block.at("layer.0.SelfAttention")
      return PreNormBlock(
        attentionNorm: block.rmsNorm("layer.0.layer_norm", width, epsilon),
        attention: Attention(
          input: attention.joined([("q", all), ("k", all), ("v", all)], from: width),
          output: attention.linear("o", width, from: all), heads: shape.heads,
          keyValueHeads: shape.heads, headWidth: shape.headWidth, scale: 1, bias: bias),
        feedForwardNorm: block.rmsNorm("layer.1.layer_norm", width, epsilon),
        feedForward: network(block, layer))
    }
    let closingNorm = encoder.rmsNorm("final_layer_norm", width, epsilon)
    try weights.finish {
      $0 == own || $0.hasPrefix("decoder.") || $0 == "lm_head.weight"
    }
    var model = Transformer(
      shape: shape, embedding: Embedding(tokens: tokens), blocks: blocks, head: nil,
      isCausal: false)
    model.closingNorm = closingNorm
    return model
  }
}

extension ConfigurationReader {
  /// Which of the encoder's blocks have experts: one in every so many, from the second on.
  fileprivate func sparseLayers(_ layers: Int) throws -> [Bool] {
    let sparse =
      try countOrNone("num_sparse_encoder_layers") ?? (has("num_sparse_encoder_layers") ? 0 : 3)
    let stated = value("encoder_sparse_step")?.integer
    let step = stated ?? (sparse > 0 ? layers / sparse : layers)
    return (0..<layers).map { step > 0 && (step == 1 || $0 % step == 1) }
  }
}
