internal import StrictJSON
public import Tensors

// GPT-2 (Radford and others 2019): learned positions, LayerNorm before each branch, biases everywhere,
// a plain feed-forward network with the tanh GELU, tied head:
//
//     x ← x + attention(norm(x));   x ← x + feedForward(norm(x))

/// A GPT-2, ready to run.
public struct GPT2: Decoder {
  /// The sizes.
  public let shape: ModelShape
  /// Final norm and head.
  public let unembedding: Unembedding
  let tokens: Tensor
  let learnedPositions: Tensor
  let blocks: [Block]

  struct Block {
    var attentionNorm: Norm
    var attention: Attention
    var feedForwardNorm: Norm
    var feedForward: FeedForward

    func callAsFunction(
      _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
    ) -> Tensor {
      let before = pass(.residual(layer, .before), x)
      let middle = pass(
        .residual(layer, .middle),
        before + attention(attentionNorm(before), layer, positions, cache, pass))
      return pass(
        .residual(layer, .after), middle + feedForward(feedForwardNorm(middle), layer, pass))
    }
  }

  /// All that a decoder without a gate has.
  public var sites: Set<Site> { Self.decoderSites(layers: shape.layers, gated: false) }

  /// Each branch as it leaves its output projection.
  public func branches(of layer: Int) -> BlockBranches? {
    let block = blocks[layer]
    return BlockBranches(
      attention: Branch(output: block.attention.output, norm: block.attention.outputNorm),
      feedForward: Branch(output: block.feedForward.output, norm: block.feedForward.outputNorm))
  }

  /// The tokens' vectors, each with its position's.
  public func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
    let count = ids[0].count
    let rows = tokens.selecting(Array(ids.joined()), along: 0)
      .reshaped([ids.count, count, shape.width])
    return pass(.embedding, rows + learnedPositions.slice(start..<start + count, along: 0))
  }

  /// Some of the blocks, in order.
  public func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor {
    range.reduce(x) { blocks[$1]($0, $1, positions, cache, pass) }
  }
}

/// What tells one GPT-2 from another.
struct GPT2Configuration {
  var shape: ModelShape
  var epsilon: Double
  var activation: Activation
  var tied: Bool

  /// From `config.json`.
  init(huggingFace reader: ConfigurationReader) throws {
    let width = try reader.count("n_embd")
    let heads = try reader.count("n_head")
    guard width % heads == 0 else {
      throw reader.bad("n_head", .number(.integer(heads)), "it must divide n_embd, \(width)")
    }
    shape = ModelShape(
      architecture: "gpt2", layers: try reader.layerCount("n_layer"), width: width, heads: heads,
      keyValueHeads: heads, headWidth: width / heads,
      hidden: try reader.optionalCount("n_inner") ?? 4 * width,
      vocabulary: try reader.count("vocab_size"), contextLength: try reader.count("n_positions"))
    epsilon = try reader.optionalNumber("layer_norm_epsilon") ?? 1e-5
    tied = try reader.flag("tie_word_embeddings") ?? true
    let name = try reader.string("activation_function") ?? "gelu_new"
    guard let known = Activation(named: name) else {
      throw reader.bad(
        "activation_function", .string(name), "Telescope computes gelu_new, gelu, relu and silu")
    }
    activation = known
    try reader.require(
      "scale_attn_weights", { $0.boolean == true }, "Telescope computes scaled attention only")
    try reader.require(
      "scale_attn_by_inverse_layer_idx", { $0.boolean == false },
      "Telescope does not scale attention by layer")
    try reader.require(
      "add_cross_attention", { $0.boolean == false }, "Telescope runs the decoder alone")
    reader.ignore([
      "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache",
      "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "attn_pdrop",
      "embd_pdrop", "resid_pdrop", "n_ctx", "summary_activation", "summary_first_dropout",
      "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params",
      "reorder_and_upcast_attn", "_name_or_path", "_attn_implementation_autoset",
      "gradient_checkpointing",
    ])
    try reader.finish()
  }

