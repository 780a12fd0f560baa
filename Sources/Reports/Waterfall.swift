import Results

/// The waterfall of one explanation: baseline, one row a layer or fold, the model, and the sum.
struct Waterfall {
  private let explanation: Explanation
  private let result: ExplainResult
  private let style: TerminalStyle
  private let quantity: Quantity
  private let rows: [Row]
  private let levels: [Double]

  /// A layer, or a run of layers without weight.
  private struct Row {
    var layers: Range<Int>
    var start: Double
    var end: Double
    var last: LayerAttribution
    var isOnset: Bool
  }

  /// A column beside the bars: its head, its cells, and whether it is set flush right.
  private struct Column {
    var head: String
    var cells: [String]
    var right = true
    var width: Int {
      (cells + [head]).map { DisplayText.columns($0) }.max() ?? 0
    }
  }

  init(of explanation: Explanation, in result: ExplainResult, style: TerminalStyle, rows: Int) {
    self.explanation = explanation
    self.result = result
    self.style = style
    quantity = Quantity(method: result.method, explanation: explanation)
    let layers = explanation.attributions
    var levels = [explanation.baselineValue]
    for layer in layers { levels.append(levels[levels.count - 1] + layer.value) }
    self.levels = levels
    let onset = layers.firstIndex { $0.layer == explanation.onsetLayer }
    // A layer that another path credits is worth a row, however little this one gives it.
    let weights = layers.map { layer in
      [layer.value, layer.contrastIncrement, layer.low, layer.high].map { abs($0 ?? 0) }.max() ?? 0
    }
    let groups = LayerGroups.split(
      weights: weights, limit: rows, alone: Set([onset].compactMap { $0 }))
    self.rows = groups.map { group in
      Row(
        layers: group, start: levels[group.lowerBound], end: levels[group.upperBound],
        last: layers[group.upperBound - 1], isOnset: onset.map(group.contains) ?? false)
    }
  }

  func lines() -> [TerminalLine] {
    header() + body() + [TerminalLine()] + sum()
  }

  // MARK: What is explained

  private func header() -> [TerminalLine] {
    let glyphs = style.glyphs
    let value = glyphs.words("\(quantity.symbol) = \(quantity.level(explanation.modelValue))")
    let target = targetName(to: max(12, style.width / 2))
    // Where every position sees the whole text, all of it is the context.
    let context =
      result.model.causal == false && !result.prompt.isEmpty
      ? result.prompt : result.tokens.prefix(explanation.position + 1).joinedText
    var line = TerminalLine()
    let together = style.width >= 56
    let room =
      style.width - DisplayText.columns(target) - DisplayText.columns(glyphs.arrow)
      - (together ? DisplayText.columns(value) + 2 : 0)
    if room >= 8 {
      let text = DisplayText.tail(
        TerminalReport.shown(context, style: style), to: room, ellipsis: glyphs.ellipsis)
      line.append(text)
      line.append(glyphs.arrow, .quiet)
    }
    line.append(target, .strong)
    if together {
      line.advance(to: style.width - DisplayText.columns(value))
      line.append(value, .strong)
      return [line]
    }
    return [line, TerminalLine(value, .strong)]
  }

  private func targetName(to width: Int) -> String {
    let target = explanation.target
    func name(_ text: String, _ bytes: String?, _ width: Int) -> String {
      guard let bytes else { return TerminalReport.quoted(text, style: style, to: width) }
      return DisplayText.bytes(bytes, to: width, ascii: style.glyphs.isASCII)
    }
    if let versus = target.versus {
      let half = max(5, (width - 3) / 2)
      return name(target.text, target.bytes, half) + style.glyphs.words(" − ")
        + name(versus.text, versus.bytes, half)
    }
    return name(target.text, target.bytes, width)
  }

  // MARK: The bars

