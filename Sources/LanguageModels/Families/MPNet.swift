internal import StrictJSON
internal import Tensors

// MPNet (Song and others 2020): RoBERTa without text types, and with a relative bias that all blocks add
// to their scores.

extension Family {
  /// MPNet.
  static let mpnet = Family(["mpnet"]) { architecture, reader, weights in
    // Whatever the configuration says of its padding token.
    let padding = 1
    let shape = try reader.encoderShape(architecture, unusedPositions: padding + 1)
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-12
    let activation = try reader.activation("hidden_act", default: "gelu")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    try reader.require(
      "relative_attention_num_buckets", { $0.integer == 32 },
      "the published code computes 32 whatever is stated, and so does Telescope")
    try reader.requireEncoder()
    reader.ignoreTasks()
    try reader.finish()

    let body = weights.body("mpnet", probe: "embeddings.word_embeddings.weight")
    let embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: shape.width, epsilon, types: nil, padding: padding)
    let encoder = body.at("encoder")
    let layers = PostNormLayers(
      shape: shape, epsilon: epsilon, activation: activation,
      names: .init(
        query: "attention.attn.q", key: "attention.attn.k", value: "attention.attn.v",
        output: "attention.attn.o", attentionNorm: "attention.LayerNorm",
        up: "intermediate.dense", down: "output.dense", feedForwardNorm: "output.LayerNorm"),
      bias: RelativeBias(
        table: weights.tensor(
          encoder.prefix + "relative_attention_bias.weight", [32, shape.heads]),
        farthest: 128))
    let blocks = (0..<shape.layers).map { layers.block(encoder.at("layer.\($0)")) }
    let head = weights.maskedHead(
      .roberta(classes: ["MPNetForMaskedLM"]), reader, width: shape.width, epsilon: epsilon,
      activation: .gelu, tiedTo: embedding.tokens, tied)
    try weights.finish {
      ["pooler.", "embeddings.position_ids"].contains(where: $0.trimmed(body.prefix).hasPrefix)
        || ["classifier.", "qa_outputs."].contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }
}
