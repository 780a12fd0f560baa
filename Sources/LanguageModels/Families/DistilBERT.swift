internal import StrictJSON
internal import Tensors

// DistilBERT (Sanh and others 2019): BERT without text types, in names of its own. Sinusoidal positions
// are stored like learned ones.

extension Family {
  /// DistilBERT.
  static let distilbert = Family(["distilbert"]) { architecture, reader, weights in
    let shape = try reader.encoderShape(
      architecture, width: "dim", heads: "n_heads", layers: "n_layers", hidden: "hidden_dim")
    // The original code has no key for it.
    let epsilon = 1e-12
    let activation = try reader.activation("activation", default: "gelu")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore([
      "dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds",
      "tie_weights_",
    ])
    try reader.finish()

    let body = weights.body("distilbert", probe: "embeddings.word_embeddings.weight")
    let embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: shape.width, epsilon, types: nil)
    let layers = PostNormLayers(
      shape: shape, epsilon: epsilon, activation: activation,
      names: .init(
        query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
        output: "attention.out_lin", attentionNorm: "sa_layer_norm", up: "ffn.lin1",
        down: "ffn.lin2", feedForwardNorm: "output_layer_norm"))
    let blocks = (0..<shape.layers).map { layers.block(body.at("transformer.layer.\($0)")) }
    let head = weights.maskedHead(
      MaskedHeadNames(
        dense: "vocab_transform", norm: "vocab_layer_norm", decoder: "vocab_projector.weight",
        biases: ["vocab_projector.bias"], classes: ["DistilBertForMaskedLM"]),
      reader, width: shape.width, epsilon: epsilon, activation: activation,
      tiedTo: embedding.tokens, tied)
    try weights.finish {
      $0.trimmed(body.prefix) == "embeddings.position_ids"
        || ["pre_classifier.", "classifier.", "qa_outputs."].contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }
}
