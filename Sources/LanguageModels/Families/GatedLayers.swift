internal import StrictJSON
internal import Tensors

/// Decoders in Llama's layout: the values by which families in it differ, and the pieces of their
/// blocks.
///
/// A family whose blocks are wired as Llama's sets values; one that departs gives its own blocks, made
/// of the same pieces.
struct GatedLayers {
  var shape: ModelShape
  var epsilon: Double
  var activation: Activation
  /// How each layer rotates; nil for layers without positions.
  var rotary: [RotaryEmbedding?]
  /// The window of each layer; nil for layers that see everything.
  var windows: [Int?]
  /// Biases of queries, keys and values.
  var inputBias = false
  /// Bias of W_O.
  var outputBias = false
  var feedForwardBias = false
  /// What the norms of queries and keys are over; nil where there are none.
  var headNorms: HeadNorm.Span?
  /// What is added to every norm's weight.
  var normOffset = 0.0
  /// What token vectors are multiplied by.
  var embeddingScale = 1.0
  /// What scores are multiplied by; nil for 1/√headWidth.
  var scoreScale: Double?
  /// κ of κ·tanh(score/κ); nil for none.
  var scoreCap: Double?
  /// κ of κ·tanh(logit/κ); nil for none.
  var logitCap: Double?

  /// Layers that rotate alike and see everything.
  init(shape: ModelShape, epsilon: Double, activation: Activation, rotary: RotaryEmbedding) {
    self.shape = shape
    self.shape.contextLength = max(shape.contextLength, rotary.extendedContext ?? 0)
    self.epsilon = epsilon
    self.activation = activation
    self.rotary = Array(repeating: rotary, count: shape.layers)
    windows = Array(repeating: nil, count: shape.layers)
  }

  /// What most configurations say in the same words.
  ///
  /// - Parameters:
  ///   - architecture: the family as the checkpoint names it.
  ///   - reader: of the configuration.
  ///   - epsilon: of the norms, where none is stated.
  ///   - headWidth: where none is stated; nil for the width shared among the heads.
  ///   - activation: its key, and what it is where none is stated.
  ///   - base: of the rotation, where none is stated.
  ///   - share: the rotated part of a head where none is stated; nil in families that rotate all.
  ///   - keys: where the rotation's settings are.
  /// - Throws: `ModelError` for a setting that cannot be computed with.
  init(
    _ architecture: String, _ reader: ConfigurationReader, epsilon: Double = 1e-6,
    headWidth: Int? = nil, activation: (key: String, name: String) = ("hidden_act", "silu"),
    base: Double = 10_000, share: Double? = nil,
    rotary keys: ConfigurationReader.RotaryKeys = .init()
  ) throws {
    let shape = try reader.decoderShape(architecture, headWidth: headWidth)
    self.init(
      shape: shape, epsilon: try reader.optionalNumber("rms_norm_eps") ?? epsilon,
      activation: try reader.activation(activation.key, default: activation.name),
      rotary: try reader.rotary(width: shape.headWidth, base: base, share: share, keys: keys))
  }

  /// Llama's switches of biases.
  mutating func readBiases(_ reader: ConfigurationReader) throws {
    let bias = try reader.flag("attention_bias") ?? false
    inputBias = bias
    outputBias = bias
    feedForwardBias = try reader.flag("mlp_bias") ?? false
  }

  // MARK: - Models

  /// Blocks wired as Llama's, and what stands around them.
  func model(_ weights: WeightReader, tied: Bool) throws -> Transformer {
    try model(weights, tied: tied) { preNormBlock($0, $1) }
  }

  /// A family's own blocks, and what stands around them.
  func model(
    _ weights: WeightReader, tied: Bool,
    block: (_ weights: WeightScope, _ layer: Int) throws -> any Block
  ) throws -> Transformer {
    let body = weights.scope("model")
    let tokens = weights.tensor("model.embed_tokens.weight", [shape.vocabulary, shape.width])
    let blocks = try (0..<shape.layers).map { try block(body.at("layers.\($0)"), $0) }
    let head = Unembedding(
      norm: norm(body, "norm"), weight: weights.head("lm_head.weight", tiedTo: tokens, tied),
      softCap: logitCap)
    try weights.finish { $0.hasSuffix("rotary_emb.inv_freq") }
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens, scale: embeddingScale), blocks: blocks,
      head: head)
  }

  // MARK: - Pieces

  /// Llama's block, or one with a feed-forward network of the family's own.
  func preNormBlock(
    _ weights: WeightScope, _ layer: Int, feedForward: (any FeedForwardBranch)? = nil
  ) -> PreNormBlock {
    PreNormBlock(
      attentionNorm: norm(weights, "input_layernorm"),
      attention: attention(weights.at("self_attn"), layer),
      feedForwardNorm: norm(weights, "post_attention_layernorm"),
      feedForward: feedForward ?? network(weights.at("mlp")))
  }

  /// `q_proj`, `k_proj`, `v_proj` and `o_proj`, with norms of queries and keys where there are any.
  func attention(_ weights: WeightScope, _ layer: Int) -> Attention {
    let queries = shape.heads * shape.headWidth
    let keys = shape.keyValueHeads * shape.headWidth
    func headNorm(_ name: String, _ all: Int) -> HeadNorm? {
      headNorms.map {
        HeadNorm(norm: norm(weights, name, $0 == .head ? shape.headWidth : all), span: $0)
      }
    }
    var attention = Attention(
      input: weights.joined(
        [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)], from: shape.width,
        bias: inputBias),
      output: weights.linear("o_proj", shape.width, from: queries, bias: outputBias),
      heads: shape.heads, keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
      rotary: rotary[layer], window: windows[layer], scale: scoreScale, softCap: scoreCap)
    if let query = headNorm("q_norm", queries), let key = headNorm("k_norm", keys) {
      attention.headNorms = (query, key)
    }
    return attention
  }

  /// `gate_proj`, `up_proj` and `down_proj`.
  func network(_ weights: WeightScope) -> FeedForward {
    weights.gatedNetwork(shape.hidden, shape.width, activation, bias: feedForwardBias)
  }

  /// A norm of the stream, or of another width.
  func norm(_ weights: WeightScope, _ name: String, _ width: Int? = nil) -> Norm {
    weights.rmsNorm(name, width ?? shape.width, epsilon, adding: normOffset)
  }
}

extension WeightScope {
  /// `gate_proj`, `up_proj` and `down_proj`.
  func gatedNetwork(
    _ hidden: Int, _ width: Int, _ activation: Activation, bias: Bool = false
  ) -> FeedForward {
    FeedForward(
      input: .gated(joined([("gate_proj", hidden), ("up_proj", hidden)], from: width, bias: bias)),
      output: linear("down_proj", width, from: hidden, bias: bias), activation: activation,
      hidden: hidden)
  }
}
