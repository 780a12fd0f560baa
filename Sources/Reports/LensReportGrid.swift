import Foundation
import Results

/// Tokens × layers: the first layer at the bottom, what was read there in each cell.
struct LensReportGrid {
  private let result: LensResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let rows: LensRows
  private static let label = 6

  init(_ result: LensResult, style: TerminalStyle) {
    self.result = result
    self.style = style
    frame = ReportFrame(style: style)
    rows = LensRows(result)
  }

  func text() -> String {
    let room = style.width - Self.label - 1
    let count = result.positions.count
    let most = max(1, room / 12)
    let pages = (count + most - 1) / most
    // Pages of about one size read better than a last one with a single column.
    let each = (count + pages - 1) / pages
    let cell = min(18, room / each)
    var text = ""
    for start in stride(from: 0, to: count, by: each) {
      text += "\n" + page(start..<min(count, start + each), cell: cell)
    }
    let mark = style.unicode ? "•" : "*"
    let hasTop = result.layers.contains { $0.cells.contains { !$0.top.isEmpty } }
    let what =
      hasTop
      ? "the most probable token and its probability; \(mark) where it is the target."
      : "the target's probability; \(mark) where its rank is 1."
    let sentence = "Each cell: \(what) The first layer is at the bottom."
    return text + "\n" + frame.text(frame.note(sentence, indent: ""))
  }

  private func page(_ columns: Range<Int>, cell: Int) -> String {
    var lines = [
      names("pos", columns, cell) { String(result.positions[$0]) },
      names("target", columns, cell) { frame.name(result.targets[$0], to: cell - 1) },
    ]
    for index in result.layers.indices.reversed() {
      lines.append(row(index, columns, cell))
    }
    lines.append(
      names("token", columns, cell) { column in
        frame.name(result.tokens[result.positions[column]], to: cell - 1)
      })
    return lines.map { $0 + "\n" }.joined()
  }

  private func names(
    _ label: String, _ columns: Range<Int>, _ cell: Int, _ name: (Int) -> String
  ) -> String {
    var line = TerminalLine(DisplayText.padded(label, to: Self.label, right: true) + " ", .quiet)
    for column in columns {
      line.append(DisplayText.padded(name(column), to: cell - 1), label == "pos" ? .quiet : .strong)
      line.append(" ")
    }
    return line.text(style: style)
  }

  private func row(_ index: Int, _ columns: Range<Int>, _ cell: Int) -> String {
    let name = DisplayText.padded(rows.name(index), to: Self.label, right: true) + " "
    var line = TerminalLine(name, rows.isModel(index) ? .strong : .quiet).text(style: style)
    // A line without emphasis loses the spaces at its end.
    if !line.hasSuffix(" ") { line += " " }
    for column in columns {
      let reading = result.layers[index].cells[column]
      let best = reading.top.first
      let isTarget = best.map { $0.id == result.targets[column].id } ?? (reading.rank == 1)
      let text = content(reading, isTarget: isTarget, cell)
      let probability = best?.probability ?? reading.probability
      let shade = style.color ? Self.colors[level(probability)] : nil
      guard let shade else {
        line += text
        continue
      }
      // The last column of a cell parts it from the next.
      let filled = text.prefix(max(0, text.count - 1))
      line += "\u{1B}[\(shade)m\(filled)\u{1B}[0m" + text.suffix(1)
    }
    while line.hasSuffix(" ") { line.removeLast() }
    return line
  }

  /// Text, shade, two digits and the mark of the target: `␣Paris  ▓.77•`.
  private func content(_ reading: LensCell, isTarget: Bool, _ cell: Int) -> String {
    let glyphs = style.glyphs
    let mark = isTarget ? (glyphs.isASCII ? "*" : "•") : " "
    // With no list of tokens there is still the target's own probability.
    let name = reading.top.first.map { frame.name($0.text, to: cell - 5) } ?? ""
    let probability = reading.top.first?.probability ?? reading.probability
    let shades = glyphs.isASCII ? [" ", " ", ":", "+", "#", "@"] : [" ", "░", "░", "▒", "▓", "█"]
    let shade = style.color ? " " : shades[level(probability)]
    return DisplayText.padded(name, to: cell - 5, ellipsis: glyphs.ellipsis)
      + shade + Self.digits(probability) + mark
  }

  /// A probability in three columns.
  static func digits(_ probability: Double) -> String {
    guard probability.isFinite else { return " ? " }
    let text = String(format: "%.2f", min(1, max(0, probability)))
    return text.hasPrefix("1") ? "1.0" : String(text.dropFirst())
  }

  /// Steps of probability, from no shade to the full one.
  private func level(_ probability: Double) -> Int {
    guard probability.isFinite else { return 0 }
    return [0.05, 0.2, 0.4, 0.6, 0.85].count { probability >= $0 }
  }

  /// One hue from light to dark with its own ink, legible on any ground.
  private static let colors: [String?] = [
    nil, "38;5;16;48;5;189", "38;5;16;48;5;153", "38;5;16;48;5;111", "38;5;231;48;5;26",
    "38;5;231;48;5;18",
  ]
}
