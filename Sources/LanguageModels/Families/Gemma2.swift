internal import StrictJSON

// Gemma 2 (Riviere and others 2024): Gemma with a norm at the end of each branch too, a soft cap on
// attention scores and one on logits, scores scaled by a number of the configuration, and a window in
// every other layer:
//
//     x ← x + N₂(attention(N₁(x)));   x ← x + N₄(feedForward(N₃(x)))

extension Family {
  /// Gemma 2.
  static let gemma2 = Family(
    ["gemma2"],
    gguf: [
      GGUFDialect(
        architecture: "gemma2", modelType: "gemma2", names: GGUFDialect.gemma2Names
      ) { try GGUFDialect.gemmaScaledMembers($0, $1, prefix: "gemma2.", largest: 46) }
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(
      architecture, reader, headWidth: 256, activation: ("hidden_activation", "gelu_pytorch_tanh"))
    try layers.readGemma(reader, weights)
    try layers.readCaps(reader, scores: 50, logits: 30)
    layers.windows = try reader.windows(
      try reader.slidingWindow(), layers: layers.shape.layers
    ) { $0 % 2 == 0 }
    let tied = try reader.flag("tie_word_embeddings") ?? true
    try reader.finishIgnoringBookkeeping()
    return try layers.sandwichModel(weights, tied: tied)
  }
}

extension GatedLayers {
  /// Gemma's soft caps, where a key that is not there means a default and null none, and the scale of
  /// scores.
  mutating func readCaps(
    _ reader: ConfigurationReader, scores: Double?, logits: Double?
  ) throws {
    func cap(_ key: String, _ other: Double?) throws -> Double? {
      reader.has(key) ? try reader.optionalNumber(key) : other
    }
    scoreCap = try cap("attn_logit_softcapping", scores)
    logitCap = try cap("final_logit_softcapping", logits)
    scoreScale = 1 / (try reader.optionalNumber("query_pre_attn_scalar") ?? 256).squareRoot()
  }

  /// Blocks with a norm before and after each branch.
  func sandwichModel(_ weights: WeightReader, tied: Bool) throws -> Transformer {
    try model(weights, tied: tied) { block, layer in
      var attention = attention(block.at("self_attn"), layer)
      attention.outputNorm = norm(block, "post_attention_layernorm")
      var network = network(block.at("mlp"))
      network.outputNorm = norm(block, "post_feedforward_layernorm")
      return PreNormBlock(
        attentionNorm: norm(block, "input_layernorm"), attention: attention,
        feedForwardNorm: norm(block, "pre_feedforward_layernorm"), feedForward: network)
    }
  }
}

extension GGUFDialect {
  /// Gemma's names, with norms before and after each branch.
  static let gemma2Names: [Name] =
    [Name("model.layers.#.pre_feedforward_layernorm", "blk.#.ffn_norm", includesOne: true)]
    + endNormNames(includesOne: true)
    + llamaNames(interleaved: false).compactMap { name in
      guard !name.huggingFace.hasSuffix("post_attention_layernorm") else { return nil }
      var name = name
      name.includesOne = name.huggingFace.hasSuffix("norm")
      return name
    }

  /// Gemma's members with the scale of scores, which no file states: 1/√headWidth, but 1/√(width/heads)
  /// in the largest model, told by its layers as llama.cpp does.
  static func gemmaScaledMembers(
    _ reader: ConfigurationReader, _ file: Context, prefix: String, largest layers: Int
  ) throws -> [String: JSON] {
    var members = try gemmaMembers(reader, file, prefix: prefix)
    let width = members["hidden_size"]?.integer ?? 0
    let heads = members["num_attention_heads"]?.integer ?? 1
    let shared = width / heads
    let own = members["head_dim"]?.integer ?? 256
    members["query_pre_attn_scalar"] = .number(
      .integer(members["num_hidden_layers"]?.integer == layers ? shared : own))
    return members
  }
}
