internal import Tensors

/// Runs of replaced rows, each joining the others at the block where its part is replaced.
///
/// A row whose whole layer is replaced joins one block later, with the state before its block plus
/// the value; it needs that block not at all. Rows stand along `axis` of [batch, row, width]: 1 for
/// alternatives at one position, 0 for whole sequences.
struct JoiningRows {
  let model: any BlockwiseModel
  let axis: Int
  let cache: KeyValueCache?
  /// Where the first so many rows stand.
  let positions: (Int) -> Positions

  private struct Row {
    var index: Int
    var replacement: Replacement

    /// The block that the row enters first.
    var joins: Int {
      if case .layer(let layer) = replacement.part { return layer + 1 }
      return replacement.part.layer
    }

    /// Whether something inside the block is replaced, so that the row runs through it.
    var isEdited: Bool { joins == replacement.part.layer }
  }

  /// The last residual stream of each replacement at the last position, [replacements, width].
  ///
  /// `state` gives the unchanged state before a block, and is asked in ascending order, but for one
  /// step back.
  func run(
    _ replacements: [Replacement], rowsAtOnce: Int, state: (Int) -> Tensor
  ) -> Tensor {
    let width = model.shape.width
    guard !replacements.isEmpty else {
      return Tensor(repeating: 0, [0, width], model.type, on: model.device)
    }
    let rows = replacements.enumerated()
      .map { Row(index: $0.offset, replacement: $0.element) }
      .sorted {
        ($0.joins, $0.isEdited ? 1 : 0, $0.index) < ($1.joins, $1.isEdited ? 1 : 0, $1.index)
      }
    var finished: [Tensor] = []
    for start in stride(from: 0, to: rows.count, by: rowsAtOnce) {
      let part = Array(rows[start..<min(rows.count, start + rowsAtOnce)])
      let last = together(part, state)
      let position = last.size(1)
      finished.append(
        axis == 1
          ? last.reshaped([part.count, width])
          : last.slice(position - 1..<position, along: 1).reshaped([part.count, width]))
    }
    var places = [Int](repeating: 0, count: rows.count)
    for (place, row) in rows.enumerated() { places[row.index] = place }
    return Tensor.concatenating(finished, along: 0).selecting(places, along: 0)
  }

  private func together(_ rows: [Row], _ state: (Int) -> Tensor) -> Tensor {
    let layers = model.shape.layers
    let joining = Dictionary(grouping: rows, by: \.joins)
    var x: Tensor?
    var count = 0
    for layer in (rows.first?.joins ?? 0)...layers {
      let new = joining[layer] ?? []
      let whole = new.filter { !$0.isEdited }
      let edited = new.filter(\.isEdited)
      var parts = x.map { [$0] } ?? []
      if !whole.isEmpty { parts.append(state(layer - 1) + put(whole.map(\.replacement.value))) }
      if !edited.isEmpty {
        let before = state(layer)
        parts.append(before + zeros(edited.count, like: before))
      }
      guard !parts.isEmpty else { continue }
      let joined = parts.count == 1 ? parts[0] : Tensor.concatenating(parts, along: axis)
      count += new.count
      x =
        layer == layers
        ? joined
        : model.blocks(
          layer..<layer + 1, joined, positions(count), cache: cache,
          pass: pass(edited, from: count - edited.count, layer))
    }
    return x ?? state(layers)
  }

  // MARK: - Values of rows

  /// One row for each list of numbers: [1, rows, …] or [rows, 1, …].
  private func put(_ values: [[Double]], _ shape: [Int]? = nil) -> Tensor {
    Tensor(
      Array(values.joined()), lead(values.count) + (shape ?? [values[0].count]), model.type,
      on: model.device)
  }

  private func lead(_ count: Int) -> [Int] { axis == 1 ? [1, count] : [count, 1] }

  private func zeros(_ count: Int, like x: Tensor) -> Tensor {
    Tensor(repeating: 0, lead(count) + [x.size(2)], model.type, on: model.device)
  }

  // MARK: - Edits

  /// A pass through a block that replaces the parts of the rows from `first` on.
  private func pass(_ rows: [Row], from first: Int, _ layer: Int) -> Pass {
    guard !rows.isEmpty else { return .plain }
    var edits: [Site: [(rows: Range<Int>, change: (Tensor) -> Tensor)]] = [:]
    for (place, row) in rows.enumerated() {
      let (site, change) = self.change(row.replacement, layer)
      edits[site, default: []].append((first + place..<first + place + 1, change))
    }
    return Pass(sites: Set(edits.keys)) { [axis] site, value in
      guard let changes = edits[site] else { return value }
      var parts: [Tensor] = []
      var end = 0
      for (rows, change) in changes {
        if rows.lowerBound > end { parts.append(value.slice(end..<rows.lowerBound, along: axis)) }
        parts.append(change(value.slice(rows, along: axis)))
        end = rows.upperBound
      }
      if end < value.size(axis) { parts.append(value.slice(end..<value.size(axis), along: axis)) }
      return Tensor.concatenating(parts, along: axis)
    }
  }

  /// Where a part is seen, and what it becomes there.
  private func change(
    _ replacement: Replacement, _ layer: Int
  ) -> (site: Site, change: (Tensor) -> Tensor) {
    let shape = model.shape
    let value = replacement.value
    switch replacement.part {
    case .layer: preconditionFailure("a whole layer is replaced before its successor")
    case .attention: return (.attention(layer, .output), whole(value))
    case .mlp: return (.feedForward(layer, .output), whole(value))
    case .head(_, let head):
      // [1, 1, heads, headWidth]
      let keep = put([(0..<shape.heads).map { $0 == head ? 0 : 1 }], [shape.heads, 1])
      var row = [Double](repeating: 0, count: shape.heads * shape.headWidth)
      row.replaceSubrange(head * shape.headWidth..<(head + 1) * shape.headWidth, with: value)
      let new = put([row], [shape.heads, shape.headWidth])
      return (.attention(layer, .heads), { $0 * keep + new })
    case .neurons(_, let neurons):
      // [1, 1, hidden]
      var kept = [Double](repeating: 1, count: shape.hidden)
      var row = [Double](repeating: 0, count: shape.hidden)
      for (neuron, number) in zip(neurons, value) {
        kept[neuron] = 0
        row[neuron] = number
      }
      let (keep, new) = (put([kept]), put([row]))
      return (.feedForward(layer, .hidden), { $0 * keep + new })
    }
  }

  private func whole(_ value: [Double]) -> (Tensor) -> Tensor {
    let new = put([value])
    return { [model] in Tensor(repeating: 0, $0.shape, model.type, on: model.device) + new }
  }
}
