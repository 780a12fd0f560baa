import Foundation
import Results

/// A table of several explained tokens and the layers, never wider than the terminal.
///
/// Tokens are columns where all of them fit; otherwise tokens are rows and layers are folded into as
/// many columns as fit.
struct LayerTable {
  private let explanations: [Explanation]
  private let result: ExplainResult
  private let style: TerminalStyle
  private let quantity: Quantity
  private let decimals: Int
  private let layers: [Int]
  private let levels: [[Double]]
  private let largest: Double

  init(of explanations: [Explanation], in result: ExplainResult, style: TerminalStyle) {
    self.explanations = explanations
    self.result = result
    self.style = style
    quantity = Quantity(method: result.method, explanation: explanations[0])
    layers = explanations[0].attributions.map(\.layer)
    levels = explanations.map { explanation in
      explanation.attributions.reduce(into: [explanation.baselineValue]) {
        $0.append($0[$0.count - 1] + $1.value)
      }
    }
    largest = explanations.flatMap(\.attributions).map { abs($0.value) }.max() ?? 0
    let level = levels.joined().map(abs).max() ?? 0
    decimals = min(12, max(3, Quantity.decimals(for: max(largest, level), least: 0) - 2))
  }

  func lines() -> [TerminalLine] {
    // Explanations of one result share their layers; a damaged one is not tabulated.
    guard explanations.allSatisfy({ $0.attributions.map(\.layer) == layers }) else { return [] }
    let title = style.glyphs.words("change of \(quantity.symbol) by layer and token")
    let cell = cellWidth()
    let label = 11
    let head = [TerminalLine(DisplayText.cut(title, to: style.width), .strong)]
    return head
      + (label + explanations.count * (cell + 1) <= style.width
        ? layerRows(label: label, cell: cell) : tokenRows(cell: cell))
  }

  /// A bound in words that holds for this number: "below 0.002".
  static func bound(_ largest: Double) -> String {
    guard largest > 0, largest.isFinite else { return "0" }
    let scale = pow(10, log10(largest).rounded(.down))
    let bound = ((largest / scale).rounded(.down) + 1) * scale
    let decimals = max(0, -Int(log10(bound * 1.000001).rounded(.down)))
    return "below "
      + (decimals <= 9 ? String(format: "%.\(decimals)f", bound) : String(format: "%.0e", bound))
  }

  /// A positive number in one or two digits: "0.0072", "1e-4".
  static func size(_ value: Double) -> String {
    guard value > 0, value.isFinite else { return "0" }
    if value >= 0.001, value < 1000 { return String(format: "%.2g", value) }
    let text = String(format: "%.1e", value)
    let parts = text.split(separator: "e")
    guard parts.count == 2, let exponent = Int(parts[1]) else { return text }
    let lead = parts[0].hasSuffix(".0") ? String(parts[0].dropLast(2)) : String(parts[0])
    return lead + "e\(exponent)"
  }

  // MARK: Tokens as columns

  private func layerRows(label: Int, cell: Int) -> [TerminalLine] {
    let groups = LayerGroups.split(weights: weights(), limit: 40)
    var lines: [TerminalLine] = []
    func row(_ name: String, _ emphasis: Emphasis, _ text: (Int) -> (String, Emphasis)) {
      var line = TerminalLine(DisplayText.padded(name, to: label, right: true), emphasis)
      for index in explanations.indices {
        let (value, emphasis) = text(index)
        line.append(" ")
        line.append(
          DisplayText.padded(value, to: cell, right: true, ellipsis: style.glyphs.ellipsis),
          emphasis)
      }
      lines.append(line)
    }
    row("layer", .quiet) { (name(explanations[$0]), .strong) }
    row("baseline", .quiet) { (level(explanations[$0].baselineValue), .quiet) }
    for group in groups {
      row(name(group), .plain) { index in change(index, group) }
    }
    row("model", .strong) { (level(explanations[$0].modelValue), .strong) }
    row("onset", .quiet) { index in
      let onset = explanations[index].onsetLayer
      return (onset.map { $0 < 0 ? "emb" : String($0) } ?? style.glyphs.none, .quiet)
    }
    return lines
  }

  // MARK: Tokens as rows

  private func tokenRows(cell: Int) -> [TerminalLine] {
    let position = String(explanations.map(\.position).max() ?? 0).count
    let fixed = position + 1
    let ends = style.width >= 40 ? 2 : 1
    // The names leave room for three columns of layers where they can.
    let label = min(16, max(6, style.width - fixed - (ends + 3) * (cell + 1)))
    let limit = max(1, (style.width - fixed - label) / (cell + 1) - ends)
    let groups = LayerGroups.split(weights: weights(), limit: limit)
    var lines: [TerminalLine] = []
    func row(_ number: String, _ name: String, _ cells: [(String, Emphasis)]) {
      var line = TerminalLine(DisplayText.padded(number, to: position, right: true), .quiet)
      line.append(" ")
      line.append(DisplayText.padded(name, to: label, ellipsis: style.glyphs.ellipsis))
      for (text, emphasis) in cells {
        line.append(" ")
        line.append(
          DisplayText.padded(text, to: cell, right: true, ellipsis: style.glyphs.ellipsis),
          emphasis)
      }
      lines.append(line)
    }
    let base: [(String, Emphasis)] = ends == 2 ? [("base", .quiet)] : []
    row("", "token", base + groups.map { (name($0), .quiet) } + [("model", .quiet)])
    for (index, explanation) in explanations.enumerated() {
      let base: [(String, Emphasis)] =
        ends == 2 ? [(level(explanation.baselineValue), .quiet)] : []
      row(
        String(explanation.position), name(explanation),
        base + groups.map { change(index, $0) } + [(level(explanation.modelValue), .strong)])
    }
    return lines
  }

  // MARK: Cells

  private func weights() -> [Double] {
    layers.indices.map { layer in
      explanations.map { abs($0.attributions[layer].value) }.max() ?? 0
    }
  }

  private func change(_ index: Int, _ group: Range<Int>) -> (String, Emphasis) {
    let rounding = Rounding(decimals: decimals)
    let value = rounding.difference(
      levels[index][group.lowerBound], levels[index][group.upperBound])
    if value == 0 { return (style.glyphs.none, .quiet) }
    let text = style.glyphs.words(Quantity.fixed(value, decimals, signed: true))
    return (text, value < 0 ? .loss : .gain)
  }

  private func level(_ value: Double) -> String {
    style.glyphs.words(Quantity.fixed(value, decimals, signed: false))
  }

  private func cellWidth() -> Int {
    let values = levels.joined() + explanations.map(\.modelValue)
    let widest = values.map { DisplayText.columns(level($0)) }.max() ?? 0
    return max(widest, DisplayText.columns(level(largest)) + 1, 6)
  }

  private func name(_ explanation: Explanation) -> String {
    let isASCII = style.glyphs.isASCII
    if let bytes = explanation.target.bytes {
      return DisplayText.bytes(bytes, to: 24, ascii: isASCII)
    }
    return DisplayText.visible(explanation.target.text, ascii: isASCII)
  }

  private func name(_ group: Range<Int>) -> String {
    func one(_ index: Int) -> String { layers[index] < 0 ? "emb" : String(layers[index]) }
    if group.count == 1 { return one(group.lowerBound) }
    return one(group.lowerBound) + style.glyphs.dash + one(group.upperBound - 1)
  }
}
