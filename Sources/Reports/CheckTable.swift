import Foundation
import Results

/// Causal checks: for each replacement what the attribution predicts beside what the model does.
struct CheckTable {
  private let explanation: Explanation
  private let result: ExplainResult
  private let style: TerminalStyle
  private let quantity: Quantity
  private let top: Int

  init(of explanation: Explanation, in result: ExplainResult, style: TerminalStyle, top: Int) {
    self.explanation = explanation
    self.result = result
    self.style = style
    self.top = max(1, top)
    quantity = Quantity(method: result.method, explanation: explanation)
  }

  /// Nothing where nothing was checked.
  func lines() -> [TerminalLine] {
    var lines: [TerminalLine] = []
    for check in explanation.checks ?? [] {
      if !lines.isEmpty { lines.append(TerminalLine()) }
      lines += self.lines(check)
    }
    return lines
  }

  private func lines(_ check: CausalCheck) -> [TerminalLine] {
    let by =
      switch check.replacement {
      case .mean: "by its mean"
      case .zero: "by zero"
      case .resample: "by " + sample(check.source)
      }
    let at = check.scope == .all ? "at every position" : "at the explained position"
    let title = "causal check: each part replaced \(by) \(at)"
    var lines = DisplayText.wrapped(title, to: style.width, indent: "  ").map {
      TerminalLine($0, .strong)
    }
    let kinds = CheckedPart.Kind.allCases.filter { kind in
      check.rows.contains { $0.kind == kind } || check.agreement.contains { $0.kind == kind }
    }
    let all = kinds.map { kind in
      let rows = check.rows.filter { $0.kind == kind }
      return (kind: kind, shown: largest(rows), count: rows.count)
    }
    // One layout for all kinds, so that the columns stand under one another.
    let indent = style.width < 60 ? 0 : 2
    let shown = all.flatMap(\.shown)
    let layout = Layout(
      rows: shown, names: shown.map(name), quantity: quantity, style: style, indent: indent)
    if !shown.isEmpty { lines.append(layout.head()) }
    for item in all {
      lines += heading(item.kind, check, count: item.count)
      let bar = layout.bar(item.shown)
      for row in item.shown { lines.append(layout.line(row, name: name(row), bar: bar)) }
      if item.count > item.shown.count {
        let rest = item.count - item.shown.count
        var line = TerminalLine()
        line.advance(to: indent + 2)
        line.append("others: \(rest) \(rest == 1 ? "part" : "parts")", .quiet)
        lines.append(line)
      }
    }
    return lines
  }

  /// Where a resample is from, in words.
  private func sample(_ place: CausalCheck.Place?) -> String {
    guard let place else { return "another sample of it" }
    if let text = place.text {
      return "its value at position \(place.position) of reference text \(text)"
    }
    let token = result.tokens.indices.contains(place.position) ? result.tokens[place.position] : nil
    let name = token.map { token in
      token.bytes.map { DisplayText.bytes($0, to: 24, ascii: style.glyphs.isASCII) }
        ?? TerminalReport.quoted(token.text, style: style, to: 24)
    }
    guard let name else { return "its value at position \(place.position)" }
    return "its value at \(name) (\(place.position))"
  }

  /// A kind of part, and how far prediction and model agree on it.
  private func heading(
    _ kind: CheckedPart.Kind, _ check: CausalCheck, count: Int
  ) -> [TerminalLine] {
    let title =
      switch kind {
      case .layer: "layers"
      case .attention: "attention"
      case .mlp: "MLP"
      case .head: "heads"
      case .neurons: "neurons"
      }
    let indent = style.width < 60 ? 0 : 2
    let agreement = check.agreement.first { $0.kind == kind }
    let number = agreement?.count ?? count
    var phrases = ["\(number) \(number == 1 ? "part" : "parts")"]
    if let spearman = agreement?.spearman {
      phrases.append("Spearman " + Quantity.fixed(spearman, 2, signed: false))
    }
    if let share = agreement?.signAgreement, share.isFinite {
      phrases.append("signs agree \(Int((min(1, max(0, share)) * 100).rounded(.down))) %")
    }
    let text = phrases.map(style.glyphs.words).joined(separator: style.glyphs.dot)
    var line = TerminalLine()
    line.advance(to: indent)
    line.append(title, .strong)
    if indent + DisplayText.columns(title + text) + 2 <= style.width {
      line.append("  " + text, .quiet)
      return [line]
    }
    let rest = DisplayText.joined(
      phrases.map(style.glyphs.words), by: style.glyphs.dot, to: style.width - 2)
    return [line] + rest.map { TerminalLine("  " + $0, .quiet) }
  }

