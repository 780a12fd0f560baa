internal import StrictJSON
internal import Tensors

// ModernBERT (Warner and others 2024): an encoder of pre-norm blocks with rotary positions and a gated
// network. Every third block sees the whole text, the others a window on both sides, each kind with a
// rotary base of its own; the embedding is normalised, so the first block's attention is not:
//
//     x ← x + attention(N₁(x));   x ← x + feedForward(N₂(x))
//
// The masked-language-model head has the model's final norm before its dense map and one after it.

extension Family {
  /// ModernBERT.
  static let modernbert = Family(
    ["modernbert"],
    gguf: [
      GGUFDialect(
        architecture: "modern-bert", modelType: "modernbert", names: modernbertNames,
        configuration: modernbertMembers)
    ]
  ) { architecture, reader, weights in
    let shape = try reader.encoderShape(architecture)
    guard shape.headWidth % 2 == 0 else {
      throw reader.bad(
        "num_attention_heads", .number(.integer(shape.heads)),
        "rotary positions need heads of an even width")
    }
    let layers = try ModernLayers(shape, reader)
    let head = try ModernHead(reader)
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore([
      "initializer_cutoff_factor", "embedding_dropout", "mlp_dropout", "classifier_pooling",
      "deterministic_flash_attn", "reference_compile", "repad_logits_with_grad",
      "sparse_prediction", "sparse_pred_ignore_index", "layer_norm_eps",
    ])
    try reader.finish()

    let body = weights.body("model", probe: "embeddings.tok_embeddings.weight")
    let tokens = weights.tensor(
      body.prefix + "embeddings.tok_embeddings.weight", [shape.vocabulary, shape.width])
    let embedding = Embedding(tokens: tokens, norm: layers.norm(body, "embeddings.norm"))
    let blocks = (0..<shape.layers).map { layers.block(body.at("layers.\($0)"), $0) }
    let finalNorm = layers.norm(body, "final_norm")
    let unembedding = head.unembedding(weights, layers, finalNorm, tokens)
    try weights.finish {
      ["head.", "classifier.", "cls.", "score."].contains(where: $0.hasPrefix)
    }
    var model = Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: unembedding, isCausal: false)
    if unembedding == nil { model.closingNorm = finalNorm }
    return model
  }

  private static let modernbertNames: [GGUFDialect.Name] = {
    let block = "layers.#."
    return [
      .init("embeddings.tok_embeddings", "token_embd"),
      .init("embeddings.norm", "token_embd_norm"), .init("final_norm", "output_norm"),
      .init(block + "attn_norm", "blk.#.attn_norm"),
      .init(block + "attn.Wqkv", "blk.#.attn_qkv"), .init(block + "attn.Wo", "blk.#.attn_output"),
      .init(block + "mlp_norm", "blk.#.ffn_norm"), .init(block + "mlp.Wi", "blk.#.ffn_up"),
      .init(block + "mlp.Wo", "blk.#.ffn_down"),
    ]
  }()

  // A GGUF file holds the encoder, and at most the head of a classifier.
  private static let modernbertMembers:
    @Sendable (ConfigurationReader, GGUFDialect.Context) throws -> [String: JSON] = {
      reader, file in
      let prefix = "modern-bert."
      func key(_ name: String) -> String { prefix + name }
      var members = try GGUFDialect.decoderMembers(reader, file, prefix: prefix)
      members["global_rope_theta"] = members.removeValue(forKey: "rope_theta")
      // Files state the one number for norms of both kinds.
      members["rms_norm_eps"] = nil
      members["hidden_activation"] = try reader.string(key("hidden_activation"))
        .map { .string($0) }
      for (name, stored) in [
        ("norm_eps", "attention.layer_norm_epsilon"), ("local_rope_theta", "rope.freq_base_swa"),
      ] { members[name] = .number(.real(try reader.number(key(stored)))) }
      members["local_attention"] = .number(
        .integer(try reader.count(key("attention.sliding_window"))))
      members["global_attn_every_n_layers"] =
        try reader.optionalCount(key("attention.sliding_window_pattern"))
        .map { .number(.integer($0)) }
      try reader.require(
        key("attention.causal"), { $0.boolean == false },
        "Telescope runs this family as an encoder")
      reader.ignore([key("pooling_type")])
      reader.ignore(prefix: key("classifier."))
      return members
    }
}

/// What blocks and head share.
private struct ModernLayers {
  var shape: ModelShape
  var epsilon: Double
  var normBias: Bool
  var attentionBias: Bool
  var feedForwardBias: Bool
  var activation: Activation
  /// How far each block sees; nil for all the way.
  var windows: [Int?]
  /// Of blocks that see all the way, and of the others.
  var rotary: (global: RotaryEmbedding, local: RotaryEmbedding)

