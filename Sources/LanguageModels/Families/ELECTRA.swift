internal import StrictJSON
internal import Tensors

// ELECTRA (Clark and others 2020): BERT with an embedding that may be narrower than the stream. The
// generator has a masked-language-model head, in the embedding's width; the discriminator has none, and
// what it says of each token is another task's.

extension Family {
  /// ELECTRA, generator and discriminator.
  static let electra = Family(["electra"]) { architecture, reader, weights in
    let shape = try reader.encoderShape(architecture)
    let inner = try reader.optionalCount("embedding_size") ?? shape.width
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-12
    let activation = try reader.activation("hidden_act", default: "gelu")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let types = try reader.optionalCount("type_vocab_size")
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore([
      "summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj",
    ])
    try reader.finish()

    let body = weights.body("electra", probe: "embeddings.word_embeddings.weight")
    var embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: inner, epsilon, types: types)
    if inner != shape.width {
      embedding.projection = body.linear(
        "embeddings_project", shape.width, from: inner, bias: true)
    }
    let layers = PostNormLayers(shape: shape, epsilon: epsilon, activation: activation)
    let blocks = (0..<shape.layers).map { layers.block(body.at("encoder.layer.\($0)")) }
    let head = weights.maskedHead(
      MaskedHeadNames(
        dense: "generator_predictions.dense", norm: "generator_predictions.LayerNorm",
        decoder: "generator_lm_head.weight", biases: ["generator_lm_head.bias"],
        classes: ["ElectraForMaskedLM", "ElectraForCausalLM"]),
      reader, width: shape.width, epsilon: epsilon, activation: .gelu, tiedTo: embedding.tokens,
      tied)
    try weights.finish {
      $0.trimmed(body.prefix) == "embeddings.position_ids"
        || ["discriminator_predictions.", "sequence_summary.", "classifier.", "qa_outputs."]
          .contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }
}
