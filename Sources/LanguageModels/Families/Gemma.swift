internal import StrictJSON
internal import Tensors

// Gemma (Mesnard and others 2024): Llama with a gated GELU, norms that multiply by 1 + w, and token
// vectors multiplied by √width.

extension Family {
  /// Gemma 1.
  static let gemma = Family(
    ["gemma"],
    gguf: [
      GGUFDialect(
        architecture: "gemma", modelType: "gemma", names: GGUFDialect.gemmaNames
      ) { try GGUFDialect.gemmaMembers($0, $1, prefix: "gemma.") }
    ]
  ) { architecture, reader, weights in
    // "gelu" was written in `hidden_act` for the tanh approximation; `hidden_activation` is newer.
    let stated = try reader.string("hidden_act")
    let isNewer = reader.value("hidden_activation") != nil
    var layers = try GatedLayers(
      architecture, reader, headWidth: 256,
      activation: (isNewer ? "hidden_activation" : "hidden_act", "gelu_pytorch_tanh"))
    if !isNewer, stated == "gelu" { layers.activation = .geluTanh }
    try layers.readGemma(reader, weights)
    let tied = try reader.flag("tie_word_embeddings") ?? true
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}

extension GatedLayers {
  /// What all Gemmas share.
  mutating func readGemma(_ reader: ConfigurationReader, _ weights: WeightReader) throws {
    normOffset = 1
    // √width as a number of the weights' type.
    embeddingScale = try Tensor([Double(shape.width).squareRoot()], [1], weights.type).values()[0]
    let bias = try reader.flag("attention_bias") ?? false
    inputBias = bias
    outputBias = bias
    try reader.require(
      "use_bidirectional_attention", { $0.boolean == false },
      "Telescope runs Gemma as a decoder, in which positions see only those before them")
    reader.ignore(["cache_implementation", "hidden_act"])
  }
}

extension GGUFDialect {
  /// Llama's names, with norms that hold 1 + w.
  fileprivate static let gemmaNames = llamaNames(interleaved: false).map { name in
    var name = name
    name.includesOne = name.huggingFace.hasSuffix("norm")
    return name
  }

  /// The members of Gemma 1, and those of the later ones that are said in the same words.
  static func gemmaMembers(
    _ reader: ConfigurationReader, _ file: Context, prefix: String
  ) throws -> [String: JSON] {
    var members = try decoderMembers(reader, file, prefix: prefix)
    if let window = try reader.optionalCount(prefix + "attention.sliding_window") {
      members["sliding_window"] = .number(.integer(window))
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
      if let cap = try reader.optionalNumber(prefix + key) { members[key] = .number(.real(cap)) }
    }
    return members
  }
}
