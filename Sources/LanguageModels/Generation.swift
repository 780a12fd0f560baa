public import Tensors

extension LanguageModel {
  /// Continues a text with the most probable token, again and again.
  ///
  /// - Parameters:
  ///   - prompt: token ids, at least one.
  ///   - count: the most tokens to add.
  ///   - ends: tokens that end the text; the one that does is not added.
  ///   - pass: what is seen in each run. The first run covers the prompt, each later one a token.
  ///   - each: receives, for every run, its first position, its residual stream before the final
  ///     norm, and the logits of its last position, [vocabulary].
  /// - Returns: the tokens added.
  /// - Throws: as `run`.
  /// - Complexity: one forward pass over the prompt, then one per token with a cache. Where the
  ///   length of the text changes the rotary positions of all of it (`keepsKeys`), the text before
  ///   the token is run again.
  public func generate(
    from prompt: [Int], atMost count: Int, endingAt ends: Set<Int> = [], pass: Pass = .plain,
    each: (_ start: Int, _ residual: Tensor, _ logits: Tensor) throws -> Void = { _, _, _ in }
  ) throws -> [Int] {
    let room = min(count, shape.contextLength - prompt.count)
    guard !prompt.isEmpty else { throw ModelError.emptyPrompt }
    guard room > 0 || count == 0 else {
      throw ModelError.tooLong(prompt.count + 1, context: shape.contextLength)
    }
    func emptyCache(_ length: Int) -> KeyValueCache {
      KeyValueCache(layers: shape.layers, capacity: prompt.count + room, textLength: length)
    }
    var cache = emptyCache(prompt.count)
    var added: [Int] = []
    var next = prompt
    while added.count < room {
      let start = cache.length
      if start > 0, !keepsKeys(from: cache.textLength, to: start + 1) {
        cache = emptyCache(start + 1)
        _ = try run([Array((prompt + added)[..<start])], cache: cache)
      }
      let residual = try run([next], cache: cache, pass: pass).residual
      let last = residual.slice(next.count - 1..<next.count, along: 1)
      let logits = try withEngineErrors { unembedding.logits(last).reshaped([-1]) }
      let token = try logits.argmax(along: 0).integers()[0]
      if ends.contains(token) { break }
      try each(start, residual, logits)
      added.append(token)
      next = [token]
    }
    return added
  }
}
