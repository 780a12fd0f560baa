internal import StrictJSON
internal import Tensors

// What BERT and its relatives share: blocks that normalise the stream after each branch, biases
// everywhere,
//
//     x ← N₁(x + attention(x));   x ← N₂(x + feedForward(x)),
//
// and a masked-language-model head, z = U·N(φ(W·x + b)) + c, which a checkpoint has or lacks. The names
// are each family's own.

/// Post-norm blocks with plain networks, and what a family calls their weights.
struct PostNormLayers {
  /// What the parts of a block are called, below the block's own name.
  struct Names {
    var query: String
    var key: String
    var value: String
    var output: String
    var attentionNorm: String
    var up: String
    var down: String
    var feedForwardNorm: String

    /// BERT's.
    static let bert = Names(
      query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
      output: "attention.output.dense", attentionNorm: "attention.output.LayerNorm",
      up: "intermediate.dense", down: "output.dense", feedForwardNorm: "output.LayerNorm")
  }

  var shape: ModelShape
  var epsilon: Double
  var activation: Activation
  var names = Names.bert
  /// What is added to the scores of every block.
  var bias: RelativeBias?

  func block(_ weights: WeightScope) -> PostNormBlock {
    let width = shape.width
    return PostNormBlock(
      attention: Attention(
        input: weights.joined(
          [(names.query, width), (names.key, width), (names.value, width)], from: width,
          bias: true),
        output: weights.linear(names.output, width, from: width, bias: true), heads: shape.heads,
        keyValueHeads: shape.heads, headWidth: shape.headWidth, bias: bias),
      attentionNorm: weights.layerNorm(names.attentionNorm, width, epsilon),
      feedForward: FeedForward(
        input: .plain(weights.linear(names.up, shape.hidden, from: width, bias: true)),
        output: weights.linear(names.down, width, from: shape.hidden, bias: true),
        activation: activation, hidden: shape.hidden),
      feedForwardNorm: weights.layerNorm(names.feedForwardNorm, width, epsilon))
  }
}

/// What a family calls the weights of its masked-language-model head.
struct MaskedHeadNames {
  /// W and b.
  var dense: String
  /// N.
  var norm: String
  /// U, where it is not the embedding.
  var decoder: String
  /// c: the head's own name of it, and the one that the decoder has.
  var biases: [String]
  /// The classes of models that have the head.
  var classes: [String]
}

extension WeightReader {
  /// The weights of the body: below its name in a model with a task's head, bare elsewhere.
  func body(_ name: String, probe: String) -> WeightScope {
    scope(has(probe) == true ? "" : name)
  }

  /// The masked-language-model head, where the checkpoint or its configuration says that there is one.
  ///
  /// It takes the residual stream of `width` and normalises in the width of the embedding.
  func maskedHead(
    _ names: MaskedHeadNames, _ reader: ConfigurationReader, width: Int, epsilon: Double,
    activation: Activation, tiedTo embedding: Tensor, _ tied: Bool
  ) -> Unembedding? {
    let classes = reader.value("architectures")?.array?.compactMap(\.string) ?? []
    guard has(names.dense + ".weight") == true || classes.contains(where: names.classes.contains)
    else { return nil }
    let all = scope()
    let inner = embedding.size(1)
    // A decoder of its own has a bias of its own; files with a shared one may carry it twice.
    let biases = tied ? names.biases : names.biases.reversed()
    let bias = biases.first { has($0) == true } ?? names.biases[0]
    biases.forEach(skip)
    return Unembedding(
      transform: HeadTransform(
        dense: all.linear(names.dense, inner, from: width, bias: true), activation: activation),
      norm: all.layerNorm(names.norm, inner, epsilon),
      weight: head(names.decoder, tiedTo: embedding, tied),
      bias: tensor(bias, [embedding.size(0)]))
  }
}

extension ConfigurationReader {
  /// The sizes of an encoder in the usual keys, with a position table whose first rows no text takes.
  func encoderShape(_ architecture: String, unusedPositions unused: Int = 0) throws -> ModelShape {
    try encoderShape(
      architecture, width: "hidden_size", heads: "num_attention_heads",
      layers: "num_hidden_layers", hidden: "intermediate_size", unusedPositions: unused)
  }

  /// The sizes of an encoder in these keys.
  func encoderShape(
    _ architecture: String, width widthKey: String, heads headsKey: String,
    layers layersKey: String, hidden hiddenKey: String, unusedPositions unused: Int = 0
  ) throws -> ModelShape {
    let width = try count(widthKey)
    let heads = try count(headsKey)
    guard width % heads == 0 else {
      throw bad(headsKey, .number(.integer(heads)), "it must divide \(widthKey), \(width)")
    }
    let positions = try count("max_position_embeddings")
    guard positions > unused else {
      throw bad(
        "max_position_embeddings", .number(.integer(positions)),
        "the first \(unused) are not for tokens, so more are expected")
    }
    return ModelShape(
      architecture: architecture, layers: try layerCount(layersKey), width: width, heads: heads,
      keyValueHeads: heads, headWidth: width / heads, hidden: try count(hiddenKey),
      vocabulary: try count("vocab_size"), contextLength: positions - unused)
  }

  /// Refuses what makes another model of an encoder.
  func requireEncoder() throws {
    try require(
      "is_decoder", { $0.boolean == false }, "Telescope runs this family as an encoder")
    try require(
      "add_cross_attention", { $0.boolean == false }, "Telescope runs the encoder alone")
    try require(
      "position_embedding_type", { $0.string == "absolute" },
      "Telescope computes absolute positions here")
    try require(
      "pruned_heads", { $0.object?.members.isEmpty == true },
      "Telescope reads models with all their heads")
  }

  /// Settings of training and of tasks on top of an encoder: none changes its forward pass.
  func ignoreTasks() {
    ignoreBookkeeping()
    ignore([
      "attention_probs_dropout_prob", "hidden_dropout_prob", "classifier_dropout",
      "classifier_dropout_prob", "finetuning_task", "num_labels", "output_past", "torchscript",
      "use_bfloat16", "xla_device", "tokenizer_class", "cross_attention_hidden_size",
      "tie_encoder_decoder", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id",
      "decoder_start_token_id",
    ])
  }
}
