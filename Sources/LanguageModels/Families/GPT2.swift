internal import StrictJSON
internal import Tensors

// GPT-2 (Radford and others 2019): learned positions, LayerNorm before each branch, biases everywhere,
// a plain feed-forward network with the tanh GELU, tied head:
//
//     x ← x + attention(norm(x));   x ← x + feedForward(norm(x))

extension Family {
  /// GPT-2.
  static let gpt2 = Family(
    ["gpt2"],
    gguf: [
      GGUFDialect(
        architecture: "gpt2", modelType: "gpt2", names: gpt2Names, configuration: gpt2Members)
    ]
  ) { _, reader, weights in
    let width = try reader.count("n_embd")
    let heads = try reader.count("n_head")
    guard width % heads == 0 else {
      throw reader.bad("n_head", .number(.integer(heads)), "it must divide n_embd, \(width)")
    }
    let shape = ModelShape(
      architecture: "gpt2", layers: try reader.layerCount("n_layer"), width: width, heads: heads,
      keyValueHeads: heads, headWidth: width / heads,
      hidden: try reader.optionalCount("n_inner") ?? 4 * width,
      vocabulary: try reader.count("vocab_size"), contextLength: try reader.count("n_positions"))
    let epsilon = try reader.optionalNumber("layer_norm_epsilon") ?? 1e-5
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let activation = try reader.activation("activation_function", default: "gelu_new")
    try reader.require(
      "scale_attn_weights", { $0.boolean == true }, "Telescope computes scaled attention only")
    try reader.require(
      "scale_attn_by_inverse_layer_idx", { $0.boolean == false },
      "Telescope does not scale attention by layer")
    try reader.require(
      "add_cross_attention", { $0.boolean == false }, "Telescope runs the decoder alone")
    reader.ignoreBookkeeping()
    reader.ignore([
      "attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx", "summary_activation",
      "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
      "reorder_and_upcast_attn",
    ])
    try reader.finish()

    // The oldest published files lack the prefix.
    let body = weights.scope(weights.has("wte.weight") == true ? "" : "transformer")
    /// Matrices are stored [in, out], as the original code's convolutions are.
    func linear(_ scope: WeightScope, _ name: String, _ out: Int, from: Int) -> Linear {
      Linear(
        weight: weights.transposed(scope.prefix + name + ".weight", [out, from]),
        bias: weights.tensor(scope.prefix + name + ".bias", [out]))
    }
    let tokens = weights.tensor(body.prefix + "wte.weight", [shape.vocabulary, width])
    let positions = weights.tensor(body.prefix + "wpe.weight", [shape.contextLength, width])
    let blocks = (0..<shape.layers).map { layer in
      let block = body.at("h.\(layer)")
      return PreNormBlock(
        attentionNorm: block.layerNorm("ln_1", width, epsilon),
        attention: Attention(
          input: linear(block, "attn.c_attn", 3 * width, from: width),
          output: linear(block, "attn.c_proj", width, from: width), heads: heads,
          keyValueHeads: heads, headWidth: shape.headWidth),
        feedForwardNorm: block.layerNorm("ln_2", width, epsilon),
        feedForward: FeedForward(
          input: .plain(linear(block, "mlp.c_fc", shape.hidden, from: width)),
          output: linear(block, "mlp.c_proj", width, from: shape.hidden), activation: activation,
          hidden: shape.hidden))
    }
    let head = Unembedding(
      norm: body.layerNorm("ln_f", width, epsilon),
      weight: weights.head("lm_head.weight", tiedTo: tokens, tied))
    // Old files carry the causal mask as a buffer.
    try weights.finish { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens, positions: positions), blocks: blocks,
      head: head)
  }

  private static let gpt2Names: [GGUFDialect.Name] = {
    let block = "transformer.h.#."
    return [
      .init("transformer.wte", "token_embd"), .init("transformer.wpe", "position_embd"),
      .init("transformer.ln_f", "output_norm"), .init("lm_head", "output"),
      .init(block + "ln_1", "blk.#.attn_norm"),
      .init(block + "attn.c_attn", "blk.#.attn_qkv", isTurned: true),
      .init(block + "attn.c_proj", "blk.#.attn_output", isTurned: true),
      .init(block + "ln_2", "blk.#.ffn_norm"),
      .init(block + "mlp.c_fc", "blk.#.ffn_up", isTurned: true),
      .init(block + "mlp.c_proj", "blk.#.ffn_down", isTurned: true),
    ]
  }()

  private static let gpt2Members:
    @Sendable (ConfigurationReader, GGUFDialect.Context) throws -> [String: JSON] = {
      reader, file in
      var members: [String: JSON] = [
        "vocab_size": .number(.integer(file.vocabulary)),
        "tie_word_embeddings": .boolean(!file.hasHead),
      ]
      for (key, name) in [
        ("n_embd", "embedding_length"), ("n_head", "attention.head_count"),
        ("n_layer", "block_count"), ("n_positions", "context_length"),
      ] { members[key] = .number(.integer(try reader.count("gpt2." + name))) }
      members["n_inner"] = .number(
        .integer(file.hidden(stated: try reader.count("gpt2.feed_forward_length"))))
      members["layer_norm_epsilon"] = .number(
        .real(try reader.number("gpt2.attention.layer_norm_epsilon")))
      return members
    }
}
