internal import StrictJSON
internal import Tensors

// BERT (Devlin and others 2019): learned positions, the vector of the first of two texts, a norm, then
// post-norm blocks with the exact GELU:
//
//     x ← N₁(x + attention(x));   x ← N₂(x + feedForward(x))
//
// A text is run as the first of a pair. Sentence encoders (MiniLM) are BERT without a language-model head.

extension Family {
  /// BERT.
  static let bert = Family(
    ["bert"],
    gguf: [
      GGUFDialect(
        architecture: "bert", modelType: "bert", names: bertNames, configuration: bertMembers)
    ]
  ) { architecture, reader, weights in
    let shape = try reader.encoderShape(architecture)
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-12
    let activation = try reader.activation("hidden_act", default: "gelu")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let types = try reader.optionalCount("type_vocab_size")
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore([
      "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
      "pooler_size_per_head", "pooler_type",
    ])
    try reader.finish()

    let body = weights.body("bert", probe: "embeddings.word_embeddings.weight")
    let embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: shape.width, epsilon, types: types)
    let layers = PostNormLayers(shape: shape, epsilon: epsilon, activation: activation)
    let blocks = (0..<shape.layers).map { layers.block(body.at("encoder.layer.\($0)")) }
    let head = weights.maskedHead(
      MaskedHeadNames(
        dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm",
        decoder: "cls.predictions.decoder.weight",
        biases: ["cls.predictions.bias", "cls.predictions.decoder.bias"],
        classes: ["BertForMaskedLM", "BertForPreTraining", "BertLMHeadModel"]),
      reader, width: shape.width, epsilon: epsilon, activation: activation,
      tiedTo: embedding.tokens, tied)
    // Poolers, and the heads of other tasks; GGUF names a classifier `cls`.
    try weights.finish {
      ["pooler.", "embeddings.position_ids"].contains(where: $0.trimmed(body.prefix).hasPrefix)
        || [
          "cls.seq_relationship.", "classifier.", "qa_outputs.", "cls.output.", "cls.weight",
          "cls.bias",
        ].contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }

  private static let bertNames: [GGUFDialect.Name] = {
    let block = "encoder.layer.#."
    return [
      .init("embeddings.word_embeddings", "token_embd"),
      .init("embeddings.position_embeddings", "position_embd"),
      .init("embeddings.token_type_embeddings", "token_types"),
      .init("embeddings.LayerNorm", "token_embd_norm"),
      .init(block + "attention.self.query", "blk.#.attn_q"),
      .init(block + "attention.self.key", "blk.#.attn_k"),
      .init(block + "attention.self.value", "blk.#.attn_v"),
      .init(block + "attention.output.dense", "blk.#.attn_output"),
      .init(block + "attention.output.LayerNorm", "blk.#.attn_output_norm"),
      .init(block + "intermediate.dense", "blk.#.ffn_up"),
      .init(block + "output.dense", "blk.#.ffn_down"),
      .init(block + "output.LayerNorm", "blk.#.layer_output_norm"),
    ]
  }()

  // A GGUF file holds the encoder alone. RoBERTa-like models are `bert` there too, with the rows that
  // no token takes cut off their positions; a DistilBERT has no text types.
  private static let bertMembers:
    @Sendable (ConfigurationReader, GGUFDialect.Context) throws -> [String: JSON] = {
      reader, file in
      var members: [String: JSON] = ["vocab_size": .number(.integer(file.vocabulary))]
      for (key, name) in [
        ("hidden_size", "embedding_length"), ("num_attention_heads", "attention.head_count"),
        ("num_hidden_layers", "block_count"), ("intermediate_size", "feed_forward_length"),
        ("max_position_embeddings", "context_length"),
      ] { members[key] = .number(.integer(try reader.count("bert." + name))) }
      members["layer_norm_eps"] = .number(
        .real(try reader.number("bert.attention.layer_norm_epsilon")))
      if let types = file.shape("token_types.weight")?.first {
        members["type_vocab_size"] = .number(.integer(types))
      }
      try reader.require(
        "bert.attention.causal", { $0.boolean == false },
        "Telescope runs this family as an encoder")
      // How states become one vector is not the network's business.
      reader.ignore(["bert.pooling_type", "bert.classifier.output_labels", "bert.vocab_size"])
      return members
    }
}

extension WeightReader {
  /// BERT's embedding: tokens, positions, the first text's vector where there are types, and a norm.
  ///
  /// Its `width` is not the stream's in every family; a `padding` token counts no position.
  func bertEmbedding(
    _ scope: WeightScope, _ shape: ModelShape, width: Int, _ epsilon: Double, types: Int?,
    padding: Int? = nil
  ) -> Embedding {
    let rows = shape.contextLength + (padding.map { $0 + 1 } ?? 0)
    return Embedding(
      tokens: tensor(scope.prefix + "word_embeddings.weight", [shape.vocabulary, width]),
      positions: tensor(scope.prefix + "position_embeddings.weight", [rows, width]),
      padding: padding,
      firstText: types.map {
        tensor(scope.prefix + "token_type_embeddings.weight", [$0, width])
          .slice(0..<1, along: 0).reshaped([width])
      },
      norm: scope.layerNorm("LayerNorm", width, epsilon))
  }
}

extension String {
  /// Without these words at its beginning, where they are there.
  func trimmed(_ prefix: String) -> String {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
  }
}
