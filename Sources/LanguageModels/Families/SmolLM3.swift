internal import StrictJSON

// SmolLM3 (Bakouch and others 2025): Llama in which every fourth layer has no positions (Yang and others
// 2025), as `no_rope_layers` says: 1 for a layer that rotates, 0 for one that does not.

extension Family {
  /// SmolLM3.
  static let smolLM3 = Family(
    ["smollm3"],
    gguf: [
      GGUFDialect(
        architecture: "smollm3", modelType: "smollm3",
        names: GGUFDialect.llamaNames(interleaved: true)
      ) { reader, file in
        try GGUFDialect.decoderMembers(reader, file, prefix: "smollm3.")
          .merging(file.biasMembers) { own, _ in own }
      }
    ]
  ) { architecture, reader, weights in
    var layers = try GatedLayers(architecture, reader, base: 2_000_000)
    try layers.readBiases(reader)
    let rotates = try reader.rotatingLayers(layers.shape.layers)
    for (layer, turns) in rotates.enumerated() where !turns { layers.rotary[layer] = nil }
    let uses = try reader.flag("use_sliding_window") ?? false
    let window = try reader.optionalCount("sliding_window")
    layers.windows = try reader.windows(uses ? window : nil, layers: layers.shape.layers) {
      !rotates[$0]
    }
    let tied = try reader.flag("tie_word_embeddings") ?? true
    reader.ignore(["max_window_layers"])
    try reader.finishIgnoringBookkeeping()
    return try layers.model(weights, tied: tied)
  }
}

extension ConfigurationReader {
  /// Which layers have rotary positions.
  fileprivate func rotatingLayers(_ layers: Int) throws -> [Bool] {
    let interval = try optionalCount("no_rope_layer_interval") ?? 4
    guard let value = value("no_rope_layers") else {
      return (0..<layers).map { ($0 + 1) % interval != 0 }
    }
    let found = value.array?.map(\.integer) ?? []
    guard found.count >= layers, found.allSatisfy({ $0 == 0 || $0 == 1 }) else {
      throw bad("no_rope_layers", value, "a 0 or a 1 for each of the \(layers) layers is expected")
    }
    return found.prefix(layers).map { $0 == 1 }
  }
}
