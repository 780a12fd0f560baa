public import Results

/// What a lens reads at every layer and position, for a terminal, a page or a table.
public enum LensReport {
  /// The grid of tokens and layers, the first layer at the bottom; one position has its numbers.
  ///
  /// A cell is the most probable token and its probability. Where the terminal is too narrow for all
  /// positions, they follow one another in pages. Nothing from a token reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: What the lens read.
  ///   - style: What the terminal can show.
  ///   - top: The most probable tokens that a single position's report lists, at most.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: LensResult, style: TerminalStyle, top: Int = 10
  ) -> String {
    let frame = ReportFrame(style: style)
    var text = frame.text(
      frame.heading(result.model, device: result.device, phrases(of: result, style: style)))
    if let damage = damage(of: result) {
      text += "\n" + frame.text(frame.note(damage, .loss))
    } else if result.layers.isEmpty || result.positions.isEmpty {
      text += frame.text([TerminalLine(), TerminalLine("nothing was read")])
    } else if result.positions.count == 1 {
      text += "\n" + frame.text(LensReportDetail(result, style: style, top: top).lines())
    } else {
      text += LensReportGrid(result, style: style).text()
    }
    return text + frame.text(frame.warnings(result.warnings))
  }

  /// One row for each position and layer, in CSV (RFC 4180).
  ///
  /// `is_model` is true in the rows of the model's own output. Text is exact, as in ``CSVReport``.
  public static func csv(for result: LensResult) -> String {
    let columns = [
      "position", "token_id", "token_text", "target_id", "target_text", "layer", "is_model",
      "probability", "logit", "rank", "entropy", "kl", "top_id", "top_text", "top_probability",
    ]
    let rows = LensRows(result)
    var lines: [[String]] = []
    for (column, position) in result.positions.enumerated() {
      let token = result.tokens.indices.contains(position) ? result.tokens[position] : nil
      let target = result.targets.indices.contains(column) ? result.targets[column] : nil
      for (index, layer) in result.layers.enumerated() where layer.cells.indices.contains(column) {
        let cell = layer.cells[column]
        lines.append([
          String(position), CSVFields.number(token?.id), CSVFields.quoted(token?.text),
          CSVFields.number(target?.id), CSVFields.quoted(target?.text), String(layer.layer),
          String(rows.isModel(index)), CSVFields.number(cell.probability),
          CSVFields.number(cell.logit), String(cell.rank), CSVFields.number(cell.entropy),
          CSVFields.number(cell.divergence), CSVFields.number(cell.top.first?.id),
          CSVFields.quoted(cell.top.first?.text), CSVFields.number(cell.top.first?.probability),
        ])
      }
    }
    return CSVFields.table(columns, lines)
  }

  /// What keeps a result that was not read from a file from being drawn.
  private static func damage(of result: LensResult) -> String? {
    do {
      try result.checkRanges()
      return nil
    } catch {
      return String(describing: error)
    }
  }

  /// The lens and where it reads.
  private static func phrases(of result: LensResult, style: TerminalStyle) -> [String] {
    var lens = result.lens.kind + " lens"
    if let file = result.lens.file { lens += " " + file }
    let moment =
      switch result.moment {
      case "before": "states before each block"
      case "middle": "states after each block's attention"
      case "after": "states after each block"
      default: "states " + result.moment
      }
    let count = result.positions.count
    return [
      TerminalReport.shown(lens, style: style), TerminalReport.shown(moment, style: style),
      count == 1 ? "position \(result.positions[0])" : "\(count) positions",
    ]
  }
}

/// How the rows of a lens are named.
struct LensRows {
  private let result: LensResult

  init(_ result: LensResult) { self.result = result }

  /// Whether this row is the model's own output and no block's state.
  ///
  /// The last row is the output. After the last block both are one state, and the row is named for
  /// the block; elsewhere it is named for the model.
  func isModel(_ index: Int) -> Bool {
    guard index == result.layers.count - 1 else { return false }
    let layer = result.layers[index].layer
    let repeats = index > 0 && result.layers[index - 1].layer == layer
    return result.moment != "after" || layer >= result.model.layers || repeats
  }

  /// The row's name, short enough for a column of five.
  func name(_ index: Int) -> String {
    let layer = result.layers[index].layer
    return isModel(index) ? "model" : layer < 0 ? "emb" : String(layer)
  }
}
