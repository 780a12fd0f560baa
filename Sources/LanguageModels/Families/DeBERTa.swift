internal import StrictJSON
internal import Tensors

// DeBERTa (He and others 2021): BERT whose scores also depend on how far apart tokens lie
// (`DisentangledAttention`),
//
//     x ← N₁(x + attention(x));   x ← N₂(x + feedForward(x))
//
// Version 1 gives each distance a vector. Queries, keys and values of a head stand together in one
// matrix, without a bias for keys.

extension Family {
  /// DeBERTa, version 1.
  static let deberta = Family(["deberta"]) { architecture, reader, weights in
    let layers = try DisentangledLayers(architecture, reader)
    try reader.require(
      "talking_head", { $0.boolean == false }, "Telescope does not mix scores of different heads")
    try reader.finish()

    let shape = layers.shape
    let width = shape.width
    return try layers.model(reader, weights) { block, table in
      let attention = block.at("attention.self")
      // The file's rows by head: its query, its key, its value.
      let matrix = attention.picked("in_proj", 3 * width, from: width, stored: 3 * width) { row in
        let (part, place) = row.quotientAndRemainder(dividingBy: width)
        let (head, element) = place.quotientAndRemainder(dividingBy: shape.headWidth)
        return (3 * head + part) * shape.headWidth + element
      }
      let query = weights.tensor(attention.prefix + "q_bias", [width])
      let value = weights.tensor(attention.prefix + "v_bias", [width])
      return layers.attention(
        block,
        input: Linear(
          weight: matrix.weight,
          bias: Tensor.concatenating([query, query * 0, value], along: 0)),
        table,
        keys: { attention.linear("pos_proj", width, from: width) },
        queries: { attention.linear("pos_q_proj", width, from: width, bias: true) })
    }
  }
}

/// What both versions have in common: configuration, embedding, blocks and heads.
struct DisentangledLayers {
  var shape: ModelShape
  var epsilon: Double
  var activation: Activation
  var tied: Bool
  /// The width of the embedding.
  var inner: Int
  /// Whether the embedding knows where tokens stand.
  var hasPositions: Bool
  var types: Int?
  /// The terms of the scores beside content to content.
  var terms: [String]
  /// Nil where scores depend on content alone.
  var distances: RelativeDistances?
  /// The head that a configuration tells of: the original code's, or that of the first port of it.
  var prefersOriginalHead: Bool
  /// Whether the table of distances has a norm.
  var hasTableNorm = false

  /// Reads the keys that both versions have.
  init(_ architecture: String, _ reader: ConfigurationReader) throws {
    shape = try reader.encoderShape(architecture)
    epsilon = try reader.optionalNumber("layer_norm_eps") ?? 1e-7
    activation = try reader.activation("hidden_act", default: "gelu")
    tied = try reader.flag("tie_word_embeddings") ?? true
    inner = try reader.optionalCount("embedding_size") ?? shape.width
    hasPositions = try reader.flag("position_biased_input") ?? true
    types = try reader.countOrNone("type_vocab_size")
    terms = try reader.scoreTerms()
    let farthest = try reader.countOrNone("max_relative_positions") ?? shape.contextLength
    if try reader.flag("relative_attention") ?? false {
      distances = RelativeDistances(span: farthest, exact: nil, farthest: farthest)
    }
    prefersOriginalHead = try reader.flag("legacy") == false
    try reader.requireEncoder()
    reader.ignoreTasks()
    reader.ignore(prefix: "pooler_")
    reader.ignore(["padding_idx", "summary_type", "cls_dropout"])
  }

  /// An attention branch.
  ///
  /// - Parameters:
  ///   - block: of the weights.
  ///   - input: of queries, keys and values.
  ///   - table: of distances: [rows, width].
  ///   - keys: what makes keys of the table.
  ///   - queries: what makes queries of the table.
  /// - Returns: the attention.
  func attention(
    _ block: WeightScope, input: Linear, _ table: Tensor?, keys: () -> Linear,
    queries: () -> Linear
  ) -> DisentangledAttention {
    let scale = 1 / Double(shape.headWidth * (1 + terms.count)).squareRoot()
    func projected(_ projection: () -> Linear, where term: String) -> Tensor? {
      guard let table, terms.contains(term) else { return nil }
      let projection = projection()
      let rows = table.size(0)
      return block.weights.made([shape.heads, rows, shape.headWidth]) {
        (projection(table) * scale).reshaped([rows, shape.heads, shape.headWidth])
          .transposed(0, 1).contiguous
      }
    }
    return DisentangledAttention(
      input: input,
      output: block.linear(
        "attention.output.dense", shape.width, from: shape.width, bias: true),
      heads: shape.heads, headWidth: shape.headWidth,
      distances: distances ?? RelativeDistances(span: 1, exact: nil, farthest: 1),
      keys: projected(keys, where: "c2p"), queries: projected(queries, where: "p2c"), scale: scale)
  }

