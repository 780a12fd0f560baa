public import Results

extension FlowReport {
  /// One row for each number, in CSV (RFC 4180).
  ///
  /// `map` is the map's place in the JSON and `quantity` what the number is: `flow`, `residual`,
  /// `total`, `completeness_error`, `self_share` or `nodes`. A field that does not apply is empty.
  /// `flow` of a map's rows for one target sums to its `total`, short of the completeness error; of
  /// `attention_flow` for one target and head. Text is exact, as in ``CSVReport``.
  public static func csv(for result: FlowResult) -> String {
    var table = FlowTable(result)
    for layer in result.layers { table.add(layer) }
    return table.text
  }
}

/// Rows that are written as they come: a result can have millions.
private struct FlowTable {
  private(set) var text: String
  /// `position,"text",` of each token.
  private let tokens: [String]
  private let targets: [String]
  private let heads: [String]

  init(_ result: FlowResult) {
    text =
      [
        "layer", "map", "quantity", "source", "source_token", "target", "target_token", "head",
        "value",
      ].joined(separator: ",") + "\r\n"
    let tokens = result.tokens.enumerated().map {
      "\($0.offset)," + CSVFields.quoted($0.element.text) + ","
    }
    self.tokens = tokens
    targets = result.parameters.targets.map { tokens.indices.contains($0) ? tokens[$0] : "\($0),," }
    heads = result.parameters.heads.map { "\($0)," }
  }

  mutating func add(_ layer: FlowLayer) {
    for entry in FlowMaps.entries(of: layer) {
      let start = "\(layer.layer),\(CSVFields.quoted(entry.key)),"
      add(entry.array, start, "flow")
      guard let map = entry.map else { continue }
      add(map.totals, start, "total")
      add(map.completenessError, start, "completeness_error")
      if let share = map.selfShare { add(share, start, "self_share") }
      for (target, nodes) in zip(targets, map.nodes) {
        text += start + "\"nodes\",,," + target + ",\(nodes)\r\n"
      }
    }
    if let residual = layer.heads?.residual {
      add(residual, "\(layer.layer),\"heads.residual\",", "residual")
    }
  }

  private mutating func add(_ array: AxisArray, _ start: String, _ quantity: String) {
    let start = start + CSVFields.quoted(quantity) + ","
    // An axis that an array has not is one empty field in each of its rows.
    func fields(_ axis: String, _ all: [String], _ none: String) -> [String] {
      array.axes.contains(axis) ? all : [none]
    }
    let sources = fields("source", tokens, ",,")
    let columns = fields("target", targets, ",,")
    let last = fields("head", heads, ",")
    guard sources.count * columns.count * last.count == array.values.count else { return }
    var place = 0
    for source in sources {
      for column in columns {
        for head in last {
          text += start
          text += source
          text += column
          text += head
          text += CSVFields.number(array.values[place])
          text += "\r\n"
          place += 1
        }
      }
    }
  }
}
