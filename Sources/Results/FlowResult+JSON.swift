public import Foundation

extension FlowResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope flow --json"

  /// The result as JSON: keys sorted, numbers in the shortest form that reads back exactly.
  ///
  /// The same result always gives the same bytes. The text ends in a line break.
  ///
  /// - Parameters:
  ///   - reproducible: Drops the timings, the one part that differs from run to run.
  ///   - indented: One field a line, and one row of a map a line, for people; without it, all of it
  ///     is one line.
  /// - Returns: UTF-8 text.
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded(reproducible: Bool = false, indented: Bool = true) throws -> Data {
    let line = try encoded(reproducible, [])
    return indented ? JSONLayout.indented(line) : line
  }

  /// Checks that positions exist, and that every array has the axes and extents that it should have.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    for (index, target) in parameters.targets.enumerated() {
      try RangeCheck.position(target, of: tokens, "parameters.targets[\(index)]")
    }
    for (index, head) in parameters.heads.enumerated() {
      try RangeCheck.natural(head, "parameters.heads[\(index)]")
    }
    for (index, layer) in layers.enumerated() { try check(layer, "layers[\(index)]") }
  }

  private func check(_ layer: FlowLayer, _ path: String) throws {
    try RangeCheck.natural(layer.layer, path + ".layer")
    let tokenMap = ["source", "target"]
    let headMap = ["source", "target", "head"]
    try check(layer.layerFlow, tokenMap, path + ".layer_flow")
    try check(layer.attentionFlow, headMap, path + ".attention_flow")
    try check(layer.feedForwardFlow, ["target", "head"], path + ".feed_forward_flow")
    try check(
      layer.feedForwardCoordinates, ["target", "coordinate"], path + ".feed_forward_coordinates")
    try check(layer.heads?.conductance, headMap, path + ".heads.conductance")
    try check(layer.heads?.residual, ["target"], path + ".heads.residual")
    for (name, array) in (layer.composed ?? [:]).sorted(by: { $0.key < $1.key }) {
      try check(array, tokenMap, "\(path).composed.\(name)")
    }
  }

  private func check(_ map: FlowMap?, _ axes: [String], _ path: String) throws {
    guard let map else { return }
    try check(map.array, axes, path)
    try extents(map.totals, path + ".totals")
    try extents(map.completenessError, path + ".completeness_error")
    try extents(map.selfShare, path + ".self_share")
    try RangeCheck.counts(
      map.nodes.count, path + ".nodes", as: parameters.targets.count, of: "parameters.targets")
    for (index, position) in map.unconverged.enumerated() {
      try RangeCheck.position(position, of: tokens, "\(path).unconverged[\(index)]")
    }
  }

  private func check(_ array: AxisArray?, _ axes: [String], _ path: String) throws {
    guard let array else { return }
    guard array.axes == axes else {
      throw ResultsError.axes(path + ".axes", array.axes, wanted: axes)
    }
    try extents(array, path + (array.tensor == nil ? ".values" : ".shape"))
    if array.tensor != nil, arrays == nil { throw ResultsError.missing("arrays") }
  }

  /// Each axis counts the tokens, the targets or the heads of the whole result.
  private func extents(_ array: AxisArray?, _ path: String) throws {
    guard let array else { return }
    for (axis, size) in zip(array.axes, array.shape) {
      let (extent, name) =
        switch axis {
        case "source": (tokens.count, "tokens")
        case "head": (parameters.heads.count, "parameters.heads")
        default: (parameters.targets.count, "parameters.targets")
        }
      // Below an axis of nothing there are no lists whose lengths could be read.
      if extent == 0, size == 0 { return }
      try RangeCheck.counts(size, path, as: extent, of: name)
    }
  }
}
