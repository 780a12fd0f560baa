internal import StrictJSON
internal import Tensors

// Falcon (Almazrouei and others 2023): rotary positions, LayerNorm, both branches on the same stream.
// Falcon 7B has one key-value head and one norm; the later architecture groups of heads, and a norm
// for each branch unless `num_ln_in_parallel_attn` is 1:
//
//     x ← x + attention(N₁(x)) + feedForward(N₂(x))

extension Family {
  /// Falcon, but for its first models, which add a bias by distance (ALiBi) or run their branches one
  /// after the other.
  static let falcon = Family(
    ["falcon"],
    gguf: [
      GGUFDialect(
        architecture: "falcon", modelType: "falcon", names: falconNames,
        configuration: falconMembers)
    ]
  ) { architecture, reader, weights in
    let isNew = try reader.flag("new_decoder_architecture") ?? false
    let sharesKeys = try reader.flag("multi_query") ?? true
    let stated = try reader.optionalCount("num_kv_heads")
    let shape = try reader.decoderShape(
      architecture, keyValueHeads: { isNew ? stated ?? $0 : sharesKeys ? 1 : $0 },
      hidden: { try reader.optionalCount("ffn_hidden_size") ?? 4 * $0 })
    let epsilon = try reader.optionalNumber("layer_norm_epsilon") ?? 1e-5
    let activation = try reader.activation("activation", default: "gelu")
    let rotary = try reader.rotary(width: shape.headWidth)
    let bias = try reader.flag("bias") ?? false
    let norms = try reader.optionalCount("num_ln_in_parallel_attn") ?? (isNew ? 2 : 1)
    guard norms == 1 || isNew && norms == 2 else {
      throw reader.bad(
        "num_ln_in_parallel_attn", .number(.integer(norms)),
        isNew ? "1 or 2 is expected" : "1 is expected without new_decoder_architecture")
    }
    try reader.require(
      "alibi", { $0.boolean == false }, "Telescope computes Falcon's rotary positions, not ALiBi")
    try reader.require(
      "parallel_attn", { $0.boolean == true },
      "Telescope computes Falcon's branches side by side, not one after the other")
    try reader.require(
      "apply_residual_connection_post_layernorm", { $0.boolean == false },
      "Telescope adds to the stream before its norm")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    reader.ignore(["hidden_dropout", "ff_factor", "auto_map"])
    try reader.finishIgnoringBookkeeping()

    let body = weights.scope("transformer")
    let width = shape.width
    let tokens = weights.tensor("transformer.word_embeddings.weight", [shape.vocabulary, width])
    let blocks = (0..<shape.layers).map { layer in
      let block = body.at("h.\(layer)")
      return ParallelBlock(
        attentionNorm: block.layerNorm(norms == 2 ? "ln_attn" : "input_layernorm", width, epsilon),
        attention: Attention(
          input: block.at("self_attention").groupedInput(shape, bias: bias),
          output: block.linear("self_attention.dense", width, from: width, bias: bias),
          heads: shape.heads, keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
          rotary: rotary),
        feedForwardNorm: norms == 2 ? block.layerNorm("ln_mlp", width, epsilon) : nil,
        feedForward: FeedForward(
          input: .plain(block.linear("mlp.dense_h_to_4h", shape.hidden, from: width, bias: bias)),
          output: block.linear("mlp.dense_4h_to_h", width, from: shape.hidden, bias: bias),
          activation: activation, hidden: shape.hidden))
    }
    let head = Unembedding(
      norm: body.layerNorm("ln_f", width, epsilon),
      weight: weights.head("lm_head.weight", tiedTo: tokens, tied))
    try weights.finish { $0.hasSuffix("rotary_emb.inv_freq") }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens), blocks: blocks, head: head)
  }

  private static let falconNames: [GGUFDialect.Name] = {
    let block = "transformer.h.#."
    return [
      .init("transformer.word_embeddings", "token_embd"),
      .init("transformer.ln_f", "output_norm"), .init("lm_head", "output"),
      .init(block + "input_layernorm", "blk.#.attn_norm"),
      // With two norms the first name is the network's.
      .init(block + "ln_mlp", "blk.#.attn_norm"), .init(block + "ln_attn", "blk.#.attn_norm_2"),
      .init(block + "self_attention.query_key_value", "blk.#.attn_qkv", isOrdered: true),
      .init(block + "self_attention.dense", "blk.#.attn_output"),
      .init(block + "mlp.dense_h_to_4h", "blk.#.ffn_up"),
      .init(block + "mlp.dense_4h_to_h", "blk.#.ffn_down"),
    ]
  }()

  private static let falconMembers:
    @Sendable (ConfigurationReader, GGUFDialect.Context) throws -> [String: JSON] = {
      reader, file in
      var members = try GGUFDialect.decoderMembers(reader, file, prefix: "falcon.")
      members["layer_norm_epsilon"] = .number(
        .real(try reader.number("falcon.attention.layer_norm_epsilon")))
      members["num_kv_heads"] = members.removeValue(forKey: "num_key_value_heads")
      let stated = members.removeValue(forKey: "intermediate_size")?.integer ?? 0
      members["ffn_hidden_size"] = .number(.integer(file.hidden(stated: stated)))
      // One key-value head in one group is the same in both architectures.
      members["new_decoder_architecture"] = .boolean(true)
      members["num_ln_in_parallel_attn"] = .number(
        .integer(file.has("blk.0.attn_norm_2.weight") ? 2 : 1))
      members["bias"] = .boolean(file.has("blk.0.attn_qkv.bias"))
      try reader.require(
        "falcon.tensor_data_layout", { $0.string == "jploski" },
        "queries, keys and values one after the other ('jploski') are expected")
      return members
    }
}
