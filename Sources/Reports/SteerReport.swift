import Foundation
public import Results

/// What steering found, for a terminal.
public enum SteerReport {
  /// Both continuations, both predictions, and how far they lie apart.
  ///
  /// Nothing from a token reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: What steering found.
  ///   - style: What the terminal can show.
  /// - Returns: The whole report, ending in a line break.
  public static func text(for result: SteerResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    let glyphs = style.glyphs
    var lines = frame.heading(
      result.model, device: result.device,
      phrases(of: result.change, style).map { glyphs.words($0) })
    lines.append(TerminalLine())
    lines += frame.note(
      TerminalReport.quoted(result.text, style: style, to: 3 * style.width), .strong, indent: "")
    for (name, reading) in [("before", result.before), ("after", result.after)]
    where !reading.continuation.isEmpty {
      let text = TerminalReport.quoted(
        reading.continuation.joinedText, style: style, to: 3 * style.width)
      lines += frame.note(name + " " + text, .plain, indent: "")
    }
    lines += [TerminalLine()] + table(result, style, frame).lines(style: style, indent: 2)
    lines.append(TerminalLine())
    var sums = ["KL \(Quantity.fixed(result.divergence, 4, signed: false)) nats"]
    sums.append(
      "entropy \(Quantity.fixed(result.before.entropy, 3, signed: false)) → "
        + Quantity.fixed(result.after.entropy, 3, signed: false))
    if let metric = result.metric {
      var name = metric.name + " of " + frame.name(metric.token, to: 24)
      if let versus = metric.versus { name += " less that of " + frame.name(versus, to: 24) }
      let ends = [metric.start ?? metric.value, metric.value]
      let decimals = Quantity.decimals(for: ends.map(abs).max() ?? 0, least: 3)
      sums.append(
        name + " "
          + ends.map { Quantity.fixed($0, decimals, signed: false) }.joined(separator: " → "))
    }
    lines += frame.quiet(
      sums.map { style.unicode ? $0 : glyphs.words($0.replacing("→", with: "->")) })
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// What was changed.
  private static func phrases(of change: SteerChange, _ style: TerminalStyle) -> [String] {
    func shown(_ text: String) -> String {
      TerminalReport.quoted(text, style: style, to: style.width)
    }
    var phrases: [String]
    switch change.kind {
    case "scale": phrases = ["\(change.site) times \(change.amount)"]
    case "set": phrases = ["\(change.site) set to \(change.amount)"]
    default:
      var what = [
        change.source.map { TerminalReport.shown($0, style: style) }, change.plus.map(shown),
      ]
      .compactMap(\.self).joined()
      if let minus = change.minus { what += (what.isEmpty ? "less " : " less ") + shown(minus) }
      phrases = ["\(change.site) plus \(change.amount) times \(what)"]
    }
    if let length = change.length {
      phrases.append("length \(Quantity.fixed(length, 3, signed: false))")
    }
    func list(_ numbers: [Int]) -> String {
      numbers.prefix(12).map(String.init).joined(separator: ", ")
        + (numbers.count > 12 ? ", …" : "")
    }
    if let units = change.units { phrases.append("units \(list(units))") }
    if let positions = change.positions { phrases.append("positions \(list(positions))") }
    return phrases
  }

  /// The most probable tokens of either prediction, those of the first above.
  private static func table(
    _ result: SteerResult, _ style: TerminalStyle, _ frame: ReportFrame
  ) -> TextTable {
    let order = result.before.top
    func column(_ name: String, _ reading: SteerReading) -> TextTable.Column {
      TextTable.Column(
        head: name,
        cells: order.map { token in
          reading.top.first { $0.id == token.id }.map {
            Quantity.fixed($0.probability, 4, signed: false)
          } ?? ""
        })
    }
    return TextTable(
      names: TextTable.Column(
        head: "next token", cells: order.map { frame.name($0.text, to: 28) }, right: false),
      columns: [column("before", result.before), column("after", result.after)])
  }
}
