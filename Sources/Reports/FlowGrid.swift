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
    let grid = ShadedGrid(style: style, largest: largest, cell: cell)
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
        let piece = grid.piece(array[source, column])
        line.append(piece.text, piece.emphasis)
      }
      lines.append(line)
    }
    let full = Quantity.fixed(largest, FlowRows.decimals(largest), signed: false)
    return lines
      + frame.note(
        "Rows are sources, columns targets; \(grid.full) is up to \(full), steps go by the root of "
          + "the size; \(style.glyphs.words("−")) where a source takes away.")
  }
}
