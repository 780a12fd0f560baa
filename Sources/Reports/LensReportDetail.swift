import Results

/// One position: every layer's numbers and its most probable tokens.
struct LensReportDetail {
  private let result: LensResult
  private let style: TerminalStyle
  private let top: Int
  private let frame: ReportFrame
  private let rows: LensRows

  init(_ result: LensResult, style: TerminalStyle, top: Int) {
    self.result = result
    self.style = style
    self.top = max(0, top)
    frame = ReportFrame(style: style)
    rows = LensRows(result)
  }

  /// A column of numbers: its head, its cells from the last layer down.
  private struct Column {
    var head: String
    var cells: [String]
    var width: Int { ([head] + cells).map { DisplayText.columns($0) }.max() ?? 0 }
  }

  func lines() -> [TerminalLine] {
    let glyphs = style.glyphs
    let position = result.positions[0]
    let target = result.targets[0]
    let readings = result.layers.map { $0.cells[0] }
    let last = readings[readings.count - 1]
    var lines = frame.prediction(
      after: result.tokens.prefix(position + 1).joinedText,
      of: TargetDescription(id: target.id, text: target.text, bytes: target.bytes),
      value: "p = " + Quantity.fixed(last.probability, 5, signed: false))
    let down = Array(readings.reversed())
    func column(_ head: String, _ decimals: Int, _ value: (LensCell) -> Double) -> Column {
      Column(
        head: head,
        cells: down.map { glyphs.words(Quantity.fixed(value($0), decimals, signed: false)) })
    }
    // The most wanted first; a narrow terminal loses the others.
    let wanted = [
      column("p", 5) { $0.probability }, Column(head: "rank", cells: down.map { String($0.rank) }),
      column("KL", 3) { $0.divergence }, column("entropy", 3) { $0.entropy },
      column("logit", 3) { $0.logit },
    ]
    let label = 6
    let nameLeast = top > 0 && down.contains { !$0.top.isEmpty } ? 14 : 0
    var room = style.width - label
    var chosen: [Column] = []
    for column in wanted where chosen.isEmpty || room - column.width - 2 >= nameLeast {
      chosen.append(column)
      room -= column.width + 2
    }
    let names = max(0, min(top, (room + 2) / 18))
    var head = TerminalLine(DisplayText.padded("layer", to: label, right: true), .quiet)
    for column in chosen {
      head.append("  " + DisplayText.padded(column.head, to: column.width, right: true), .quiet)
    }
    if nameLeast > 0, room >= nameLeast { head.append("  most probable", .quiet) }
    lines.append(head)
    for (row, reading) in down.enumerated() {
      let index = readings.count - 1 - row
      var line = TerminalLine(
        DisplayText.padded(rows.name(index), to: label, right: true),
        rows.isModel(index) ? .strong : .plain)
      for column in chosen {
        line.append("  " + DisplayText.padded(column.cells[row], to: column.width, right: true))
      }
      if nameLeast > 0, room >= nameLeast {
        for token in reading.top.prefix(max(1, names)) {
          line.append("  ")
          line.append(cell(token, room: names > 0 ? 16 : room - 2), emphasis(token, target))
        }
      }
      lines.append(line)
    }
    return lines + list(last, target)
  }

  /// A name and two digits: `␣Paris      .77`.
  private func cell(_ token: TopToken, room: Int) -> String {
    DisplayText.padded(
      frame.name(token.text, to: room - 4), to: room - 4, ellipsis: style.glyphs.ellipsis)
      + " " + LensReportGrid.digits(token.probability)
  }

  private func emphasis(_ token: TopToken, _ target: TokenDescription) -> Emphasis {
    token.id == target.id ? .gain : .plain
  }

  /// The model's own most probable tokens, which the table may have no room for.
  private func list(_ last: LensCell, _ target: TokenDescription) -> [TerminalLine] {
    let tokens = last.top.prefix(top)
    guard !tokens.isEmpty else { return [] }
    let width = tokens.map { DisplayText.columns(frame.name($0.text, to: 24)) }.max() ?? 0
    var lines = [TerminalLine(), TerminalLine("the model's most probable tokens", .strong)]
    for token in tokens {
      var line = TerminalLine("  ")
      line.append(
        DisplayText.padded(frame.name(token.text, to: 24), to: width), emphasis(token, target))
      line.append("  " + Quantity.fixed(token.probability, 5, signed: false))
      lines.append(line)
    }
    return lines
  }
}
