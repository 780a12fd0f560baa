import Results

/// The other paths and baselines: how exact each is, and how far it agrees with the main one.
struct AlternativeTable {
  private let explanation: Explanation
  private let result: ExplainResult
  private let style: TerminalStyle

  init(of explanation: Explanation, in result: ExplainResult, style: TerminalStyle) {
    self.explanation = explanation
    self.result = result
    self.style = style
  }

  /// Nothing where there are no alternatives.
  func lines() -> [TerminalLine] {
    let others = explanation.alternatives ?? []
    guard !others.isEmpty else { return [] }
    let words = style.glyphs.words
    let main = main(beside: others)
    func shown(_ name: String) -> String { TerminalReport.shown(name, style: style) }
    let names = [main] + others.map { $0.path + "/" + $0.baseline }
    let correlations =
      ["1.00"]
      + others.map { other in
        correlation(main, other.path + "/" + other.baseline).map {
          words(Quantity.fixed($0, 2, signed: false))
        } ?? style.glyphs.none
      }
    let converged =
      [Self.share(explanation.attributions.compactMap(\.converged))]
      + others.map { Self.share($0.converged ?? []) }
    let nodes =
      [explanation.attributions.compactMap(\.nodes).max()]
      + others.map { $0.nodes?.max() }
    let errors =
      [nil] + others.map { other in other.standardErrors?.max().map { Quantity.tiny($0) } }
    let certificates = ([explanation.certificate] + others.map(\.certificate)).map {
      words(Quantity.tiny($0))
    }
    let doubtful = converged.map { $0.isEmpty || $0.hasPrefix("100") ? Emphasis.plain : .loss }
    func column(_ head: String, _ cells: [String], _ emphasis: [Emphasis]? = nil)
      -> TextTable.Column?
    {
      guard cells.contains(where: { !$0.isEmpty }) else { return nil }
      return TextTable.Column(head: head, cells: cells, emphasis: emphasis)
    }
    let columns = [
      column("rank corr.", correlations), column("converged", converged, doubtful),
      column("certificate", certificates),
      column("nodes", nodes.map { $0.map(String.init) ?? "" }.map(atMost)),
      column("std. error", errors.map { $0?.replacing("+", with: "") ?? "" }.map(atMost)),
    ]
    let table = TextTable(
      names: TextTable.Column(
        head: "path/baseline", cells: names.map(shown), right: false,
        emphasis: [.strong] + others.map { _ in .plain }),
      columns: columns.compactMap { $0 })
    let indent = style.width < 60 ? 0 : 2
    return [TerminalLine("other paths and baselines", .strong)]
      + table.lines(style: style, indent: indent)
  }

  /// The name of the way that the waterfall shows, as the correlations have it.
  private func main(beside others: [Alternative]) -> String {
    let known = Set(others.map { $0.path + "/" + $0.baseline })
    let compared = (explanation.rankCorrelations ?? []).flatMap { [$0.first, $0.second] }
    return compared.first { !known.contains($0) }
      ?? result.method.path + "/" + result.method.baseline
  }

  /// The correlation of two ways, in either order.
  private func correlation(_ main: String, _ other: String) -> Double? {
    explanation.rankCorrelations?.first {
      ($0.first == main && $0.second == other) || ($0.first == other && $0.second == main)
    }?.spearman
  }

  /// The share that converged: "93 %".
  static func share(_ converged: [Bool]) -> String {
    guard !converged.isEmpty else { return "" }
    let met = converged.filter { $0 }.count
    // Rounded down: only all of them are 100 %.
    return "\(met * 100 / converged.count) %"
  }

  private func atMost(_ text: String) -> String {
    text.isEmpty ? "" : (style.glyphs.isASCII ? "<= " : "≤ ") + text
  }
}
