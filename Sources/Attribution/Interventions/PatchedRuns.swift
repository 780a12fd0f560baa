internal import LanguageModels
internal import Results
internal import Tensors

// One run, the base, goes on with values of another, the source. What lies before the first patched block is the
// base's own, so it is kept once, and a cell of the grid is rows that begin at that block with the kept stream:
// L · (L + 1)/2 blocks for a column of the grid instead of L². Cells of a layer run together. The base may have
// several rows, one for each draw of noise, and a cell's number is their mean.
//
// In a decoder a patch of tokens that both runs share from the beginning changes nothing, and nothing after the
// metric's position matters: the first cells are the base's number, and the text ends at the metric.

/// Runs with a value patched in, from the patched block on.
struct PatchedRuns {
  let model: any BlockwiseModel
  let metric: Metric
  let unit: PatchUnit
  /// How many blocks in a row are patched together.
  let window: Int
  /// The stream before each block: [base, position, width].
  let streams: [Tensor]
  /// The source's value at the unit's site of each block: [1, position, …].
  let source: [Tensor]
  /// m of the base, a mean over its rows.
  let baseValue: Double
  /// Patches that end before this position change nothing.
  let firstChange: Int
  let tokensAtOnce: Int

  /// Tokens of the text that run.
  private var count: Int { streams[0].size(1) }
  private var baseRows: Int { streams[0].size(0) }

  /// One cell: where in the window's blocks the source's value stands.
  private struct Cell {
    var positions: [Int]
    var head: Int?
  }

  /// m of each cell, [layer · columns + column], and the forward passes that it took.
  func values(
    layers: [Int], positions: [Int], progress: (Double) -> Void
  ) throws -> (values: [Double], passes: Double) {
    let cells =
      unit == .head
      ? (0..<model.shape.heads).map { Cell(positions: positions, head: $0) }
      : positions.map { Cell(positions: [$0]) }
    var values: [Double] = []
    var blocks = 0
    for (index, layer) in layers.enumerated() {
      let range = self.range(layer)
      var found = [Double](repeating: baseValue, count: cells.count)
      let live = cells.indices.filter { cell in
        cells[cell].positions.contains { $0 >= firstChange && $0 < count }
      }
      let step = max(1, tokensAtOnce / (count * baseRows))
      for start in stride(from: 0, to: live.count, by: step) {
        let some = live[start..<min(live.count, start + step)]
        let means = try run(some.map { cells[$0] }, range)
        for (cell, mean) in zip(some, means) { found[cell] = mean }
      }
      blocks += live.count * baseRows * (model.shape.layers - range.lowerBound)
      values += found
      progress(Double(index + 1) / Double(layers.count))
    }
    return (values, Double(blocks) / Double(model.shape.layers))
  }

  /// The blocks that are patched with one in their middle.
  private func range(_ layer: Int) -> Range<Int> {
    let start = max(0, layer - (window - 1) / 2)
    return start..<min(model.shape.layers, layer + window / 2 + 1)
  }

  /// m of some cells.
  private func run(_ cells: [Cell], _ range: Range<Int>) throws -> [Double] {
    try withRecording(false) {
      try withEngineErrors {
        let (keep, other) = masks(cells)
        func patched(_ value: Tensor, _ layer: Int) -> Tensor {
          value * keep + source[layer] * other
        }
        let joined = Tensor.concatenating(
          Array(repeating: streams[range.lowerBound], count: cells.count), along: 0)
        // The stream is replaced as it enters; all else at its site.
        let sites = Set(range.map(unit.site))
        let pass = Pass(sites: sites) { site, value in
          site.layer.map { patched(value, $0) } ?? value
        }
        let stream = model.blocks(
          range.lowerBound..<model.shape.layers, joined, model.positions(0..<count), cache: nil,
          pass: pass)
        let values = try metric.read(stream, in: model)
        return cells.indices.map { cell in
          values[cell * baseRows..<(cell + 1) * baseRows].reduce(0, +) / Double(baseRows)
        }
      }
    }
  }

