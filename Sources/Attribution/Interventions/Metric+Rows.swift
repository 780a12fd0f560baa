internal import LanguageModels
internal import Tensors

// Interventions end in many rows of the stream, one for each of them, and one metric for all. A logit takes one or
// two rows of U; a probability the whole vocabulary, some rows at a time.

extension Metric {
  /// The rows whose logits over the vocabulary are formed at a time.
  private static let rowsAtOnce = 64

  /// m of rows of the stream before the final norm, [rows, width], all of one text's metric.
  func read(_ states: Tensor, in model: any LanguageModel) throws -> [Double] {
    let named = [tokens[0]] + versus.prefix(1)
    let rows = states.size(0)
    let logits: [Double]
    switch kind {
    case .logit:
      var head = model.unembedding
      head.weight = head.weight.selecting(named, along: 0)
      head.bias = head.bias?.selecting(named, along: 0)
      logits = try head.logits(states).to(.float64).reshaped([-1]).values()
    case .probability, .logProbability:
      logits = try stride(from: 0, to: rows, by: Self.rowsAtOnce).flatMap { start in
        let some = states.slice(start..<min(rows, start + Self.rowsAtOnce), along: 0)
        let logs = model.unembedding.logits(some).to(.float64).logSoftmax(along: -1)
        let chosen = logs.selecting(named, along: 1)
        return try (kind == .probability ? chosen.exp : chosen).reshaped([-1]).values()
      }
    }
    return (0..<rows).map { row in
      logits[row * named.count] - (named.count > 1 ? logits[row * named.count + 1] : 0)
    }
  }

  /// Checks that a model gives this metric at a position of a text.
  func check(_ ids: [Int], in model: any LanguageModel) throws {
    guard model.head != nil else {
      throw AttributionError(
        .usage,
        "\(model.shape.architecture) without a language-model head gives no logits, so there is no metric "
          + "to change; use a checkpoint that has one.")
    }
    try requirePosition(position, of: ids)
    for token in tokens + versus where !(0..<model.shape.vocabulary).contains(token) {
      throw AttributionError(
        .usage,
        "Token id \(token) is out of range; this model's vocabulary has ids 0 to "
          + "\(model.shape.vocabulary - 1).")
    }
  }
}
