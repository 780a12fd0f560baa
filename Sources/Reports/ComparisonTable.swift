import Results

/// One prediction by several methods.
struct ComparisonTable {
  private let comparison: Comparison
  private let result: CompareResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let columns: [Column]
  private static let label = 11

  /// One method's cells, from its start to its sum.
  private struct Column {
    var name: String
    var unit: String
    var scale: [Double]
    var values: [Double]
    var changes: [String]
    var start: String
    var sum: String
    var certificate: String
    var width: Int {
      ([start, sum, certificate] + changes).map { DisplayText.columns($0) }.max() ?? 0
    }
  }

  init(_ comparison: Comparison, in result: CompareResult, style: TerminalStyle) {
    self.comparison = comparison
    self.result = result
    self.style = style
    frame = ReportFrame(style: style)
    let words = style.glyphs.words
    columns = comparison.methods.map { method in
      let level = method.values.reduce(into: [method.start]) { $0.append($0[$0.count - 1] + $1) }
      let isShare = method.unit == "prob" || method.unit == "prob-diff"
      let decimals = Quantity.decimals(
        for: (level + method.values).map(abs).max() ?? 0, least: isShare ? 5 : 4)
      var added = AddedUp(from: method.start, decimals: decimals)
      return Column(
        name: TerminalReport.shown(method.name, style: style),
        unit: TerminalReport.shown(method.unit, style: style),
        // Bars of one unit share their axis, so that they compare.
        scale: comparison.methods.filter { $0.unit == method.unit }.flatMap(\.values),
        values: method.values,
        changes: method.values.map {
          words(Quantity.fixed(added.next($0), decimals, signed: true))
        },
        start: words(Quantity.fixed(method.start, decimals, signed: false)),
        sum: words(Quantity.fixed(level[level.count - 1], decimals, signed: false)),
        certificate: words(Quantity.tiny(method.certificate)))
    }
  }

  func lines() -> [TerminalLine] {
    // As many digits as a small value needs to be told from another.
    let decimals = Quantity.decimals(for: abs(comparison.modelValue), least: 5)
    let value = "model " + Quantity.fixed(comparison.modelValue, decimals, signed: false)
    var lines = frame.prediction(
      after: result.tokens.prefix(comparison.position + 1).joinedText, of: comparison.target,
      value: value)
    for (index, page) in pages().enumerated() {
      if index > 0 { lines.append(TerminalLine()) }
      lines += table(page)
    }
    return lines + agreement()
  }

  // MARK: The values

  /// Columns that fit side by side, each with room for a small bar where the terminal has it.
  private func pages() -> [Range<Int>] {
    let room = style.width - Self.label
    let width = (columns.map(\.width).max() ?? 0) + 2
    let most = max(1, room / max(width, min(14, room)))
    let pages = (columns.count + most - 1) / most
    guard pages > 0 else { return [] }
    let each = (columns.count + pages - 1) / pages
    return stride(from: 0, to: columns.count, by: each).map {
      $0..<min($0 + each, columns.count)
    }
  }

  private func table(_ page: Range<Int>) -> [TerminalLine] {
    let room = style.width - Self.label
    let slot = min(44, room / page.count)
    func row(_ label: String, _ emphasis: Emphasis, _ cell: (Column) -> String) -> TerminalLine {
      var line = TerminalLine(DisplayText.padded(label, to: Self.label, right: true), emphasis)
      for (index, column) in columns[page].enumerated() {
        line.advance(to: Self.label + index * slot)
        line.append(
          "  " + DisplayText.padded(cell(column), to: column.width, right: true), emphasis)
      }
      return line
    }
    func head(_ label: String, _ emphasis: Emphasis, _ text: (Column) -> String) -> TerminalLine {
      var line = TerminalLine(DisplayText.padded(label, to: Self.label, right: true), .quiet)
      for (index, column) in columns[page].enumerated() {
        line.advance(to: Self.label + index * slot)
        line.append(
          "  "
            + DisplayText.cut(
              text(column), to: max(1, slot - 2), ellipsis: style.glyphs.ellipsis), emphasis)
      }
      return line
    }
    var lines = [
      head("method", .strong) { $0.name }, head("unit", .quiet) { $0.unit },
      row("start", .quiet) { $0.start },
    ]
    for (index, layer) in result.layers.enumerated() {
      var line = TerminalLine(
        DisplayText.padded(layer < 0 ? "embedding" : String(layer), to: Self.label, right: true))
      for (place, column) in columns[page].enumerated()
      where column.values.indices.contains(index) {
        let value = column.values[index]
        let emphasis: Emphasis = value < 0 ? .loss : .gain
        line.advance(to: Self.label + place * slot)
        line.append(
          "  " + DisplayText.padded(column.changes[index], to: column.width, right: true), emphasis)
        let width = slot - column.width - 3
        guard width >= 2 else { continue }
        let bar = ValueBar(
          values: column.scale, width: width, isASCII: style.glyphs.isASCII)
        line.append(" " + bar.cells(value), emphasis)
      }
      lines.append(line)
    }
    return lines + [
      row("sum", .strong) { $0.sum }, row("certificate", .quiet) { $0.certificate },
    ]
  }

  // MARK: Agreement

  private func agreement() -> [TerminalLine] {
    let pairs = comparison.correlations
    guard !pairs.isEmpty else { return [] }
    var names: [String] = comparison.methods.map(\.name).filter { name in
      pairs.contains { $0.first == name || $0.second == name }
    }
    for pair in pairs {
      for name in [pair.first, pair.second] where !names.contains(name) { names.append(name) }
    }
    func value(_ first: String, _ second: String) -> String? {
      let pair = pairs.first {
        ($0.first == first && $0.second == second) || ($0.first == second && $0.second == first)
      }
      return pair.map { pair in
        pair.spearman.map { style.glyphs.words(Quantity.fixed($0, 2, signed: true)) }
          ?? style.glyphs.none
      }
    }
    var lines = [TerminalLine()]
    lines += frame.note("agreement on the order of layers (Spearman)", .strong, indent: "")
    let shown = names.map { TerminalReport.shown($0, style: style) }
    let label = min(style.width / 2, (shown.map { DisplayText.columns($0) }.max() ?? 0) + 2)
    let cell = max(5, min(12, (style.width - label) / max(1, names.count - 1) - 2))
    guard label + (names.count - 1) * (cell + 2) <= style.width else {
      // Too many for a square: one pair a line.
      return lines
        + pairs.map { pair in
          let names = [pair.first, pair.second].map { TerminalReport.shown($0, style: style) }
          let number = value(pair.first, pair.second) ?? style.glyphs.none
          var line = TerminalLine(
            "  "
              + DisplayText.padded(
                names.joined(separator: ", "), to: max(4, style.width - 9),
                ellipsis: style.glyphs.ellipsis))
          line.append(" " + DisplayText.padded(number, to: 5, right: true))
          return line
        }
    }
    var head = TerminalLine(String(repeating: " ", count: label))
    for name in shown.dropLast() {
      head.append(
        "  " + DisplayText.padded(name, to: cell, right: true, ellipsis: style.glyphs.ellipsis),
        .quiet)
    }
    lines.append(head)
    for (row, name) in names.enumerated().dropFirst() {
      var line = TerminalLine(
        DisplayText.padded(
          shown[row], to: label, right: true, ellipsis: style.glyphs.ellipsis))
      for column in 0..<row {
        let text = value(names[column], name) ?? ""
        line.append("  " + DisplayText.padded(text, to: cell, right: true))
      }
      lines.append(line)
    }
    return lines
  }
}
