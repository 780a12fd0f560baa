internal import StrictJSON

// OLMo 2 (Walsh and others 2025): branches read the stream as it is and are normalised at their end, and
// queries and keys have a norm over all their heads, joined:
//
//     x ← x + N₁(attention(x));   x ← x + N₂(feedForward(x))

extension Family {
  /// OLMo 2.
  static let olmo2 = Family(
    ["olmo2"],
    gguf: [
      GGUFDialect(
        architecture: "olmo2", modelType: "olmo2", names: GGUFDialect.olmo2Names
      ) { try GGUFDialect.decoderMembers($0, $1, prefix: "olmo2.") }
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader, epsilon: 1e-5)
    let bias = try reader.flag("attention_bias") ?? false
    layers.inputBias = bias
    layers.outputBias = bias
    layers.headNorms = .all
    let tied = try reader.flag("tie_word_embeddings") ?? false
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied) { block, layer in
      var attention = layers.attention(block.at("self_attn"), layer)
      attention.outputNorm = layers.norm(block, "post_attention_layernorm")
      var network = layers.network(block.at("mlp"))
      network.outputNorm = layers.norm(block, "post_feedforward_layernorm")
      return PreNormBlock(attention: attention, feedForward: network)
    }
  }
}

extension GGUFDialect {
  fileprivate static let olmo2Names =
    llamaNames(interleaved: false).filter { !$0.huggingFace.hasSuffix("layernorm") }
    + headNormNames() + endNormNames()

  /// Norms at the ends of a block's branches.
  static func endNormNames(includesOne: Bool = false) -> [Name] {
    [
      Name(
        "model.layers.#.post_attention_layernorm", "blk.#.post_attention_norm",
        includesOne: includesOne),
      Name(
        "model.layers.#.post_feedforward_layernorm", "blk.#.post_ffw_norm",
        includesOne: includesOne),
    ]
  }
}
