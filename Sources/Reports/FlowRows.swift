import Results

/// Lines of a map: what a row is of, its total with a bar, its completeness error, and its strongest
/// terms in the room that is left.
struct FlowRows {
  /// One line.
  struct Row {
    var name: String
    var total: Double
    /// The worst relative error; nil for a map that is no integral of its own.
    var error: Double?
    var isUnconverged: Bool
    var terms: [FlowMaps.Term]
  }

  let style: TerminalStyle
  let frame: ReportFrame
  let result: FlowResult
  /// What `name` names: `target`, `layer`.
  let head: String
  /// What stands in the second column: `total`, or `sum` of a map that is no integral of its own.
  var amount = "total"
  /// What the terms are: `strongest sources`.
  let listed: String
  /// Whether a term names its target: in rows that are not of one.
  let showsTarget: Bool
  var top = 6

  func lines(_ rows: [Row], indent: Int = 2) -> [TerminalLine] {
    let words = style.glyphs.words
    let totalDecimals = Self.decimals(rows.map { abs($0.total) }.max() ?? 0)
    // Where there is no room for errors too, a mark stays at the total.
    let isNarrow = style.width < 56
    let totals = rows.map { row in
      words(Quantity.fixed(row.total, totalDecimals, signed: false))
        + (isNarrow && row.isUnconverged ? "!" : "")
    }
    let largest = rows.flatMap { $0.terms.prefix(1).map { abs($0.value) } }.max() ?? 0
    let decimals = Self.decimals(largest)
    let isMarked = !isNarrow && rows.contains { $0.isUnconverged }
    let hasErrors = rows.contains { $0.error != nil }
    let errors = rows.map { row in
      guard let error = row.error else { return style.glyphs.none }
      let text = Self.error(error)
      return isMarked ? text + (row.isUnconverged ? "!" : " ") : text
    }
    let nameWidth = max(
      DisplayText.columns(head),
      min(rows.map { DisplayText.columns($0.name) }.max() ?? 0, max(8, style.width / 4)))
    let totalWidth = max(5, totals.map { DisplayText.columns($0) }.max() ?? 0)
    let errorWidth = hasErrors ? max(5, errors.map { DisplayText.columns($0) }.max() ?? 0) : 0
    var room = style.width - indent - nameWidth - 2 - totalWidth
    let showsErrors = hasErrors && !isNarrow
    if showsErrors { room -= errorWidth + 2 }
    let barWidth = room >= 44 ? min(12, (room - 34) / 2) : 0
    if barWidth > 0 { room -= barWidth + 2 }
    let bar = ValueBar(
      values: rows.map(\.total), width: max(1, barWidth), isASCII: style.glyphs.isASCII)
    let showsTerms = room >= 16

    var title = TerminalLine()
    title.advance(to: indent)
    title.append(DisplayText.padded(head, to: nameWidth), .quiet)
    title.append("  " + DisplayText.padded(amount, to: totalWidth, right: true), .quiet)
    if barWidth > 0 { title.append(String(repeating: " ", count: barWidth + 2)) }
    if showsErrors {
      let text = isMarked ? "error " : "error"
      title.append("  " + DisplayText.padded(text, to: errorWidth, right: true), .quiet)
    }
    if showsTerms { title.append("  " + listed, .quiet) }
    var lines = [title]
    for (index, row) in rows.enumerated() {
      var line = TerminalLine()
      line.advance(to: indent)
      line.append(
        DisplayText.padded(row.name, to: nameWidth, ellipsis: style.glyphs.ellipsis), .strong)
      line.append("  " + DisplayText.padded(totals[index], to: totalWidth, right: true))
      if barWidth > 0 { line.append("  " + bar.cells(row.total), .gain) }
      if showsErrors {
        line.append(
          "  " + DisplayText.padded(errors[index], to: errorWidth, right: true),
          row.isUnconverged ? .loss : .quiet)
      }
      if showsTerms { append(row.terms, to: &line, room, decimals) }
      lines.append(line)
    }
    return lines
  }

  /// As many whole terms as there is room for.
  private func append(
    _ terms: [FlowMaps.Term], to line: inout TerminalLine, _ room: Int, _ decimals: Int
  ) {
    var left = room
    for (index, term) in terms.prefix(top).enumerated() {
      let value = style.glyphs.words(Quantity.fixed(term.value, decimals, signed: true))
      let width = DisplayText.columns(value) + 3
      let whole = name(term, to: showsTarget ? 34 : 18)
      // Only the strongest may be cut.
      let name = index == 0 ? self.name(term, to: min(34, left - width)) : whole
      guard DisplayText.columns(name) + width <= left else { break }
      line.append("  " + name + " ")
      line.append(value, term.value < 0 ? .loss : .gain)
      left -= width + DisplayText.columns(name)
    }
  }

  /// `5 ␣mat h3`, with its target where the row is not of one.
  func name(_ term: FlowMaps.Term, to width: Int) -> String {
    let head = term.head.map { place in
      let heads = result.parameters.heads
      return "h" + String(heads.indices.contains(place) ? heads[place] : place)
    }
    let targets = result.parameters.targets
    let arrow = style.glyphs.arrow
    let suffix = head.map { " " + $0 } ?? ""
    var room = width - DisplayText.columns(suffix)
    guard let source = term.source else {
      guard showsTarget else { return head ?? "" }
      return FlowNames.token(targets[term.target], of: result, frame, to: room) + suffix
    }
    guard showsTarget else {
      return FlowNames.token(source, of: result, frame, to: room) + suffix
    }
    room = (room - DisplayText.columns(arrow)) / 2
    return FlowNames.token(source, of: result, frame, to: room) + arrow
      + FlowNames.token(targets[term.target], of: result, frame, to: room) + suffix
  }

  /// Decimals for about four digits of the largest number.
  static func decimals(_ largest: Double) -> Int {
    Quantity.decimals(for: largest, least: 2) - 1
  }

  /// A relative error in few columns.
  static func error(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    if value == 0 { return "0" }
    let text = Quantity.tiny(abs(value)).dropFirst()
    return String(text)
  }
}

/// Tokens by position and text.
enum FlowNames {
  /// `5 ␣mat`; in a column of names, positions stand below one another.
  static func token(
    _ position: Int, of result: FlowResult, _ frame: ReportFrame, to width: Int,
    aligned: Bool = false
  ) -> String {
    frame.place(position, in: result.tokens, to: width, aligned: aligned)
  }
}
