internal import LanguageModels
internal import Tensors

extension Metric {
  /// The rows whose logits over the vocabulary are formed at a time.
  private static let rowsAtOnce = 64

  /// m of many rows of one text's metric, from what the blocks leave: [rows, position, width].
  func read(_ residual: Tensor, in model: any LanguageModel) throws -> [Double] {
    let rows = residual.size(0)
    let step = kind == .logit ? rows : Self.rowsAtOnce
    return try stride(from: 0, to: rows, by: step).flatMap { start in
      let some = residual.slice(start..<min(rows, start + step), along: 0)
      return try self(some, in: model).values()
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
