internal import StrictJSON

// What many families' configurations say in the same words.
extension ConfigurationReader {
  /// The sizes of a decoder in the usual keys.
  ///
  /// - Throws: `ModelError` for a key that is missing or contradicts another.
  func decoderShape(
    _ architecture: String, headWidth ownWidth: Int? = nil, contextLength: Int? = nil
  ) throws -> ModelShape {
    let width = try count("hidden_size")
    let heads = try count("num_attention_heads")
    let layers = try layerCount("num_hidden_layers")
    let keyValueHeads = try optionalCount("num_key_value_heads") ?? heads
    let headWidth = try optionalCount("head_dim") ?? ownWidth ?? (width / heads)
    guard heads % keyValueHeads == 0 else {
      throw bad(
        "num_key_value_heads", .number(.integer(keyValueHeads)),
        "it must divide num_attention_heads, \(heads)")
    }
    guard headWidth > 0, headWidth % 2 == 0 else {
      throw bad("head_dim", .number(.integer(headWidth)), "rotary positions need an even width")
    }
    return ModelShape(
      architecture: architecture, layers: layers, width: width, heads: heads,
      keyValueHeads: keyValueHeads, headWidth: headWidth, hidden: try count("intermediate_size"),
      vocabulary: try count("vocab_size"),
      contextLength: try optionalCount("max_position_embeddings") ?? contextLength ?? 2048)
  }

  /// The activation that a key names.
  func activation(_ key: String, default name: String) throws -> Activation {
    let found = try string(key) ?? name
    guard let known = Activation(named: found) else {
      throw bad(key, .string(found), "Telescope computes silu, relu and gelu")
    }
    return known
  }

  /// θ and its scaling, in the spelling of transformers 4 (`rope_theta`, `rope_scaling`) or 5
  /// (`rope_parameters`).
  func rotary(width: Int, base defaultBase: Double = 10_000) throws -> RotaryEmbedding {
    let topBase = try optionalNumber("rope_theta")
    let key = value("rope_parameters") == nil ? "rope_scaling" : "rope_parameters"
    let alternative = value("rope_scaling")
    guard let value = value("rope_parameters") ?? alternative else {
      return RotaryEmbedding(width: width, base: topBase ?? defaultBase)
    }
    guard let object = value.object else { throw bad(key, value, "an object is expected") }
    let inner = ConfigurationReader(
      object.members.map { ("\(key).\($0.key)", $0.value) }, file: file, exempt: exempt)
    let base = try inner.optionalNumber("\(key).rope_theta") ?? topBase ?? defaultBase
    let scaling = try inner.scaling(key)
    try inner.finish()
    return RotaryEmbedding(width: width, base: base, scaling: scaling)
  }

  /// The scaling that an object of rope settings describes.
  private func scaling(_ key: String) throws -> RotaryEmbedding.Scaling {
    let kind = try string("\(key).rope_type") ?? string("\(key).type") ?? "default"
    ignore(["\(key).type", "\(key).rope_type"])
    switch kind {
    case "default": return .none
    case "linear": return .linear(factor: try number("\(key).factor"))
    case "llama3":
      return .llama3(
        factor: try number("\(key).factor"),
        low: try number("\(key).low_freq_factor"),
        high: try number("\(key).high_freq_factor"),
        originalContext: try number("\(key).original_max_position_embeddings"))
    default:
      throw bad(
        "\(key).rope_type", .string(kind), "Telescope computes default, linear and llama3")
    }
  }

  /// Training settings, bookkeeping, and switches of other software: none changes the forward pass.
  func ignoreBookkeeping() {
    ignore([
      "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache",
      "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "pretraining_tp",
      "attention_dropout", "_name_or_path", "_attn_implementation", "_attn_implementation_autoset",
      "transformers.js_config", "unsloth_fixed", "output_attentions", "output_hidden_states",
      "return_dict", "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id",
      "problem_type", "gradient_checkpointing", "task_specific_params",
    ])
  }
}
