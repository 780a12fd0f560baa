internal import StrictJSON

/// How a GGUF architecture says what a Hugging Face checkpoint says: its configuration and the names of
/// its weights.
///
/// A family is written once, for Hugging Face's layout; a dialect translates. The same tables serve to
/// convert a GGUF file.
struct GGUFDialect: Sendable {
  /// Facts of the file that its metadata does not state.
  struct Context {
    /// The rows of the token embedding.
    var vocabulary: Int
    /// Whether the file has a head of its own.
    var hasHead: Bool
    /// The shape of a tensor, where the file has it.
    var shape: (String) -> [Int]?
    /// Whether the file has a tensor of this name.
    func has(_ name: String) -> Bool { shape(name) != nil }
    /// The numbers of a tensor that is a list of settings; nil where there is none.
    var settings: (String) -> [Double]?

    /// The rows of the feed-forward network's first matrix, for architectures whose converter states
    /// four times the width whatever the matrices are.
    func hidden(stated: Int) -> Int { shape("blk.0.ffn_up.weight")?.first ?? stated }

    /// Llama's switches of biases: files do not state them.
    var biasMembers: [String: JSON] {
      [
        "attention_bias": .boolean(has("blk.0.attn_q.bias")),
        "mlp_bias": .boolean(has("blk.0.ffn_down.bias")),
      ]
    }
  }

  /// Tensors that are settings: the members tell of them.
  static let settingTensors = [
    "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight",
  ]

  /// A weight's two names; `#` stands for a number: that of the block, then that of an expert.
  struct Name: Sendable {
    var huggingFace: String
    var gguf: String
    /// Whether rotary pairs stand side by side in the file's rows.
    var isInterleaved = false
    /// Whether the file holds 1 + w where Hugging Face's has w.
    var includesOne = false
    /// Whether the file holds the transpose of what Hugging Face's has.
    var isTurned = false
    /// Whether the file's rows stand in the model's order, where Hugging Face's are picked.
    var isOrdered = false
    /// Whether the file holds −eʷ where Hugging Face's has w.
    var isNegativeExponential = false

    init(
      _ huggingFace: String, _ gguf: String, isInterleaved: Bool = false, includesOne: Bool = false,
      isTurned: Bool = false, isOrdered: Bool = false, isNegativeExponential: Bool = false
    ) {
      self.huggingFace = huggingFace
      self.gguf = gguf
      self.isInterleaved = isInterleaved
      self.includesOne = includesOne
      self.isTurned = isTurned
      self.isOrdered = isOrdered
      self.isNegativeExponential = isNegativeExponential
    }
  }

  /// `general.architecture`.
  var architecture: String
  /// The `model_type` that it becomes.
  var modelType: String
  /// The names of its weights.
  var names: [Name]
  /// The members of the `config.json` that says the same, beside `model_type`.
  var configuration:
    @Sendable (_ metadata: ConfigurationReader, _ file: Context) throws -> [String: JSON]

  /// Where the file keeps a weight.
  ///
  /// - Parameter headWidth: of heads whose rows are interleaved.
  /// - Returns: what finds a Hugging Face name's weight in the file.
  func translation(headWidth: Int) -> @Sendable (String) -> WeightReader.StoredName {
    let table = Dictionary(
      names.map { ($0.huggingFace, $0) }, uniquingKeysWith: { first, _ in first })
    return { name in
      let (pattern, numbers) = Self.pattern(name)
      // Bias and weight of one map stand under one name.
      let stem = pattern.split(separator: ".").last.map(String.init) ?? ""
      let cut = String(pattern.dropLast(stem.count + 1))
      guard let found = table[pattern] ?? table[cut] else {
        return WeightReader.StoredName(name: name)
      }
      var stored = numbers.reduce(found.gguf) { $0.replacing("#", with: $1, maxReplacements: 1) }
      if table[pattern] == nil { stored += "." + stem }
      return WeightReader.StoredName(
        name: stored, interleavedHeadWidth: found.isInterleaved ? headWidth : nil,
        includesOne: found.includesOne, isTurned: found.isTurned, isOrdered: found.isOrdered,
        isNegativeExponential: found.isNegativeExponential)
    }
  }

  /// `model.layers.3.mlp` as `model.layers.#.mlp` and `3`.
  private static func pattern(_ name: String) -> (String, [Substring]) {
    var numbers: [Substring] = []
    let parts = name.split(separator: ".").map { part -> Substring in
      guard part.allSatisfy(\.isNumber) else { return part }
      numbers.append(part)
      return "#"
    }
    return (parts.joined(separator: "."), numbers)
  }

