internal import LanguageModels
public import Results
internal import Tensors

// What tells nothing of a composition and is there without any integral: whom a target looks at, and how far
// each source would move.

extension TokenFlow {
  /// α_ji, the attention of each target to each source, averaged over heads.
  ///
  /// - Parameters:
  ///   - layer: the block.
  ///   - targets: the positions that look; nil for all.
  /// - Returns: axes source, target.
  /// - Throws: `FlowError` for a layer or target that there is not, and a block without attention.
  /// - Complexity: one pass through the block.
  public func attentionWeights(_ layer: Int, targets: [Int]? = nil) throws -> AxisArray {
    var options = FlowOptions()
    (options.layers, options.targets, options.granularities) = ([layer], targets, [.attention])
    let request = try FlowRequest(options, self)
    let pattern = try FlowSetting(self, layer, request).pattern()
    let (tokens, heads) = (ids.count, model.shape.heads)
    return AxisArray(axes: ["source", "target"], tokens, request.targets.count) { source, column in
      let target = request.targets[column]
      return (0..<heads).reduce(0) {
        $0 + pattern[($1 * tokens + target) * tokens + source]
      } / Double(heads)
    }
  }

  /// ‖z_i − b_i‖, how far each source moves on the way from a baseline.
  ///
  /// - Parameters:
  ///   - layer: the block.
  ///   - baseline: where the path starts.
  ///   - targets: the positions whose paths these are; nil for all.
  /// - Returns: axes source, target.
  /// - Throws: `FlowError` for a layer or target that there is not.
  /// - Complexity: no run.
  public func changes(
    _ layer: Int, from baseline: LayerBaseline, targets: [Int]? = nil
  ) throws -> AxisArray {
    var options = FlowOptions()
    (options.layers, options.targets) = ([layer], targets)
    let request = try FlowRequest(options, self)
    let stream = streams[layer]
    let columns = try withEngineErrors {
      try request.targets.map { target in
        try (baseline == .zero ? stream : stream - stream.slice(target..<target + 1, along: 0))
          .lengths()
      }
    }
    return AxisArray(axes: ["source", "target"], ids.count, columns.count) { columns[$1][$0] }
  }
}

extension FlowSetting {
  /// α: [head][target][source], all of them.
  func pattern() throws -> [Double] {
    try withRecording(false) {
      try withEngineErrors {
        var pattern: Tensor?
        _ = route(
          stream.reshaped([1] + stream.shape),
          Pass(sites: [.attention(layer, .pattern)]) { _, value in
            pattern = value
            return value
          })
        return try pattern?.to(.float64, on: .cpu).values() ?? []
      }
    }
  }
}
