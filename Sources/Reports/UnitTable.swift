import Results

/// Single units with their scores: layer and unit, token, score, bar, value.
struct UnitTable {
  /// One line.
  struct Row {
    var layer: Int
    /// Nil for a whole branch.
    var unit: Int?
    /// Nil where a unit stands for all positions.
    var position: Int?
    var score: Double
    var value: Double?
  }

  let style: TerminalStyle
  let frame: ReportFrame
  let tokens: [TokenDescription]
  /// As in the JSON: `neuron`, `head`.
  let kind: String

  /// What a unit is called in a list: `12 n345`, `3 h2`.
  static func name(_ kind: String, layer: Int, unit: Int?) -> String {
    if kind == "branch" { return "\(layer) " + (unit == 0 ? "attention" : "mlp") }
    let letter = kind == "neuron" ? "n" : kind == "head" ? "h" : "c"
    return (layer < 0 ? "emb" : String(layer)) + (unit.map { " \(letter)\($0)" } ?? "")
  }

  /// The rows, and what those that are not shown come to.
  func lines(_ rows: [Row], rest: (count: Int, sum: Double)? = nil) -> [TerminalLine] {
    let words = style.glyphs.words
    let isSummed = rows.allSatisfy { $0.position == nil }
    let largest = rows.map { abs($0.score) }.filter(\.isFinite).max() ?? 0
    let decimals = Quantity.decimals(for: largest, least: 4)
    let bar = ValueBar(
      values: rows.map(\.score), width: style.width >= 72 ? 20 : 10, isASCII: style.glyphs.isASCII)
    var names = rows.map { Self.name(kind, layer: $0.layer, unit: $0.unit) }
    let layerWidth = rows.map { String($0.layer).count }.max() ?? 1
    for (index, row) in rows.enumerated() where row.layer >= 0 {
      let space = layerWidth - String(row.layer).count
      names[index] = String(repeating: " ", count: max(0, space)) + names[index]
    }
    var places = rows.map { row in
      row.position.map {
        frame.place($0, in: tokens, to: max(10, style.width / 4), aligned: true)
      } ?? "all"
    }
    var scores = rows.map { words(Quantity.fixed($0.score, decimals, signed: true)) }
    var bars = rows.map { bar.cells($0.score) }
    let valueLargest = rows.compactMap { $0.value.map(abs) }.filter(\.isFinite).max()
    let valueDecimals = Quantity.decimals(for: valueLargest ?? 0, least: 3)
    var values = rows.map { row in
      row.value.map { words(Quantity.fixed($0, valueDecimals, signed: false)) } ?? style.glyphs.none
    }
    var emphasis: [Emphasis] = rows.map { $0.score < 0 ? .loss : .gain }
    if let rest, rest.count > 0 {
      names.append("\(rest.count) others")
      places.append("")
      scores.append(words(Quantity.fixed(rest.sum, decimals, signed: true)))
      bars.append("")
      values.append("")
      emphasis.append(.quiet)
    }
    var columns: [TextTable.Column] = []
    if !isSummed { columns.append(TextTable.Column(head: "token", cells: places, right: false)) }
    columns.append(TextTable.Column(head: "score", cells: scores, emphasis: emphasis))
    if valueLargest != nil { columns.append(TextTable.Column(head: "value", cells: values)) }
    columns.append(TextTable.Column(head: "", cells: bars, right: false, emphasis: emphasis))
    let isCoordinate = ["attention", "mlp", "residual"].contains(kind)
    let unit = isCoordinate ? "coordinate" : TerminalReport.shown(kind, style: style)
    return TextTable(
      names: TextTable.Column(head: "layer, " + unit, cells: names, right: false), columns: columns
    ).lines(style: style, indent: 2)
  }
}
