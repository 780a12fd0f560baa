internal import LanguageModels
internal import Tokenization

// An encoder's logits are of the position itself, and every position sees the whole text. What is asked
// of it is what stands behind a mask, so predictions are explained at the mask tokens of the prompt.

extension Explainer {
  /// Traces what is asked of an encoder: the whole text in one forward pass.
  ///
  /// - Throws: `AttributionError` for a prompt without a mask, and for answers that do not fit its masks.
  func traceMasks(
    _ prompt: Prompt, _ options: Options, _ request: TraceRequest
  ) throws -> ResidualTrace {
    let masks = loaded.tokenizer.mask.map { mask in
      prompt.ids.indices.filter { prompt.ids[$0] == mask }
    }
    func trace(_ positions: [Int], _ tokens: [Int]?) throws -> ResidualTrace {
      try loaded.model.trace(
        prompt.ids, positions: positions, tokens: tokens, request, versus: options.versus)
    }
    switch options.continuation {
    case .everyToken: return try trace(Array(prompt.ids.indices), prompt.ids)
    case .positions(let positions): return try trace(Set(positions).sorted(), nil)
    case .greedy:
      guard let masks, !masks.isEmpty else { throw noMask() }
      return try trace(masks, nil)
    case .answer(let answer):
      guard let masks, !masks.isEmpty else { throw noMask() }
      guard masks.count == answer.count else {
        throw AttributionError(
          .usage,
          "--answer has \(counted(answer.count, "token")) and the prompt "
            + "\(counted(masks.count, "mask")); give as many tokens as masks.")
      }
      return try trace(masks, answer)
    }
  }

  private func counted(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }

  private func noMask() -> AttributionError {
    let tokenizer = loaded.tokenizer
    let named = tokenizer.mask.map { " (\(tokenizer.text(of: $0)))" } ?? ""
    return AttributionError(
      .usage,
      "\(loaded.name) fills in masks\(named) and the prompt has none; write one where the prediction "
        + "is to be made, or name a place with --position.")
  }
}
