internal import LanguageModels
internal import Results
internal import Tensors

// A path between two texts moves the tokens in which they differ. Where positions see only those before them, all that
// stands before the first such token is the same at every point of the path: it is run once, its keys and values are
// kept, and points run from the first token that moves on. What stands still adds nothing to a sum over changes of
// values, so its scores are 0 without a gradient.

extension GradientSetting {
  /// The scores of the embeddings' path.
  ///
  /// - Complexity: as `PathIntegral.scores`, over the tokens from the first that moves on, and a forward pass
  ///   over those before it.
  func inputScores(
    of sites: [Site], _ rule: PathRule, _ estimator: PathEstimator,
    progress: (Double) -> Void = { _ in }
  ) throws -> PathIntegral.Scores {
    guard model.isCausal, still > 0, estimator == .endPoint || estimator == .stieltjes,
      sites.allSatisfy(\.hasRowForEachToken)
    else { return try inputPath().scores(of: sites, rule, estimator, progress: progress) }
    return try withEngineErrors {
      let count = ids[0].count
      let before = try held()
      func moving(_ x: Tensor) -> Tensor { x.slice(still..<count, along: 1) }
      let last = model.positions(still..<count)
      var path = PathIntegral(
        .embedding, from: moving(startEmbedding), to: moving(embedding),
        rowsAtOnce: rowsAtOnce * count / (count - still)
      ) { [self] x, pass in
        let cache = KeyValueCache(firstOf: before, still, times: x.size(0) / batch)
        return measured(
          model.blocks(0..<model.shape.layers, x, last, cache: cache, pass: pass), from: still, pass
        )
      }
      path.beginsAtZero = start == .zero
      var found = try path.scores(of: sites, rule, estimator, progress: progress)
      found.values = found.values.mapValues { value in
        let shape = [batch, still] + value.shape.dropFirst(2)
        return Tensor.concatenating(
          [Tensor(repeating: 0, shape, value.type, on: value.device), value], along: 1)
      }
      let share = Double(count - still) / Double(count)
      found.passes = PassCount(
        forward: share * found.passes.forward + 1 - share, backward: share * found.passes.backward)
      return found
    }
  }

  /// Keys and values, or states, of the tokens that stand still.
  private func held() throws -> KeyValueCache {
    let cache = KeyValueCache(
      layers: model.shape.layers, capacity: still, textLength: ids[0].count)
    return withRecording(false) {
      _ = model.blocks(
        0..<model.shape.layers, embedding.slice(0..<still, along: 1),
        model.positions(0..<still, of: ids[0].count), cache: cache, pass: .plain)
      cache.advance(by: still)
      return cache
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
