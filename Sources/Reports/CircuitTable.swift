import Results

/// The strongest nodes, the grid of all of them, and the strongest edges.
struct CircuitTable {
  private let result: CircuitResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let top: Int

  init(_ result: CircuitResult, style: TerminalStyle, top: Int) {
    self.result = result
    self.style = style
    self.top = top
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    guard !result.nodes.isEmpty else { return [] }
    return [TerminalLine()] + nodes() + grid() + edges()
  }

  // MARK: Nodes

  private func nodes() -> [TerminalLine] {
    let shown = result.nodes.prefix(top)
    let rest = result.nodes.dropFirst(top)
    let rows = shown.map {
      UnitTable.Row(
        layer: $0.layer, unit: $0.unit, position: $0.position, score: $0.score, value: $0.value)
    }
    let share = Double(result.nodes.count) / Double(max(1, result.unitCount))
    var title = TerminalLine(
      "  \(result.nodes.count) of \(result.unitCount) "
        + TerminalReport.shown(MethodWords.units(result.unit), style: style), .strong)
    title.append(", " + Self.percent(share), .quiet)
    guard !rows.isEmpty else { return [title] }
    return [title]
      + UnitTable(style: style, frame: frame, tokens: result.tokens, kind: result.unit).lines(
        rows, rest: (rest.count, rest.map(\.score).reduce(0, +)))
  }

  static func percent(_ share: Double) -> String {
    guard share.isFinite else { return "?" }
    let digits = share == 0 || share >= 0.1 ? 1 : share >= 0.01 ? 2 : 3
    return Quantity.fixed(100 * share, digits, signed: false) + "%"
  }

  /// Sums of the nodes' scores at each layer and token.
  private func grid() -> [TerminalLine] {
    let placed = result.nodes.filter { $0.position != nil }
    guard !placed.isEmpty, let low = placed.map(\.layer).min(), let high = placed.map(\.layer).max()
    else { return [] }
    let rows = Array(low...high)
    let columns = result.tokens.enumerated().map {
      (number: String($0.offset), name: frame.name($0.element, to: 12))
    }
    var values = [Double](repeating: 0, count: rows.count * columns.count)
    var counts = [Int](repeating: 0, count: rows.count)
    for node in placed {
      guard let position = node.position, columns.indices.contains(position) else { continue }
      values[(node.layer - low) * columns.count + position] += node.score
      counts[node.layer - low] += 1
    }
    return [TerminalLine(), TerminalLine("  where they are", .strong)]
      + LayerTokenGrid(
        style: style, frame: frame, rows: rows.map(String.init), columns: columns, values: values,
        notes: ("nodes", counts.map(String.init)), what: "a sum of scores"
      ).lines()
  }

  // MARK: Edges

  private func edges() -> [TerminalLine] {
    guard let edges = result.edges else { return [] }
    let sorted = edges.sorted { abs($0.attribution) > abs($1.attribution) }
    let shown = sorted.prefix(top)
    let title = TerminalLine("  \(edges.count) edge\(edges.count == 1 ? "" : "s")", .strong)
    guard !shown.isEmpty else { return [TerminalLine(), title] }
    let largest = shown.map { abs($0.attribution) }.filter(\.isFinite).max() ?? 0
    let decimals = Quantity.decimals(for: largest, least: 4)
    let room = max(8, style.width / 4)
    let emphasis: [Emphasis] = shown.map { $0.attribution < 0 ? .loss : .gain }
    let words = style.glyphs.words
    let bar = ValueBar(
      values: shown.map(\.attribution), width: style.width >= 90 ? 16 : 8,
      isASCII: style.glyphs.isASCII)
    let table = TextTable(
      names: TextTable.Column(
        head: "from" + style.glyphs.arrow + "to",
        cells: shown.map {
          name($0.source, to: room) + style.glyphs.arrow + name($0.target, to: room)
        }, right: false),
      columns: [
        TextTable.Column(
          head: "gives",
          cells: shown.map { words(Quantity.fixed($0.attribution, decimals, signed: true)) },
          emphasis: emphasis),
        TextTable.Column(
          head: "share",
          cells: shown.map { words(Quantity.fixed(100 * $0.weight, 1, signed: false)) + "%" }),
        TextTable.Column(
          head: "", cells: shown.map { bar.cells($0.attribution) }, right: false, emphasis: emphasis
        ),
      ], nameLeast: 20)
    return [TerminalLine(), title] + table.lines(style: style, indent: 2)
      + frame.note(
        "gives: what flows along the edge to the metric; share: how much of its target it explains."
      ) + certificate
  }

  /// By how much all that reaches a node misses its value, of the node worst off.
  private var certificate: [TerminalLine] {
    guard let worst = result.certificate else { return [] }
    let miss = Quantity.tiny(worst.residual).replacing("+", with: "")
    return frame.note(
      style.glyphs.words(
        "All neurons, tokens and biases that reach a node sum to its value, missing by \(miss) at most."
      ))
  }

  /// `12 n345 at 5 ␣keys`, `5 ␣keys`, `the metric`.
  private func name(_ end: CircuitEdge.End, to width: Int) -> String {
    switch end {
    case .metric: return "metric"
    case .token(let position): return frame.place(position, in: result.tokens, to: width)
    case .node(let place):
      let node = result.nodes[place]
      let unit = UnitTable.name(result.unit, layer: node.layer, unit: node.unit)
      guard let position = node.position else { return unit }
      return unit + " at "
        + frame.place(position, in: result.tokens, to: max(4, width - unit.count - 4))
    }
  }
}
