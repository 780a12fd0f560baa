public import LanguageModels
public import Results
internal import Tensors

// Occlusion (Zeiler and Fergus 2014): what the metric loses when one token is not there,
//
//     score_t = m(x) − m(x with token t replaced).
//
// What the first block receives is replaced, the token's position in it where positions are vectors; with another
// token, its id, so that positions stay. From a baseline of the same kind this is what sequential IG sums to for a
// token.

/// Occlusion of one token at a time.
public struct Occlusion: Sendable {
  /// What stands in a token's place.
  public enum Replacement: Sendable, Equatable {
    /// Nothing.
    case zero
    /// The mean of what the first block receives, over the text's tokens.
    case mean
    /// Another token.
    case token(Int)

    /// The name in results.
    public var name: String {
      switch self {
      case .zero: "zero"
      case .mean: "mean"
      case .token: "token"
      }
    }
  }

  /// What stands in a token's place.
  public var replacement: Replacement
  /// The most tokens that run together; one text at least.
  public var tokensAtOnce: Int

  /// Chooses what stands in a token's place.
  public init(_ replacement: Replacement = .zero, tokensAtOnce: Int = 1024) {
    self.replacement = replacement
    self.tokensAtOnce = tokensAtOnce
  }

  /// Scores of a text's tokens: positive supports the metric.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - metric: What is lost.
  ///   - model: Any model with a head.
  ///   - progress: Told the share of the runs done.
  /// - Returns: Scores of tokens.
  /// - Throws: `AttributionError` for a metric that the model has not at this text, `ModelError` for a text that
  ///   it cannot run, `EngineError` when memory runs out.
  /// - Complexity: 1 + T forward passes.
  public func scores(
    of ids: [Int], metric: Metric, in model: any LanguageModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> [AttributionScores] {
    try metric.check(ids, in: model)
    let values = try withRecording(false) {
      try read(ids, metric, in: model, progress: progress)
    }
    return [
      AttributionScores(
        unit: "token",
        array: AxisArray(
          axes: ["position"], shape: [ids.count],
          values: values.dropFirst().map { values[0] - $0 }),
        reason:
          "Tokens are taken away one at a time, so what they do together is in several scores.")
    ]
  }

  /// m of the text, then of the text without each token.
  private func read(
    _ ids: [Int], _ metric: Metric, in model: any LanguageModel, progress: (Double) -> Void
  ) throws -> [Double] {
    let own = try model.run([ids], capturing: [.embedding])
    let embedding = own.activations[.embedding]
    func read(_ run: Run) throws -> [Double] {
      try withEngineErrors { try metric.read(run.residual, in: model) }
    }
    var values = try read(own)
    let step = max(1, tokensAtOnce / ids.count)
    for start in stride(from: 0, to: ids.count, by: step) {
      let places = start..<min(ids.count, start + step)
      values += try read(replaced(places, ids, embedding, in: model))
      progress(Double(places.upperBound) / Double(ids.count))
    }
    return values
  }

  /// The runs in which these places are replaced, one in each row.
  private func replaced(
    _ places: Range<Int>, _ ids: [Int], _ embedding: Tensor, in model: any LanguageModel
  ) throws -> Run {
    let texts = places.map { place in
      var text = ids
      if case .token(let token) = replacement { text[place] = token }
      return text
    }
    if case .token = replacement { return try model.run(texts) }
    var kept = [Double](repeating: 1, count: places.count * ids.count)
    for (row, place) in places.enumerated() { kept[row * ids.count + place] = 0 }
    func mask(_ values: [Double]) -> Tensor {
      Tensor(values, [places.count, ids.count, 1], model.type, on: model.device)
    }
    let (keep, other) = try withEngineErrors { (mask(kept), mask(kept.map { 1 - $0 })) }
    let mean = try withEngineErrors { embedding.mean(along: 1, keepingDimension: true) }
    return try model.run(
      texts,
      pass: Pass(sites: [.embedding]) { _, value in
        switch replacement {
        case .zero, .token: value * keep
        case .mean: value * keep + other * mean
        }
      })
  }
}
