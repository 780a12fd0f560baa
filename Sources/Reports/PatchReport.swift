import Foundation
public import Results

/// What patching found, for a terminal, a table or a page.
public enum PatchReport {
  /// A grid for each kind of unit: tokens × layers, or heads × layers.
  ///
  /// Nothing from a token reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: What patching found.
  ///   - style: What the terminal can show.
  ///   - top: The cells that are listed below each grid, at most.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: PatchResult, style: TerminalStyle, top: Int = 8
  ) -> String {
    let frame = ReportFrame(style: style)
    let glyphs = style.glyphs
    var lines = frame.heading(
      result.model, device: result.device,
      phrases(of: result).map { TerminalReport.shown($0, style: style) })
    lines.append(TerminalLine())
    let room = 3 * style.width
    lines += frame.note(
      TerminalReport.quoted(result.text, style: style, to: room), .strong, indent: "")
    if let contrast = result.contrast {
      lines += frame.note(
        "against " + TerminalReport.quoted(contrast.text, style: style, to: room), indent: "")
    }
    if let noise = result.noise {
      let subject = noise.positions.map { frame.name(result.tokens[$0], to: 24) }
      lines += frame.note("noise on " + subject.joined(separator: " "), indent: "")
    }
    lines += frame.note(glyphs.words(metric(result, frame)), indent: "")
    for grid in result.grids {
      lines += PatchReportGrid(grid, of: result, style: style, top: top).lines()
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// One row for each cell, in CSV (RFC 4180); text is exact, as in ``CSVReport``.
  ///
  /// A cell of heads has no position of its own.
  public static func csv(for result: PatchResult) -> String {
    let columns = ["unit", "layer", "window", "position", "token", "head", "metric", "effect"]
    let rows = result.grids.flatMap { grid in
      (0..<grid.metric.values.count).map { place -> [String] in
        let count = grid.metric.shape[1]
        let column = place % count
        let position = grid.unit == "head" ? nil : grid.positions[column]
        return [
          CSVFields.quoted(grid.unit), "\(grid.layers[place / count])", "\(grid.window)",
          CSVFields.number(position), CSVFields.quoted(position.map { result.tokens[$0].text }),
          CSVFields.number(grid.unit == "head" ? column : nil),
          CSVFields.number(grid.metric.values[place]), CSVFields.number(grid.effect?.values[place]),
        ]
      }
    }
    return CSVFields.table(columns, rows)
  }

  /// The grids as one HTML page that needs nothing else: no network, no other file.
  ///
  /// The result is inside the page as JSON, in `<script type="application/json" id="result">`. The page's
  /// policy forbids every connection.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func page(for result: PatchResult) throws -> String {
    let text = DisplayText.visible(result.text, spaces: false)
    return ReportPage.text(
      body: PackageResources.patch_html, name: "patchpage", styles: [PackageResources.patch_css],
      scripts: [PackageResources.patch_js],
      title: DisplayText.tail(text, to: 60) + " · patching",
      json: try result.encoded(indented: false))
  }

  /// How it was done.
  private static func phrases(of result: PatchResult) -> [String] {
    var phrases = ["activation patching"]
    if let noise = result.noise {
      phrases = ["causal tracing", "noise of \(noise.scale) standard deviations"]
      phrases.append("\(noise.samples) draws from seed \(noise.seed)")
    } else {
      phrases.append(
        result.direction == "noise"
          ? "corrupted values into the clean run" : "clean values into the corrupted run")
    }
    return phrases
  }

  /// The metric's name with its tokens, and its two ends.
  private static func metric(_ result: PatchResult, _ frame: ReportFrame) -> String {
    let metric = result.metric
    let decimals = Quantity.decimals(
      for: max(abs(metric.value), abs(metric.start ?? 0)), least: 3)
    func number(_ value: Double) -> String { Quantity.fixed(value, decimals, signed: false) }
    var text = metric.name + " of " + frame.name(metric.token, to: 30)
    if let versus = metric.versus { text += " less that of " + frame.name(versus, to: 30) }
    text += ": \(number(metric.value)) clean"
    return text + (metric.start.map { ", \(number($0)) corrupted" } ?? "")
  }
}
