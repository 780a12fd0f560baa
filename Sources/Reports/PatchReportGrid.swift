import Results

/// One grid: a line for each token or head, two columns for each layer.
///
/// A cell is the effect in tenths, the share of the way from the corrupted value to the clean one: `4` for 0.35 to
/// 0.45, `█` from 0.95 on, a minus before what leads away. Where there is no such share it is the change of the
/// metric in tenths of the grid's largest.
struct PatchReportGrid {
  private let grid: PatchGrid
  private let result: PatchResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let top: Int
  /// [layer · columns + row].
  private let shares: [Double]

  init(_ grid: PatchGrid, of result: PatchResult, style: TerminalStyle, top: Int) {
    self.grid = grid
    self.result = result
    self.style = style
    self.top = top
    frame = ReportFrame(style: style)
    if let effect = grid.effect {
      shares = effect.values
    } else {
      let base =
        result.direction == "noise" ? result.metric.value : result.metric.start ?? 0
      let changes = grid.metric.values.map { $0 - base }
      let largest = changes.map(abs).max() ?? 0
      shares = largest > 0 ? changes.map { $0 / largest } : changes
    }
  }

  func lines() -> [TerminalLine] {
    guard grid.metric.values.count > 0 else { return [] }
    let names = rowNames
    let label = 2 + (names.map { DisplayText.columns($0) }.max() ?? 0)
    let each = max(1, (style.width - label - 1) / 2)
    var lines = [TerminalLine(), TerminalLine(title, .strong)]
    for start in stride(from: 0, to: grid.layers.count, by: each) {
      let columns = start..<min(grid.layers.count, start + each)
      if start > 0 { lines.append(TerminalLine()) }
      lines.append(head(columns, label))
      for row in names.indices {
        var line = TerminalLine("  ")
        line.append(DisplayText.padded(names[row], to: label - 2, right: grid.unit == "head"))
        for layer in columns {
          let share = shares[layer * names.count + row]
          line.append(cell(share), share <= -0.05 ? .loss : share >= 0.05 ? .gain : .quiet)
        }
        lines.append(line)
      }
    }
    return lines + frame.note(style.glyphs.words(legend)) + list(names)
  }

  private var title: String {
    let what = [
      "residual": "What enters a block", "attention": "What attention adds",
      "mlp": "What feed-forward networks add", "head": "Heads' mixes of values",
    ]
    let together =
      grid.unit == "head" && grid.positions.count > 1
      ? ", at \(grid.positions.count) tokens at once" : ""
    return (what[grid.unit] ?? grid.unit) + together
      + (grid.window > 1 ? ", \(grid.window) blocks at once" : "")
  }

  private var rowNames: [String] {
    if grid.unit == "head" { return (0..<grid.metric.shape[1]).map { "head \($0)" } }
    return grid.positions.map { position in
      DisplayText.padded("\(position)", to: 3, right: true) + " "
        + frame.name(result.tokens[position], to: max(8, min(24, style.width / 4)))
    }
  }

  /// The layers, a number for each fifth.
  private func head(_ columns: Range<Int>, _ label: Int) -> TerminalLine {
    var line = TerminalLine("  layer", .quiet)
    for (place, layer) in columns.enumerated()
    where place % 5 == 0 && label + 2 * place >= line.columns {
      let number = "\(grid.layers[layer])"
      line.advance(to: label + 2 * (place + 1) - DisplayText.columns(number))
      line.append(number, .quiet)
    }
    return line
  }

  private func cell(_ share: Double) -> String {
    let tenths = (abs(share) * 10).rounded()
    let minus = style.glyphs.words("−")
    guard share.isFinite else { return " ?" }
    if tenths == 0 { return " " + style.glyphs.none }
    let digit = tenths < 9.5 ? String(Int(tenths)) : style.unicode ? "█" : "#"
    return (share < 0 ? minus : " ") + digit
  }

  private var legend: String {
    let full = style.unicode ? "█" : "#"
    guard grid.effect != nil else {
      return "Cells: the metric's change in tenths of the largest, \(full) from 0.95 on."
    }
    return
      "Cells: tenths of the way from the corrupted value to the clean one, \(full) from 0.95 on; "
      + "− where it leads away."
  }

  /// The cells of the largest effect.
  private func list(_ names: [String]) -> [TerminalLine] {
    let order = shares.indices.sorted { (abs(shares[$0]), $1) > (abs(shares[$1]), $0) }
      .prefix(top)
    let largest = grid.metric.values.map(abs).max() ?? 0
    let decimals = Quantity.decimals(for: largest, least: 3)
    func column(_ head: String, _ cell: (Int) -> String) -> TextTable.Column {
      TextTable.Column(head: head, cells: order.map { style.glyphs.words(cell($0)) })
    }
    var columns = [
      column("metric") { Quantity.fixed(grid.metric.values[$0], decimals, signed: false) }
    ]
    if let effect = grid.effect {
      columns.insert(
        column("effect") { Quantity.fixed(effect.values[$0], 3, signed: false) }, at: 0)
    }
    let table = TextTable(
      names: TextTable.Column(
        head: grid.unit == "head" ? "head" : "token",
        cells: order.map { "layer \(grid.layers[$0 / names.count])  " + names[$0 % names.count] },
        right: false),
      columns: columns)
    return [TerminalLine()] + table.lines(style: style, indent: 2)
  }
}
