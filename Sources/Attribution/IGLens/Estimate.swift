internal import LanguageModels
internal import Tensors

/// What an explanation will cost, known before it starts.
public struct Estimate: Sendable {
  /// Predictions explained, at most.
  public var predictions: Int
  /// Rows through the head: predictions × (layers + 1).
  public var rows: Int
  /// Multiplications: of the forward passes and of the head.
  public var multiplications: Double
  /// Peak memory beyond the model, in bytes, with as many rows in a sweep as suit the machine.
  public var bytes: Int { fixedBytes + min(rows, Self.mostRows) * bytesPerRow }

  /// What the forward pass and the kept states take.
  var fixedBytes: Int
  /// What each row of a sweep takes: its state, its slice of logits, its statistics.
  var bytesPerRow: Int
  /// The rows that one prediction needs together.
  var rowsPerPrediction: Int

  /// More rows in a sweep than this gain nothing.
  static let mostRows = 512

  /// The rows that a sweep may hold within a budget.
  ///
  /// - Throws: `AttributionError` when even one prediction does not fit.
  func rowsPerSweep(within memory: Int?) throws -> Int {
    guard let memory else { return Self.mostRows }
    let least = fixedBytes + rowsPerPrediction * bytesPerRow
    guard least <= memory else {
      throw AttributionError(
        .memory,
        "This run needs about \(megabytes(least)) beyond the model and --memory allows "
          + "\(megabytes(max(0, memory))); allow more, explain fewer tokens or layers, or shorten the prompt."
      )
    }
    return max(rowsPerPrediction, min(Self.mostRows, (memory - fixedBytes) / bytesPerRow))
  }
}

extension Explainer {
  /// What explaining a prompt will cost.
  ///
  /// - Throws: `AttributionError` for layers that the model does not have, or choices that contradict
  ///   each other.
  public func estimate(_ prompt: Prompt, _ options: Options = Options()) throws -> Estimate {
    try options.validate()
    return try estimate(
      prompt, options, StatePath(options, layers: loaded.model.shape.layers))
  }

  func estimate(_ prompt: Prompt, _ options: Options, _ path: StatePath) -> Estimate {
    let shape = loaded.model.shape
    let bytes = loaded.model.type.bytes
    let predictions =
      switch options.continuation {
      case .greedy(let count): max(1, min(count, shape.contextLength - prompt.ids.count))
      case .answer(let ids): ids.count
      case .everyToken: max(1, prompt.ids.count - 1)
      case .positions(let positions): Set(positions).count
      }
    let length = prompt.ids.count + predictions
    let rowsPerPrediction = path.layers.count + 1
    let rows = predictions * rowsPerPrediction
    let perBlock =
      shape.width * (2 * shape.heads + 2 * shape.keyValueHeads) * shape.headWidth
      + 3 * shape.width * shape.hidden
    let perRow = Double(shape.width * shape.vocabulary)
    let runs = options.contrast == nil ? 1.0 : 2.0
    // A block holds its residual stream three times over and its widest values while it runs; the
    // averaged layer is kept whole, the chosen ones at the explained positions.
    let running = length * (3 * shape.width + 3 * shape.hidden) * bytes
    let kept = (length + predictions * path.blocks.count) * shape.width * bytes
    // Generation keeps keys and values; the ordinary logits are read 16 rows at a time.
    var cache = 0
    if case .greedy = options.continuation, loaded.model.isCausal {
      cache = 2 * shape.layers * shape.keyValueHeads * shape.headWidth * bytes * length
    }
    let ordinary = min(16, predictions) * shape.vocabulary * (bytes + 8)
    // Each point on a segment has four numbers that mix its ends and a dozen sums.
    let nodes =
      switch options.method.estimator {
      case .observed: 0
      case .gradient(let steps): steps
      case .gauss(let nodes): nodes
      case .adaptive: IGLens.mostNodes
      }
    // Certified integrals hold their rows' logits, and have two rules of points at a time.
    let integrates = options.splits || options.path == .straight || options.check != nil
    let held = integrates ? shape.vocabulary * max(4, bytes) + 3 * 2048 * 8 : 0
    let pointBytes = (integrates ? 3 * IntegralRule.fewest : 0) * 16 * 8 * 2
    var parts = 0
    if options.splits {
      let perPosition =
        2 * shape.width + shape.heads * shape.headWidth
        + (options.neurons == .none ? 0 : shape.hidden)
      parts = predictions * shape.layers * perPosition * bytes
      if options.depth == .token {
        // A block's pattern at a time, the explained rows of all, and every value.
        parts +=
          (length * length + predictions * length * shape.layers) * shape.heads * bytes
          + length * shape.layers * shape.keyValueHeads * shape.headWidth * bytes
      }
    }
    return Estimate(
      predictions: predictions, rows: rows,
      multiplications: runs
        * (Double(length) * Double(shape.layers * perBlock) + Double(rows + predictions) * perRow),
      fixedBytes: running + kept + cache + ordinary + parts,
      bytesPerRow: 2048 * 8 + shape.width * 16 + 512 + nodes * 16 * 8 * 2 + held + pointBytes,
      rowsPerPrediction: rowsPerPrediction)
  }
}