  init(_ shape: ModelShape, _ reader: ConfigurationReader) throws {
    self.shape = shape
    epsilon = try reader.optionalNumber("norm_eps") ?? 1e-5
    normBias = try reader.flag("norm_bias") ?? false
    attentionBias = try reader.flag("attention_bias") ?? false
    feedForwardBias = try reader.flag("mlp_bias") ?? false
    activation = try reader.activation("hidden_activation", default: "gelu")
    let period = try reader.optionalCount("global_attn_every_n_layers") ?? 3
    // Half of the width on each side, and the position itself.
    let reach = (try reader.optionalCount("local_attention") ?? 128) / 2 + 1
    windows = try reader.windows(reach, layers: shape.layers) { $0 % period != 0 }
    rotary = try reader.rotaryPair(width: shape.headWidth)
  }

  func norm(_ weights: WeightScope, _ name: String) -> Norm {
    weights.layerNorm(name, shape.width, epsilon, bias: normBias)
  }

  func block(_ weights: WeightScope, _ layer: Int) -> PreNormBlock {
    let width = shape.width
    return PreNormBlock(
      attentionNorm: layer == 0 ? nil : norm(weights, "attn_norm"),
      attention: Attention(
        input: weights.linear("attn.Wqkv", 3 * width, from: width, bias: attentionBias),
        output: weights.linear("attn.Wo", width, from: width, bias: attentionBias),
        heads: shape.heads, keyValueHeads: shape.heads, headWidth: shape.headWidth,
        rotary: windows[layer] == nil ? rotary.global : rotary.local, window: windows[layer]),
      feedForwardNorm: norm(weights, "mlp_norm"),
      feedForward: FeedForward(
        input: .gated(
          weights.linear("mlp.Wi", 2 * shape.hidden, from: width, bias: feedForwardBias)),
        output: weights.linear("mlp.Wo", width, from: shape.hidden, bias: feedForwardBias),
        activation: activation, hidden: shape.hidden))
  }
}

/// The masked-language-model head.
private struct ModernHead {
  var tied: Bool
  var denseBias: Bool
  var outputBias: Bool
  var activation: Activation
  /// Whether the configuration tells of one.
  var isStated: Bool

  init(_ reader: ConfigurationReader) throws {
    tied = try reader.flag("tie_word_embeddings") ?? true
    denseBias = try reader.flag("classifier_bias") ?? false
    outputBias = try reader.flag("decoder_bias") ?? true
    activation = try reader.activation("classifier_activation", default: "gelu")
    isStated =
      reader.value("architectures")?.array?.contains { $0.string == "ModernBertForMaskedLM" }
      ?? false
  }

  /// The head, where there is one: other tasks' heads have a dense map, too, but no decoder.
  func unembedding(
    _ weights: WeightReader, _ layers: ModernLayers, _ finalNorm: Norm, _ embedding: Tensor
  ) -> Unembedding? {
    let decoder = "decoder.weight"
    guard isStated || weights.has(decoder) == true || weights.has("decoder.bias") == true else {
      return nil
    }
    let scope = weights.scope("head")
    let width = layers.shape.width
    return Unembedding(
      transform: HeadTransform(
        norm: finalNorm, dense: scope.linear("dense", width, from: width, bias: denseBias),
        activation: activation),
      norm: layers.norm(scope, "norm"), weight: weights.head(decoder, tiedTo: embedding, tied),
      bias: outputBias ? weights.tensor("decoder.bias", [layers.shape.vocabulary]) : nil)
  }
}

extension ConfigurationReader {
  /// Rotary embeddings of blocks that see the whole text and of those that see a window:
  /// `global_rope_theta` and `local_rope_theta`, or `rope_parameters` for each kind of layer.
  fileprivate func rotaryPair(
    width: Int
  ) throws -> (global: RotaryEmbedding, local: RotaryEmbedding) {
    let global = try optionalNumber("global_rope_theta") ?? 160_000
    // Null says that both are one.
    let local =
      try optionalNumber("local_rope_theta") ?? (has("local_rope_theta") ? global : 10_000)
    let key = "rope_parameters"
    let kinds = value(key)
    if let kinds, kinds.object == nil { throw bad(key, kinds, "an object is expected") }
    let inner = ConfigurationReader(
      (kinds?.object?.members ?? []).map { ("\(key).\($0.key)", $0.value) }, file: file,
      exempt: exempt)
    func rotary(_ kind: String, _ base: Double) throws -> RotaryEmbedding {
      guard let value = inner.value("\(key).\(kind)") else {
        return RotaryEmbedding(width: width, base: base)
      }
      return try ConfigurationReader([(key, value)], file: file, exempt: exempt)
        .rotary(width: width, base: base)
    }
    let pair = (
      global: try rotary("full_attention", global), local: try rotary("sliding_attention", local)
    )
    try inner.finish()
    return pair
  }
}
