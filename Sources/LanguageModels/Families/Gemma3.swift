internal import StrictJSON

// Gemma 3 (Kamath and others 2025), its text model: Gemma 2 without caps, with norms on query and key
// heads, and five layers with a window and a small rotary base for one that sees everything.

extension Family {
  /// Gemma 3, text.
  static let gemma3 = Family(
    ["gemma3_text"],
    gguf: [
      GGUFDialect(
        architecture: "gemma3", modelType: "gemma3_text",
        names: GGUFDialect.gemma2Names + GGUFDialect.headNormNames(includesOne: true),
        configuration: GGUFDialect.gemma3Members)
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(
      architecture, reader, headWidth: 256, activation: ("hidden_activation", "gelu_pytorch_tanh"),
      base: 1_000_000, rotary: .init(kind: "full_attention"))
    let local = try reader.rotary(
      width: layers.shape.headWidth,
      keys: .init(base: "rope_local_base_freq", scaling: nil, kind: "sliding_attention"))
    let pattern = try reader.optionalCount("sliding_window_pattern") ?? 6
    let slides = try reader.slidingLayers(layers.shape.layers) { ($0 + 1) % pattern != 0 }
    let window = try reader.slidingWindow()
    for (layer, isLocal) in slides.enumerated() where isLocal { layers.rotary[layer] = local }
    layers.windows = slides.map { $0 ? window : nil }
    layers.headNorms = .head
    try layers.readGemma(reader, weights)
    try layers.readCaps(reader, scores: nil, logits: nil)
    let tied = try reader.flag("tie_word_embeddings") ?? true
    // What the pattern had been before `layer_types` took its place.
    reader.ignore(["_sliding_window_pattern"])
    try reader.finishIgnoringBookkeeping()
    return try layers.sandwichModel(weights, tied: tied)
  }
}

extension GGUFDialect {
  fileprivate static let gemma3Members:
    @Sendable (ConfigurationReader, Context) throws -> [String: JSON] = { reader, file in
      var members = try gemmaScaledMembers(reader, file, prefix: "gemma3.", largest: 62)
      members["rope_local_base_freq"] = .number(
        .real(try reader.optionalNumber("gemma3.rope.freq_base_swa") ?? 10_000))
      // A file without a window has one kind of layers.
      let pattern = try reader.optionalCount("gemma3.attention.sliding_window_pattern") ?? 6
      members["sliding_window_pattern"] = .number(
        .integer(members["sliding_window"] == nil ? 1 : pattern))
      return members
    }
}
