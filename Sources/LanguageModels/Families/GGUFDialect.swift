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
    /// Whether the file has a tensor of this name.
    var has: (String) -> Bool
  }

  /// A weight's two names; `#` stands for a number, that of the block.
  struct Name: Sendable {
    var huggingFace: String
    var gguf: String
    /// Whether rotary pairs stand side by side in the file's rows.
    var isInterleaved = false
    /// Whether the file holds 1 + w where Hugging Face's has w.
    var includesOne = false
    /// Whether the file holds the transpose of what Hugging Face's has.
    var isTurned = false

    init(
      _ huggingFace: String, _ gguf: String, isInterleaved: Bool = false, includesOne: Bool = false,
      isTurned: Bool = false
    ) {
      self.huggingFace = huggingFace
      self.gguf = gguf
      self.isInterleaved = isInterleaved
      self.includesOne = includesOne
      self.isTurned = isTurned
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
  func translation(headWidth: Int) -> @Sendable (String) -> WeightReader.StoredName {
    let table = Dictionary(
      names.map { ($0.huggingFace, $0) }, uniquingKeysWith: { first, _ in first })
    return { name in
      let (pattern, number) = Self.pattern(name)
      // Bias and weight of one map stand under one name.
      let stem = pattern.split(separator: ".").last.map(String.init) ?? ""
      let cut = String(pattern.dropLast(stem.count + 1))
      guard let found = table[pattern] ?? table[cut] else {
        return WeightReader.StoredName(name: name)
      }
      var stored = found.gguf.replacing("#", with: number)
      if table[pattern] == nil { stored += "." + stem }
      return WeightReader.StoredName(
        name: stored, interleavedHeadWidth: found.isInterleaved ? headWidth : nil,
        includesOne: found.includesOne, isTurned: found.isTurned)
    }
  }

  /// `model.layers.3.mlp` as `model.layers.#.mlp` and `3`.
  private static func pattern(_ name: String) -> (String, String) {
    var number = ""
    let parts = name.split(separator: ".").map { part -> Substring in
      guard number.isEmpty, part.allSatisfy(\.isNumber) else { return part }
      number = String(part)
      return "#"
    }
    return (parts.joined(separator: "."), number)
  }

  /// Members from metadata in the words that many architectures share, after `<architecture>.`.
  static func decoderMembers(
    _ reader: ConfigurationReader, _ file: Context, prefix: String
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
    if let rotated = try reader.optionalCount(prefix + "rope.dimension_count"),
      let width = members["hidden_size"]?.integer,
      let heads = members["num_attention_heads"]?.integer,
      case let headWidth = members["head_dim"]?.integer ?? width / heads, rotated != headWidth
    {
      throw reader.bad(
        prefix + "rope.dimension_count", .number(.integer(rotated)),
        "this family rotates the whole head, \(headWidth)")
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
    switch try reader.string(prefix + "rope.scaling.type") ?? "none" {
    case "none": break
    case "linear":
      members["rope_scaling"] = .object([
        "rope_type": .string("linear"),
        "factor": .number(.real(try reader.number(prefix + "rope.scaling.factor"))),
      ])
    case let kind:
      throw reader.bad(
        prefix + "rope.scaling.type", .string(kind), "Telescope computes none and linear")
    }
    return members
  }

  /// The names of Llama's layout, which most gated decoders share.
  static func llamaNames(interleaved: Bool) -> [Name] {
    let block = "model.layers.#."
    return [
      Name("model.embed_tokens", "token_embd"), Name("model.norm", "output_norm"),
      Name("lm_head", "output"), Name("rope_freqs", "rope_freqs"),
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
}
