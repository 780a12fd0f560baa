internal import StrictJSON

// Qwen 3 (Yang and others 2025): Llama with an RMS norm on each query and key head before rotation.

extension Family {
  /// Qwen 3.
  static let qwen3 = Family(
    ["qwen3"],
    gguf: [
      GGUFDialect(
        architecture: "qwen3", modelType: "qwen3",
        names: GGUFDialect.llamaNames(interleaved: false) + GGUFDialect.headNormNames()
      ) { try GGUFDialect.decoderMembers($0, $1, prefix: "qwen3.") }
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader, headWidth: 128)
    let bias = try reader.flag("attention_bias") ?? false
    layers.inputBias = bias
    layers.outputBias = bias
    layers.headNorms = .head
    layers.windows = try reader.qwenWindows(layers.shape.layers)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}
