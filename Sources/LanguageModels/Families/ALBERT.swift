internal import StrictJSON
internal import Tensors

// ALBERT (Lan and others 2020): BERT in which blocks share their weights and the embedding is narrower
// than the stream. Blocks are in groups of one set of weights each; a group may hold several sets, which
// take turns.

extension Family {
  /// ALBERT.
  static let albert = Family(["albert"]) { architecture, reader, weights in
    var shape = try reader.encoderShape(architecture)
    let rounds = shape.layers
    let groups = try reader.optionalCount("num_hidden_groups") ?? 1
    let members = try reader.optionalCount("inner_group_num") ?? 1
    guard groups <= rounds else {
      throw reader.bad(
        "num_hidden_groups", .number(.integer(groups)),
        "at most num_hidden_layers, \(rounds), are expected")
    }
    guard members <= 10_000 / rounds else {
      throw reader.bad(
        "inner_group_num", .number(.integer(members)), "at most 10000 layers are expected")
    }
    shape.layers = rounds * members
    let inner = try reader.count("embedding_size")
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-12
    let activation = try reader.activation("hidden_act", default: "gelu_new")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let types = try reader.optionalCount("type_vocab_size")
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore(["down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks"])
    try reader.finish()

    let body = weights.body("albert", probe: "embeddings.word_embeddings.weight")
    let encoder = body.at("encoder")
    var embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: inner, epsilon, types: types)
    embedding.projection = encoder.linear(
      "embedding_hidden_mapping_in", shape.width, from: inner, bias: true)
    let layers = PostNormLayers(
      shape: shape, epsilon: epsilon, activation: activation,
      names: .init(
        query: "attention.query", key: "attention.key", value: "attention.value",
        output: "attention.dense", attentionNorm: "attention.LayerNorm", up: "ffn",
        down: "ffn_output", feedForwardNorm: "full_layer_layer_norm"))
    let sets = (0..<groups).map { group in
      (0..<members).map {
        layers.block(encoder.at("albert_layer_groups.\(group).albert_layers.\($0)"))
      }
    }
    let blocks = (0..<rounds).flatMap { sets[$0 * groups / rounds] }
    let head = weights.maskedHead(
      MaskedHeadNames(
        dense: "predictions.dense", norm: "predictions.LayerNorm",
        decoder: "predictions.decoder.weight",
        biases: ["predictions.bias", "predictions.decoder.bias"],
        classes: ["AlbertForMaskedLM", "AlbertForPreTraining"]),
      reader, width: shape.width, epsilon: epsilon, activation: activation,
      tiedTo: embedding.tokens, tied)
    try weights.finish {
      ["pooler.", "embeddings.position_ids"].contains(where: $0.trimmed(body.prefix).hasPrefix)
        || ["sop_classifier.", "classifier.", "qa_outputs."].contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }
}
