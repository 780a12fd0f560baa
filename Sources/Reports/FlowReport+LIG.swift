public import Foundation
public import Results

// The layout that the package layer-wise-integrated-gradients writes, for code that reads it. Its maps are
// z2z, z2u and u2z; its matrices are matrix[source][target]. What our result does not hold is left out:
//
//   - u2z.contributions, one number per coordinate of u, and outside decoders u2z.l2_total, their length, unless
//     the result has coordinates (`FlowOptions.splitsCoordinates`);
//   - u2z.completeness.error, a signed number, unless the heads' scores at hand are all of the sum: a result
//     of some heads knows its size alone;
//   - of the boundaries what only the model itself knows: layout, hook points, how they were detected.
//
// With targets chosen, a matrix has the columns of these targets and `shape` says so.

extension FlowReport {
  /// The flows in the published package's JSON layout, one line.
  ///
  /// `config.num_steps` is the fixed number of nodes, or the most that any integral took.
  /// `token_l2_norm` is the length of the list of contributions beside it.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func lig(for result: FlowResult) throws -> Data {
    for array in result.flowArrays where !array.values.allSatisfy(\.isFinite) {
      throw notFinite(array)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(LIGDocument(result))
    data.append(UInt8(ascii: "\n"))
    return data
  }

  /// An array that neither JSON nor a page can carry.
  static func notFinite(_ array: FlowArray) -> ResultsError {
    ResultsError(
      code: .notFinite,
      message: "'\(array.name)' is not a finite number, so the result cannot be written. "
        + "The model's numbers overflowed; compute in a wider dtype.")
  }
}

extension LIGDocument {
  init(_ result: FlowResult) {
    let parameters = result.parameters
    let isEncoder = result.model.causal == false
    let names = ["attention": "att", "feed-forward": "mlp", "layer": "layer"]
    let granularity = ["att", "mlp", "layer"].filter {
      parameters.granularity.compactMap { names[$0] }.contains($0)
    }
    let maps = result.layers.flatMap { [$0.layerFlow, $0.attentionFlow, $0.feedForwardFlow] }
    text = result.text
    tokens = result.tokens.map(\.text)
    model = result.model.name
    modelType = result.model.architecture
    architecture = isEncoder ? nil : "decoder"
    config = Config(
      numSteps: parameters.steps ?? maps.compactMap { $0?.nodes.max() }.max() ?? 0,
      granularity: granularity, baselineAtt: Self.baseline(parameters.baseline.attention),
      baselineMLP: Self.baseline(parameters.baseline.feedForward),
      baselineLayer: Self.baseline(parameters.baseline.layer),
      layers: result.layers.map(\.layer), targetTokens: parameters.targets,
      targetHead: parameters.heads.count == 1 ? parameters.heads[0] : nil)
    boundaries = Boundaries(
      z: "what enters the block, one vector per token",
      u: parameters.boundary == "strict"
        ? "the mixes of the attention heads joined, before the output projection; "
          + "the stream that entered the block is held"
        : "the stream between attention and feed-forward network",
      zNext: "what leaves the block, one vector per token",
      architecture: isEncoder ? "encoder" : "decoder", model: result.model.name,
      modelType: result.model.architecture, numLayers: result.model.layers,
      supportedGranularity: granularity.sorted())
    layers = [:]
    for layer in result.layers {
      layers[String(layer.layer)] = Layer(
        index: layer.layer, tokenMap: layer.layerFlow.map { Self.tokenMap($0, layer, result) },
        targets: Self.targets(layer, result, isEncoder: isEncoder))
    }
  }

  /// The layout's names of where paths start.
  private static func baseline(_ name: String?) -> String? {
    name.map { name in
      [
        "itb": "self_input_token", "itb-zero-ratio": "itb_zero_ratio",
        "itb-map-ratio": "itb_map_ratio", "att-itb": "att_itb_a0",
      ][name] ?? name
    }
  }

  private static func token(_ position: Int, _ result: FlowResult) -> String {
    result.tokens.indices.contains(position) ? result.tokens[position].text : ""
  }

  private static func tokenMap(
    _ map: FlowMap, _ layer: FlowLayer, _ result: FlowResult
  ) -> TokenMap {
    let (sources, columns) = (map.array.shape[0], map.array.shape[1])
    let matrix = (0..<sources).map { source in
      Array(map.array.values[source * columns..<(source + 1) * columns])
    }
    return TokenMap(
      baseline: baseline(layer.baseline.layer) ?? "",
      description: "integrated gradients of z -> z_next, matrix[source][target]",
      shape: map.array.shape, matrix: matrix,
      tokenToToken: result.parameters.targets.enumerated().map { column, position in
        Received(
          target: position, token: token(position, result),
          contributions: (0..<sources).map { source in
            Sent(source: source, token: token(source, result), value: matrix[source][column])
          })
      })
  }

  private static func targets(
    _ layer: FlowLayer, _ result: FlowResult, isEncoder: Bool
  ) -> [String: TargetEntry]? {
    guard layer.attentionFlow != nil || layer.feedForwardFlow != nil else { return nil }
    var entries: [String: TargetEntry] = [:]
    for (column, position) in result.parameters.targets.enumerated() {
      entries[String(position)] = TargetEntry(
        target: position, token: token(position, result),
        attention: layer.attentionFlow.map { map in
          Attention(
            baseline: baseline(layer.baseline.attention) ?? "",
            description: "integrated gradients of z -> u, one list of sources per head",
            heads: heads(map.array, column, result.parameters.heads))
        },
        feedForward: layer.feedForwardFlow.map { map in
          feedForward(map, column, layer, isEncoder: isEncoder)
        })
    }
    return entries
  }

  private static func heads(_ array: AxisArray, _ column: Int, _ names: [Int]) -> [String: Head] {
    var heads: [String: Head] = [:]
    for (place, name) in names.enumerated() {
      let list = (0..<array.shape[0]).map { array[$0, column, place] }
      heads[String(name)] = Head(
        contributions: list, norm: list.reduce(0) { $0 + $1 * $1 }.squareRoot())
    }
    return heads
  }

  private static func feedForward(
    _ map: FlowMap, _ column: Int, _ layer: FlowLayer, isEncoder: Bool
  ) -> FeedForward {
    let width = map.array.shape[1]
    let sum = map.array.values[column * width..<(column + 1) * width].reduce(0, +)
    let total = map.totals.values[column]
    let size = map.completenessError.values[column] * abs(total)
    let error = sum - total
    // The heads at hand are all of the sum where their error is the one that was found.
    let isWhole = abs(abs(error) - size) <= 1e-6 * max(abs(total), 1e-12)
    let contributions = layer.feedForwardCoordinates.map { array in
      Array(array.values[column * array.shape[1]..<(column + 1) * array.shape[1]])
    }
    let length = contributions.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return FeedForward(
      baseline: baseline(layer.baseline.feedForward) ?? "",
      description: "integrated gradients of u -> z_next", contributions: contributions,
      total: isEncoder ? length : isWhole ? sum : nil,
      completeness: Completeness(
        error: isEncoder && isWhole ? error : nil, mean: size, largest: isEncoder ? nil : size))
  }
}