  /// Members from metadata in the words that many architectures share, after `<architecture>.`.
  static func decoderMembers(
    _ reader: ConfigurationReader, _ file: Context, prefix: String, rotatesPart: Bool = false
  ) throws -> [String: JSON] {
    var members: [String: JSON] = [
      "vocab_size": .number(.integer(file.vocabulary)),
      "tie_word_embeddings": .boolean(!file.hasHead),
    ]
    for (key, name) in [
      ("hidden_size", "embedding_length"), ("num_attention_heads", "attention.head_count"),
      ("num_hidden_layers", "block_count"), ("intermediate_size", "feed_forward_length"),
      ("max_position_embeddings", "context_length"),
    ] { members[key] = .number(.integer(try reader.count(prefix + name))) }
    for (key, name) in [
      ("num_key_value_heads", "attention.head_count_kv"), ("head_dim", "attention.key_length"),
    ] { members[key] = try reader.optionalCount(prefix + name).map { .number(.integer($0)) } }
    if let value = try reader.optionalCount(prefix + "attention.value_length"),
      let key = members["head_dim"]?.integer, value != key
    {
      throw reader.bad(
        prefix + "attention.value_length", .number(.integer(value)),
        "keys and values of one width are expected, \(key)")
    }
    if let epsilon = try reader.optionalNumber(prefix + "attention.layer_norm_rms_epsilon") {
      members["rms_norm_eps"] = .number(.real(epsilon))
    }
    if let stated = try reader.optionalCount(prefix + "vocab_size"), stated != file.vocabulary {
      throw reader.bad(
        prefix + "vocab_size", .number(.integer(stated)),
        "the embedding has \(file.vocabulary) rows")
    }
    if let base = try reader.optionalNumber(prefix + "rope.freq_base") {
      members["rope_theta"] = .number(.real(base))
    }
    let headWidth =
      members["head_dim"]?.integer
      ?? (members["hidden_size"]?.integer ?? 0)
      / max(1, members["num_attention_heads"]?.integer ?? 1)
    if let rotated = try reader.optionalCount(prefix + "rope.dimension_count") {
      if rotatesPart {
        // The next number above the quotient: its product is cut down to the count again.
        let share = Double(rotated) / Double(max(1, headWidth))
        members["partial_rotary_factor"] = .number(.real(share == 1 ? 1 : share.nextUp))
      } else if rotated != headWidth {
        throw reader.bad(
          prefix + "rope.dimension_count", .number(.integer(rotated)),
          "this family rotates the whole head, \(headWidth)")
      }
    }
    members["rope_scaling"] = try rotaryScaling(reader, file, prefix: prefix)
    return members
  }

  /// The settings of a scaling, from metadata after `<architecture>.` and from tensors.
  private static func rotaryScaling(
    _ reader: ConfigurationReader, _ file: Context, prefix: String
  ) throws -> JSON? {
    func real(_ number: Double) -> JSON { .number(.real(number)) }
    func list(_ numbers: [Double]) -> JSON { .array(numbers.map(real)) }
    let scaling = prefix + "rope.scaling."
    let original = "original_max_position_embeddings"
    // Whether a file's scaling was trained changes nothing.
    reader.ignore([scaling + "finetuned"])
    let kind = try reader.string(scaling + "type") ?? "none"
    let context = try reader.optionalNumber(scaling + "original_context_length")
    if let short = file.settings("rope_factors_short.weight"),
      let long = file.settings("rope_factors_long.weight"), let context,
      ["none", "longrope"].contains(kind)
    {
      return .object([
        "rope_type": .string("longrope"), "short_factor": list(short), "long_factor": list(long),
        original: real(context),
        "attention_factor": real(try reader.optionalNumber(scaling + "attn_factor") ?? 1),
      ])
    }
    if let factors = file.settings("rope_freqs.weight"), kind == "none" {
      // Llama 3's scaling, worked out: one list for texts of all lengths.
      return .object([
        "rope_type": .string("longrope"), "short_factor": list(factors),
        "long_factor": list(factors), "attention_factor": real(1),
      ])
    }
    switch kind {
    case "none": return nil
    case "linear":
      return .object([
        "rope_type": .string(kind), "factor": real(try reader.number(scaling + "factor")),
      ])
    case "yarn":
      var settings: [(key: String, value: JSON)] = [
        ("rope_type", .string(kind)), ("factor", real(try reader.number(scaling + "factor"))),
      ]
      for (key, value) in [
        (original, context),
        ("attention_factor", try reader.optionalNumber(scaling + "yarn_attn_factor")),
        ("beta_fast", try reader.optionalNumber(scaling + "yarn_beta_fast")),
        ("beta_slow", try reader.optionalNumber(scaling + "yarn_beta_slow")),
      ] {
        if let value { settings.append((key, real(value))) }
      }
      return .object(JSONObject(settings))
    default:
      throw reader.bad(
        scaling + "type", .string(kind),
        "Telescope computes none, linear, yarn, and longrope with its tensors of factors")
    }
  }

  /// The names of Llama's layout, which most gated decoders share.
  static func llamaNames(interleaved: Bool) -> [Name] {
    let block = "model.layers.#."
    return [
      Name("model.embed_tokens", "token_embd"), Name("model.norm", "output_norm"),
      Name("lm_head", "output"),
      Name(block + "input_layernorm", "blk.#.attn_norm"),
      Name(block + "self_attn.q_proj", "blk.#.attn_q", isInterleaved: interleaved),
      Name(block + "self_attn.k_proj", "blk.#.attn_k", isInterleaved: interleaved),
      Name(block + "self_attn.v_proj", "blk.#.attn_v"),
      Name(block + "self_attn.o_proj", "blk.#.attn_output"),
      Name(block + "post_attention_layernorm", "blk.#.ffn_norm"),
      Name(block + "mlp.gate_proj", "blk.#.ffn_gate"),
      Name(block + "mlp.up_proj", "blk.#.ffn_up"),
      Name(block + "mlp.down_proj", "blk.#.ffn_down"),
    ]
  }

  /// Norms of query and key heads, where Llama's layout is added to.
  static func headNormNames(includesOne: Bool = false) -> [Name] {
    ["q", "k"].map {
      Name(
        "model.layers.#.self_attn.\($0)_norm", "blk.#.attn_\($0)_norm", includesOne: includesOne)
    }
  }
}
