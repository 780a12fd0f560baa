internal import StrictJSON
internal import Tensors

// GPT-NeoX (Black and others 2022; Pythia is one): rotary positions on a part of each head, LayerNorm,
// a plain feed-forward network, and both branches on the same stream unless the configuration says not:
//
//     x ← x + attention(N₁(x)) + feedForward(N₂(x))

extension Family {
  /// GPT-NeoX.
  static let gptNeoX = Family(
    ["gpt_neox"],
    gguf: [
      GGUFDialect(
        architecture: "gptneox", modelType: "gpt_neox", names: gptNeoXNames
      ) { reader, file in
        var members = try GGUFDialect.decoderMembers(
          reader, file, prefix: "gptneox.", rotatesPart: true)
        members["layer_norm_eps"] = .number(
          .real(try reader.number("gptneox.attention.layer_norm_epsilon")))
        members["use_parallel_residual"] = .boolean(
          try reader.flag("gptneox.use_parallel_residual") ?? true)
        members["attention_bias"] = .boolean(file.has("blk.0.attn_qkv.bias"))
        members["rotary_pct"] = members.removeValue(forKey: "partial_rotary_factor")
        members["rotary_emb_base"] = members.removeValue(forKey: "rope_theta")
        return members
      }
    ]
  ) { architecture, reader, weights in
    let shape = try reader.decoderShape(architecture)
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-5
    let activation = try reader.activation("hidden_act", default: "gelu")
    let rotary = try reader.rotary(
      width: shape.headWidth, share: 0.25,
      keys: .init(base: "rotary_emb_base", share: "rotary_pct"))
    let isParallel = try reader.flag("use_parallel_residual") ?? true
    let bias = try reader.flag("attention_bias") ?? true
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreBookkeeping()
    reader.ignore(["hidden_dropout", "classifier_dropout", "is_decoder"])
    try reader.finish()

    let body = weights.scope("gpt_neox")
    let width = shape.width
    let tokens = weights.tensor("gpt_neox.embed_in.weight", [shape.vocabulary, width])
    let blocks = (0..<shape.layers).map { layer -> any Block in
      let block = body.at("layers.\(layer)")
      let attention = Attention(
        input: block.at("attention").groupedInput(shape, bias: bias),
        output: block.linear("attention.dense", width, from: width, bias: bias),
        heads: shape.heads, keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
        rotary: rotary)
      let network = FeedForward(
        input: .plain(block.linear("mlp.dense_h_to_4h", shape.hidden, from: width, bias: true)),
        output: block.linear("mlp.dense_4h_to_h", width, from: shape.hidden, bias: true),
        activation: activation, hidden: shape.hidden)
      let norms = (
        block.layerNorm("input_layernorm", width, epsilon),
        block.layerNorm("post_attention_layernorm", width, epsilon)
      )
      return isParallel
        ? ParallelBlock(
          attentionNorm: norms.0, attention: attention, feedForwardNorm: norms.1,
          feedForward: network)
        : PreNormBlock(
          attentionNorm: norms.0, attention: attention, feedForwardNorm: norms.1,
          feedForward: network)
    }
    let head = Unembedding(
      norm: body.layerNorm("final_layer_norm", width, epsilon),
      weight: weights.head("embed_out.weight", tiedTo: tokens, tied))
    // Old files carry the causal mask and the frequencies as buffers.
    try weights.finish {
      $0.hasSuffix(".attention.bias") || $0.hasSuffix(".attention.masked_bias")
        || $0.hasSuffix("rotary_emb.inv_freq")
    }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens), blocks: blocks, head: head)
  }

  private static let gptNeoXNames: [GGUFDialect.Name] = {
    let block = "gpt_neox.layers.#."
    return [
      .init("gpt_neox.embed_in", "token_embd"), .init("gpt_neox.final_layer_norm", "output_norm"),
      .init("embed_out", "output"), .init(block + "input_layernorm", "blk.#.attn_norm"),
      .init(block + "attention.query_key_value", "blk.#.attn_qkv", isOrdered: true),
      .init(block + "attention.dense", "blk.#.attn_output"),
      .init(block + "post_attention_layernorm", "blk.#.ffn_norm"),
      .init(block + "mlp.dense_h_to_4h", "blk.#.ffn_up"),
      .init(block + "mlp.dense_4h_to_h", "blk.#.ffn_down"),
    ]
  }()
}

extension WeightScope {
  /// `query_key_value`, whose rows stand in groups: the queries that share a key, the key, the value.
  func groupedInput(_ shape: ModelShape, bias: Bool) -> Linear {
    let headWidth = shape.headWidth
    let (heads, groups) = (shape.heads, shape.keyValueHeads)
    let sharing = heads / groups
    let rows = (heads + 2 * groups) * headWidth
    return picked(
      "query_key_value", rows, from: shape.width, bias: bias, stored: rows
    ) { row in
      let (head, within) = row.quotientAndRemainder(dividingBy: headWidth)
      let place =
        head < heads
        ? head / sharing * (sharing + 2) + head % sharing
        : (head - heads) % groups * (sharing + 2) + sharing + (head - heads) / groups
      return place * headWidth + within
    }
  }
}
