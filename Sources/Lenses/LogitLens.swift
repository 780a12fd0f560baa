public import Attribution
internal import Foundation
public import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

// The logit lens (nostalgebraist 2020) reads every state r_ℓ of the residual stream with the model's
// own final norm and head, as if no block followed:
//
//     z_ℓ = U · N(r_ℓ) + c,    p_ℓ = softmax(z_ℓ).
//
// r is taken before the final norm, so that the last row of the grid is the model's own output m, and
// KL(m ‖ p_ℓ) = Σ m log(m / p_ℓ) falls to 0 there. A tuned lens translates r_ℓ first.
//
// Positions × layers rows pass through the head, in blocks of whole positions, each block streamed
// over slices of the vocabulary (`Readout`).

/// The logit lens, and the tuned lens, over all positions and layers of a text.
public struct LogitLens {
  /// The model.
  public let loaded: LoadedModel
  /// The translators, for a tuned lens.
  public let tuned: TunedLens?
  private let readout: Readout
  /// The element type of the readout's products and of the translators.
  private var type: ScalarType { loaded.model.type == .float64 ? .float64 : .float32 }

  /// Prepares a loaded model.
  ///
  /// - Parameters:
  ///   - loaded: the model.
  ///   - tuned: a lens that was loaded for this model; nil for the logit lens.
  /// - Throws: `ModelError` for a model without a language-model head; `EngineError` when memory runs
  ///   out.
  public init(_ loaded: LoadedModel, translating tuned: TunedLens? = nil) throws {
    try loaded.requireHead()
    self.loaded = loaded
    self.tuned = tuned
    readout = try withEngineErrors { Readout(loaded.model.unembedding) }
  }

  /// What is shown, and how.
  public struct Options: Sendable {
    /// When in a block states are read.
    public var moment = Site.Moment.after
    /// The layers; the model's own output is always the last row.
    public var layers = LayerChoice.all
    /// The positions; nil for all that predict something.
    public var positions: [Int]?
    /// Tokens that follow the text; empty for none.
    public var answer: [Int] = []
    /// The token whose numbers every cell has; nil for the one that each position predicts.
    public var target: Int?
    /// How many of the most probable tokens each cell lists.
    public var top = 5
    /// The most bytes that a run may take beyond the model.
    public var memory: Int?

    /// The defaults.
    public init() {}
  }

  /// Reads the states of a text.
  ///
  /// Unless one is given, a position's target is the token that follows it; at the end of the text,
  /// the model's own choice. In an encoder it is the token that stands there, and at a mask the
  /// model's own choice.
  ///
  /// - Parameters:
  ///   - prompt: its text and the ids that run.
  ///   - options: what is shown.
  ///   - progress: told the share of the work done.
  /// - Returns: the grid, without the model's hash, which costs a read of the whole file.
  /// - Throws: `ModelError`, `LensError`, `AttributionError` or `EngineError`.
  /// - Complexity: one forward pass, then positions × layers rows through the head.
  public func show(
    _ prompt: Explainer.Prompt, _ options: Options = Options(),
    progress: (Double) -> Void = { _ in }
  ) throws -> LensResult {
    try withRecording(false) {
      let start = ContinuousClock.now
      if !loaded.model.isCausal && !options.answer.isEmpty {
        throw LensError(
          .usage, "\(loaded.name) fills in masks and continues no text; leave the answer out.")
      }
      let plan = try LensPlan(prompt.ids + options.answer, options, loaded.model, tuned: tuned)
      let states = try LensStates(
        plan, loaded.model, mask: loaded.tokenizer.mask, target: options.target)
      let forward = ContinuousClock.now
      progress(0.1)
      let grid = try read(states, plan, top: options.top) { progress(0.1 + 0.9 * $0) }
      let end = ContinuousClock.now
      return LensResult(
        toolVersion: telescopeVersion,
        model: loaded.modelDescription,
        device: loaded.model.device.name, text: prompt.text, tokens: plan.ids.map(loaded.describe),
        lens: LensDescription(
          kind: tuned == nil ? "logit" : "tuned", file: tuned?.origin.file,
          sha256: tuned?.origin.sha256),
        moment: options.moment.rawValue, positions: plan.positions,
        targets: states.targets.map(loaded.describe), layers: grid,
        timingsMs: [
          "forward": milliseconds(forward - start), "lens": milliseconds(end - forward),
          "total": milliseconds(end - start),
        ])
    }
  }

  /// Reads all rows, some positions at a time.
  private func read(
    _ states: LensStates, _ plan: LensPlan, top: Int, _ progress: (Double) -> Void
  ) throws -> [LensLayer] {
    var layers = plan.rows.map { LensLayer(layer: $0.layer, cells: []) }
    let count = plan.positions.count
    for start in stride(from: 0, to: count, by: plan.positionsPerSweep) {
      let range = start..<min(count, start + plan.positionsPerSweep)
      let cells = try sweep(states, range, plan, top: top) {
        progress((Double(start) + $0 * Double(range.count)) / Double(count))
      }
      for row in layers.indices { layers[row].cells += cells[row] }
    }
    return layers
  }

  /// [row][position of the range]; the last row is the model's own output.
  private func sweep(
    _ states: LensStates, _ range: Range<Int>, _ plan: LensPlan, top: Int,
    _ progress: (Double) -> Void
  ) throws -> [[LensCell]] {
    let count = range.count
    let own = (plan.rows.count - 1) * count
    let targets = Array(states.targets[range])
    let questions = plan.rows.indices.flatMap { _ in
      targets.indices.map {
        Readout.Question(token: targets[$0], versus: nil, model: own + $0)
      }
    }
    let found = try withEngineErrors {
      let rows = plan.rows.map { row in
        let state = states.rows[row.site]?.slice(range, along: 0) ?? Tensor(repeating: 0, [0])
        guard let tuned, let block = row.translator else { return state.to(type) }
        return tuned(state.to(type), readingInputOf: block)
      }
      return try readout.read(
        Tensor.concatenating(rows, along: 0), questions, .divergence, top: top, progress: progress
      ).rows
    }
    return try plan.rows.indices.map { row in
      try targets.indices.map { column in
        try cell(found[row * count + column], modelEntropy: found[own + column].entropy)
      }
    }
  }

  private func cell(_ row: SoftmaxRows.Reading, modelEntropy: Double) throws -> LensCell {
    let divergence = Target.divergence.value(row, modelEntropy: modelEntropy)
    guard divergence.isFinite, row.entropy.isFinite, row.targetLogit.isFinite else {
      throw LensError.modelNotFinite
    }
    return LensCell(
      top: row.top.map {
        TopToken(
          id: $0.index, text: loaded.tokenizer.text(of: $0.index),
          probability: exp($0.logit - row.logPartition))
      },
      probability: exp(row.targetLogit - row.logPartition), logit: row.targetLogit, rank: row.rank,
      // Rounding may leave a little below 0.
      entropy: row.entropy, divergence: max(0, divergence))
  }
}

private func milliseconds(_ duration: Duration) -> Double {
  let (seconds, attoseconds) = duration.components
  return Double(seconds) * 1000 + Double(attoseconds) / 1e15
}
