/// Columns of text beside one another, as many as the terminal has room for.
struct TextTable {
  /// One column.
  struct Column {
    var head: String
    var cells: [String]
    var right = true
    var emphasis: [Emphasis]?

    var width: Int { (cells + [head]).map { DisplayText.columns($0) }.max() ?? 0 }
  }

  /// The name of each row: it stays, and is cut before other columns go.
  var names: Column
  /// The rest, the most wanted first.
  var columns: [Column]
  /// The least that a name is cut to.
  var nameLeast = 12

  /// The head and the rows, indented.
  func lines(style: TerminalStyle, indent: Int) -> [TerminalLine] {
    let (shown, nameWidth) = fitting(style.width - indent)
    var lines: [TerminalLine] = []
    for row in -1..<names.cells.count {
      var line = TerminalLine()
      line.advance(to: indent)
      let name = row < 0 ? names.head : names.cells[row]
      line.append(
        DisplayText.padded(name, to: nameWidth, ellipsis: style.glyphs.ellipsis),
        row < 0 ? .quiet : names.emphasis?[row] ?? .plain)
      for column in shown {
        line.append("  ")
        let text = row < 0 ? column.head : column.cells[row]
        line.append(
          DisplayText.padded(text, to: column.width, right: column.right),
          row < 0 ? .quiet : column.emphasis?[row] ?? .plain)
      }
      lines.append(line)
    }
    return lines
  }

  /// The columns that fit beside names that may be cut, and the columns left for names.
  func fitting(_ width: Int) -> (shown: [Column], nameWidth: Int) {
    let least = min(names.width, nameLeast)
    var room = width - least
    var shown: [Column] = []
    for column in columns where column.width + 2 <= room {
      shown.append(column)
      room -= column.width + 2
    }
    return (shown, min(names.width, least + max(0, room)))
  }
}
