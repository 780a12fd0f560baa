internal import Checkpoints
internal import Foundation
internal import StrictJSON
public import Tensors

// Llama (Touvron and others 2023) and the families that are Llama with other values: SmolLM2 (Llama
// itself), Mistral (a sliding window), Qwen 2 (biases on queries, keys and values).
//
// Pre-norm RMS blocks, rotary positions, grouped heads, gated feed-forward with SiLU:
//
//     x ← x + attention(norm(x));   x ← x + feedForward(norm(x))

/// What tells one Llama from another.
struct LlamaConfiguration: Equatable {
  var shape: ModelShape
  var epsilon: Double
  var ropeBase: Double
  var ropeScaling = RotaryEmbedding.Scaling.none
  var inputBias = false
  var outputBias = false
  var feedForwardBias = false
  var tied = false
  var activation = Activation.silu
  /// The window of each layer; nil for layers that see everything.
  var windows: [Int?]
}

/// A Llama, ready to run.
public struct Llama: Decoder {
  /// The sizes.
  public let shape: ModelShape
  /// Final norm and head.
  public package(set) var unembedding: Unembedding
  let embedding: Tensor
  package var blocks: [Block]

  package struct Block {
    var attentionNorm: Norm
    package var attention: Attention
    var feedForwardNorm: Norm
    package var feedForward: FeedForward

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

  /// All that a gated decoder has.
  public var sites: Set<Site> { Self.decoderSites(layers: shape.layers, gated: true) }

  /// Each branch as it leaves its output projection.
  public func branches(of layer: Int) -> BlockBranches? {
    let block = blocks[layer]
    return BlockBranches(
      attention: Branch(output: block.attention.output, norm: block.attention.outputNorm),
      feedForward: Branch(output: block.feedForward.output, norm: block.feedForward.outputNorm))
  }

  /// The tokens' vectors.
  public func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
    let rows = embedding.selecting(Array(ids.joined()), along: 0)
    return pass(.embedding, rows.reshaped([ids.count, ids[0].count, shape.width]))
  }

  /// Some of the blocks, in order.
  public func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor {
    range.reduce(x) { blocks[$1]($0, $1, positions, cache, pass) }
  }
}

// MARK: - Configuration

extension LlamaConfiguration {
  /// From `config.json`, for `llama`, `mistral` and `qwen2`.
  init(huggingFace reader: ConfigurationReader, architecture: String) throws {
    let width = try reader.count("hidden_size")
    let heads = try reader.count("num_attention_heads")
    let layers = try reader.layerCount("num_hidden_layers")
    let keyValueHeads = try reader.optionalCount("num_key_value_heads") ?? heads
    let headWidth = try reader.optionalCount("head_dim") ?? (width / heads)
    guard heads % keyValueHeads == 0 else {
      throw reader.bad(
        "num_key_value_heads", .number(.integer(keyValueHeads)),
        "it must divide num_attention_heads, \(heads)")
    }
    guard headWidth > 0, headWidth % 2 == 0 else {
      throw reader.bad(
        "head_dim", .number(.integer(headWidth)), "rotary positions need an even width")
    }
    shape = ModelShape(
      architecture: architecture, layers: layers, width: width, heads: heads,
      keyValueHeads: keyValueHeads, headWidth: headWidth,
      hidden: try reader.count("intermediate_size"), vocabulary: try reader.count("vocab_size"),
      contextLength: try reader.optionalCount("max_position_embeddings") ?? 2048)
    epsilon = try reader.optionalNumber("rms_norm_eps") ?? 1e-6
    tied = try reader.flag("tie_word_embeddings") ?? false
    let name = try reader.string("hidden_act") ?? "silu"
    guard let known = Activation(named: name) else {
      throw reader.bad("hidden_act", .string(name), "Telescope computes silu, relu and gelu")
    }
    activation = known
    (ropeBase, ropeScaling) = try Self.rope(reader)

    switch architecture {
    case "qwen2":
      inputBias = true
      let uses = try reader.flag("use_sliding_window") ?? false
      let window = try Self.window(reader)
      let full = try reader.optionalCount("max_window_layers") ?? 28
      let kinds = reader.value("layer_types").map { $0.array?.map(\.string) ?? [] }
      if let kinds, kinds.count != layers {
        throw reader.bad(
          "layer_types", .array([]), "one kind for each of the \(layers) layers is expected")
      }
      windows = (0..<layers).map { layer in
        guard uses else { return nil }
        let slides = kinds.map { $0[layer] == "sliding_attention" } ?? (layer >= full)
        return slides ? window : nil
      }
    case "mistral":
      windows = Array(repeating: try Self.window(reader), count: layers)
    default:
      inputBias = try reader.flag("attention_bias") ?? false
      outputBias = inputBias
      feedForwardBias = try reader.flag("mlp_bias") ?? false
      windows = Array(repeating: nil, count: layers)
    }
    reader.ignore(Self.ignoredKeys)
    try reader.finish()
  }

