import Foundation
public import Results

/// What many explanations have in common, for a terminal or a table.
public enum AggregateReport {
  /// The mean depth profile and the distribution of onsets with their 95 % intervals, agreement with
  /// causal checks, and how much of it is certified.
  public static func text(for result: AggregateResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    let method = result.method
    let shown = { TerminalReport.shown($0, style: style) }
    var lines = frame.heading(
      result.model, device: result.device,
      [
        "target " + method.target, "path " + method.path, "baseline " + method.baseline,
        "estimator " + method.estimator,
      ].map(shown))
    lines += frame.quiet([
      count(result.prompts, "prompt"), count(result.tokens, "prediction"),
      style.glyphs.words(
        "95 % intervals from \(result.resamples) resamples over prompts, seed \(result.seed)"),
    ])
    let bars = style.unicode ? ["█", "▓", "░"] : ["#", "+", "-"]
    lines += frame.note(
      "bars: \(bars[0]) up to the interval, \(bars[1]) to the mean, \(bars[2]) to its far end")
    lines += chart(
      "mean share of each layer's value", result.profile, decimals: 4, style: style)
    let onset = "share of predictions whose onset is here, at \(method.onsetFraction) of Σ|A|"
    lines += chart(onset, result.onset, decimals: 3, style: style)
    lines += agreement(result.agreement, style: style)
    if let converged = result.converged {
      let share = Quantity.fixed(converged * 100, 2, signed: false)
      lines.append(TerminalLine())
      lines += frame.note("\(share) % of certified segments met their tolerance", .strong)
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// One row for each mean and its interval, in CSV (RFC 4180).
  public static func csv(for result: AggregateResult) -> String {
    let columns = ["kind", "layer", "replacement", "part", "measure", "mean", "low", "high"]
    func numbers(_ mean: Double, _ low: Double, _ high: Double) -> [String] {
      [mean, low, high].map { CSVFields.number($0) }
    }
    func rows(_ kind: String, _ intervals: [LayerInterval]) -> [[String]] {
      intervals.map {
        [CSVFields.quoted(kind), String($0.layer), "", "", ""] + numbers($0.mean, $0.low, $0.high)
      }
    }
    let agreement = result.agreement.map { row in
      [
        CSVFields.quoted("agreement"), "", CSVFields.quoted(row.replacement.rawValue),
        CSVFields.quoted(row.kind.rawValue), CSVFields.quoted(row.measure),
      ] + numbers(row.mean, row.low, row.high)
    }
    let converged = result.converged.map {
      [[CSVFields.quoted("converged"), "", "", "", "", CSVFields.number($0), "", ""]]
    }
    return CSVFields.table(
      columns,
      rows("profile", result.profile) + rows("onset", result.onset) + agreement + (converged ?? []))
  }

  private static func count(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)" + (count == 1 ? "" : "s")
  }

  // MARK: Bars

  private static func chart(
    _ title: String, _ intervals: [LayerInterval], decimals: Int, style: TerminalStyle
  ) -> [TerminalLine] {
    guard !intervals.isEmpty else { return [] }
    let words = style.glyphs.words
    let means = intervals.map { words(Quantity.fixed($0.mean, decimals, signed: false)) }
    let ranges = intervals.map { interval in
      [interval.low, interval.high].map { words(Quantity.fixed($0, decimals, signed: false)) }
    }
    let mean = max(4, means.map { DisplayText.columns($0) }.max() ?? 0)
    let end = ranges.joined().map { DisplayText.columns($0) }.max() ?? 0
    let label = 9
    let range = 2 * end + 4
    let hasRange = style.width - label - mean - range - 6 >= 8
    let room = style.width - label - mean - (hasRange ? range + 2 : 0) - 4
    let bar = ValueBar(
      values: intervals.flatMap { [$0.mean, $0.low, $0.high] }, width: min(60, max(2, room)),
      isASCII: style.glyphs.isASCII)
    var lines = [TerminalLine()]
    lines += ReportFrame(style: style).note(words(title), .strong, indent: "")
    var head = TerminalLine(DisplayText.padded("layer", to: label, right: true), .quiet)
    head.append("  " + DisplayText.padded("mean", to: mean, right: true), .quiet)
    if hasRange { head.append("  " + DisplayText.padded("95 %", to: range, right: true), .quiet) }
    lines.append(head)
    for (index, interval) in intervals.enumerated() {
      let name = interval.layer < 0 ? "embedding" : String(interval.layer)
      let emphasis: Emphasis = interval.mean < 0 ? .loss : .gain
      var line = TerminalLine(DisplayText.padded(name, to: label, right: true))
      line.append("  " + DisplayText.padded(means[index], to: mean, right: true), emphasis)
      if hasRange {
        let ends = ranges[index].map { DisplayText.padded($0, to: end, right: true) }
        line.append("  " + ends[0] + " to " + ends[1], .quiet)
      }
      line.append("  " + bar.cells(interval.mean, low: interval.low, high: interval.high), emphasis)
      lines.append(line)
    }
    return lines
  }

  // MARK: Agreement

  private static func agreement(
    _ rows: [AgreementInterval], style: TerminalStyle
  ) -> [TerminalLine] {
    guard !rows.isEmpty else { return [] }
    var lines = [TerminalLine()]
    lines += ReportFrame(style: style).note(
      "agreement of attributions with causal checks", .strong, indent: "")
    func row(_ cells: [String], _ emphasis: Emphasis) -> TerminalLine {
      var line = TerminalLine()
      let widths = style.width >= 60 ? [12, 11, 10, 7, 16] : [9, 10, 9, 6, 0]
      for (index, (cell, width)) in zip(cells, widths).enumerated() where width > 0 {
        let isNumber = index >= 3
        line.append(
          DisplayText.padded(
            cell, to: width - (isNumber ? 0 : 1), right: isNumber, ellipsis: style.glyphs.ellipsis),
          emphasis)
        if !isNumber { line.append(" ") }
      }
      return line
    }
    lines.append(row(["replaced", "part", "measure", "mean", "95 %"], .quiet))
    for interval in rows {
      let numbers = [interval.mean, interval.low, interval.high].map {
        style.glyphs.words(Quantity.fixed($0, 2, signed: false))
      }
      let measure = TerminalReport.shown(interval.measure, style: style)
      lines.append(
        row(
          [
            interval.replacement.rawValue, interval.kind.rawValue, measure, numbers[0],
            numbers[1] + " to " + numbers[2],
          ], .plain))
    }
    return lines
  }
}
