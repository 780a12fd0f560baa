import Results

/// One layer: each map with every target, then as a grid where it fits.
struct FlowDetail {
  private let result: FlowResult
  private let layer: FlowLayer
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let top: Int

  init(_ result: FlowResult, _ layer: FlowLayer, style: TerminalStyle, top: Int) {
    self.result = result
    self.layer = layer
    self.style = style
    self.top = top
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    FlowMaps.entries(of: layer).flatMap { entry in
      [TerminalLine()] + heading(entry) + table(entry)
        + FlowGrid(entry.array, in: result, style: style).lines()
        + heads(entry)
    }
  }

  private func heading(_ entry: FlowMaps.Entry) -> [TerminalLine] {
    var phrases = [
      entry.name, style.glyphs.isASCII ? FlowMaps.ascii(entry.between) : entry.between,
    ]
    if let baseline = entry.baseline { phrases.append("from " + baseline) }
    phrases[0] =
      switch entry.key {
      case "layer_flow": "layer \(layer.layer) whole"
      case "heads.conductance": "layer \(layer.layer) through its heads"
      case let key where key.hasPrefix("composed."): "layer \(layer.layer) composed, \(entry.name)"
      default: "layer \(layer.layer) \(entry.name)"
      }
    return DisplayText.joined(
      phrases.map { TerminalReport.shown($0, style: style) }, by: style.glyphs.dot,
      to: style.width, indent: "  "
    ).map { TerminalLine($0, .strong) }
  }

  // MARK: Targets

  private func table(_ entry: FlowMaps.Entry) -> [TerminalLine] {
    let hasSource = entry.array.axes.first == "source"
    let hasHead = entry.array.axes.last == "head"
    let rows = FlowRows(
      style: style, frame: frame, result: result, head: "target",
      amount: entry.map == nil ? "sum" : "total",
      listed: "strongest " + (hasSource ? (hasHead ? "sources and heads" : "sources") : "heads"),
      showsTarget: false, top: top)
    return rows.lines(
      result.parameters.targets.enumerated().map { column, position in
        let terms = FlowMaps.terms(entry.array, of: column)
        let sum = terms.map(\.value).reduce(0, +)
        return FlowRows.Row(
          name: FlowNames.token(
            position, of: result, frame, to: max(10, style.width / 4), aligned: true),
          total: entry.map.map { map in
            FlowMaps.ofTarget(map.totals, column) { $0.reduce(0, +) }
          } ?? sum,
          error: entry.map.map { map in
            FlowMaps.ofTarget(map.completenessError, column) { $0.max() ?? 0 }
          },
          isUnconverged: entry.map?.unconverged.contains(position) ?? false,
          terms: FlowMaps.strongest(terms, top))
      }) + notes(entry)
  }

  private func notes(_ entry: FlowMaps.Entry) -> [TerminalLine] {
    var lines: [TerminalLine] = []
    if let map = entry.map, !map.unconverged.isEmpty {
      let count = map.unconverged.count
      lines += frame.note(
        "! \(count) of \(result.parameters.targets.count) targets "
          + FlowReport.missed(result.parameters, nodes: map.nodes.max() ?? 0), .loss)
    }
    if entry.key == "heads.conductance", let residual = layer.heads?.residual,
      residual.values.contains(where: { $0 != 0 })
    {
      let words = style.glyphs.words
      let decimals = FlowRows.decimals(residual.values.map(abs).max() ?? 0)
      let parts = zip(result.parameters.targets, residual.values).map {
        "\($0) " + words(Quantity.fixed($1, decimals, signed: true))
      }
      lines += DisplayText.joined(
        ["  past the heads, to each target of itself:"] + parts, by: "  ", to: style.width,
        indent: "    "
      ).map { TerminalLine($0, .quiet) }
    }
    return lines
  }

  // MARK: Heads

  /// Of a map with heads, how much each carries over all targets.
  private func heads(_ entry: FlowMaps.Entry) -> [TerminalLine] {
    guard entry.array.axes.last == "head" else { return [] }
    let count = result.parameters.heads.count
    guard count > 1 else { return [] }
    var sums = [Double](repeating: 0, count: count)
    for (index, value) in entry.array.values.enumerated() { sums[index % count] += value }
    let decimals = FlowRows.decimals(sums.map(abs).max() ?? 0)
    let cells = sums.map { style.glyphs.words(Quantity.fixed($0, decimals, signed: true)) }
    let names = result.parameters.heads.map { "h\($0)" }
    let nameWidth = names.map(\.count).max() ?? 0
    let cellWidth = cells.map { DisplayText.columns($0) }.max() ?? 0
    let barWidth = min(20, style.width - 8 - nameWidth - cellWidth)
    let bar = ValueBar(values: sums, width: max(1, barWidth), isASCII: style.glyphs.isASCII)
    // Columns of heads beside one another, each read downwards.
    let slot = 2 + nameWidth + 2 + cellWidth + (barWidth >= 4 ? 2 + barWidth : 0)
    let across = max(1, style.width / slot)
    let down = (count + across - 1) / across
    var lines = [TerminalLine("  heads, summed over targets", .quiet)]
    for row in 0..<down {
      var line = TerminalLine()
      for column in 0..<across where column * down + row < count {
        let head = column * down + row
        line.advance(to: column * slot)
        line.append("  " + DisplayText.padded(names[head], to: nameWidth, right: true) + "  ")
        let emphasis: Emphasis = sums[head] < 0 ? .loss : .gain
        line.append(DisplayText.padded(cells[head], to: cellWidth, right: true), emphasis)
        if barWidth >= 4 { line.append("  " + bar.cells(sums[head]), emphasis) }
      }
      lines.append(line)
    }
    return lines
  }
}
