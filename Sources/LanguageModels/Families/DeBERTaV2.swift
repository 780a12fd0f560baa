internal import StrictJSON
internal import Tensors

// DeBERTa versions 2 and 3 (He and others 2021, 2023): far distances share vectors, the blocks' own key
// and query projections serve the table of distances, and the largest models add a convolution to the
// first block's result.

extension Family {
  /// DeBERTa, versions 2 and 3.
  static let debertaV2 = Family(["deberta-v2"]) { architecture, reader, weights in
    var layers = try DisentangledLayers(architecture, reader)
    let width = layers.shape.width
    layers.distances = try reader.bucketed(layers.distances)
    let isShared = try reader.flag("share_att_key") ?? false
    layers.hasTableNorm = try reader.hasTableNorm()
    let convolution = try reader.convolution()
    try reader.require(
      "attention_head_size", { $0.integer == layers.shape.headWidth },
      "heads that share hidden_size are expected, \(layers.shape.headWidth)")
    try reader.finish()

    return try layers.model(
      reader, weights,
      first: { block, encoder -> any Block in
        guard let convolution else { return block }
        return convolved(block, encoder.at("conv"), layers, convolution)
      },
      attention: { block, table in
        let attention = block.at("attention.self")
        let input = attention.joined(
          [("query_proj", width), ("key_proj", width), ("value_proj", width)], from: width,
          bias: true)
        func projection(_ name: String, _ part: Int) -> Linear {
          isShared
            ? input.rows(part * width..<(part + 1) * width)
            : attention.linear(name, width, from: width, bias: true)
        }
        return layers.attention(
          block, input: input, table, keys: { projection("pos_key_proj", 1) },
          queries: { projection("pos_query_proj", 0) })
      })
  }

  private static func convolved(
    _ block: PostNormBlock, _ weights: WeightScope, _ layers: DisentangledLayers,
    _ convolution: (reach: Int, activation: Activation)
  ) -> ConvolvedBlock {
    let (width, reach) = (layers.shape.width, convolution.reach)
    // [out, in, reach] in the file; joined neighbours run by place, then by feature.
    let stored = weights.weights.tensor(
      weights.prefix + "conv.weight", [width, width, reach])
    return ConvolvedBlock(
      block: block,
      convolution: Linear(
        weight: weights.weights.made([width, reach * width]) {
          stored.transposed(1, 2).reshaped([width, reach * width])
        },
        bias: weights.weights.tensor(weights.prefix + "conv.bias", [width])),
      reach: reach, activation: convolution.activation,
      norm: weights.layerNorm("LayerNorm", width, layers.epsilon))
  }
}

extension Linear {
  /// A map to some of the outputs.
  fileprivate func rows(_ range: Range<Int>) -> Linear {
    Linear(weight: weight.slice(range, along: 0), bias: bias?.slice(range, along: 0))
  }
}

extension ConfigurationReader {
  /// Distances in buckets, where the configuration says so.
  fileprivate func bucketed(_ distances: RelativeDistances?) throws -> RelativeDistances? {
    let key = "position_buckets"
    guard let buckets = try countOrNone(key), var distances else { return distances }
    guard buckets > 1, distances.farthest > buckets / 2 + 1 else {
      throw bad(
        key, .number(.integer(buckets)),
        "at least 2 are expected, and fewer than 2 · (max_relative_positions − 1), "
          + "\(2 * (distances.farthest - 1))")
    }
    distances.span = buckets
    distances.exact = buckets / 2
    return distances
  }

  /// Whether the table of distances is normalised: `none`, or `layer_norm`.
  fileprivate func hasTableNorm() throws -> Bool {
    let key = "norm_rel_ebd"
    let words = (try string(key) ?? "none").lowercased().split(separator: "|").map {
      $0.filter { $0 != " " }
    }
    guard Set(words).isSubset(of: ["none", "layer_norm"]) else {
      throw bad(
        key, .string(words.joined(separator: "|")), "Telescope computes none and layer_norm")
    }
    return words.contains("layer_norm")
  }

  /// The convolution beside the first block, where there is one.
  fileprivate func convolution() throws -> (reach: Int, activation: Activation)? {
    let activation = try self.activation("conv_act", default: "tanh")
    try require(
      "conv_groups", { $0.integer == 1 }, "Telescope computes convolutions of one group")
    guard let reach = try countOrNone("conv_kernel_size") else { return nil }
    guard reach % 2 == 1 else {
      throw bad(
        "conv_kernel_size", .number(.integer(reach)),
        "an odd number is expected, so that each position is in the middle of those it sees")
    }
    return (reach, activation)
  }
}