  private func largest(_ rows: [CheckedPart]) -> [CheckedPart] {
    func weight(_ row: CheckedPart) -> Double {
      let sizes = [abs(row.predicted), abs(row.actual)].filter { !$0.isNaN }
      return sizes.max() ?? 0
    }
    let order = rows.indices.map { (weight: weight(rows[$0]), index: $0) }
      .sorted { ($0.weight, $1.index) > ($1.weight, $0.index) }
    return order.prefix(top).map { rows[$0.index] }
  }

  private func name(_ row: CheckedPart) -> String {
    let isNarrow = style.width < 50 && row.kind != .layer && row.layer >= 0
    let layer =
      isNarrow ? "L\(row.layer)" : row.layer < 0 ? "embedding" : "layer \(row.layer)"
    switch row.kind {
    case .layer, .attention, .mlp: return layer
    case .head: return layer + " head " + (row.head.map(String.init) ?? "?")
    case .neurons:
      let neurons = row.neurons ?? []
      return neurons.count == 1
        ? layer + " neuron \(neurons[0])" : layer + ": \(neurons.count) neurons"
    }
  }
}

/// The columns of a check: part, predicted, actual, gap, and a bar for each of the first two.
private struct Layout {
  private let style: TerminalStyle
  private let quantity: Quantity
  private let indent: Int
  private let nameWidth: Int
  private let widths: [Int]
  private let barWidth: Int
  private static let heads = ["predicted", "actual", "gap"]

  init(
    rows: [CheckedPart], names: [String], quantity: Quantity, style: TerminalStyle, indent: Int
  ) {
    self.style = style
    self.quantity = quantity
    self.indent = indent
    let texts = rows.map { Self.texts($0, quantity, style) }
    let widths = Self.heads.indices.map { column in
      max(
        style.width < 50 && column == 0 ? 5 : Self.heads[column].count,
        texts.map { DisplayText.columns($0[column]) }.max() ?? 0)
    }
    // The gap is the difference of its neighbours, and goes first where there is no room.
    let least = 12
    let fits = indent + 2 + least + widths.reduce(0) { $0 + $1 + 2 } <= style.width
    self.widths = fits ? widths : Array(widths.prefix(2))
    let taken = self.widths.reduce(indent + 2) { $0 + $1 + 2 }
    let widest = max(4, names.map { DisplayText.columns($0) }.max() ?? 0)
    let free = style.width - taken - min(widest, 24) - 6
    barWidth = free >= 12 ? min(20, free / 2) : 0
    nameWidth = max(4, min(widest, style.width - taken - (barWidth > 0 ? 2 * barWidth + 4 : 0)))
  }

  /// The digits of a row: the gap is the difference of the two as they are shown.
  private static func texts(
    _ row: CheckedPart, _ quantity: Quantity, _ style: TerminalStyle
  ) -> [String] {
    let gap = Rounding(decimals: quantity.decimals).difference(row.actual, row.predicted)
    return [row.predicted, row.actual, gap].map { style.glyphs.words(quantity.change($0)) }
  }

  func head() -> TerminalLine {
    var line = TerminalLine()
    line.advance(to: indent)
    line.append(DisplayText.padded("part", to: nameWidth + 2), .quiet)
    for (width, head) in zip(widths, Self.heads) {
      let shown = head.count <= width ? head : "pred."
      line.append("  " + DisplayText.padded(shown, to: width, right: true), .quiet)
    }
    for head in Self.heads.prefix(2) where barWidth >= head.count {
      line.append("  " + DisplayText.padded(head, to: barWidth), .quiet)
    }
    return line
  }

  /// The scale of these rows: two bars side by side are to be compared, parts of other kinds not.
  func bar(_ rows: [CheckedPart]) -> WaterfallBar? {
    guard barWidth > 0 else { return nil }
    return WaterfallBar(
      values: rows.flatMap { [$0.predicted, $0.actual] }, width: barWidth,
      isASCII: style.glyphs.isASCII)
  }

  func line(_ row: CheckedPart, name: String, bar: WaterfallBar?) -> TerminalLine {
    var line = TerminalLine()
    line.advance(to: indent + 2)
    line.append(DisplayText.padded(name, to: nameWidth, ellipsis: style.glyphs.ellipsis))
    for (width, text) in zip(widths, Self.texts(row, quantity, style)) {
      line.append("  ")
      let isLoss = text.contains("−") || text.contains("-")
      line.append(
        DisplayText.padded(text, to: width, right: true),
        isLoss ? .loss : text.contains("+") ? .gain : .quiet)
    }
    guard let bar else { return line }
    for value in [row.predicted, row.actual] {
      line.append("  ")
      let start = line.columns
      line.append(bar.cells(from: 0, to: value), value < 0 ? .loss : .gain)
      line.advance(to: start + bar.width)
    }
    return line
  }
}
