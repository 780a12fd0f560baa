import Foundation
import Results

/// A map of tokens to tokens in shades: rows are sources, columns are targets.
struct FlowGrid {
  private let array: AxisArray
  private let result: FlowResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private static let most = 24

  init(_ array: AxisArray, in result: FlowResult, style: TerminalStyle) {
    self.array = array
    self.result = result
    self.style = style
    frame = ReportFrame(style: style)
  }

  /// Nothing where the map has other axes or does not fit.
  func lines() -> [TerminalLine] {
    guard array.axes == ["source", "target"], style.width >= 40 else { return [] }
    let (sources, targets) = (array.shape[0], array.shape[1])
    guard sources > 1, sources <= Self.most, targets <= Self.most else { return [] }
    let names = result.tokens.indices.map {
      FlowNames.token(
        $0, of: result, frame, to: min(18, style.width / 4), aligned: true)
    }
    let label = max(9, names.map { DisplayText.columns($0) }.max() ?? 0) + 2
    let cell = min(4, (style.width - label - 2) / targets)
    guard cell >= 2 else { return [] }
    let largest = array.values.map(abs).max() ?? 0
    guard largest > 0, largest.isFinite else { return [] }
    var head = TerminalLine("  from \\ to", .quiet)
    head.advance(to: label + 1)
    for column in 0..<targets {
      let number = String(result.parameters.targets[column])
      // Numbers as wide as the cells would run into one another.
      let isShown = number.count < cell || column % 2 == 0
      head.append(
        DisplayText.padded(isShown ? number : "", to: cell, right: true), .quiet)
    }
    var lines = [head]
    for source in 0..<sources {
      var line = TerminalLine("  " + DisplayText.padded(names[source], to: label - 1))
      for column in 0..<targets {
        let value = array[source, column]
        let share = abs(value) / largest
        line.append(
          shade(value, share, cell), level(share) == 0 ? .plain : value < 0 ? .loss : .gain)
      }
      lines.append(line)
    }
    let full = Quantity.fixed(largest, FlowRows.decimals(largest), signed: false)
    return lines
      + frame.note(
        "Rows are sources, columns targets; \(shades[4]) is up to \(full), steps go by the root of "
          + "the size; \(style.glyphs.words("−")) where a source takes away.")
  }

  private var shades: [String] {
    style.glyphs.isASCII ? [" ", ":", "+", "#", "@"] : [" ", "░", "▒", "▓", "█"]
  }

  /// Steps of the root of a share: small flows stay visible beside a large one.
  private func level(_ share: Double) -> Int {
    [0.1, 0.3, 0.55, 0.8].count { share.squareRoot() >= $0 }
  }

  private func shade(_ value: Double, _ share: Double, _ cell: Int) -> String {
    let level = level(share)
    guard level > 0 else {
      return String(repeating: " ", count: cell - 1) + style.glyphs.none
    }
    let full = String(repeating: shades[level], count: cell - 1)
    return (value < 0 ? style.glyphs.words("−") : shades[level]) + full
  }
}
