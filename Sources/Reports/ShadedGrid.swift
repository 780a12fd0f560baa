/// Signed numbers of rows and columns in shades; minus signs and hatching carry what colour shows.
struct ShadedGrid {
  let style: TerminalStyle
  /// The size that the fullest shade stands for.
  let largest: Double
  /// The columns that a cell takes.
  let cell: Int

  /// What the fullest shade looks like.
  var full: String { shades[4] }

  /// A cell, as wide as all of them, and how it stands out.
  func piece(_ value: Double) -> (text: String, emphasis: Emphasis) {
    let level = level(abs(value) / largest)
    guard level > 0 else {
      return (String(repeating: " ", count: cell - 1) + style.glyphs.none, .plain)
    }
    let text =
      (value < 0 ? style.glyphs.words("−") : shades[level])
      + String(repeating: shades[level], count: cell - 1)
    return (text, value < 0 ? .loss : .gain)
  }

  private var shades: [String] {
    style.glyphs.isASCII ? [" ", ":", "+", "#", "@"] : [" ", "░", "▒", "▓", "█"]
  }

  /// Steps of the root of a share: small numbers stay visible beside a large one.
  private func level(_ share: Double) -> Int {
    [0.1, 0.3, 0.55, 0.8].count { share.squareRoot() >= $0 }
  }
}

/// Layers by tokens in shades: the first layer at the bottom, with a number for each layer at its right.
struct LayerTokenGrid {
  let style: TerminalStyle
  let frame: ReportFrame
  /// The names of rows, the lowest first.
  let rows: [String]
  /// The names of columns, each over two lines: its number and its text.
  let columns: [(number: String, name: String)]
  /// Row by row, the lowest first.
  let values: [Double]
  /// What stands at the right of each row, under a head.
  let notes: (head: String, cells: [String])?
  /// What a cell is, for the line below: `a score`.
  let what: String

  /// Nothing where nothing fits.
  func lines() -> [TerminalLine] {
    let largest = values.lazy.map(abs).filter(\.isFinite).max() ?? 0
    guard !rows.isEmpty, !columns.isEmpty, largest > 0 else { return [] }
    let label = max(5, rows.map { DisplayText.columns($0) }.max() ?? 0) + 2
    let noteWidth = notes.map { notes in
      ([notes.head] + notes.cells).map { DisplayText.columns($0) }.max() ?? 0
    }
    // A number at the right goes where it leaves the grid too little room.
    let hasNotes = noteWidth.map { style.width - label - $0 - 2 >= 16 } ?? false
    let room = style.width - label - 1 - (hasNotes ? (noteWidth ?? 0) + 2 : 0)
    let most = room / 2
    guard most >= 1 else { return [] }
    let shown = columns.count <= most ? Array(columns.indices) : strongest(most)
    let cell = min(9, room / shown.count)
    let hasNames = cell >= 5 && shown.contains { !columns[$0].name.isEmpty }
    // A blank column parts wide cells; narrow ones have no room for it.
    let gap = cell >= 3 ? 1 : 0
    let grid = ShadedGrid(style: style, largest: largest, cell: cell - gap)
    let start = label + 1
    let edge = start + shown.count * cell + 2
    var lines = hasNames ? [] : names(shown)
    var head = numbers(shown, cell, gap, from: start)
    if hasNotes, let notes, let noteWidth {
      head.advance(to: edge)
      head.append(DisplayText.padded(notes.head, to: noteWidth, right: true), .quiet)
    }
    lines.append(head)
    if hasNames {
      var line = TerminalLine()
      for (place, column) in shown.enumerated() {
        line.advance(to: start + place * cell)
        line.append(padded(columns[column].name, cell - gap), .strong)
      }
      lines.append(line)
    }
    for row in rows.indices.reversed() {
      var line = TerminalLine("  " + DisplayText.padded(rows[row], to: label - 2, right: true))
      for (place, column) in shown.enumerated() {
        line.advance(to: start + place * cell)
        let piece = grid.piece(values[row * columns.count + column])
        line.append(piece.text, piece.emphasis)
      }
      if hasNotes, let notes, let noteWidth {
        line.advance(to: edge)
        line.append(DisplayText.padded(notes.cells[row], to: noteWidth, right: true), .quiet)
      }
      lines.append(line)
    }
    let size = Quantity.fixed(largest, FlowRows.decimals(largest), signed: false)
    let some =
      shown.count == columns.count
      ? "" : " Shown are the \(shown.count) of \(columns.count) tokens with the largest."
    return lines
      + frame.note(
        style.glyphs.words(
          "\(grid.full) is \(what) of \(size), steps go by the root of the size; − takes away. "
            + "The first layer is at the bottom." + some))
  }

  /// The columns' numbers: over each where they fit, else over the first of every few.
  private func numbers(_ shown: [Int], _ cell: Int, _ gap: Int, from start: Int) -> TerminalLine {
    var line = TerminalLine("  layer", .quiet)
    let longest = shown.map { columns[$0].number.count }.max() ?? 1
    let every = (longest + cell) / cell
    for (place, column) in shown.enumerated() where place % every == 0 {
      line.advance(to: start + place * cell)
      let number = columns[column].number
      line.append(every == 1 ? padded(number, cell - gap) : number, .quiet)
    }
    return line
  }

  /// At the right edge of its cell.
  private func padded(_ text: String, _ cell: Int) -> String {
    DisplayText.padded(text, to: cell, right: true, ellipsis: style.glyphs.ellipsis)
  }

  /// The columns with the largest numbers, in the order of the text.
  private func strongest(_ count: Int) -> [Int] {
    func size(_ column: Int) -> Double {
      rows.indices.map { abs(values[$0 * columns.count + column]) }.filter(\.isFinite).max() ?? 0
    }
    let sizes = columns.indices.map(size)
    return columns.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }.prefix(count).sorted()
  }

  /// Names on lines of their own, where cells are too narrow for them.
  private func names(_ shown: [Int]) -> [TerminalLine] {
    guard shown.contains(where: { !columns[$0].name.isEmpty }) else { return [] }
    return DisplayText.joined(
      shown.map { columns[$0].number + " " + columns[$0].name }, by: "  ", to: style.width - 2
    ).map { TerminalLine("  " + $0, .quiet) }
  }
}
