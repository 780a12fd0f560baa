import Results

/// The rows of a tree of parts: bounded lists, of which each adds up in the digits shown.
///
/// What weighs less than a hundredth of the heaviest layer stays closed; of each list the largest are
/// shown and one row `others` holds the rest. A part's share of rounding never shows as a miss: see
/// ``Apportionment``. What a sum really misses shows as a row `residual` of its own.
struct PartTree {
  /// One row.
  struct Row {
    /// Lines from the parents.
    var guides: String
    /// What it is.
    var label: String
    /// The value, in digits.
    var text: String
    /// The value, for the bar; nothing where the row has none.
    var value: Double?
    /// What the parts below this row miss of it, where there are parts below.
    var residual: Double?
    /// How the label stands out.
    var emphasis: Emphasis
  }

  /// The rows, from the top.
  private(set) var rows: [Row] = []
  /// The weight below which parts stay closed.
  let least: Double

  private let explanation: Explanation
  private let names: PartNames
  private let glyphs: Glyphs
  private let quantity: Quantity
  private let digits: Apportionment
  private let top: Int
  private let residualRows: Bool

  /// Lays out the parts of an explanation.
  ///
  /// - Parameters:
  ///   - explanation: Whose layers.
  ///   - result: Where it is from, for the text of tokens.
  ///   - style: The terminal.
  ///   - quantity: What the numbers are.
  ///   - top: How many rows of a list are shown.
  ///   - residualRows: Gives every sum a row with its residual, where no column has room for it.
  init(
    of explanation: Explanation, in result: ExplainResult, style: TerminalStyle,
    quantity: Quantity, top: Int, residualRows: Bool
  ) {
    self.explanation = explanation
    names = PartNames(in: result, style: style)
    glyphs = style.glyphs
    self.quantity = quantity
    digits = Apportionment(decimals: quantity.decimals)
    self.top = max(1, top)
    self.residualRows = residualRows
    let heaviest = explanation.attributions.map { abs($0.value) }.filter(\.isFinite).max() ?? 0
    least = heaviest * 0.01
    addLayers()
  }

  // MARK: Layers

  /// The layers: what changes between rounded levels, as in the waterfall above.
  private mutating func addLayers() {
    let layers = explanation.attributions
    var levels = [explanation.baselineValue]
    for layer in layers { levels.append(levels[levels.count - 1] + layer.value) }
    let rounding = Rounding(decimals: quantity.decimals)
    func change(_ from: Int, _ to: Int) -> Double { rounding.difference(levels[from], levels[to]) }
    let total = change(0, layers.count)
    // Heavy layers, and those whose numbers are in doubt, by weight; shown in order.
    let wanted = layers.indices.filter {
      abs(layers[$0].value) >= least || layers[$0].converged == false
    }
    let shown = heaviest(wanted, top) { layers[$0].value }.sorted()
    add(
      guides: "", label: "all layers", value: total, units: digits.units(total), residual: nil,
      emphasis: .strong)
    let others = layers.count - shown.count
    var rest = total
    for (place, index) in shown.enumerated() {
      let layer = layers[index]
      let value = change(index, index + 1)
      rest -= value
      let isLast = place + 1 == shown.count && others == 0
      let isOpen = layer.parts?.isEmpty == false && abs(layer.value) >= least
      let isDoubtful = layer.converged == false
      let name = layer.layer < 0 ? "embedding" : "layer \(layer.layer)"
      add(
        guides: branch(isLast), label: isDoubtful ? name + " (not converged)" : name,
        value: value, units: digits.units(value),
        residual: isOpen ? miss(layer.value, layer.parts ?? [], layer.residual ?? 0) : nil,
        emphasis: isDoubtful ? .loss : .strong)
      if isOpen {
        open(
          layer.parts ?? [], of: layer.value, units: digits.units(value),
          residual: layer.residual ?? 0, under: below(isLast), layer: layer.layer, depth: 1)
      }
    }
    if others > 0 {
      let value = digits.units(rest).map { $0 / digits.scale } ?? rest
      add(
        guides: branch(true), label: "others (\(others) \(others == 1 ? "layer" : "layers"))",
        value: value, units: digits.units(value), residual: nil, emphasis: .quiet)
    }
  }

  // MARK: Parts

