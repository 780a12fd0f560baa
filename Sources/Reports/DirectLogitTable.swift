import Results

/// One logit: a table of layers, a list of the largest parts, and the sum.
struct DirectLogitTable {
  private let explanation: DirectLogitExplanation
  private let result: DirectLogitResult
  private let style: TerminalStyle
  private let top: Int
  private let frame: ReportFrame
  private let decimals: Int
  private let opens: Double

  init(
    _ explanation: DirectLogitExplanation, in result: DirectLogitResult, style: TerminalStyle,
    top: Int
  ) {
    self.explanation = explanation
    self.result = result
    self.style = style
    self.top = max(0, top)
    frame = ReportFrame(style: style)
    let largest = explanation.parts.map { abs($0.value) }.max() ?? 0
    decimals = Quantity.decimals(for: max(largest, abs(explanation.modelLogit)), least: 4)
    opens = largest / 10
  }

  private var symbol: String { explanation.target.versus == nil ? "logit" : "Δlogit" }

  func lines() -> [TerminalLine] {
    let context = result.tokens.prefix(explanation.position + 1).joinedText
    return frame.prediction(
      after: context, of: explanation.target,
      value: symbol + " = " + level(explanation.modelLogit)) + byLayer() + [TerminalLine()]
      + largestParts() + [TerminalLine()] + sum()
  }

  private func level(_ value: Double) -> String {
    style.glyphs.words(Quantity.fixed(value, decimals, signed: false))
  }

  private func change(_ value: Double) -> String {
    style.glyphs.words(Quantity.fixed(value, decimals, signed: true))
  }

  // MARK: By layer

  /// A block, or one part of no block.
  private struct Row {
    var name: String
    var attention: Double?
    var mlp: Double?
    var other: Double?
    var whole: Double
  }

  /// Rows in the order of the model; embedding first, biases last.
  private func rows() -> [Row] {
    var added = AddedUp(from: 0, decimals: decimals)
    var first: [Row] = []
    var blocks: [Int: Row] = [:]
    var last: [Row] = []
    for node in explanation.parts {
      let value = added.next(node.value)
      if node.layer < 0 {
        let row = Row(name: Self.name(node), whole: value)
        if node.kind == .embedding { first.append(row) } else { last.append(row) }
        continue
      }
      var row = blocks[node.layer] ?? Row(name: String(node.layer), whole: 0)
      switch node.kind {
      case .attention: row.attention = (row.attention ?? 0) + value
      case .mlp: row.mlp = (row.mlp ?? 0) + value
      default: row.other = (row.other ?? 0) + value
      }
      row.whole += value
      blocks[node.layer] = row
    }
    return first + blocks.sorted { $0.key < $1.key }.map(\.value) + last
  }

  private func byLayer() -> [TerminalLine] {
    let rows = rows()
    var columns: [(head: String, values: [Double?])] = [("sum", rows.map(\.whole))]
    let parts: [(String, [Double?])] = [
      ("attention", rows.map(\.attention)), ("mlp", rows.map(\.mlp)),
      ("other", rows.map(\.other)),
    ].filter { $0.1.contains { $0 != nil } }
    let widest =
      rows.flatMap { [$0.whole, $0.attention ?? 0, $0.mlp ?? 0, $0.other ?? 0] }
      .map { DisplayText.columns(change($0)) }.max() ?? 0
    let cell = max(widest, 6)
    let label = max(5, rows.map { DisplayText.columns($0.name) }.max() ?? 0) + 2
    var room = style.width - label - cell - 2
    // A narrow terminal shows the layers alone.
    let needed = parts.reduce(0) { $0 + max(cell, DisplayText.columns($1.0)) + 2 }
    if room >= needed {
      columns = parts + columns
      room -= needed
    }
    let widths = columns.map { max(cell, DisplayText.columns($0.head)) }
    let bar =
      room >= 6
      ? ValueBar(values: rows.map(\.whole), width: min(40, room - 2), isASCII: style.glyphs.isASCII)
      : nil
    var head = TerminalLine(DisplayText.padded("layer", to: label, right: true), .quiet)
    for (column, width) in zip(columns, widths) {
      head.append("  " + DisplayText.padded(column.head, to: width, right: true), .quiet)
    }
    var lines = [head]
    for (index, row) in rows.enumerated() {
      var line = TerminalLine(DisplayText.padded(row.name, to: label, right: true))
      for (column, width) in zip(columns, widths) {
        line.append("  ")
        let value = column.values[index]
        line.append(
          DisplayText.padded(value.map(change) ?? "", to: width, right: true),
          column.head == "sum" ? sign(value ?? 0) : .plain)
      }
      if let bar { line.append("  " + bar.cells(row.whole), sign(row.whole)) }
      lines.append(line)
    }
    return lines
  }

  private func sign(_ value: Double) -> Emphasis { value < 0 ? .loss : value > 0 ? .gain : .quiet }

  // MARK: The largest parts

  /// A line of the list before it is drawn.
  private struct Item {
    var name: String
    var depth: Int
    var value: Double
  }