  /// How far back a query sees: null for all the way, and 4096 where the key is not there.
  private static func window(_ reader: ConfigurationReader) throws -> Int? {
    reader.has("sliding_window") ? try reader.optionalCount("sliding_window") : 4096
  }

  /// Training settings, bookkeeping, and switches of other software: none changes the forward pass.
  private static let ignoredKeys = [
    "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache",
    "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "pretraining_tp",
    "attention_dropout", "_name_or_path", "_attn_implementation", "_attn_implementation_autoset",
    "rope_interleaved", "is_llama_config", "transformers.js_config", "unsloth_fixed",
    "output_attentions", "output_hidden_states", "return_dict", "chunk_size_feed_forward",
    "is_encoder_decoder", "id2label", "label2id", "problem_type",
  ]

  /// θ and its scaling, in the spelling of transformers 4 (`rope_theta`, `rope_scaling`) or 5
  /// (`rope_parameters`).
  private static func rope(
    _ reader: ConfigurationReader
  ) throws -> (base: Double, scaling: RotaryEmbedding.Scaling) {
    let topBase = try reader.optionalNumber("rope_theta")
    let key = reader.value("rope_parameters") == nil ? "rope_scaling" : "rope_parameters"
    let alternative = reader.value("rope_scaling")
    guard let value = reader.value("rope_parameters") ?? alternative else {
      return (topBase ?? 10_000, .none)
    }
    guard let object = value.object else { throw reader.bad(key, value, "an object is expected") }
    let inner = ConfigurationReader(
      object.members.map { ("\(key).\($0.key)", $0.value) }, file: reader.file,
      exempt: reader.exempt)
    let base = try inner.optionalNumber("\(key).rope_theta") ?? topBase ?? 10_000
    let kind =
      try inner.string("\(key).rope_type") ?? inner.string("\(key).type") ?? "default"
    inner.ignore(["\(key).type", "\(key).rope_type"])
    let scaling: RotaryEmbedding.Scaling
    switch kind {
    case "default": scaling = .none
    case "linear": scaling = .linear(factor: try inner.number("\(key).factor"))
    case "llama3":
      scaling = .llama3(
        factor: try inner.number("\(key).factor"),
        low: try inner.number("\(key).low_freq_factor"),
        high: try inner.number("\(key).high_freq_factor"),
        originalContext: try inner.number("\(key).original_max_position_embeddings"))
    default:
      throw reader.bad(
        "\(key).rope_type", .string(kind), "Telescope computes default, linear and llama3")
    }
    try inner.finish()
    return (base, scaling)
  }

  /// From GGUF metadata, for `llama` and `qwen2`.
  init(gguf reader: ConfigurationReader, architecture: String, vocabulary: Int, tied: Bool) throws {
    let prefix = architecture + "."
    let width = try reader.count(prefix + "embedding_length")
    let heads = try reader.count(prefix + "attention.head_count")
    let layers = try reader.layerCount(prefix + "block_count")
    let keyValueHeads = try reader.optionalCount(prefix + "attention.head_count_kv") ?? heads
    let headWidth = try reader.optionalCount(prefix + "attention.key_length") ?? (width / heads)
    let valueWidth = try reader.optionalCount(prefix + "attention.value_length") ?? headWidth
    guard heads % keyValueHeads == 0 else {
      throw reader.bad(
        prefix + "attention.head_count_kv", .number(.integer(keyValueHeads)),
        "it must divide the number of heads, \(heads)")
    }
    guard headWidth > 0, headWidth % 2 == 0 else {
      throw reader.bad(
        prefix + "attention.head_count", .number(.integer(heads)),
        "its heads are \(headWidth) wide, and rotary positions need an even width")
    }
    guard valueWidth == headWidth else {
      throw reader.bad(
        prefix + "attention.value_length", .number(.integer(valueWidth)),
        "keys and values of one width are expected, \(headWidth)")
    }
    let rotated = try reader.optionalCount(prefix + "rope.dimension_count") ?? headWidth
    guard rotated == headWidth else {
      throw reader.bad(
        prefix + "rope.dimension_count", .number(.integer(rotated)),
        "this family rotates the whole head, \(headWidth)")
    }
    if let stated = try reader.optionalCount(prefix + "vocab_size"), stated != vocabulary {
      throw reader.bad(
        prefix + "vocab_size", .number(.integer(stated)),
        "the embedding has \(vocabulary) rows")
    }
    shape = ModelShape(
      architecture: architecture, layers: layers, width: width, heads: heads,
      keyValueHeads: keyValueHeads, headWidth: headWidth,
      hidden: try reader.count(prefix + "feed_forward_length"), vocabulary: vocabulary,
      contextLength: try reader.count(prefix + "context_length"))
    epsilon = try reader.number(prefix + "attention.layer_norm_rms_epsilon")
    ropeBase = try reader.optionalNumber(prefix + "rope.freq_base") ?? 10_000
    switch try reader.string(prefix + "rope.scaling.type") ?? "none" {
    case "none": break
    case "linear":
      ropeScaling = .linear(factor: try reader.number(prefix + "rope.scaling.factor"))
    case let kind:
      throw reader.bad(
        prefix + "rope.scaling.type", .string(kind), "Telescope computes none and linear")
    }
    let window = try reader.optionalCount(prefix + "attention.sliding_window")
    windows = Array(repeating: window, count: layers)
    inputBias = architecture == "qwen2"
    self.tied = tied
    try reader.finish()
  }
}