  /// The rows below a part, and below those.
  private mutating func open(
    _ nodes: [AttributionNode], of value: Double, units: Double?, residual: Double,
    under guides: String, layer: Int, depth: Int
  ) {
    let (shown, folded) = list(nodes)
    let rest = folded.map { nodes[$0].value }.reduce(0, +)
    let residual = miss(value, nodes, residual)
    // A residual that rounds to nothing takes no part in the digits.
    let isShown = digits.units(residual) != 0
    var values = shown.map { nodes[$0].value }
    if !folded.isEmpty { values.append(rest) }
    if isShown { values.append(residual) }
    var split = units.flatMap { digits.split($0, over: values) }?[...]
    let withLayer = nodes.contains { $0.layer >= 0 && $0.layer != layer }
    let count = values.count + (residualRows && !isShown ? 1 : 0)
    var place = 0
    func next() -> (isLast: Bool, units: Double?) {
      place += 1
      return (place == count, split?.popFirst())
    }
    for index in shown {
      let node = nodes[index]
      let (isLast, units) = next()
      let isOpen =
        node.children?.isEmpty == false && abs(node.value) >= least && depth < 16
      add(
        guides: guides + branch(isLast), label: names.name(node, withLayer: withLayer),
        value: node.value, units: units,
        residual: isOpen ? miss(node.value, node.children ?? [], node.residual) : nil,
        emphasis: depth < 2 ? .strong : .plain)
      if isOpen {
        open(
          node.children ?? [], of: node.value, units: units, residual: node.residual,
          under: guides + below(isLast), layer: node.layer, depth: depth + 1)
      }
    }
    if !folded.isEmpty {
      let (isLast, units) = next()
      let label = others(folded.map { nodes[$0].kind })
      add(
        guides: guides + branch(isLast), label: label, value: rest, units: units, residual: nil,
        emphasis: .quiet)
    }
    if isShown {
      let (isLast, units) = next()
      add(
        guides: guides + branch(isLast), label: "residual", value: residual, units: units,
        residual: nil, emphasis: .loss)
    } else if residualRows {
      rows.append(
        Row(
          guides: guides + branch(true), label: "residual",
          text: glyphs.words(Quantity.tiny(residual)), value: nil, residual: nil, emphasis: .quiet))
    }
  }

  /// Which of these parts are shown, in what order, and which `others` holds.
  private func list(_ nodes: [AttributionNode]) -> (shown: [Int], folded: [Int]) {
    let named = nodes.indices.filter { nodes[$0].kind != .others }
    var shown = heaviest(named, top) { nodes[$0].value }
    // Several of a kind that show as zero say nothing one by one.
    let nothing = shown.filter { isOneOfMany(nodes[$0].kind) && digits.units(nodes[$0].value) == 0 }
    if nothing.count > 1 || (nothing.count == 1 && shown.count < nodes.count) {
      let dropped = Set(nothing)
      shown.removeAll { dropped.contains($0) }
    }
    // Those of a kind by weight, then what a block always has, in its order.
    let many = shown.filter { isOneOfMany(nodes[$0].kind) }
    let kept = shown.filter { !isOneOfMany(nodes[$0].kind) }.sorted()
    let order = many + kept
    let all = Set(order)
    return (order, nodes.indices.filter { !all.contains($0) })
  }

  private func isOneOfMany(_ kind: AttributionNode.Kind) -> Bool {
    switch kind {
    case .head, .neuron, .source, .expert: true
    default: false
    }
  }

  /// The largest of these by weight, heaviest first; ties in order.
  private func heaviest(_ indices: [Int], _ count: Int, value: (Int) -> Double) -> [Int] {
    let weighed = indices.map { (weight: abs(value($0)), index: $0) }
    return weighed.sorted { ($0.weight, $1.index) > ($1.weight, $0.index) }.prefix(count)
      .map(\.index)
  }

  private func others(_ kinds: [AttributionNode.Kind]) -> String {
    // The engine's own `others` has no count; with it the rest has none either.
    if kinds.contains(.others) { return "others" }
    let plural = PartNames.plural(kinds)
    let name = kinds.count == 1 ? String(plural.dropLast()) : plural
    return "others (\(kinds.count) \(name))"
  }

  /// The recorded residual; where it is not what the values say, what they say.
  private func miss(_ value: Double, _ nodes: [AttributionNode], _ recorded: Double) -> Double {
    let found = value - nodes.reduce(0) { $0 + $1.value }
    return abs(found - recorded) * digits.scale < 0.5 ? recorded : found
  }

  // MARK: Rows

  private mutating func add(
    guides: String, label: String, value: Double, units: Double?, residual: Double?,
    emphasis: Emphasis
  ) {
    let text = quantity.change(units.map { $0 / digits.scale } ?? value)
    rows.append(
      Row(
        guides: guides, label: label, text: glyphs.words(text), value: value, residual: residual,
        emphasis: emphasis))
  }

  private func branch(_ isLast: Bool) -> String {
    glyphs.isASCII ? (isLast ? "`-" : "|-") : isLast ? "└ " : "├ "
  }

  private func below(_ isLast: Bool) -> String {
    isLast ? "  " : glyphs.isASCII ? "| " : "│ "
  }
}