  /// A part between the levels where it starts and ends.
  private struct Placed {
    var node: AttributionNode
    var shown: Double
    var from: Double
    var to: Double
    var index: Int
  }

  private func largestParts() -> [TerminalLine] {
    let items = items(
      of: explanation.parts, depth: 0, from: 0, to: nil, residual: 0)
    let cell = items.map { DisplayText.columns(change($0.value)) }.max() ?? 0
    let names = items.map { DisplayText.columns($0.name) + 2 * $0.depth }.max() ?? 0
    let label = min(names, max(8, style.width - cell - 4))
    let room = style.width - label - cell - 6
    let bar =
      room >= 4
      ? ValueBar(values: items.map(\.value), width: min(40, room), isASCII: style.glyphs.isASCII)
      : nil
    var lines = [TerminalLine("largest parts", .strong)]
    for item in items {
      let name = String(repeating: " ", count: 2 * min(item.depth, 8)) + item.name
      var line = TerminalLine("  ")
      line.append(
        DisplayText.padded(name, to: label, ellipsis: style.glyphs.ellipsis),
        item.depth == 0 ? .plain : .quiet)
      line.append(
        "  " + DisplayText.padded(change(item.value), to: cell, right: true), sign(item.value))
      if let bar { line.append("  " + bar.cells(item.value), sign(item.value)) }
      lines.append(line)
    }
    if hasClosed(explanation.parts) {
      lines += frame.note(
        "Parts under a tenth of the largest stay closed; JSON and CSV have all of them.",
        indent: "")
    }
    return lines
  }

  /// The list of some nodes and of what they are made of, each level adding up to the one above.
  ///
  /// Values are rounded in the order of the data, from the level where the whole starts to the one
  /// where it ends, so that a part shows the same digits here and in the table of layers.
  private func items(
    of nodes: [AttributionNode], depth: Int, from start: Double, to end: Double?, residual: Double
  ) -> [Item] {
    let whole = end ?? start + nodes.map(\.value).reduce(0, +)
    // A residual that shows has its own line; one below the last digit ends with the last part.
    let hasResidual = Rounding(decimals: decimals).rounded(residual) != 0
    let inner = hasResidual ? whole - residual : whole
    var added = AddedUp(from: start, decimals: decimals)
    let placed = nodes.enumerated().map { index, node -> Placed in
      let from = added.level
      let isLast = index == nodes.count - 1
      let value = isLast ? added.next(to: inner) : added.next(node.value)
      return Placed(node: node, shown: value, from: from, to: added.level, index: index)
    }
    let ranked = placed.filter { $0.node.kind != .others }.sorted {
      (abs($1.node.value), $0.index) < (abs($0.node.value), $1.index)
    }
    let rest = ranked.dropFirst(top) + placed.filter { $0.node.kind == .others }
    var items: [Item] = []
    for part in ranked.prefix(top) {
      items.append(Item(name: name(part.node), depth: depth, value: part.shown))
      guard let children = part.node.children, !children.isEmpty, abs(part.node.value) >= opens
      else { continue }
      items += self.items(
        of: children, depth: depth + 1, from: part.from, to: part.to,
        residual: part.node.residual)
    }
    if !rest.isEmpty {
      let isCounted = rest.allSatisfy { $0.node.kind != .others }
      let name = isCounted ? "\(rest.count) other\(rest.count == 1 ? "" : "s")" : "others"
      items.append(Item(name: name, depth: depth, value: rest.map(\.shown).reduce(0, +)))
    }
    if hasResidual {
      items.append(Item(name: "residual", depth: depth, value: added.next(to: whole)))
    }
    return items
  }

  private func hasClosed(_ nodes: [AttributionNode]) -> Bool {
    nodes.contains { node in
      guard let children = node.children, !children.isEmpty else { return false }
      return abs(node.value) < opens || hasClosed(children)
    }
  }

  private func name(_ node: AttributionNode) -> String {
    guard node.kind == .source, let source = node.source else { return Self.name(node) }
    guard result.tokens.indices.contains(source) else { return "from \(source)" }
    return "from \(source) " + frame.name(result.tokens[source], to: 20)
  }

  private static func name(_ node: AttributionNode) -> String {
    switch node.kind {
    case .head: "head " + (node.head.map(String.init) ?? "?")
    case .neuron: "neuron " + (node.neuron.map(String.init) ?? "?")
    case .attention, .mlp, .mixer: "layer \(node.layer) " + node.kind.rawValue
    case .bias where node.layer < 0: "output bias"
    default: node.kind.rawValue
    }
  }

  // MARK: The sum

  private func sum() -> [TerminalLine] {
    let words = style.glyphs.words
    let parts = [
      "sum of \(explanation.parts.count) parts \(level(explanation.sum))",
      "model's own \(symbol) \(level(explanation.modelLogit))",
      "certificate \(Quantity.tiny(explanation.certificate))",
    ]
    return DisplayText.joined(parts.map(words), by: style.glyphs.dot, to: style.width - 2)
      .map { TerminalLine("  " + $0) }
  }
}
