public import Results

/// What a model is, for a terminal: groups of facts, each with its name at the left.
public enum InspectReport {
  /// Sizes, parameters, blocks that compute alike, head, sites, boundaries and methods.
  ///
  /// - Parameters:
  ///   - result: What was found.
  ///   - style: What the terminal can show.
  /// - Returns: The whole report, ending in a line break.
  public static func text(for result: InspectResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    let sheet = FactSheet(style: style)
    let glyphs = style.glyphs
    let title = [
      DisplayText.cut(
        TerminalReport.shown(result.name, style: style), to: style.width,
        ellipsis: glyphs.ellipsis),
      TerminalReport.shown(result.architecture, style: style), "\(result.sizes.layers) layers",
      Amount.count(result.parameters.first?.count ?? 0) + " parameters",
    ]
    var lines = DisplayText.joined(title, by: glyphs.dot, to: style.width, indent: "  ").map {
      TerminalLine($0, .strong)
    }
    lines += frame.quiet([
      result.causal
        ? "positions see only those before them" : "positions see each other both ways"
    ])
    let words = InspectWords(result, style: style)
    for (head, facts) in words.groups where !facts.isEmpty {
      lines.append(TerminalLine())
      lines += frame.note(head, .strong, indent: "  ")
      lines += sheet.lines(facts)
    }
    return frame.text(lines) + frame.text(frame.warnings(result.warnings))
  }
}

/// Facts, each a name and words that wrap beside it.
struct FactSheet {
  let style: TerminalStyle

  /// One fact.
  struct Fact {
    var name: String
    var text: String
    var emphasis = Emphasis.plain
  }

  /// The names in one column, the words in another; in a narrow terminal below each other.
  func lines(_ facts: [Fact]) -> [TerminalLine] {
    let column = facts.map { DisplayText.columns(style.glyphs.words($0.name)) }.max() ?? 0
    let indent = column + 4
    return facts.flatMap { fact -> [TerminalLine] in
      let (name, text) = (style.glyphs.words(fact.name), style.glyphs.words(fact.text))
      guard style.width - indent >= 24 else {
        return [TerminalLine("  " + name, .quiet)]
          + DisplayText.wrapped(text, to: max(8, style.width - 4)).map {
            TerminalLine("    " + $0, fact.emphasis)
          }
      }
      let wrapped = DisplayText.wrapped(text, to: style.width - indent)
      return wrapped.enumerated().map { index, part in
        var line = TerminalLine("  " + (index == 0 ? name : ""), .quiet)
        line.advance(to: indent)
        line.append(part, fact.emphasis)
        return line
      }
    }
  }
}

/// Numbers of things and of bytes, for people.
enum Amount {
  /// `134.5 M`.
  static func count(_ value: Int) -> String { short(Double(value), ["", " k", " M", " G", " T"]) }

  /// `538.1 MB`.
  static func bytes(_ value: Int) -> String {
    short(Double(value), [" B", " kB", " MB", " GB", " TB"])
  }

  private static func short(_ value: Double, _ units: [String]) -> String {
    var (value, unit) = (value, 0)
    while value >= 999.95, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return Quantity.fixed(value, unit == 0 ? 0 : 1, signed: false) + units[unit]
  }

  /// A number as short as float32 reads it back: `0.125`, `1e-05`.
  static func plain(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : "\(Float(value))"
  }

  /// Numbers ascending with runs joined: `0–29`, `0, 2, 4`.
  static func layers(_ layers: [Int]) -> String {
    var runs: [(Int, Int)] = []
    for layer in layers {
      if let last = runs.last, layer == last.1 + 1 {
        runs[runs.count - 1].1 = layer
      } else {
        runs.append((layer, layer))
      }
    }
    return runs.map { $0.0 == $0.1 ? "\($0.0)" : "\($0.0)–\($0.1)" }.joined(separator: ", ")
  }
}
