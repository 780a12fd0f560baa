internal import LanguageModels
internal import Results
internal import Tensors
internal import Tokenization

/// What an intervention is measured by, as a person asks for it.
public struct MetricChoice: Sendable, Equatable {
  /// What of the logits; nil for what suits the intervention.
  public var kind: Metric.Kind?
  /// The answer y; nil for the model's own.
  public var answer: Int?
  /// The other answer x; nil for none, or where there is a second text for its own.
  public var versus: Int?
  /// Where it is predicted; nil for the last position, or an encoder's one mask.
  public var position: Int?

  /// Gathers what was asked for.
  public init(
    kind: Metric.Kind? = nil, answer: Int? = nil, versus: Int? = nil, position: Int? = nil
  ) {
    self.kind = kind
    self.answer = answer
    self.versus = versus
    self.position = position
  }

  /// Where a text's prediction is.
  ///
  /// - Throws: `AttributionError` for a position that there is not, and for an encoder's text without a mask or
  ///   with several.
  func position(in ids: [Int], of loaded: LoadedModel) throws -> Int {
    if let position {
      try requirePosition(position, of: ids)
      return position
    }
    if loaded.model.isCausal { return ids.count - 1 }
    let masks = loaded.tokenizer.mask.map { mask in ids.indices.filter { ids[$0] == mask } } ?? []
    guard masks.count == 1 else {
      throw AttributionError(
        .usage,
        "\(loaded.name) fills in masks and the text has \(masks.isEmpty ? "none" : "\(masks.count)"); name the "
          + "place of the prediction with --position.")
    }
    return masks[0]
  }

  /// The metric of a text: with the model's own answer where none was named, and, beside another text, less its answer
  /// there.
  ///
  /// - Returns: the metric, and the forward passes that finding answers took.
  func metric(
    of ids: [Int], against others: [Int]? = nil, in loaded: LoadedModel
  ) throws -> (metric: Metric, passes: Double) {
    let position = try position(in: ids, of: loaded)
    var passes = 0.0
    func best(_ ids: [Int]) throws -> Int {
      passes += 1
      return try Self.best(at: position, of: ids, in: loaded.model)
    }
    let token = try answer ?? best(ids)
    var other = versus
    if answer == nil, other == nil, let others, others.count == ids.count {
      let there = try best(others)
      if there != token { other = there }
    }
    try requireTwo(token, other, of: loaded)
    return (Metric(kind ?? .logit, token: token, versus: other, position: position), passes)
  }

  /// Checks that a difference is of two tokens.
  func requireTwo(_ token: Int, _ other: Int?, of loaded: LoadedModel) throws {
    guard token == other else { return }
    throw AttributionError(
      .usage, "Both tokens of the difference are '\(loaded.describe(token).text)'; name two.")
  }

  /// The most probable token at a position.
  static func best(at position: Int, of ids: [Int], in model: any LanguageModel) throws -> Int {
    let run = try withRecording(false) { try model.run([ids]) }
    return try withEngineErrors {
      let row = run.residual.slice(position..<position + 1, along: 1)
      return try model.unembedding.logits(row).reshaped([-1]).argmax(along: 0).integers()[0]
    }
  }
}
