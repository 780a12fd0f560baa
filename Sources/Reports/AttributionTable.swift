import Results

/// The scores of one kind of unit: tokens as bars, layers as a grid, then what they sum to.
struct AttributionTable {
  private let scores: AttributionScores
  private let result: AttributionResult
  private let style: TerminalStyle
  private let frame: ReportFrame
  private let top: Int
  private static let most = 40

  init(
    _ scores: AttributionScores, in result: AttributionResult, style: TerminalStyle, top: Int
  ) {
    self.scores = scores
    self.result = result
    self.style = style
    self.top = top
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    var lines = scores.array.axes == ["position"] ? tokens() : layers()
    if let top = scores.top, !top.isEmpty { lines += [TerminalLine()] + units(top) }
    return lines + sums()
  }

  // MARK: Tokens

  private func tokens() -> [TerminalLine] {
    let values = scores.array.values
    let total = values.reduce(0, +)
    let largest = max(values.map(abs).filter(\.isFinite).max() ?? 0, abs(total))
    let decimals = Quantity.decimals(for: largest, least: 4)
    let shown =
      values.count <= Self.most
      ? Array(values.indices)
      : values.indices.sorted { (-abs(values[$0]), $0) < (-abs(values[$1]), $1) }
        .prefix(top).sorted()
    let bar = ValueBar(
      values: shown.map { values[$0] }, width: style.width >= 72 ? 32 : 16,
      isASCII: style.glyphs.isASCII)
    // Each shown score is the difference of the rounded sums around it, and all of them add up.
    var added = AddedUp(from: 0, decimals: decimals)
    var names = shown.map {
      frame.place($0, in: result.tokens, to: max(12, style.width / 3), aligned: true)
    }
    var numbers: [Double] = shown.map { added.next(values[$0]) }
    var bars = shown.map { bar.cells(values[$0]) }
    var emphasis: [Emphasis] = shown.map { values[$0] < 0 ? .loss : .gain }
    if shown.count < values.count {
      names.append("\(values.count - shown.count) others")
      numbers.append(added.next(to: total))
      bars.append("")
      emphasis.append(.quiet)
    }
    names.append("sum")
    numbers.append(total)
    bars.append("")
    emphasis.append(.strong)
    let title = result.scores.count > 1 ? [TerminalLine("  tokens", .strong)] : []
    return title
      + TextTable(
        names: TextTable.Column(head: "token", cells: names, right: false),
        columns: [
          TextTable.Column(
            head: "score",
            cells: numbers.map { style.glyphs.words(Quantity.fixed($0, decimals, signed: true)) },
            emphasis: emphasis),
          TextTable.Column(head: "", cells: bars, right: false, emphasis: emphasis),
        ]
      ).lines(style: style, indent: 2)
  }

  // MARK: Layers

  private func layers() -> [TerminalLine] {
    let names = (scores.layers ?? []).map { $0 < 0 ? "emb" : String($0) }
    let isHeads = scores.array.axes.last == "head"
    let words = style.glyphs.words
    let (many, ending) = (MethodWords.units(scores.unit), isHeads ? "summed over tokens" : "")
    let what =
      scores.unit == "neuron" ? "all neurons of a layer at a token" : isHeads ? many : scores.unit
    var title = TerminalLine("  " + TerminalReport.shown(what, style: style), .strong)
    if !ending.isEmpty { title.append(", " + ending, .quiet) }
    let (grid, values, columns) = isHeads ? overHeads() : overTokens()
    let sums = zip(names.indices, values.chunked(columns)).map { $1.reduce(0, +) }
    let decimals = FlowRows.decimals(sums.map(abs).filter(\.isFinite).max() ?? 0)
    let drawn = LayerTokenGrid(
      style: style, frame: frame, rows: names, columns: grid, values: values,
      notes: ("sum", sums.map { words(Quantity.fixed($0, decimals, signed: true)) }),
      what: "a score"
    ).lines()
    guard drawn.isEmpty else { return [title] + drawn }
    return [title] + frame.note("every score is zero")
  }

  private func overTokens() -> ([(number: String, name: String)], [Double], Int) {
    let columns = result.tokens.enumerated().map {
      (number: String($0.offset), name: frame.name($0.element, to: 12))
    }
    return (columns, scores.array.values, columns.count)
  }

  /// Layers by heads, over all tokens.
  private func overHeads() -> ([(number: String, name: String)], [Double], Int) {
    let (rows, positions, heads) = (
      scores.array.shape[0], scores.array.shape[1], scores.array.shape[2]
    )
    var values = [Double](repeating: 0, count: rows * heads)
    for (place, value) in scores.array.values.enumerated() {
      values[place / (positions * heads) * heads + place % heads] += value
    }
    return ((0..<heads).map { (number: "h\($0)", name: "") }, values, heads)
  }

  private func units(_ units: [ScoredUnit]) -> [TerminalLine] {
    let shown = units.prefix(top).map {
      UnitTable.Row(
        layer: $0.layer, unit: $0.unit, position: $0.position, score: $0.score, value: $0.value)
    }
    guard !shown.isEmpty else { return [] }
    return [
      TerminalLine(
        "  the strongest "
          + TerminalReport.shown(MethodWords.units(scores.unit), style: style), .strong)
    ] + UnitTable(style: style, frame: frame, tokens: result.tokens, kind: scores.unit).lines(shown)
  }

  // MARK: Sums

  /// What the scores sum to beside what they must, or why nothing is promised.
  private func sums() -> [TerminalLine] {
    let words = style.glyphs.words
    guard let certificates = scores.certificates, let worst = worst(of: certificates) else {
      guard let reason = scores.reason else { return [] }
      return frame.note(
        "no certificate: " + TerminalReport.shown(reason, style: style))
    }
    let certificate = certificates[worst]
    let decimals = Quantity.decimals(
      for: max(abs(certificate.sum), abs(certificate.expected)), least: 4)
    func level(_ value: Double) -> String {
      Quantity.fixed(value, decimals, signed: true).replacing(" ", with: "")
    }
    let constants = certificate.constants.map { " and constants \(level($0))" } ?? ""
    let miss = Quantity.tiny(certificate.residual).replacing("+", with: "")
    let text =
      "sums to \(level(certificate.sum))\(constants); must be \(level(certificate.expected)), "
      + "missing by \(miss)"
    guard certificates.count > 1 else { return frame.note(words(text)) }
    let layer = scores.layers.map { $0[worst] } ?? worst
    return frame.note(
      words(
        "each of \(certificates.count) layers has a sum it must reach; the worst, layer \(layer), \(text)"
      ))
  }

  private func worst(of certificates: [SumCertificate]) -> Int? {
    certificates.indices.max { certificates[$0].residual < certificates[$1].residual }
  }
}

extension Array {
  /// Runs of so many elements.
  func chunked(_ count: Int) -> [ArraySlice<Element>] {
    guard count > 0 else { return [] }
    return stride(from: 0, to: self.count, by: count).map {
      self[$0..<Swift.min(self.count, $0 + count)]
    }
  }
}
