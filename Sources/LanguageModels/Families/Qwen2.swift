internal import StrictJSON

// Qwen 2 and 2.5 (Yang and others 2024): Llama with biases on queries, keys and values, and a sliding
// window in upper layers where the configuration asks for one.

extension Family {
  /// Qwen 2 and 2.5.
  static let qwen2 = Family(
    ["qwen2"],
    gguf: [
      GGUFDialect(
        architecture: "qwen2", modelType: "qwen2",
        names: GGUFDialect.llamaNames(interleaved: false)
      ) { try GGUFDialect.decoderMembers($0, $1, prefix: "qwen2.") }
    ]
  ) { architecture, reader, weights in
    let shape = try reader.decoderShape(architecture)
    var layers = GatedLayers(
      shape: shape, epsilon: try reader.optionalNumber("rms_norm_eps") ?? 1e-6,
      activation: try reader.activation("hidden_act", default: "silu"),
      rotary: try reader.rotary(width: shape.headWidth))
    layers.inputBias = true
    let uses = try reader.flag("use_sliding_window") ?? false
    let window = try reader.slidingWindow()
    let full = try reader.optionalCount("max_window_layers") ?? 28
    layers.windows = try reader.windows(uses ? window : nil, layers: shape.layers) { $0 >= full }
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreBookkeeping()
    try reader.finish()
    return try layers.model(weights, tied: tied)
  }
}