  /// From GGUF metadata.
  init(gguf reader: ConfigurationReader, vocabulary: Int, tied: Bool) throws {
    let width = try reader.count("gpt2.embedding_length")
    let heads = try reader.count("gpt2.attention.head_count")
    guard width % heads == 0 else {
      throw reader.bad(
        "gpt2.attention.head_count", .number(.integer(heads)),
        "it must divide gpt2.embedding_length, \(width)")
    }
    shape = ModelShape(
      architecture: "gpt2", layers: try reader.layerCount("gpt2.block_count"), width: width,
      heads: heads, keyValueHeads: heads, headWidth: width / heads,
      hidden: try reader.count("gpt2.feed_forward_length"), vocabulary: vocabulary,
      contextLength: try reader.count("gpt2.context_length"))
    epsilon = try reader.number("gpt2.attention.layer_norm_epsilon")
    activation = .geluTanh
    self.tied = tied
    try reader.finish()
  }
}

// MARK: - Weights

extension GPT2 {
  /// The names of one layout.
  struct Names: Sendable {
    var tokens, positions, finalNorm, head: String
    var block: @Sendable (Int) -> String
    var attentionNorm, input, output, feedForwardNorm, up, down: String
    /// Whether matrices are stored [in, out], as the original code's convolutions are.
    var transposed: Bool

    static func huggingFace(prefix: String) -> Names {
      Names(
        tokens: prefix + "wte.weight", positions: prefix + "wpe.weight",
        finalNorm: prefix + "ln_f", head: "lm_head.weight", block: { prefix + "h.\($0)." },
        attentionNorm: "ln_1", input: "attn.c_attn", output: "attn.c_proj",
        feedForwardNorm: "ln_2", up: "mlp.c_fc", down: "mlp.c_proj", transposed: true)
    }

    static let gguf = Names(
      tokens: "token_embd.weight", positions: "position_embd.weight", finalNorm: "output_norm",
      head: "output.weight", block: { "blk.\($0)." }, attentionNorm: "attn_norm",
      input: "attn_qkv", output: "attn_output", feedForwardNorm: "ffn_norm", up: "ffn_up",
      down: "ffn_down", transposed: false)
  }

  init(_ configuration: GPT2Configuration, _ weights: WeightReader, _ names: Names) throws {
    let shape = configuration.shape
    let width = shape.width
    func norm(_ name: String) -> Norm {
      Norm(
        kind: .layer, weight: weights.tensor(name + ".weight", [width]),
        bias: weights.tensor(name + ".bias", [width]), epsilon: configuration.epsilon)
    }
    func linear(_ name: String, _ out: Int, from: Int) -> Linear {
      Linear(
        weight: names.transposed
          ? weights.transposed(name + ".weight", [out, from])
          : weights.tensor(name + ".weight", [out, from]),
        bias: weights.tensor(name + ".bias", [out]))
    }

    tokens = weights.tensor(names.tokens, [shape.vocabulary, width])
    learnedPositions = weights.tensor(names.positions, [shape.contextLength, width])
    blocks = (0..<shape.layers).map { layer in
      let prefix = names.block(layer)
      return Block(
        attentionNorm: norm(prefix + names.attentionNorm),
        attention: Attention(
          input: linear(prefix + names.input, 3 * width, from: width),
          output: linear(prefix + names.output, width, from: width), heads: shape.heads,
          keyValueHeads: shape.heads, headWidth: shape.headWidth, rotary: nil, window: nil),
        feedForwardNorm: norm(prefix + names.feedForwardNorm),
        feedForward: FeedForward(
          input: .plain(linear(prefix + names.up, shape.hidden, from: width)),
          output: linear(prefix + names.down, width, from: shape.hidden),
          activation: configuration.activation, hidden: shape.hidden))
    }
    let head =
      configuration.tied ? tokens : weights.tensor(names.head, [shape.vocabulary, width])
    if configuration.tied { weights.skip(names.head) }
    unembedding = Unembedding(norm: norm(names.finalNorm), weight: head, bias: nil, softCap: nil)
    self.shape = shape
    // Old files carry the causal mask as a buffer.
    try weights.finish { $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias") }
  }
}