// MARK: - Weights

extension Llama {
  /// The names of one layout.
  struct Names: Sendable {
    var embedding, finalNorm, head: String
    var block: @Sendable (Int) -> String
    var attentionNorm, query, key, value, output: String
    var feedForwardNorm, gate, up, down: String

    static let huggingFace = Names(
      embedding: "model.embed_tokens.weight", finalNorm: "model.norm.weight",
      head: "lm_head.weight", block: { "model.layers.\($0)." },
      attentionNorm: "input_layernorm", query: "self_attn.q_proj", key: "self_attn.k_proj",
      value: "self_attn.v_proj", output: "self_attn.o_proj",
      feedForwardNorm: "post_attention_layernorm", gate: "mlp.gate_proj", up: "mlp.up_proj",
      down: "mlp.down_proj")

    static let gguf = Names(
      embedding: "token_embd.weight", finalNorm: "output_norm.weight", head: "output.weight",
      block: { "blk.\($0)." }, attentionNorm: "attn_norm", query: "attn_q", key: "attn_k",
      value: "attn_v", output: "attn_output", feedForwardNorm: "ffn_norm", gate: "ffn_gate",
      up: "ffn_up", down: "ffn_down")
  }

  init(
    _ configuration: LlamaConfiguration, _ weights: WeightReader, _ names: Names,
    interleavedPairs: Bool
  ) throws {
    let shape = configuration.shape
    let width = shape.width
    let queries = shape.heads * shape.headWidth
    let keys = shape.keyValueHeads * shape.headWidth
    let order: WeightReader.RowOrder =
      interleavedPairs ? .interleavedPairs(headWidth: shape.headWidth) : .plain
    var rotary = RotaryEmbedding(
      width: shape.headWidth, base: configuration.ropeBase, scaling: configuration.ropeScaling)
    if weights.has("rope_freqs.weight"),
      let factors = try? weights.tensor("rope_freqs.weight", [shape.headWidth / 2]).values()
    {
      rotary = RotaryEmbedding(
        width: shape.headWidth, base: configuration.ropeBase, dividing: factors)
    }
    func norm(_ name: String) -> Norm {
      Norm(
        kind: .rms, weight: weights.tensor(name, [width]), bias: nil,
        epsilon: configuration.epsilon)
    }

    embedding = weights.tensor(names.embedding, [shape.vocabulary, width])
    blocks = (0..<shape.layers).map { layer in
      let prefix = names.block(layer)
      func linear(
        _ parts: [(String, Int, WeightReader.RowOrder)], from: Int, bias: Bool
      ) -> Linear {
        Linear(
          weight: weights.stacked(
            parts.map { (prefix + $0.0 + ".weight", [$0.1, from], $0.2) }),
          bias: bias
            ? weights.stacked(parts.map { (prefix + $0.0 + ".bias", [$0.1], $0.2) }) : nil)
      }
      return Block(
        attentionNorm: norm(prefix + names.attentionNorm + ".weight"),
        attention: Attention(
          input: linear(
            [(names.query, queries, order), (names.key, keys, order), (names.value, keys, .plain)],
            from: width, bias: configuration.inputBias),
          output: linear(
            [(names.output, width, .plain)], from: queries, bias: configuration.outputBias),
          heads: shape.heads, keyValueHeads: shape.keyValueHeads, headWidth: shape.headWidth,
          rotary: rotary, window: configuration.windows[layer]),
        feedForwardNorm: norm(prefix + names.feedForwardNorm + ".weight"),
        feedForward: FeedForward(
          input: .gated(
            linear(
              [(names.gate, shape.hidden, .plain), (names.up, shape.hidden, .plain)],
              from: width, bias: configuration.feedForwardBias)),
          output: linear(
            [(names.down, width, .plain)], from: shape.hidden,
            bias: configuration.feedForwardBias),
          activation: configuration.activation, hidden: shape.hidden))
    }
    let head =
      configuration.tied ? embedding : weights.tensor(names.head, [shape.vocabulary, width])
    // A tied checkpoint may still carry the copy.
    if configuration.tied { weights.skip(names.head) }
    unembedding = Unembedding(norm: norm(names.finalNorm), weight: head, bias: nil, softCap: nil)
    self.shape = shape
    try weights.finish { $0.hasSuffix("rotary_emb.inv_freq") }
  }
}