  /// The model.
  ///
  /// - Parameters:
  ///   - reader: of the configuration, read to its end.
  ///   - weights: the weights.
  ///   - first: what becomes of the first block, with the weights around the blocks.
  ///   - attention: makes a block's, with the table of distances.
  /// - Returns: the model.
  /// - Throws: what the weights do not fit.
  func model(
    _ reader: ConfigurationReader, _ weights: WeightReader,
    first: (PostNormBlock, WeightScope) -> any Block = { block, _ in block },
    attention: (_ block: WeightScope, _ table: Tensor?) -> DisentangledAttention
  ) throws -> Transformer {
    let width = shape.width
    let body = weights.body("deberta", probe: "embeddings.word_embeddings.weight")
    let embedding = self.embedding(weights, body)
    let encoder = body.at("encoder")
    let table = distances.map {
      let table = weights.tensor(encoder.prefix + "rel_embeddings.weight", [2 * $0.span, width])
      return hasTableNorm ? encoder.layerNorm("LayerNorm", width, epsilon)(table) : table
    }
    let blocks = (0..<shape.layers).map { layer -> any Block in
      let scope = encoder.at("layer.\(layer)")
      let block = PostNormBlock(
        attention: attention(scope, table),
        attentionNorm: scope.layerNorm("attention.output.LayerNorm", width, epsilon),
        feedForward: FeedForward(
          input: .plain(
            scope.linear("intermediate.dense", shape.hidden, from: width, bias: true)),
          output: scope.linear("output.dense", width, from: shape.hidden, bias: true),
          activation: activation, hidden: shape.hidden),
        feedForwardNorm: scope.layerNorm("output.LayerNorm", width, epsilon))
      return layer == 0 ? first(block, encoder) : block
    }
    let head = try self.head(reader, weights, embedding.tokens)
    // Published files carry positions that the configuration leaves out, and the heads of other tasks.
    try weights.finish { name in
      ["embeddings.position_ids", "embeddings.position_embeddings."]
        .contains(where: name.trimmed(body.prefix).hasPrefix)
        || [
          "pooler.", "classifier.", "qa_outputs.", "mask_predictions.", "cls.", "lm_predictions.",
        ]
        .contains(where: name.hasPrefix)
    }
    return Transformer(
      shape: shape, embedding: embedding, blocks: blocks, head: head, isCausal: false)
  }

  private func embedding(_ weights: WeightReader, _ body: WeightScope) -> Embedding {
    let scope = body.at("embeddings")
    func table(_ name: String, _ rows: Int) -> Tensor {
      weights.tensor(scope.prefix + name + ".weight", [rows, inner])
    }
    var embedding = Embedding(
      tokens: table("word_embeddings", shape.vocabulary),
      positions: hasPositions ? table("position_embeddings", shape.contextLength) : nil,
      firstText: types.map {
        table("token_type_embeddings", $0).slice(0..<1, along: 0).reshaped([inner])
      })
    if inner != shape.width {
      embedding.projection = scope.linear("embed_proj", shape.width, from: inner)
    }
    embedding.lastNorm = scope.layerNorm("LayerNorm", shape.width, epsilon)
    return embedding
  }

  /// Two heads compute the same by different names; the first port's was published untrained.
  private func head(
    _ reader: ConfigurationReader, _ weights: WeightReader, _ embedding: Tensor
  ) throws -> Unembedding? {
    let port = MaskedHeadNames(
      dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm",
      decoder: "cls.predictions.decoder.weight",
      biases: ["cls.predictions.bias", "cls.predictions.decoder.bias"],
      classes: ["DebertaForMaskedLM", "DebertaV2ForMaskedLM"])
    var original = MaskedHeadNames(
      dense: "lm_predictions.lm_head.dense", norm: "lm_predictions.lm_head.LayerNorm",
      decoder: "", biases: ["lm_predictions.lm_head.bias"], classes: port.classes)
    let isOriginal: Bool
    switch (weights.has(original.dense + ".weight"), weights.has(port.dense + ".weight")) {
    case (true?, false?): isOriginal = true
    case (false?, true?): isOriginal = false
    default: isOriginal = prefersOriginalHead
    }
    if isOriginal && inner != shape.width {
      // The head reads the embedding's rows with the stream's width.
      guard weights.has(original.dense + ".weight") != true else {
        throw reader.bad(
          "embedding_size", .number(.integer(inner)),
          "a head that reads the embedding needs hidden_size, \(shape.width)")
      }
      original.classes = []
    }
    return weights.maskedHead(
      isOriginal ? original : port, reader, width: shape.width, epsilon: epsilon,
      activation: activation, tiedTo: embedding, isOriginal || tied)
  }
}

extension ConfigurationReader {
  /// A whole number of at least 1; nil where it is absent, and where 0 or −1 says that there is none.
  func countOrNone(_ key: String) throws -> Int? {
    if let number = value(key)?.integer, number == 0 || number == -1 { return nil }
    return try optionalCount(key)
  }

  /// The terms of DeBERTa's scores: `c2p|p2c`, or a list.
  fileprivate func scoreTerms() throws -> [String] {
    let key = "pos_att_type"
    guard let value = value(key) else { return [] }
    let expected = "c2p and p2c are expected, each once at most"
    let words =
      value.string.map { $0.lowercased().split(separator: "|").map(String.init) }
      ?? value.array?.map { $0.string ?? "" }
    guard let terms = words?.map({ $0.filter { $0 != " " } }).filter({ !$0.isEmpty }),
      Set(terms).isSubset(of: ["c2p", "p2c"]), Set(terms).count == terms.count
    else { throw bad(key, value, expected) }
    return terms
  }
}
