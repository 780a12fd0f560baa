internal import StrictJSON
internal import Tensors

// RoBERTa (Liu and others 2019), XLM-RoBERTa (Conneau and others 2020) and CamemBERT (Martin and others
// 2020): BERT whose positions are counted from the padding token's number on, as the tokenizers of
// fairseq have it. A padding token in the text counts no position and takes its own row.

extension Family {
  /// RoBERTa and its multilingual and French relatives.
  static let roberta = Family(["roberta", "xlm-roberta", "camembert"]) {
    architecture, reader, weights in
    let padding = try reader.token("pad_token_id") ?? 1
    let shape = try reader.encoderShape(architecture, unusedPositions: padding + 1)
    let epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-12
    let activation = try reader.activation("hidden_act", default: "gelu")
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let types = try reader.optionalCount("type_vocab_size")
    try reader.requireEncoder()
    reader.ignoreTasks()
    try reader.finish()

    let body = weights.body("roberta", probe: "embeddings.word_embeddings.weight")
    let embedding = weights.bertEmbedding(
      body.at("embeddings"), shape, width: shape.width, epsilon, types: types, padding: padding)
    let layers = PostNormLayers(shape: shape, epsilon: epsilon, activation: activation)
    let blocks = (0..<shape.layers).map { layers.block(body.at("encoder.layer.\($0)")) }
    let prefix = ["xlm-roberta": "XLMRoberta", "camembert": "Camembert"][architecture] ?? "Roberta"
    let head = weights.maskedHead(
      .roberta(classes: [prefix + "ForMaskedLM", prefix + "ForCausalLM"]), reader,
      width: shape.width, epsilon: epsilon, activation: .gelu, tiedTo: embedding.tokens, tied)
    try weights.finish {
      ["pooler.", "embeddings.position_ids"].contains(where: $0.trimmed(body.prefix).hasPrefix)
        || ["classifier.", "qa_outputs."].contains(where: $0.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }
}

extension MaskedHeadNames {
  /// RoBERTa's, whose activation is the exact GELU whatever the blocks' is.
  static func roberta(classes: [String]) -> MaskedHeadNames {
    MaskedHeadNames(
      dense: "lm_head.dense", norm: "lm_head.layer_norm", decoder: "lm_head.decoder.weight",
      biases: ["lm_head.bias", "lm_head.decoder.bias"], classes: classes)
  }
}

extension ConfigurationReader {
  /// A token's number, or nil if absent.
  func token(_ key: String) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.integer, number >= 0, number < 1 << 31 else {
      throw bad(key, value, "a token's number is expected")
    }
    return number
  }
}
