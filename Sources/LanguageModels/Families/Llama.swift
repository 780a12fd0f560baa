internal import StrictJSON
internal import Tensors

// Llama (Touvron and others 2023; SmolLM2 is one): pre-norm RMS blocks, rotary positions, grouped heads,
// a gated feed-forward network with SiLU,
//
//     x ← x + attention(norm(x));   x ← x + feedForward(norm(x))

extension Family {
  /// Llama 1 to 3.3, and models in its layout.
  static let llama = Family(
    ["llama"],
    gguf: [
      GGUFDialect(
        architecture: "llama", modelType: "llama", names: GGUFDialect.llamaNames(interleaved: true)
      ) { try GGUFDialect.decoderMembers($0, $1, prefix: "llama.") }
    ]
  ) { architecture, reader, weights in
    let shape = try reader.decoderShape(architecture)
    let attentionBias = try reader.flag("attention_bias") ?? false
    var layers = GatedLayers(
      shape: shape, epsilon: try reader.optionalNumber("rms_norm_eps") ?? 1e-6,
      activation: try reader.activation("hidden_act", default: "silu"),
      rotary: try reader.rotary(width: shape.headWidth))
    layers.inputBias = attentionBias
    layers.outputBias = attentionBias
    layers.feedForwardBias = try reader.flag("mlp_bias") ?? false
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreBookkeeping()
    reader.ignore(["rope_interleaved", "is_llama_config"])
    try reader.finish()

    if weights.has("rope_freqs.weight") == true,
      let factors = try? weights.tensor("rope_freqs.weight", [shape.headWidth / 2]).values()
    {
      layers.rotary.scaling = .divided(by: factors)
    }
    return try layers.model(weights, tied: tied)
  }
}

/// Blocks in Llama's layout, and the values by which families in it differ.
struct GatedLayers {
  var shape: ModelShape
  var epsilon: Double
  var activation: Activation
  var rotary: RotaryEmbedding
  /// Biases of queries, keys and values.
  var inputBias = false
  /// Bias of W_O.
  var outputBias = false
  var feedForwardBias = false
  /// The window of each layer; nil for layers that see everything.
  var windows: [Int?] = []

  /// The blocks and what stands around them.
  func model(_ weights: WeightReader, tied: Bool) throws -> Transformer {
    let body = weights.scope("model")
    let embedding = weights.tensor("model.embed_tokens.weight", [shape.vocabulary, shape.width])
    let blocks = (0..<shape.layers).map { block(body.at("layers.\($0)"), $0) }
    let head = Unembedding(
      norm: body.rmsNorm("norm", shape.width, epsilon),
      weight: weights.head("lm_head.weight", tiedTo: embedding, tied))
    try weights.finish { $0.hasSuffix("rotary_emb.inv_freq") }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: embedding), blocks: blocks, head: head)
  }

  private func block(_ weights: WeightScope, _ layer: Int) -> PreNormBlock {
    let width = shape.width
    let queries = shape.heads * shape.headWidth
    let keys = shape.keyValueHeads * shape.headWidth
    let attention = weights.at("self_attn")
    let network = weights.at("mlp")
    return PreNormBlock(
      attentionNorm: weights.rmsNorm("input_layernorm", width, epsilon),
      attention: Attention(
        input: attention.joined(
          [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)], from: width, bias: inputBias),
        output: attention.linear("o_proj", width, from: queries, bias: outputBias),
        heads: shape.heads, keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
        rotary: rotary, window: windows.isEmpty ? nil : windows[layer]),
      feedForwardNorm: weights.rmsNorm("post_attention_layernorm", width, epsilon),
      feedForward: FeedForward(
        input: .gated(
          network.joined(
            [("gate_proj", shape.hidden), ("up_proj", shape.hidden)], from: width,
            bias: feedForwardBias)),
        output: network.linear("down_proj", width, from: shape.hidden, bias: feedForwardBias),
        activation: activation, hidden: shape.hidden))
  }
}