  private func body() -> [TerminalLine] {
    let glyphs = style.glyphs
    let isNarrow = style.width < 50
    let labels = rows.map { label($0, isNarrow: isNarrow) }
    let ends = [isNarrow ? "base" : "baseline", "model"]
    let labelWidth = 2 + ((labels + ends).map(DisplayText.columns).max() ?? 0)
    let columns = fitting(labelWidth: labelWidth)
    let barWidth = barWidth(beside: columns, labelWidth: labelWidth)
    let bar = WaterfallBar(
      levels: levels + [explanation.modelValue], quantity: quantity, width: barWidth,
      isASCII: glyphs.isASCII)

    var lines = [head(columns: columns, bar: bar, labelWidth: labelWidth)]
    func row(
      _ index: Int, label: String, labelEmphasis: Emphasis, bar: String, emphasis: Emphasis,
      note: String = ""
    ) {
      var line = TerminalLine()
      line.append(DisplayText.padded(label, to: labelWidth, right: true), labelEmphasis)
      line.append("  ")
      line.append(bar, emphasis)
      let room = barWidth - DisplayText.columns(bar) - 2
      if !note.isEmpty, DisplayText.columns(note) <= room { line.append("  " + note, .quiet) }
      line.advance(to: labelWidth + 2 + barWidth)
      for column in columns {
        line.append("  ")
        let cell = DisplayText.padded(column.cells[index], to: column.width, right: column.right)
        line.append(cell, column.head == "change" ? sign(of: column.cells[index]) : .plain)
      }
      lines.append(line)
    }
    row(
      0, label: ends[0], labelEmphasis: .quiet,
      bar: bar.cells(from: bar.origin, to: explanation.baselineValue), emphasis: .quiet)
    for (index, item) in rows.enumerated() {
      let label = item.isOnset ? glyphs.onset + " " + labels[index] : labels[index]
      row(
        index + 1, label: label, labelEmphasis: item.isOnset ? .strong : .plain,
        bar: bar.cells(from: item.start, to: item.end),
        emphasis: item.end < item.start ? .loss : .gain, note: note(item))
    }
    row(
      rows.count + 1, label: ends[1], labelEmphasis: .strong,
      bar: bar.cells(from: bar.origin, to: explanation.modelValue), emphasis: .strong)
    return lines
  }

  private func head(columns: [Column], bar: WaterfallBar, labelWidth: Int) -> TerminalLine {
    var line = TerminalLine(DisplayText.padded("layer", to: labelWidth, right: true), .quiet)
    line.append("  ")
    let low = style.glyphs.words(axis(bar.low))
    let high = style.glyphs.words(axis(bar.high))
    let rule = bar.width - DisplayText.columns(low + high) - 2
    let scale =
      rule > 0
      ? low + " " + String(repeating: style.glyphs.rule, count: rule) + " " + high
      : DisplayText.padded(
        high, to: bar.width, right: true, ellipsis: style.glyphs.ellipsis)
    line.append(scale, .quiet)
    for column in columns {
      line.append("  ")
      line.append(
        DisplayText.padded(column.head, to: column.width, right: column.right), .quiet)
    }
    return line
  }

  private func axis(_ level: Double) -> String {
    level == 0 ? "0" : Quantity.fixed(level, max(0, quantity.decimals - 2), signed: false)
  }

  private func label(_ row: Row, isNarrow: Bool) -> String {
    func name(_ index: Int) -> String {
      let layer = explanation.attributions[index].layer
      return layer < 0 ? (isNarrow ? "emb" : "embedding") : String(layer)
    }
    if row.layers.count == 1 { return name(row.layers.lowerBound) }
    let first = explanation.attributions[row.layers.lowerBound].layer
    let start = first < 0 ? "emb" : String(first)
    return start + style.glyphs.dash + name(row.layers.upperBound - 1)
  }

  private func note(_ row: Row) -> String {
    guard row.layers.count > 1 else { return "" }
    let largest = explanation.attributions[row.layers].map { abs($0.value) }.max() ?? 0
    return "\(row.layers.count) layers, each \(LayerTable.bound(largest))"
  }

  private func sign(of cell: String) -> Emphasis {
    cell.contains("+") ? .gain : cell.contains("−") || cell.contains("-") ? .loss : .quiet
  }

  // MARK: The numbers beside the bars

