import Results

/// How well growing circuits carry the metric: a line for each method, then the points of each.
struct CircuitCurveTable {
  private let result: CircuitResult
  private let style: TerminalStyle
  private let frame: ReportFrame

  init(_ result: CircuitResult, style: TerminalStyle) {
    self.result = result
    self.style = style
    frame = ReportFrame(style: style)
  }

  func lines() -> [TerminalLine] {
    guard let curves = result.curves, !curves.isEmpty else { return [] }
    let one = curves.count == 1
    return [TerminalLine()] + summary(curves)
      + curves.flatMap { [TerminalLine()] + (one ? [] : [title($0)]) + points($0) }
  }

  /// The first circuit that is faithful to nine tenths, and the first that leaves a fifth outside it.
  static func enough(_ curve: CircuitCurve) -> (faithful: Int?, complete: Int?) {
    (
      curve.points.first { ($0.faithfulness ?? -.infinity) >= 0.9 }?.nodes,
      curve.points.first { ($0.completeness ?? .infinity) <= 0.2 }?.nodes
    )
  }

  private func summary(_ curves: [CircuitCurve]) -> [TerminalLine] {
    let none = style.glyphs.none
    let words = style.glyphs.words
    func number(_ value: Double?) -> String {
      value.map { words(Quantity.fixed($0, 3, signed: false)) } ?? none
    }
    func column(_ head: String, _ cell: (CircuitCurve) -> String) -> TextTable.Column {
      TextTable.Column(head: head, cells: curves.map(cell))
    }
    let signs = style.glyphs.isASCII ? (">=", "<=") : ("≥", "≤")
    let table = TextTable(
      names: TextTable.Column(
        head: "method", cells: curves.map { name($0) }, right: false),
      columns: [
        column("f \(signs.0) 0.9") { Self.enough($0).faithful.map(String.init) ?? none },
        column("c \(signs.1) 0.2") { Self.enough($0).complete.map(String.init) ?? none },
        column("CMD") { number($0.areas?.cmd) }, column("CPR") { number($0.areas?.cpr) },
        column("scores") { MethodWords.shortPasses($0.scorePasses) },
        column("curve") { MethodWords.shortPasses($0.curvePasses) },
        column("CMD log") { number($0.areas?.cmdLog) },
        column("CPR log") { number($0.areas?.cprLog) },
      ])
    let lines = [TerminalLine("  circuits of growing size", .strong)]
    return lines + table.lines(style: style, indent: 2)
      + frame.note(
        "f \(signs.0) 0.9, c \(signs.1) 0.2: the nodes of the first circuit with that faithfulness, and "
          + "with that completeness. CMD: area between faithfulness and 1. CPR: area below it. scores, "
          + "curve: passes, F forward and B backward.")
  }

  private func name(_ curve: CircuitCurve) -> String {
    TerminalReport.shown(
      MethodWords.phrases(curve.method).joined(separator: " "), style: style)
  }

  private func title(_ curve: CircuitCurve) -> TerminalLine {
    TerminalLine(
      "  " + DisplayText.cut(name(curve), to: style.width - 2, ellipsis: style.glyphs.ellipsis),
      .strong)
  }

  private func points(_ curve: CircuitCurve) -> [TerminalLine] {
    let words = style.glyphs.words
    func share(_ value: Double?) -> String {
      value.map { words(Quantity.fixed($0, 3, signed: false)) } ?? style.glyphs.none
    }
    func level(_ value: Double) -> String { words(Quantity.fixed(value, 4, signed: false)) }
    let phrases = [
      "\(curve.ablation) ablation", "selection " + curve.selection,
      "F(M) \(level(curve.full))",
      style.glyphs.isASCII ? "F(none) \(level(curve.empty))" : "F(∅) \(level(curve.empty))",
    ]
    let points = curve.points
    let values = points.map { $0.faithfulness ?? 0 }
    let bar = ValueBar(
      values: values + [1], width: style.width >= 72 ? 20 : 10, isASCII: style.glyphs.isASCII)
    let isUndefined = !points.isEmpty && points.allSatisfy { $0.faithfulness == nil }
    let digits = points.map { String($0.nodes).count }.max() ?? 1
    var columns = [
      TextTable.Column(head: "share", cells: points.map { CircuitTable.percent($0.share) }),
      TextTable.Column(head: "faithful", cells: points.map { share($0.faithfulness) }),
      TextTable.Column(head: "complete", cells: points.map { share($0.completeness) }),
    ]
    if !isUndefined {
      columns.append(
        TextTable.Column(
          head: "", cells: values.map { bar.cells($0) }, right: false,
          emphasis: values.map { $0 < 0 ? .loss : .gain }))
    }
    let table = TextTable(
      names: TextTable.Column(
        head: "nodes",
        cells: points.map { DisplayText.padded(String($0.nodes), to: max(5, digits), right: true) }),
      columns: columns, nameLeast: 5)
    let lines = frame.quiet(
      phrases.map { "  " + TerminalReport.shown($0, style: style) }.enumerated().map {
        $0.offset == 0 ? $0.element : String($0.element.dropFirst(2))
      })
    return lines + table.lines(style: style, indent: 2)
      + (isUndefined
        ? frame.note(
          "The metric with every node is too near to the metric with none: faithfulness and "
            + "completeness have no divisor.", .loss)
        : [])
  }
}
