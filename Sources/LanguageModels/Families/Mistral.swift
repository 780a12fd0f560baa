internal import StrictJSON

// Mistral (Jiang and others 2023): Llama with a sliding window in every layer.

extension Family {
  /// Mistral.
  static let mistral = Family(["mistral"]) { architecture, reader, weights in
    let shape = try reader.decoderShape(architecture)
    var layers = GatedLayers(
      shape: shape, epsilon: try reader.optionalNumber("rms_norm_eps") ?? 1e-6,
      activation: try reader.activation("hidden_act", default: "silu"),
      rotary: try reader.rotary(width: shape.headWidth))
    layers.windows = Array(repeating: try reader.slidingWindow(), count: shape.layers)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignoreBookkeeping()
    try reader.finish()
    return try layers.model(weights, tied: tied)
  }
}

extension ConfigurationReader {
  /// How far back a query sees: null for all the way, and 4096 where the key is not there.
  func slidingWindow() throws -> Int? {
    has("sliding_window") ? try optionalCount("sliding_window") : 4096
  }

  /// The window of each layer, where `layer_types` or a rule says which layers have one.
  func windows(
    _ window: Int?, layers: Int, where slides: (Int) -> Bool
  ) throws -> [Int?] {
    let kinds = value("layer_types").map { $0.array?.map(\.string) ?? [] }
    if let kinds, kinds.count != layers {
      throw bad(
        "layer_types", .array([]), "one kind for each of the \(layers) layers is expected")
    }
    return (0..<layers).map { layer in
      (kinds.map { $0[layer] == "sliding_attention" } ?? slides(layer)) ? window : nil
    }
  }
}
