internal import StrictJSON

// Mistral (Jiang and others 2023): Llama with a sliding window in every layer.

extension Family {
  /// Mistral.
  static let mistral = Family(["mistral"]) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader)
    layers.windows = Array(repeating: try reader.slidingWindow(), count: layers.shape.layers)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}
