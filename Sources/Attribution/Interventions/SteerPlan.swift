internal import Foundation
public import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

/// Steering as a person asks for it: from a text to a result.
public struct SteerPlan: Sendable {
  /// The change.
  public var steering: Steering
  /// What results say of where its vector comes from, and what multiplied it.
  public var source: SteerChange
  /// What is measured; nil for no metric.
  public var metric: MetricChoice
  /// The most tokens of the continuation.
  public var count: Int
  /// How many of the most probable tokens of either prediction are listed.
  public var top: Int

  /// Gathers what was asked for.
  public init(
    _ steering: Steering, source: SteerChange, metric: MetricChoice = MetricChoice(),
    count: Int = 16, top: Int = 10
  ) {
    self.steering = steering
    self.source = source
    self.metric = metric
    self.count = count
    self.top = top
  }

  /// Runs a text as the model is, and with the change.
  ///
  /// - Parameters:
  ///   - prompt: The text.
  ///   - loaded: The model.
  ///   - progress: Told the share of the runs done.
  /// - Returns: The result, without the model's hash.
  /// - Throws: As `Steering.read(_:at:continuing:endingAt:in:)`, and `AttributionError` for a position that is
  ///   beyond text and continuation.
  /// - Complexity: Two forward passes over the text, and two per token of the continuations.
  public func result(
    of prompt: Explainer.Prompt, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> SteerResult {
    try loaded.requireHead()
    let clock = ContinuousClock()
    let start = clock.now
    let position = try metric.position(in: prompt.ids, of: loaded)
    let end = prompt.ids.count + (loaded.model.isCausal ? count : 0)
    if let wrong = steering.positions?.first(where: { $0 >= end }) {
      throw AttributionError(
        .usage,
        "Position \(wrong) is out of range; text and continuation have positions 0 to \(end - 1).")
    }
    let ends = loaded.tokenizer.endOfText
    func read(_ steering: Steering) throws -> Steering.Reading {
      try steering.read(
        prompt.ids, at: position, continuing: loaded.model.isCausal ? count : 0, endingAt: ends,
        in: loaded.model)
    }
    let before = try read(steering.idle)
    progress(0.5)
    let after = try read(steering)
    let (own, steered) = (Prediction(before.logits), Prediction(after.logits))
    let listed = Set(own.top(top) + steered.top(top))
    var result = SteerResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription,
      device: loaded.model.device.name, text: prompt.text,
      tokens: prompt.ids.map(loaded.describe), change: source, position: position,
      before: reading(before, own, listed, loaded), after: reading(after, steered, listed, loaded),
      divergence: own.divergence(from: steered))
    guard result.divergence.isFinite else {
      throw AttributionError(
        .notFinite,
        "The model's numbers overflow under the change; take a smaller one, or a wider dtype.")
    }
    if let answer = metric.answer {
      try metric.requireTwo(answer, metric.versus, of: loaded)
      let measured = Metric(
        metric.kind ?? .logit, token: answer, versus: metric.versus, position: position)
      result.metric = measured.description(
        steered.value(measured), from: own.value(measured), loaded)
    }
    result.timingsMs = ["total": (clock.now - start) / .milliseconds(1)]
    return result
  }

  private func reading(
    _ reading: Steering.Reading, _ prediction: Prediction, _ listed: Set<Int>,
    _ loaded: LoadedModel
  ) -> SteerReading {
    SteerReading(
      top: prediction.order(listed).map {
        TopToken(
          id: $0, text: loaded.tokenizer.text(of: $0), probability: exp(prediction.logs[$0]))
      },
      continuation: reading.continuation.map(loaded.describe), entropy: prediction.entropy)
  }
}

/// One position's distribution over the vocabulary.
private struct Prediction {
  let logits: [Double]
  /// log p.
  let logs: [Double]

  init(_ logits: [Double]) {
    self.logits = logits
    let largest = logits.max() ?? 0
    let partition = largest + log(logits.reduce(0) { $0 + exp($1 - largest) })
    logs = logits.map { $0 - partition }
  }

  var entropy: Double { -logs.reduce(0) { $0 + (exp($1) > 0 ? exp($1) * $1 : 0) } }

  /// Σ p log(p / q); rounding goes below zero by no more than itself.
  func divergence(from other: Prediction) -> Double {
    let sum = zip(logs, other.logs).reduce(0.0) { sum, pair in
      exp(pair.0) > 0 ? sum + exp(pair.0) * (pair.0 - pair.1) : sum
    }
    return sum < 0 ? 0 : sum
  }

  /// The most probable tokens.
  func top(_ count: Int) -> [Int] { Array(order(logits.indices).prefix(count)) }

  /// Tokens, the most probable first.
  func order(_ tokens: some Sequence<Int>) -> [Int] {
    tokens.sorted { (logits[$0], $1) > (logits[$1], $0) }
  }

  func value(_ metric: Metric) -> Double {
    func one(_ token: Int) -> Double {
      switch metric.kind {
      case .logit: logits[token]
      case .probability: exp(logs[token])
      case .logProbability: logs[token]
      }
    }
    return one(metric.tokens[0]) - (metric.versus.first.map(one) ?? 0)
  }
}
