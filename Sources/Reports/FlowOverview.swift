import Results

/// Several layers: each map with a line for every layer.
struct FlowOverview {
  private let result: FlowResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let top: Int

  init(_ result: FlowResult, style: TerminalStyle, top: Int) {
    self.result = result
    self.style = style
    self.top = top
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    var keys: [String] = []
    let layers = result.layers.map { FlowMaps.entries(of: $0) }
    for entry in layers.joined() where !keys.contains(entry.key) { keys.append(entry.key) }
    return keys.flatMap { key in
      [TerminalLine()] + table(layers.map { entries in entries.first { $0.key == key } })
    } + hint()
  }

  private func table(_ entries: [FlowMaps.Entry?]) -> [TerminalLine] {
    guard let first = entries.compactMap({ $0 }).first else { return [] }
    let isOne = result.parameters.targets.count == 1
    let hasHead = first.array.axes.last == "head"
    let hasSource = first.array.axes.first == "source"
    let what = hasSource ? (hasHead ? "sources and heads" : "sources") : "heads"
    let rows = FlowRows(
      style: style, frame: frame, result: result, head: "layer",
      amount: first.map == nil ? "sum" : "total",
      listed: isOne ? "strongest " + what : hasSource ? "strongest flows" : "strongest targets",
      showsTarget: !isOne, top: top)
    var unconverged = 0
    let lines = zip(result.layers, entries).compactMap { layer, entry -> FlowRows.Row? in
      guard let entry else { return nil }
      let terms = FlowMaps.terms(entry.array, of: nil)
      let columns = Double(result.parameters.targets.count)
      unconverged += entry.map?.unconverged.count ?? 0
      return FlowRows.Row(
        name: DisplayText.padded(String(layer.layer), to: 5, right: true),
        total: (entry.map?.totals.values ?? terms.map(\.value)).reduce(0, +) / columns,
        error: entry.map.map { $0.completenessError.values.max() ?? 0 },
        isUnconverged: entry.map.map { !$0.unconverged.isEmpty } ?? false,
        terms: FlowMaps.strongest(terms, top))
    }
    return heading(first) + rows.lines(lines, indent: 0)
      + (unconverged == 0
        ? []
        : frame.note(
          "! \(unconverged) target\(unconverged == 1 ? "" : "s") "
            + FlowReport.missed(result.parameters),
          .loss))
  }

  private func heading(_ entry: FlowMaps.Entry) -> [TerminalLine] {
    let name =
      switch entry.key {
      case "layer_flow": "whole layers"
      case "heads.conductance": "through heads"
      case let key where key.hasPrefix("composed."): "composed, " + entry.name
      default: entry.name
      }
    var phrases = [name, style.glyphs.isASCII ? FlowMaps.ascii(entry.between) : entry.between]
    if let baseline = entry.baseline { phrases.append("from " + baseline) }
    if result.parameters.targets.count > 1 {
      phrases.append(entry.map == nil ? "sum: mean over targets" : "total: mean over targets")
    }
    return DisplayText.joined(
      phrases.map { TerminalReport.shown($0, style: style) }, by: style.glyphs.dot,
      to: style.width, indent: "  "
    ).map { TerminalLine($0, .strong) }
  }

  private func hint() -> [TerminalLine] {
    guard let layer = result.layers.last?.layer else { return [] }
    return [TerminalLine()]
      + frame.note(
        "One layer shows every target and the map itself: --layers \(layer); "
          + "--html FILE draws all of them.", indent: "")
  }
}
