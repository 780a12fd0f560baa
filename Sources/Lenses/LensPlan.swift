internal import Attribution
internal import LanguageModels
internal import Tensors

/// Which states a lens reads, checked before anything runs.
struct LensPlan {
  /// One line of the grid.
  struct Row {
    /// The block, −1 the embedding; one more than the last block for the model's own output where
    /// no block's state is it.
    var layer: Int
    /// Where its state is seen.
    var site: Site
    /// The tuned translator that reads it; nil for none.
    var translator: Int?
  }

  /// Text and answer.
  let ids: [Int]
  /// Ascending.
  let positions: [Int]
  /// From the first block up; the last is the model's own output.
  let rows: [Row]
  /// How many positions pass through the head together.
  let positionsPerSweep: Int

  init(
    _ ids: [Int], _ options: LogitLens.Options, _ model: any LanguageModel, tuned: TunedLens?
  ) throws {
    self.ids = ids
    positions = try Self.positions(
      options, length: ids.count, vocabulary: model.shape.vocabulary)
    rows = try Self.rows(options, model.shape.layers, isTuned: tuned != nil)
    positionsPerSweep = try Self.positionsPerSweep(
      options, model, length: ids.count, positions: positions.count, rows: rows.count)
  }

  private static func positions(
    _ options: LogitLens.Options, length: Int, vocabulary: Int
  ) throws -> [Int] {
    // The answer's last token predicts nothing that is shown.
    let count = options.answer.isEmpty ? length : length - 1
    guard count > 0 else {
      throw LensError(.usage, "The text is empty; give at least one token of text.")
    }
    if let target = options.target, !(0..<vocabulary).contains(target) {
      throw LensError(
        .usage,
        "Token id \(target) is out of range; this model's vocabulary has ids 0 to "
          + "\(vocabulary - 1).")
    }
    guard let chosen = options.positions else { return Array(0..<count) }
    if let wrong = chosen.first(where: { $0 < 0 || $0 >= count }) {
      throw LensError(
        .usage,
        "--positions \(wrong) is out of range; the text has positions 0 to \(count - 1).")
    }
    return Set(chosen).sorted()
  }

  private static func rows(
    _ options: LogitLens.Options, _ count: Int, isTuned: Bool
  ) throws -> [Row] {
    let layers = try options.layers.layers(of: count)
    let own = Row(
      layer: options.moment == .after ? count - 1 : count, site: .residual(count - 1, .after))
    switch options.moment {
    case .after:
      return layers.filter { $0 < count - 1 }.map { layer in
        Row(
          layer: layer, site: layer < 0 ? .embedding : .residual(layer, .after),
          translator: isTuned ? layer + 1 : nil)
      } + [own]
    case .before, .middle:
      if layers.contains(-1) {
        throw LensError(
          .usage,
          "--layers embedding goes with --moment after; what enters layer 0 is its state "
            + "before.")
      }
      if isTuned && options.moment == .middle {
        throw LensError(
          .usage,
          "A tuned lens has translators for the inputs of blocks and none for --moment middle; "
            + "use before or after, or leave --lens out.")
      }
      return layers.map { layer in
        Row(
          layer: layer, site: .residual(layer, options.moment), translator: isTuned ? layer : nil)
      } + [own]
    }
  }

  /// As many as suit the machine, or fit the budget.
  ///
  /// A block of the network holds its residual stream three times over and its widest values while
  /// it runs; the states that are read are kept; and a row of a sweep has its state, its slice of
  /// logits and its statistics.
  private static func positionsPerSweep(
    _ options: LogitLens.Options, _ model: any LanguageModel, length: Int, positions: Int, rows: Int
  ) throws -> Int {
    let shape = model.shape
    let bytes = model.type.bytes
    let fixed =
      length * (3 * shape.width + 3 * shape.hidden) * bytes
      + positions * rows * (shape.width * bytes + 64 + 64 * options.top)
    let perPosition = rows * (2048 * 8 + shape.width * 16 + 512 + 32 * options.top)
    let best = max(1, 512 / rows)
    guard let memory = options.memory else { return best }
    guard fixed + perPosition <= memory else {
      throw LensError(
        .memory,
        "This grid needs about \(megabytes(fixed + perPosition)) beyond the model and --memory "
          + "allows \(megabytes(max(0, memory))); allow more, show fewer positions or layers, or "
          + "shorten the text.")
    }
    return min(best, (memory - fixed) / perPosition)
  }
}

/// The states that a plan asks for, from one forward pass.
struct LensStates {
  /// [position, width] by site.
  var rows: [Site: Tensor] = [:]
  /// The token that each position's cells speak of.
  var targets: [Int]

  /// Runs the text.
  ///
  /// Unless one is given, a position's target is the token that follows it, or in an encoder the
  /// one that stands there; where there is none, or a mask, the model's own choice.
  ///
  /// - Parameters:
  ///   - plan: what is read.
  ///   - model: the network.
  ///   - mask: the mask token of an encoder.
  ///   - target: the token of all positions.
  /// - Throws: `ModelError` or `EngineError`.
  init(_ plan: LensPlan, _ model: any LanguageModel, mask: Int?, target: Int?) throws {
    var kept: [Site: Tensor] = [:]
    let sites = Set(plan.rows.map(\.site))
    // What follows the last position shown is only of use where positions see it.
    let length = model.isCausal ? (plan.positions.last ?? 0) + 1 : plan.ids.count
    let pass = Pass(sites: sites) { site, value in
      kept[site] = value.reshaped([length, value.size(2)]).selecting(plan.positions, along: 0)
      return value
    }
    _ = try model.run([Array(plan.ids[0..<length])], pass: pass)
    rows = kept
    if let target {
      targets = plan.positions.map { _ in target }
      return
    }
    let own = plan.rows.last.flatMap { kept[$0.site] }
    targets = try plan.positions.enumerated().map { row, position in
      let place = model.isCausal ? position + 1 : position
      if place < plan.ids.count, model.isCausal || plan.ids[place] != mask {
        return plan.ids[place]
      }
      guard let state = own?.slice(row..<row + 1, along: 0) else { return plan.ids[position] }
      return try withEngineErrors {
        try model.unembedding.logits(state).reshaped([-1]).argmax(along: 0).integers()[0]
      }
    }
  }
}
