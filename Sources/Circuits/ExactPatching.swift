public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// What one unit does is m(clean) − m(do v = v′), with all else that does not depend on it as in the clean run:
// exact by definition, at the price of a run for each unit. A run begins at the unit's own layer from the clean
// stream there, with many units as rows of a batch, so that on average it is half a run.

/// Replaces units one at a time by what the changed prompt has, or by zero without one.
public enum ExactPatching {
  /// The effects of units: m(clean) − m(do v = v′), the mean over prompts; positive supports the metric.
  ///
  /// - Parameters:
  ///   - units: which, each by itself.
  ///   - kind: of what kind they are.
  ///   - pairs: the prompts, of one length where a unit has a position.
  ///   - model: the model.
  ///   - tokensAtOnce: the most tokens that run together, one prompt at least.
  ///   - progress: told the share that is done.
  /// - Returns: one effect for each unit, and the runs that it took over one prompt.
  /// - Throws: `CircuitError` for units or prompts that do not fit the model or each other, `ModelError` for ids
  ///   that it does not have, `EngineError` when memory runs out.
  /// - Complexity: for each prompt a run as it is, one of the changed prompt, and for each unit one through the
  ///   blocks from its own on.
  public static func effects(
    of units: [UnitPlace], _ kind: UnitKind, over pairs: [PromptPair],
    in model: any LanguageModel, tokensAtOnce: Int = 1024, progress: (Double) -> Void = { _ in }
  ) throws -> (effects: [Double], passes: PassCount) {
    let layers = try model.layers(with: kind)
    guard let blockwise = model as? any BlockwiseModel else {
      throw CircuitError(
        .usage,
        "\(model.shape.architecture) cannot be run again in part, so its units cannot be patched one by "
          + "one; use another method.")
    }
    let batches = try PairBatch.batches(of: pairs, tokensAtOnce: tokensAtOnce)
    try check(units, kind, layers, batches, model)
    let byLayer = Dictionary(grouping: units.indices) { units[$0].layer }.sorted { $0.key < $1.key }
    var effects = [Double](repeating: 0, count: units.count)
    var done = 0
    for batch in batches {
      try withRecording(false) {
        let runs = try Runs(kind, Set(byLayer.map(\.key)), batch, blockwise)
        for (layer, places) in byLayer {
          // Rows are pairs of a unit and a prompt.
          let rows = places.flatMap { unit in batch.pairs.indices.map { (unit, $0) } }
          let size = max(1, tokensAtOnce / batch.length)
          for start in stride(from: 0, to: rows.count, by: size) {
            let part = rows[start..<min(rows.count, start + size)]
            let changed = try runs.metric(
              layer, part.map { (units[$0.0], $0.1) }, kind, in: blockwise)
            for (row, value) in zip(part, changed) {
              effects[row.0] += (runs.clean[row.1] - value) / Double(pairs.count)
            }
            done += part.count
            progress(Double(done) / Double(units.count * pairs.count))
          }
        }
      }
    }
    let depth = Double(model.shape.layers)
    let forward = units.reduce(0) { $0 + (depth - Double($1.layer)) / depth }
    let patched = Double(pairs.count { $0.patch != nil }) / Double(pairs.count)
    return (effects, PassCount(forward: 1 + patched + forward, backward: 0))
  }

  /// The effect of every unit there is.
  ///
  /// - Parameters:
  ///   - kind: of what kind.
  ///   - pairs: the prompts, of one length where positions are told apart.
  ///   - model: the model.
  ///   - sumsPositions: whether a unit is replaced at all positions at once.
  ///   - tokensAtOnce: the most tokens that run together, one prompt at least.
  ///   - progress: told the share that is done.
  /// - Returns: the effects as scores.
  /// - Throws: as `effects`.
  /// - Complexity: as `effects`; of a model of any size this is for heads.
  public static func scores(
    of kind: UnitKind, over pairs: [PromptPair], in model: any LanguageModel,
    summingPositions sumsPositions: Bool = false, tokensAtOnce: Int = 1024,
    progress: (Double) -> Void = { _ in }
  ) throws -> UnitScores {
    guard let length = pairs.first?.clean.count else { throw CircuitError.noPrompts }
    let count = kind.count(in: model.shape)
    let layers = try model.layers(with: kind)
    let positions: [Int?] = sumsPositions ? [nil] : (0..<length).map(\.self)
    let units = layers.flatMap { layer in
      positions.flatMap { position in
        (0..<count).map { UnitPlace(layer: layer, position: position, unit: $0) }
      }
    }
    let found = try effects(
      of: units, kind, over: pairs, in: model, tokensAtOnce: tokensAtOnce, progress: progress)
    let size = positions.count * count
    let values = (0..<model.shape.layers).map { layer -> [Float] in
      guard let place = layers.firstIndex(of: layer) else { return [] }
      return found.effects[place * size..<(place + 1) * size].map { Float($0) }
    }
    return UnitScores(
      kind: kind, values: values, units: count, sumsPositions: sumsPositions, passes: found.passes)
  }