  /// All columns, the most wanted first.
  private func columns() -> [Column] {
    let words = style.glyphs.words
    func column(
      _ head: String, right: Bool = true, ends: (String, String) = ("", ""),
      _ cell: (Row) -> String?
    ) -> Column? {
      let cells = rows.map(cell)
      guard cells.contains(where: { $0 != nil }) else { return nil }
      return Column(
        head: head, cells: [ends.0] + cells.map { $0 ?? "" } + [ends.1], right: right)
    }
    let rounding = Rounding(decimals: quantity.decimals)
    let change = column("change") { row in
      words(quantity.change(rounding.difference(row.start, row.end)))
    }
    let range = LayerRange(of: explanation, decimals: quantity.decimals, glyphs: style.glyphs)
    let spread = column("range") { range.text(of: $0.layers) }
    let lens = column(
      "lens",
      ends: (
        words(quantity.level(explanation.baselineValue)),
        words(quantity.level(explanation.modelValue))
      )
    ) { row in words(quantity.level(row.last.lens)) }
    let increment = column("increment") { row in
      let parts = explanation.attributions[row.layers].compactMap(\.contrastIncrement)
      return parts.isEmpty ? nil : words(quantity.change(parts.reduce(0, +)))
    }
    let contrast = column("contrast") { $0.last.contrastLens.map { words(quantity.level($0)) } }
    let difference = column("difference") {
      $0.last.contrastDifference.map { words(quantity.change($0)) }
    }
    let rank = column("rank") { $0.last.rank.map(String.init) }
    let entropy = column("entropy") {
      $0.last.entropy.map { words(Quantity.fixed($0, 2, signed: false)) }
    }
    return [change, spread, lens, increment, contrast, difference, rank, entropy].compactMap { $0 }
  }

  /// The columns that leave the bars enough room, the top tokens last.
  private func fitting(labelWidth: Int) -> [Column] {
    let barLeast = style.width >= 100 ? 32 : style.width >= 60 ? 20 : 8
    var room = style.width - labelWidth - 2 - barLeast
    var chosen: [Column] = []
    func take(_ column: Column) -> Bool {
      // The change is what the report is for: it stays however narrow the terminal is.
      guard chosen.isEmpty || column.width + 2 <= room else { return false }
      chosen.append(column)
      room -= column.width + 2
      return true
    }
    let numbers = columns()
    for column in numbers where column.head != "entropy" { _ = take(column) }
    // The most probable token says more than the entropy, and further tokens say less.
    let one = top(1)
    guard room >= one.width + 2, one.width > 3 else { return chosen }
    let entropy = numbers.first { $0.head == "entropy" }
    if let entropy, entropy.width + one.width + 4 <= room { _ = take(entropy) }
    for count in [4, 3, 2, 1] where take(top(count)) { break }
    return chosen
  }

  private func top(_ count: Int) -> Column {
    let cells = rows.map { topTokens($0.last, count: count) }
    return Column(head: "top", cells: [""] + cells + [""], right: false)
  }

  private func barWidth(beside columns: [Column], labelWidth: Int) -> Int {
    let taken = columns.reduce(0) { $0 + $1.width + 2 }
    return min(64, max(2, style.width - labelWidth - 2 - taken))
  }

  private func topTokens(_ layer: LayerAttribution, count: Int) -> String {
    let cells = (layer.top ?? []).prefix(count).map { token in
      let name = DisplayText.cut(
        DisplayText.visible(token.text, ascii: style.glyphs.isASCII), to: 14,
        ellipsis: style.glyphs.ellipsis)
      guard count > 1 else { return name }
      return DisplayText.padded(name, to: 11, ellipsis: style.glyphs.ellipsis)
        + " " + Quantity.fixed(token.probability, 2, signed: false)
    }
    return cells.joined(separator: "  ")
  }

  // MARK: The sum

  private func sum() -> [TerminalLine] {
    let words = style.glyphs.words
    let rounding = Rounding(decimals: quantity.decimals)
    let start = explanation.baselineValue
    let end = levels[levels.count - 1]
    let change = rounding.difference(start, end)
    let sign = change < 0 ? "−" : "+"
    var parts = [
      "\(quantity.level(start)) \(sign) \(quantity.level(abs(change)))"
        + " = \(quantity.level(end))",
      "model \(quantity.level(explanation.modelValue))",
      "certificate \(Quantity.tiny(explanation.certificate))",
    ]
    if let onset = explanation.onsetLayer {
      parts.append("onset " + (onset < 0 ? "embedding" : "layer \(onset)"))
    }
    // The tree below has this in its heading.
    let hasParts = explanation.attributions.contains { $0.parts?.isEmpty == false }
    if !hasParts, let integrals = PartTable.integrals(of: explanation, in: result) {
      parts.append(integrals)
    }
    var lines = DisplayText.joined(parts.map(words), by: style.glyphs.dot, to: style.width - 2)
      .map { TerminalLine("  " + $0) }
    let open = explanation.attributions.filter { $0.converged == false }.map { String($0.layer) }
    if !open.isEmpty {
      let text = "not converged to the tolerance: layers " + open.joined(separator: ", ")
      lines += DisplayText.wrapped(text, to: style.width - 2).map {
        TerminalLine("  " + $0, .loss)
      }
    }
    return lines
  }
}
