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
    var layers = try GatedLayers(architecture, reader)
    layers.inputBias = true
    layers.windows = try reader.qwenWindows(layers.shape.layers)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}

extension ConfigurationReader {
  /// The windows of Qwen's layers: from `max_window_layers` on, where `use_sliding_window` says so.
  func qwenWindows(_ layers: Int) throws -> [Int?] {
    let uses = try flag("use_sliding_window") ?? false
    let window = try slidingWindow()
    // None may have one, so that 0 is a count too.
    let full = try wholeNumber("max_window_layers") ?? 28
    return try windows(uses ? window : nil, layers: layers) { $0 >= full }
  }
}
