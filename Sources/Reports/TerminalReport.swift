public import Results

/// What a terminal can show.
public struct TerminalStyle: Sendable, Equatable {
  /// The columns of the terminal; no line is longer.
  public var width: Int
  /// Whether to colour; without it the signs and hatching carry the same.
  public var color: Bool
  /// Whether the terminal shows block characters; without it the report is ASCII.
  public var unicode: Bool

  /// Describes a terminal.
  ///
  /// Widths below 20 count as 20.
  public init(width: Int, color: Bool = false, unicode: Bool = true) {
    self.width = max(20, width)
    self.color = color
    self.unicode = unicode
  }

  var glyphs: Glyphs { unicode ? .unicode : .ascii }
}

/// An explanation as text for a terminal or a pipe.
///
/// Each explained token has a waterfall from the baseline to the model's value and, where the result
/// has them, the tree of parts, the other paths and baselines, and the causal checks; several tokens
/// have a table of layers and tokens as well. The digits shown add up exactly: each change is the
/// difference of the rounded levels around it, and the parts of each sum share what rounding leaves,
/// so a number may differ from the rounded value by one in its last digit. Nothing from a token
/// reaches the terminal raw.
public enum TerminalReport {
  /// The whole report, ending in a line break.
  ///
  /// - Parameters:
  ///   - result: What to report.
  ///   - style: What the terminal can show.
  ///   - top: How many parts each list of the tree shows, and how many each kind of a check; the
  ///     rest is one line.
  /// - Returns: The lines.
  public static func text(
    for result: ExplainResult, style: TerminalStyle, top: Int = 10
  ) -> String {
    var lines = heading(of: result, style: style)
    let single = result.explanations.count == 1
    for explanation in result.explanations {
      lines.append(TerminalLine())
      lines += Waterfall(
        of: explanation, in: result, style: style, rows: single ? 40 : 16
      ).lines()
      let tables = [
        PartTable(of: explanation, in: result, style: style, top: top).lines(),
        AlternativeTable(of: explanation, in: result, style: style).lines(),
        CheckTable(of: explanation, in: result, style: style, top: top).lines(),
      ]
      for table in tables where !table.isEmpty { lines += [TerminalLine()] + table }
    }
    let tokens = result.explanations.filter { $0.target.span == nil }
    if tokens.count > 1 {
      lines.append(TerminalLine())
      lines += LayerTable(of: tokens, in: result, style: style).lines()
    }
    if !result.warnings.isEmpty { lines.append(TerminalLine()) }
    for warning in result.warnings {
      let text = "warning: " + shown(warning, style: style)
      lines += DisplayText.wrapped(text, to: style.width, indent: "  ").map {
        TerminalLine($0, .loss)
      }
    }
    return lines.map { $0.text(style: style) + "\n" }.joined()
  }

  /// The model and the method: what the numbers below are of.
  private static func heading(of result: ExplainResult, style: TerminalStyle) -> [TerminalLine] {
    let glyphs = style.glyphs
    let method = result.method
    var baseline = method.baseline
    if let text = result.baselineText { baseline += " " + quoted(text, style: style) }
    var estimator = method.estimator
    if let nodes = method.nodes { estimator += " \(nodes)" }
    // Beside another estimator the tolerance is that of the integrals behind the parts.
    let isGauss = method.estimator == "gauss"
    if let tolerance = method.tolerance, isGauss { estimator += " to \(tolerance)" }
    let model = [
      DisplayText.cut(
        shown(result.model.name, style: style), to: style.width, ellipsis: glyphs.ellipsis),
      "\(result.model.layers) layers",
      result.model.dtype + " on " + result.device,
    ]
    var parts = [
      "target " + method.target, "path " + method.path, "baseline " + baseline,
      "estimator " + estimator,
    ]
    if let tolerance = method.tolerance, !isGauss { parts.append("integrals to \(tolerance)") }
    if let file = method.completion { parts.append("completion " + shown(file, style: style)) }
    if let file = method.lens { parts.append("lens " + shown(file, style: style)) }
    let title = DisplayText.joined(model, by: glyphs.dot, to: style.width, indent: "  ")
    let rest = DisplayText.joined(parts, by: glyphs.dot, to: style.width, indent: "  ")
    var lines = title.map { TerminalLine($0, .strong) } + rest.map { TerminalLine($0, .quiet) }
    if let contrast = result.contrast {
      let text = "contrast " + quoted(contrast.prompt, style: style)
      lines += DisplayText.wrapped(text, to: style.width, indent: "  ").map {
        TerminalLine($0, .quiet)
      }
    }
    return lines
  }

  /// Text from a token or a person, safe to show.
  static func shown(_ text: String, style: TerminalStyle) -> String {
    DisplayText.visible(text, ascii: !style.unicode, spaces: false)
  }

  /// The same between quotation marks, cut to a length that no report needs to exceed.
  static func quoted(
    _ text: String, style: TerminalStyle, to width: Int = 400
  ) -> String {
    let glyphs = style.glyphs
    return "\""
      + DisplayText.cut(
        shown(text, style: style), to: max(1, width - 2), ellipsis: glyphs.ellipsis) + "\""
  }
}
