import Results

/// How far routes agree: all layers with every null predictor, then each layer with the best of them.
struct FlowAgreementTable {
  private let agreement: [FlowAgreement]
  private let style: TerminalStyle
  private let frame: ReportFrame

  /// One score: its name, where it stands, and whether less of it is better.
  private struct Score {
    var name: String
    var path: KeyPath<AgreementScores, Double?>
    var isDistance: Bool
  }

  private static var scores: [Score] {
    [
      Score(name: "rel. L2", path: \.relativeL2, isDistance: true),
      Score(name: "cosine", path: \.cosine, isDistance: false),
      Score(name: "Spearman", path: \.spearman, isDistance: false),
      Score(name: "scaled", path: \.scaledResidual, isDistance: true),
      Score(name: "Pearson", path: \.pearson, isDistance: false),
      Score(name: "share L2", path: \.shareL2, isDistance: true),
      Score(name: "top k", path: \.topOverlap, isDistance: false),
    ]
  }

  init(_ agreement: [FlowAgreement], style: TerminalStyle) {
    self.agreement = agreement
    self.style = style
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    var routes: [[String]] = []
    for entry in agreement where !routes.contains(entry.routes) { routes.append(entry.routes) }
    return routes.flatMap { pair in
      let entries = agreement.filter { $0.routes == pair }
      let names = pair.map { TerminalReport.shown($0, style: style) }
      return [TerminalLine()]
        + frame.note("agreement of " + names.joined(separator: " with "), .strong, indent: "  ")
        + entries.filter { $0.layer == nil && $0.head == nil }.flatMap(whole)
        + layers(entries)
    }
  }

  /// Names are whole where a column of scores fits beside them.
  private var nameLeast: Int { min(16, max(6, style.width - 20)) }

  // MARK: All layers

  private func whole(_ entry: FlowAgreement) -> [TerminalLine] {
    let both =
      [("with own entries", \FlowAgreement.withSelf, \NullAgreement.withSelf)]
      + [("without them    ", \FlowAgreement.withoutSelf, \NullAgreement.withoutSelf)]
    var lines: [TerminalLine] = []
    for (name, path, nullPath) in both {
      let scores = [entry[keyPath: path]] + entry.nulls.map { $0[keyPath: nullPath] }
      let table = TextTable(
        names: TextTable.Column(
          head: name,
          cells: ["the routes"]
            + entry.nulls.map { "null: " + TerminalReport.shown($0.name, style: style) },
          emphasis: [.strong] + entry.nulls.map { _ in Emphasis.quiet }),
        columns: Self.scores.map { score in
          TextTable.Column(
            head: score.name, cells: scores.map { text($0[keyPath: score.path]) },
            emphasis: emphasis(score, scores))
        }, nameLeast: nameLeast)
      lines += table.lines(style: style, indent: 2)
    }
    guard let published = entry.published else { return lines }
    let words = style.glyphs.words
    func pair(_ mean: Double, _ deviation: Double) -> String {
      words(Quantity.fixed(mean, 4, signed: false)) + (style.glyphs.isASCII ? " +- " : " ± ")
        + words(Quantity.fixed(deviation, 4, signed: false))
    }
    lines += DisplayText.joined(
      [
        "  as published over \(entry.columns) columns",
        "L2 " + pair(published.l2Mean, published.l2Deviation),
        "correlation " + pair(published.correlationMean, published.correlationDeviation),
      ]
        + entry.nulls.compactMap { null in
          null.published.map {
            "null \(TerminalReport.shown(null.name, style: style)) L2 "
              + words(Quantity.fixed($0.l2Mean, 4, signed: false))
          }
        }, by: style.glyphs.dot, to: style.width, indent: "    "
    ).map { TerminalLine($0, .quiet) }
    return lines
  }

  /// A route's score that no null predictor reaches stands out; one that a null reaches does too.
  private func emphasis(_ score: Score, _ all: [AgreementScores]) -> [Emphasis] {
    let values = all.map { $0[keyPath: score.path] }
    let nulls = values.dropFirst().compactMap { $0 }
    let first: Emphasis =
      switch (values[0], best(nulls, score)) {
      case (let value?, let null?):
        (score.isDistance ? value < null : value > null) ? .gain : .loss
      default: .plain
      }
    return [first] + values.dropFirst().map { _ in .quiet }
  }

  /// The best of the null predictors.
  private func best(_ values: [Double], _ score: Score) -> Double? {
    score.isDistance ? values.min() : values.max()
  }

  private func text(_ value: Double?) -> String {
    value.map { style.glyphs.words(Quantity.fixed($0, 3, signed: false)).trimmed }
      ?? style.glyphs.none
  }

  // MARK: Each layer

  private func layers(_ entries: [FlowAgreement]) -> [TerminalLine] {
    let rows = entries.filter { $0.layer != nil || $0.head != nil }
    guard !rows.isEmpty else { return [] }
    let names = rows.map { row in
      [row.layer.map { "layer \($0)" }, row.head.map { "head \($0)" }].compactMap { $0 }
        .joined(separator: " ")
    }
    var columns: [TextTable.Column] = []
    for score in Self.scores.prefix(3) {
      let values = rows.map { $0.withoutSelf[keyPath: score.path] }
      let nulls = rows.map { row in
        best(row.nulls.compactMap { $0.withoutSelf[keyPath: score.path] }, score)
      }
      let emphasis = zip(values, nulls).map { value, null -> Emphasis in
        guard let value, let null else { return .plain }
        return (score.isDistance ? value < null : value > null) ? .gain : .loss
      }
      columns.append(
        TextTable.Column(head: score.name, cells: values.map(text), emphasis: emphasis))
      columns.append(
        TextTable.Column(
          head: "best null", cells: nulls.map(text), emphasis: rows.map { _ in .quiet }))
    }
    let table = TextTable(
      names: TextTable.Column(head: "without them    ", cells: names), columns: columns,
      nameLeast: nameLeast)
    return table.lines(style: style, indent: 2)
  }
}

extension String {
  /// Without the space that stands where a sign could.
  fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
