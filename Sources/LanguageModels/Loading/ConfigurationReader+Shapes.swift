internal import StrictJSON

// What many families' configurations say in the same words.
extension ConfigurationReader {
  /// The sizes of a decoder in the usual keys.
  ///
  /// - Throws: `ModelError` for a key that is missing or contradicts another.
  func decoderShape(
    _ architecture: String, headWidth ownWidth: Int? = nil, contextLength: Int? = nil,
    keyValueHeads own: ((_ heads: Int) throws -> Int)? = nil,
    hidden ownHidden: ((_ width: Int) throws -> Int)? = nil
  ) throws -> ModelShape {
    let width = try count("hidden_size")
    let heads = try count("num_attention_heads")
    let layers = try layerCount("num_hidden_layers")
    let keyValueHeads = try own?(heads) ?? optionalCount("num_key_value_heads") ?? heads
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
      keyValueHeads: keyValueHeads, headWidth: headWidth,
      hidden: try ownHidden?(width) ?? count("intermediate_size"),
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

  /// Which layers see through a window: as `layer_types` says, or else by a rule.
  func slidingLayers(_ layers: Int, otherwise slides: (Int) -> Bool) throws -> [Bool] {
    guard let value = value("layer_types") else { return (0..<layers).map(slides) }
    let kinds = value.array?.map(\.string) ?? []
    guard kinds.count == layers else {
      throw bad("layer_types", value, "one kind for each of the \(layers) layers is expected")
    }
    return try kinds.map { kind in
      switch kind {
      case "sliding_attention": true
      case "full_attention": false
      default:
        throw bad(
          "layer_types", .string(kind ?? ""),
          "Telescope computes full_attention and sliding_attention")
      }
    }
  }

  /// The window of each layer, where `layer_types` or a rule says which layers have one.
  func windows(
    _ window: Int?, layers: Int, where slides: (Int) -> Bool
  ) throws -> [Int?] {
    try slidingLayers(layers, otherwise: slides).map { $0 ? window : nil }
  }

  /// How far back a query sees: null for all the way, and 4096 where the key is not there.
  func slidingWindow() throws -> Int? {
    has("sliding_window") ? try optionalCount("sliding_window") : 4096
  }

  /// Ends the reading of a configuration, whose bookkeeping is not looked at.
  ///
  /// - Throws: `ModelError` naming every key that nobody asked for.
  func finishIgnoringBookkeeping() throws {
    ignoreBookkeeping()
    try finish()
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
