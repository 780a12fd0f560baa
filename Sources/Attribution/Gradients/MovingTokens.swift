internal import LanguageModels
internal import Results
internal import Tensors

// A path between two texts moves the tokens in which they differ. Where positions see only those before them, all that
// stands before the first such token is the same at every point of the path: it is run once, its keys and values are
// kept, and points run from the first token that moves on. What stands still adds nothing to a sum over changes of
// values, so its scores are 0 without a gradient.

/// The tokens of a text from the first that moves on, and what they see of those before it.
struct MovingTokens {
  /// The first that moves.
  let first: Int
  /// Where they stand.
  let positions: Positions
  private let count: Int
  private let cache: KeyValueCache

  /// Keys and values, or states, for rows that run the texts so many times over.
  func before(times: Int) -> KeyValueCache { KeyValueCache(firstOf: cache, first, times: times) }

  /// The rows of these tokens: [batch, position, …].
  func part(of value: Tensor) -> Tensor { value.slice(first..<count, along: 1) }

  /// The most rows of them that run together.
  let rowsAtOnce: Int

  /// Their share of the text.
  var share: Double { Double(count - first) / Double(count) }

  /// Scores of the whole text: nothing for what stands still.
  func whole(_ scores: Tensor) -> Tensor {
    let shape = [scores.size(0), first] + scores.shape.dropFirst(2)
    let nothing = Tensor(repeating: 0, shape, scores.type, on: scores.device)
    return Tensor.concatenating([nothing, scores], along: 1)
  }

  /// Scores of the whole text, and passes over it.
  func whole(_ found: PathIntegral.Scores) -> PathIntegral.Scores {
    var found = found
    found.values = found.values.mapValues(whole)
    found.passes = PassCount(
      forward: share * found.passes.forward, backward: share * found.passes.backward)
    return found
  }

  /// Runs what stands still; nil where nothing does, or where scores at a site are not of tokens.
  ///
  /// - Complexity: a forward pass over the tokens before the first that moves.
  init?(of setting: GradientSetting, at sites: [Site]) {
    let (model, still, count) = (setting.model, setting.still, setting.ids[0].count)
    guard model.isCausal, still > 0, sites.allSatisfy(\.hasRowForEachToken) else { return nil }
    first = still
    self.count = count
    positions = model.positions(still..<count)
    rowsAtOnce = setting.rowsAtOnce(running: count - still)
    cache = KeyValueCache(layers: model.shape.layers, capacity: still, textLength: count)
    withRecording(false) {
      _ = model.blocks(
        0..<model.shape.layers, setting.embedding.slice(0..<still, along: 1),
        model.positions(0..<still, of: count), cache: cache, pass: .plain)
    }
    cache.advance(by: still)
  }
}

extension GradientSetting {
  /// The scores of the embeddings' path, for an estimator that multiplies by changes of values.
  ///
  /// - Complexity: as `PathIntegral.scores`, over the tokens from the first that moves on, and a forward pass
  ///   over those before it.
  func inputScores(
    of sites: [Site], _ rule: PathRule, _ estimator: PathEstimator,
    progress: (Double) -> Void = { _ in }
  ) throws -> PathIntegral.Scores {
    guard let moving = try withEngineErrors({ MovingTokens(of: self, at: sites) }) else {
      return try inputPath().scores(of: sites, rule, estimator, progress: progress)
    }
    return try withEngineErrors {
      var found = moving.whole(
        try inputPath(moving).scores(of: sites, rule, estimator, progress: progress))
      found.passes.forward += 1 - moving.share
      return found
    }
  }
}

extension Site {
  /// Whether values are [batch, position, …].
  fileprivate var hasRowForEachToken: Bool {
    switch self {
    case .embedding, .residual, .attention(_, .input), .attention(_, .heads),
      .attention(_, .output),
      .feedForward(_, .input), .feedForward(_, .gate), .feedForward(_, .up),
      .feedForward(_, .hidden), .feedForward(_, .output):
      true
    default: false
    }
  }
}