  private static func check(
    _ units: [UnitPlace], _ kind: UnitKind, _ layers: [Int], _ batches: [PairBatch],
    _ model: any LanguageModel
  ) throws {
    let count = kind.count(in: model.shape)
    let (shortest, longest) = (batches[0].length, batches[batches.count - 1].length)
    for unit in units {
      guard layers.contains(unit.layer) else {
        throw CircuitError.noNode(
          "layer \(unit.layer) with units of kind \(kind.rawValue)",
          "layers " + layers.map(String.init).joined(separator: ", "))
      }
      guard (0..<count).contains(unit.unit) else {
        throw CircuitError.noNode(
          "unit \(unit.unit) of kind \(kind.rawValue)", "units 0 to \(count - 1)")
      }
      guard let position = unit.position else { continue }
      guard shortest == longest else { throw CircuitError.lengths(shortest, longest) }
      guard (0..<shortest).contains(position) else {
        throw CircuitError.noNode("position \(position)", "positions 0 to \(shortest - 1)")
      }
    }
  }

  /// What the runs of one batch share.
  private struct Runs {
    let batch: PairBatch
    let positions: Positions
    /// m of each clean prompt.
    let clean: [Double]
    /// By layer: the stream before it in the clean run, [prompt, position, width].
    var streams: [Int: Tensor] = [:]
    /// By layer: what stands in, [prompt, position, …]; none for zero.
    var others: [Int: Tensor] = [:]

    init(
      _ kind: UnitKind, _ layers: Set<Int>, _ batch: PairBatch, _ model: any BlockwiseModel
    ) throws {
      self.batch = batch
      positions = model.positions(0..<batch.length)
      var streams: [Int: Tensor] = [:]
      var others: [Int: Tensor] = [:]
      let run = try model.run(
        batch.clean,
        pass: Pass(sites: Set(layers.map { .residual($0, .before) })) { site, value in
          streams[site.layer ?? 0] = value
          return value
        })
      clean = try withEngineErrors { try batch.metric(run.residual, in: model) }
      if let patch = batch.patch {
        _ = try model.run(
          patch,
          pass: Pass(sites: Set(layers.map(kind.site))) { site, value in
            others[site.layer ?? 0] = value
            return value
          })
      }
      self.streams = streams
      self.others = others
    }

    /// m of some prompts, each with one unit of a layer replaced.
    func metric(
      _ layer: Int, _ rows: [(unit: UnitPlace, prompt: Int)], _ kind: UnitKind,
      in model: any BlockwiseModel
    ) throws -> [Double] {
      let (length, count) = (batch.length, kind.count(in: model.shape))
      var isKept = [Bool](repeating: true, count: rows.count * length * count)
      for (row, (unit, _)) in rows.enumerated() {
        for position in unit.position.map({ $0...$0 }) ?? 0...length - 1 {
          isKept[(row * length + position) * count + unit.unit] = false
        }
      }
      let prompts = rows.map(\.prompt)
      return try withEngineErrors {
        guard let stream = streams[layer] else {
          preconditionFailure("block \(layer) did not show what enters it")
        }
        let mask = KeptUnits(isKept, [rows.count, length, count], kind, for: model)
        let rest = others[layer].map { $0.selecting(prompts, along: 0) * mask.drop }
        let pass = Pass(sites: [kind.site(layer)]) { _, value in
          rest.map { value * mask.keep + $0 } ?? value * mask.keep
        }
        let residual = model.blocks(
          layer..<model.shape.layers, stream.selecting(prompts, along: 0), positions, cache: nil,
          pass: pass)
        return try batch.metric(residual, of: prompts, in: model)
      }
    }
  }
}
