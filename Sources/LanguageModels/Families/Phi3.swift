internal import StrictJSON

// Phi-3 (Abdin and others 2024; Phi-4 and Phi-4-mini are such too): Llama whose queries, keys and values
// are one matrix in the file, and gate and up another; long contexts by LongRoPE.

extension Family {
  /// Phi-3, 3.5 and 4.
  static let phi3 = Family(
    ["phi3"],
    gguf: [
      GGUFDialect(
        architecture: "phi3", modelType: "phi3", names: GGUFDialect.phi3Names,
        configuration: GGUFDialect.phi3Members)
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader, epsilon: 1e-5, share: 1)
    let shape = layers.shape
    let window = try reader.optionalCount("sliding_window")
    layers.windows = Array(repeating: window, count: shape.layers)
    for key in ["attention_bias", "mlp_bias", "lm_head_bias"] {
      try reader.require(key, { $0.boolean == false }, "Telescope computes Phi-3 without biases")
    }
    for key in ["interpolate_factor", "full_attn_mod"] {
      try reader.require(key, { $0.integer == 1 }, "Telescope computes 1")
    }
    let tied = try reader.flag("tie_word_embeddings") ?? false
    // The original context matters where a scaling asks for it, and has been read then.
    reader.ignore([
      "resid_pdrop", "embd_pdrop", "auto_map", "original_max_position_embeddings",
    ])
    try reader.finishIgnoringBookkeeping()

    let width = shape.width
    let queries = shape.heads * shape.headWidth
    let keys = shape.keyValueHeads * shape.headWidth
    return try layers.model(weights, tied: tied) { block, layer in
      PreNormBlock(
        attentionNorm: layers.norm(block, "input_layernorm"),
        attention: Attention(
          input: block.linear("self_attn.qkv_proj", queries + 2 * keys, from: width),
          output: block.linear("self_attn.o_proj", width, from: queries), heads: shape.heads,
          keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
          rotary: layers.rotary[layer], window: layers.windows[layer]),
        feedForwardNorm: layers.norm(block, "post_attention_layernorm"),
        feedForward: FeedForward(
          input: .gated(block.linear("mlp.gate_up_proj", 2 * shape.hidden, from: width)),
          output: block.linear("mlp.down_proj", width, from: shape.hidden),
          activation: layers.activation, hidden: shape.hidden))
    }
  }
}

extension GGUFDialect {
  fileprivate static let phi3Names: [Name] =
    llamaNames(interleaved: false).filter { !$0.huggingFace.contains("_proj") } + [
      Name("model.layers.#.self_attn.qkv_proj", "blk.#.attn_qkv"),
      Name("model.layers.#.self_attn.o_proj", "blk.#.attn_output"),
      Name("model.layers.#.mlp.gate_up_proj", "blk.#.ffn_up"),
      Name("model.layers.#.mlp.down_proj", "blk.#.ffn_down"),
    ]

  fileprivate static let phi3Members:
    @Sendable (ConfigurationReader, Context) throws -> [String: JSON] = { reader, file in
      var members = try decoderMembers(reader, file, prefix: "phi3.", rotatesPart: true)
      // 0 where there is none.
      if let window = try reader.wholeNumber("phi3.attention.sliding_window"), window > 0 {
        members["sliding_window"] = .number(.integer(window))
      }
      return members
    }
}
