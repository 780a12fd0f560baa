public import Results

extension FlowReport {
  /// What the agreements of many texts have in common, for a terminal.
  ///
  /// - Parameters:
  ///   - result: the means.
  ///   - style: what the terminal can show.
  /// - Returns: all layers with every null predictor, then each layer; ends in a line break.
  public static func text(for result: FlowAggregateResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    let names = result.routes.map { TerminalReport.shown($0, style: style) }
    var lines = frame.heading(
      result.model, device: result.device,
      [
        "agreement of " + names.joined(separator: " with "), "\(result.texts) texts",
        "\(result.columns) columns", "95 % intervals over texts",
      ])
    for withSelf in [true, false] {
      lines.append(TerminalLine())
      lines += table(
        result.scores.filter { $0.layer == nil && $0.withSelf == withSelf },
        head: withSelf ? "with own entries" : "without them", style, rows: { $0.null ?? "" },
        name: { $0.isEmpty ? "the routes" : "null: " + TerminalReport.shown($0, style: style) })
    }
    lines.append(TerminalLine())
    lines += table(
      result.scores.filter { $0.layer != nil && !$0.withSelf && $0.null == nil },
      head: "without them", style, rows: { "\($0.layer ?? 0)" }, name: { "layer " + $0 })
    return frame.text(lines + frame.warnings(result.warnings))
  }

  private static let measures = [
    ("scaled_residual", "scaled"), ("cosine", "cosine"), ("spearman", "Spearman"),
    ("relative_l2", "rel. L2"), ("top_overlap", "top k"), ("pearson", "Pearson"),
    ("share_l2", "share L2"),
  ]

  private static func table(
    _ scores: [FlowScoreMean], head: String, _ style: TerminalStyle,
    rows: (FlowScoreMean) -> String, name: (String) -> String
  ) -> [TerminalLine] {
    var order: [String] = []
    for score in scores where !order.contains(rows(score)) { order.append(rows(score)) }
    func number(_ value: Double) -> String {
      style.glyphs.words(Quantity.fixed(value, 3, signed: false))
        .drop { $0 == " " }.description
    }
    func cell(_ row: String, _ measure: String) -> String {
      guard let score = scores.first(where: { rows($0) == row && $0.measure == measure }) else {
        return style.glyphs.none
      }
      return "\(number(score.mean)) [\(number(score.low)), \(number(score.high))]"
    }
    let table = TextTable(
      names: TextTable.Column(
        head: head, cells: order.map(name), right: false,
        emphasis: order.map { $0.isEmpty ? .strong : .quiet }),
      columns: measures.map { measure, title in
        TextTable.Column(head: title, cells: order.map { cell($0, measure) })
      })
    return table.lines(style: style, indent: 2)
  }
}
