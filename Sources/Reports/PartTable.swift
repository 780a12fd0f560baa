import Foundation
import Results

/// The tree of parts as lines: labels, aligned digits, signed bars and the residual of every sum.
struct PartTable {
  private let explanation: Explanation
  private let result: ExplainResult
  private let style: TerminalStyle
  private let quantity: Quantity
  private let top: Int

  init(of explanation: Explanation, in result: ExplainResult, style: TerminalStyle, top: Int) {
    self.explanation = explanation
    self.result = result
    self.style = style
    self.top = top
    quantity = Quantity(method: result.method, explanation: explanation)
  }

  /// Nothing where no layer has parts.
  func lines() -> [TerminalLine] {
    let layers = explanation.attributions
    guard layers.contains(where: { $0.parts?.isEmpty == false }) else { return [] }
    let hasResiduals = style.width >= 66
    let tree = PartTree(
      of: explanation, in: result, style: style, quantity: quantity, top: top,
      residualRows: !hasResiduals)
    let rows = tree.rows
    let indent = style.width >= 60 ? 2 : 0
    let valueWidth = rows.map { DisplayText.columns($0.text) }.max() ?? 0
    let residuals = rows.map { row in
      hasResiduals ? row.residual.map { style.glyphs.words(Quantity.tiny($0)) } ?? "" : ""
    }
    let residualWidth =
      hasResiduals ? max(8, residuals.map(DisplayText.columns).max() ?? 0) + 2 : 0
    let room = style.width - indent - valueWidth - 2 - residualWidth
    let widest = rows.map { DisplayText.columns($0.guides + $0.label) }.max() ?? 0
    let barLeast = style.width >= 56 ? 12 : 0
    let labelWidth = max(4, min(widest, room - (barLeast > 0 ? barLeast + 2 : 0)))
    let barWidth = min(40, room - labelWidth - 2)
    let values = rows.compactMap { $0.value.map(Self.root) }
    let bar =
      barWidth >= 6
      ? WaterfallBar(values: values, width: barWidth, isASCII: style.glyphs.isASCII) : nil

    var lines = head(tree)
    var heads = TerminalLine()
    heads.advance(to: indent)
    heads.append(DisplayText.padded("part", to: labelWidth + 2), .quiet)
    heads.append(DisplayText.padded("change", to: valueWidth, right: true), .quiet)
    if bar != nil {
      let scale = style.glyphs.isASCII ? "root of it" : "√ of it"
      let shown = DisplayText.columns(scale) <= barWidth ? scale : ""
      heads.append("  " + DisplayText.padded(shown, to: barWidth), .quiet)
    }
    heads.append(
      DisplayText.padded(hasResiduals ? "residual" : "", to: residualWidth, right: true), .quiet)
    lines.append(heads)
    for (row, residual) in zip(rows, residuals) {
      var line = TerminalLine()
      line.advance(to: indent)
      line.append(row.guides, .quiet)
      let left = max(1, labelWidth - DisplayText.columns(row.guides))
      line.append(
        DisplayText.padded(row.label, to: left, ellipsis: style.glyphs.ellipsis), row.emphasis)
      line.append("  ")
      line.append(DisplayText.padded(row.text, to: valueWidth, right: true), sign(of: row))
      if let bar {
        line.append("  ")
        if let value = row.value {
          line.append(bar.cells(from: 0, to: Self.root(value)), value < 0 ? .loss : .gain)
        }
        line.advance(to: indent + labelWidth + valueWidth + barWidth + 4)
      }
      line.append(DisplayText.padded(residual, to: residualWidth, right: true), .quiet)
      lines.append(line)
    }
    return lines
  }

  /// Bars are as long as the root of the change: small parts of a large one stay visible.
  private static func root(_ value: Double) -> Double {
    value < 0 ? -(-value).squareRoot() : value.squareRoot()
  }

  /// What the tree is of, what it leaves out, and how good its integrals are.
  private func head(_ tree: PartTree) -> [TerminalLine] {
    let glyphs = style.glyphs
    let closed = tree.least > 0 ? "closed below \(LayerTable.size(tree.least))" : nil
    let title = glyphs.words("parts of the change of \(quantity.symbol)")
    let notes = [Self.integrals(of: explanation, in: result), closed, "top \(top) of each list"]
    let phrases = [title] + notes.compactMap { $0.map(glyphs.words) }
    let lines = DisplayText.joined(phrases, by: glyphs.dot, to: style.width, indent: "  ")
    guard let first = lines.first, first.hasPrefix(title) else {
      return lines.map { TerminalLine($0, .quiet) }
    }
    var line = TerminalLine(title, .strong)
    line.append(String(first.dropFirst(title.count)), .quiet)
    return [line] + lines.dropFirst().map { TerminalLine($0, .quiet) }
  }

  /// The nodes that the integrals of the layers took, and whether they met the tolerance.
  static func integrals(of explanation: Explanation, in result: ExplainResult) -> String? {
    let layers = explanation.attributions
    let nodes = layers.compactMap(\.nodes)
    guard let least = nodes.min(), let most = nodes.max() else { return nil }
    let judged = layers.filter { $0.converged != nil }
    let open = judged.filter { $0.converged == false }.count
    let count = least == most ? "\(most)" : "\(least)–\(most)"
    let start = "integrals \(count) nodes"
    if judged.isEmpty { return start }
    if open > 0 {
      return start + ", \(open) of \(judged.count) layers did not converge"
    }
    let tolerance = result.method.tolerance.map { " to " + LayerTable.size($0) } ?? ""
    return start + ", all converged" + tolerance
  }

  private func sign(of row: PartTree.Row) -> Emphasis {
    guard row.value != nil else { return .quiet }
    return row.text.contains("+")
      ? .gain
      : row.text.contains("−") || row.text.contains("-") ? .loss : .quiet
  }
}
