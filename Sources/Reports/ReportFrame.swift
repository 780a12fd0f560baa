import Results

/// What stands around every report: what the numbers are of, and what a reader should know.
struct ReportFrame {
  let style: TerminalStyle

  /// The model, then phrases about the method.
  func heading(_ model: ModelDescription, device: String, _ phrases: [String]) -> [TerminalLine] {
    let glyphs = style.glyphs
    let title = [
      DisplayText.cut(
        TerminalReport.shown(model.name, style: style), to: style.width, ellipsis: glyphs.ellipsis),
      "\(model.layers) layers",
      TerminalReport.shown(model.dtype + " on " + device, style: style),
    ]
    return DisplayText.joined(title, by: glyphs.dot, to: style.width, indent: "  ").map {
      TerminalLine($0, .strong)
    } + quiet(phrases)
  }

  /// Phrases on as few lines as they fit.
  func quiet(_ phrases: [String]) -> [TerminalLine] {
    DisplayText.joined(phrases, by: style.glyphs.dot, to: style.width, indent: "  ").map {
      TerminalLine($0, .quiet)
    }
  }

  /// A sentence on as many lines as it needs.
  func note(_ text: String, _ emphasis: Emphasis = .quiet, indent: String = "  ") -> [TerminalLine]
  {
    DisplayText.wrapped(text, to: style.width, indent: indent).map { TerminalLine($0, emphasis) }
  }

  /// Warnings, after an empty line.
  func warnings(_ warnings: [String]) -> [TerminalLine] {
    guard !warnings.isEmpty else { return [] }
    return [TerminalLine()]
      + warnings.flatMap { warning in
        note("warning: " + TerminalReport.shown(warning, style: style), .loss)
      }
  }

  /// The text before a prediction, an arrow, what is predicted, and its value at the right edge.
  func prediction(
    after context: String, of target: TargetDescription, value: String
  ) -> [TerminalLine] {
    let glyphs = style.glyphs
    let value = glyphs.words(value)
    let target = name(target, to: max(12, style.width / 2))
    let isOneLine = style.width >= 56
    let room =
      style.width - DisplayText.columns(target) - DisplayText.columns(glyphs.arrow)
      - (isOneLine ? DisplayText.columns(value) + 2 : 0)
    var line = TerminalLine()
    if room >= 8 {
      line.append(
        DisplayText.tail(
          TerminalReport.shown(context, style: style), to: room, ellipsis: glyphs.ellipsis))
      line.append(glyphs.arrow, .quiet)
    }
    line.append(target, .strong)
    guard isOneLine else { return [line, TerminalLine(value, .strong)] }
    line.advance(to: style.width - DisplayText.columns(value))
    line.append(value, .strong)
    return [line]
  }

  /// What is predicted, between quotation marks.
  func name(_ target: TargetDescription, to width: Int) -> String {
    func name(_ text: String, _ bytes: String?, _ width: Int) -> String {
      guard let bytes else { return TerminalReport.quoted(text, style: style, to: width) }
      return DisplayText.bytes(bytes, to: width, ascii: style.glyphs.isASCII)
    }
    guard let versus = target.versus else { return name(target.text, target.bytes, width) }
    let half = max(5, (width - 3) / 2)
    return name(target.text, target.bytes, half) + style.glyphs.words(" − ")
      + name(versus.text, versus.bytes, half)
  }

  /// A token on its own, with the spaces at its ends visible.
  func name(_ token: TokenDescription, to width: Int) -> String {
    if let bytes = token.bytes {
      return DisplayText.bytes(bytes, to: width, ascii: style.glyphs.isASCII)
    }
    return name(token.text, to: width)
  }

  /// The same for a text.
  func name(_ text: String, to width: Int) -> String {
    DisplayText.cut(
      DisplayText.visible(text, ascii: style.glyphs.isASCII), to: width,
      ellipsis: style.glyphs.ellipsis)
  }

  /// Lines as one text.
  func text(_ lines: [TerminalLine]) -> String {
    lines.map { $0.text(style: style) + "\n" }.joined()
  }
}
