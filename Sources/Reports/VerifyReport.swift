public import Results

/// Invariants with what was measured of each, for a terminal.
public enum VerifyReport {
  /// A table: invariant, measured, tolerance, verdict; below it where one fails, and what was not tried.
  ///
  /// - Parameters:
  ///   - result: What was found.
  ///   - style: What the terminal can show.
  /// - Returns: The whole report, ending in a line break.
  public static func text(for result: VerifyResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    let tokens = result.tokens.count == 1 ? "1 token" : "\(result.tokens.count) tokens"
    var lines = frame.heading(
      result.model, device: result.device, ["verification", "on a text of \(tokens)"])
    let tried = result.invariants.filter { $0.verdict != .none }
    if !tried.isEmpty {
      lines.append(TerminalLine())
      lines += table(tried, style: style)
    }
    let failed = tried.filter { $0.verdict == .fail }
    if !failed.isEmpty {
      lines.append(TerminalLine())
      for invariant in failed {
        let claim = TerminalReport.shown(invariant.claim, style: style)
        var text = "failed: \(TerminalReport.shown(invariant.name, style: style)): \(claim)"
        if let detail = invariant.detail {
          text += "; \(TerminalReport.shown(detail, style: style))"
        }
        lines += frame.note(text, .loss)
      }
    }
    let skipped = result.invariants.filter { $0.verdict == .none }
    if !skipped.isEmpty {
      lines.append(TerminalLine())
      lines += frame.note("not tried, as it says nothing of this model", .strong)
      lines += FactSheet(style: style).lines(
        skipped.map {
          .init(
            name: TerminalReport.shown($0.name, style: style),
            text: TerminalReport.shown($0.detail ?? "", style: style))
        })
    }
    lines.append(TerminalLine())
    let passed = tried.count - failed.count
    lines.append(
      TerminalLine(
        failed.isEmpty
          ? "all \(passed) hold" : "\(failed.count) of \(tried.count) fail",
        failed.isEmpty ? .strong : .loss))
    return frame.text(lines) + frame.text(frame.warnings(result.warnings))
  }

  /// The line of one invariant as it is done, for a run that shows them one by one.
  ///
  /// - Parameters:
  ///   - invariant: What was tried.
  ///   - style: What the terminal can show.
  /// - Returns: Name, verdict and measure, without a line break.
  public static func line(for invariant: Invariant, style: TerminalStyle) -> String {
    let measure = invariant.measured.map { " " + style.glyphs.words(number($0)) } ?? ""
    return "\(TerminalReport.shown(invariant.name, style: style)): \(verdict(invariant))" + measure
  }

  private static func table(_ invariants: [Invariant], style: TerminalStyle) -> [TerminalLine] {
    let words = style.glyphs.words
    let emphasis: [Emphasis] = invariants.map { $0.verdict == .fail ? .loss : .plain }
    // The measure is what is read; the claim goes first where there is no room.
    let names = TextTable.Column(
      head: "invariant", cells: invariants.map { TerminalReport.shown($0.name, style: style) },
      right: false, emphasis: emphasis)
    return TextTable(
      names: names,
      columns: [
        .init(head: "", cells: invariants.map(verdict), right: false, emphasis: emphasis),
        .init(
          head: "measured", cells: invariants.map { $0.measured.map { words(number($0)) } ?? "" }),
        .init(
          head: "tolerance",
          cells: invariants.map { invariant in
            invariant.tolerance.map { (invariant.exceeds ? "> " : "") + words(number($0)) } ?? ""
          }),
        .init(
          head: "what holds",
          cells: invariants.map { TerminalReport.shown($0.claim, style: style) },
          right: false, emphasis: invariants.map { _ in .quiet }),
      ]
    ).lines(style: style, indent: 2)
  }

  private static func verdict(_ invariant: Invariant) -> String {
    switch invariant.verdict {
    case .pass: "pass"
    case .fail: "FAIL"
    case .none: "not tried"
    }
  }

  /// Two digits and an exponent, without a sign.
  private static func number(_ value: Double) -> String {
    value == 0 ? "0" : String(Quantity.tiny(value).dropFirst(value > 0 ? 1 : 0))
  }
}