  /// 0 and 1 where the source's value stands, and the other way round: [rows, position, 1] or
  /// [rows, position, heads, 1].
  private func masks(_ cells: [Cell]) -> (keep: Tensor, other: Tensor) {
    let heads = unit == .head ? model.shape.heads : 1
    var kept = [Double](repeating: 1, count: cells.count * baseRows * count * heads)
    for (place, cell) in cells.enumerated() {
      for row in place * baseRows..<(place + 1) * baseRows {
        for position in cell.positions where position < count {
          kept[(row * count + position) * heads + (cell.head ?? 0)] = 0
        }
      }
    }
    let shape = [cells.count * baseRows, count] + (unit == .head ? [heads, 1] : [1])
    return (
      Tensor(kept, shape, model.type, on: model.device),
      Tensor(kept.map { 1 - $0 }, shape, model.type, on: model.device)
    )
  }
}

/// What two runs of a text show for patching.
struct PatchEnds {
  /// m of each row.
  var values: [Double]
  /// The stream before each block: [rows, position, width].
  var streams: [Tensor]
  /// The values at the unit's sites, by kind.
  var units: [PatchUnit: [Tensor]]

  /// Runs texts of one length, of which `units` are kept.
  init(
    _ texts: [[Int]], _ metric: Metric, keeping units: [PatchUnit], in model: any LanguageModel,
    changing embedding: ((Tensor) -> Tensor)? = nil
  ) throws {
    let layers = 0..<model.shape.layers
    let kinds = Set(units).union([.residual])
    let sites = Set(kinds.flatMap { unit in layers.map(unit.site) })
    let run = try withRecording(false) {
      try model.run(
        texts, capturing: sites,
        pass: embedding.map { change in Pass(sites: [.embedding]) { change($1) } } ?? .plain)
    }
    streams = layers.map { run.activations[.residual($0, .before)] }
    self.units = Dictionary(
      uniqueKeysWithValues: kinds.map { unit in
        (unit, layers.map { run.activations[unit.site($0)] })
      })
    values = try withRecording(false) {
      try withEngineErrors { try metric.read(run.residual, in: model) }
    }
  }
}

extension LanguageModel {
  /// Checks that values can be patched into a run of this model.
  ///
  /// - Throws: `AttributionError` for a unit that some block lacks, and for a model that cannot be run in part.
  func requirePatching(_ units: [PatchUnit], layers: [Int]) throws -> any BlockwiseModel {
    guard let model = self as? any BlockwiseModel else {
      throw AttributionError(
        .usage,
        "\(shape.architecture) cannot be run from a block on, so nothing can be patched into it.")
    }
    if let wrong = layers.first(where: { !(0..<shape.layers).contains($0) }) {
      throw AttributionError(
        .usage,
        "Layer \(wrong) is out of range; this model has layers 0 to \(shape.layers - 1).")
    }
    for unit in units {
      for layer in 0..<shape.layers where !sites.contains(unit.site(layer)) {
        throw AttributionError(
          .usage,
          "Block \(layer) of \(shape.architecture) has no site '\(unit.site(layer))', so '\(unit.rawValue)' "
            + "cannot be patched; patch residual, which every block has.")
      }
    }
    return model
  }
}

extension PatchGrid {
  /// A grid of m, and of its share of the way from the corrupted value to the clean one.
  ///
  /// There is no share where the two lie nearer than rounding lets a ratio mean anything.
  init(
    _ unit: PatchUnit, layers: [Int], window: Int, positions: [Int], values: [Double],
    clean: Double, corrupted: Double
  ) {
    let shape = [layers.count, values.count / max(1, layers.count)]
    let span = clean - corrupted
    let isMeasurable = abs(span) > 1e-4 * max(abs(clean), abs(corrupted), 1e-4)
    self.init(
      unit: unit.rawValue, layers: layers, window: window, positions: positions,
      metric: AxisArray(axes: unit.axes, shape: shape, values: values),
      effect: isMeasurable
        ? AxisArray(
          axes: unit.axes, shape: shape, values: values.map { ($0 - corrupted) / span }) : nil)
  }
}
