internal import StrictJSON

// Llama (Touvron and others 2023; SmolLM2 is one): pre-norm RMS blocks, rotary positions, grouped heads,
// a gated feed-forward network with SiLU,
//
//     x ← x + attention(norm(x));   x ← x + feedForward(norm(x))

extension Family {
  /// Llama 1 to 3.3, and models in its layout.
  static let llama = Family(
    ["llama"],
    gguf: [
      GGUFDialect(
        architecture: "llama", modelType: "llama",
        names: GGUFDialect.llamaNames(interleaved: true) + GGUFDialect.mixtralNames
      ) { try GGUFDialect.llamaMembers($0, $1) }
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader)
    try layers.readBiases(reader)
    let tied = try reader.flag("tie_word_embeddings") ?? false
    reader.ignore(["rope_interleaved", "is_llama_config"])
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}
