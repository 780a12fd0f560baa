internal import StrictJSON
internal import Tensors

// StableLM (Bellagamba and others 2024): Llama with LayerNorm and rotary positions on a part of each
// head; StableLM 2 12B runs its branches side by side on one norm, and normalises queries and keys by
// head, each head with a scale of its own:
//
//     x ← x + attention(N₁(x));   x ← x + feedForward(N₂(x))

extension Family {
  /// StableLM 1 and 2.
  static let stableLM = Family(
    ["stablelm"],
    gguf: [
      GGUFDialect(
        architecture: "stablelm", modelType: "stablelm", names: stableLMNames
      ) { reader, file in
        var members = try GGUFDialect.decoderMembers(
          reader, file, prefix: "stablelm.", rotatesPart: true)
        members["layer_norm_eps"] = .number(
          .real(try reader.number("stablelm.attention.layer_norm_epsilon")))
        // Files disagree with themselves about the flag; the norm is there if it is used.
        _ = try reader.flag("stablelm.use_parallel_residual")
        members["use_parallel_residual"] = .boolean(!file.has("blk.0.ffn_norm.weight"))
        members["qk_layernorm"] = .boolean(file.has("blk.0.attn_q_norm.weight"))
        members["use_qkv_bias"] = .boolean(file.has("blk.0.attn_q.bias"))
        return members
      }
    ]
  ) { architecture, reader, weights in
    let shape = try reader.decoderShape(architecture)
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-5
    let activation = try reader.activation("hidden_act", default: "silu")
    let rotary = try reader.rotary(width: shape.headWidth, share: 0.25)
    let bias = try reader.flag("use_qkv_bias") ?? false
    let normalisesHeads = try reader.flag("qk_layernorm") ?? false
    let isParallel = try reader.flag("use_parallel_residual") ?? false
    let tied = try reader.flag("tie_word_embeddings") ?? false
    try reader.require(
      "rotary_scaling_factor", { $0.double == 1 }, "Telescope computes a factor of 1")
    reader.ignore(["hidden_dropout"])
    try reader.finishIgnoringBookkeeping()

    let body = weights.scope("model")
    let width = shape.width
    let queries = shape.heads * shape.headWidth
    let keys = shape.keyValueHeads * shape.headWidth
    let tokens = weights.tensor("model.embed_tokens.weight", [shape.vocabulary, width])
    let blocks = (0..<shape.layers).map { layer -> any Block in
      let block = body.at("layers.\(layer)")
      let own = block.at("self_attn")
      var attention = Attention(
        input: own.joined(
          [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)], from: width, bias: bias),
        output: own.linear("o_proj", width, from: queries), heads: shape.heads,
        keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth, rotary: rotary)
      if normalisesHeads {
        attention.headNorms = (
          own.headNorms("q_layernorm", shape.heads, shape.headWidth, epsilon),
          own.headNorms("k_layernorm", shape.keyValueHeads, shape.headWidth, epsilon)
        )
      }
      let network = block.at("mlp").gatedNetwork(shape.hidden, width, activation)
      let norm = block.layerNorm("input_layernorm", width, epsilon)
      return isParallel
        ? ParallelBlock(attentionNorm: norm, attention: attention, feedForward: network)
        : PreNormBlock(
          attentionNorm: norm, attention: attention,
          feedForwardNorm: block.layerNorm("post_attention_layernorm", width, epsilon),
          feedForward: network)
    }
    let head = Unembedding(
      norm: body.layerNorm("norm", width, epsilon),
      weight: weights.head("lm_head.weight", tiedTo: tokens, tied))
    try weights.finish { $0.hasSuffix("rotary_emb.inv_freq") }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens), blocks: blocks, head: head)
  }

  private static let stableLMNames =
    GGUFDialect.llamaNames(interleaved: false) + [
      .init("model.layers.#.self_attn.q_layernorm", "blk.#.attn_q_norm"),
      .init("model.layers.#.self_attn.k_layernorm", "blk.#.attn_k_norm"),
    ]
}

extension WeightScope {
  /// A LayerNorm for each head: a scale for each in weights of its own, or all in one.
  fileprivate func headNorms(
    _ name: String, _ heads: Int, _ headWidth: Int, _ epsilon: Double
  ) -> HeadNorm {
    let together = prefix + name + ".weight"
    let isJoined = weights.has(together) == true
    let scale = weights.stacked(
      (0..<heads).map { head in
        let own = "\(prefix)\(name).norms.\(head).weight"
        return isJoined
          ? .slab(together, [headWidth], head, of: heads, own: own)
          : .init(name: own, shape: [headWidth])
      }
    ).reshaped([heads, headWidth])
    let plain = Tensor(repeating: 1, [headWidth], scale.type, on: scale.device)
    return HeadNorm(
      norm: Norm(kind: .layer, weight: plain, bias: nil, epsilon: epsilon), scale: scale)
  }
}
