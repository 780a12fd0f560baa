internal import Attribution
internal import LanguageModels
internal import Tensors

/// Prompts of one length that run together.
struct PairBatch {
  let pairs: [PromptPair]
  var clean: [[Int]] { pairs.map(\.clean) }
  /// The changed prompts; nil where one lacks it.
  var patch: [[Int]]? {
    let patches = pairs.compactMap(\.patch)
    return patches.count == pairs.count ? patches : nil
  }
  var length: Int { pairs[0].clean.count }

  /// Divides prompts into batches.
  ///
  /// - Throws: `CircuitError` for no prompts, pairs of two lengths, and second answers that some lack.
  static func batches(of pairs: [PromptPair], tokensAtOnce: Int) throws -> [PairBatch] {
    guard !pairs.isEmpty else { throw CircuitError.noPrompts }
    for (index, pair) in pairs.enumerated() {
      if let patch = pair.patch, patch.count != pair.clean.count {
        throw CircuitError.unevenPair(index, pair.clean.count, patch.count)
      }
    }
    guard Set(pairs.map { $0.versus == nil }).count == 1 else { throw CircuitError.mixedVersus }
    let groups = Dictionary(grouping: pairs, by: \.clean.count).sorted { $0.key < $1.key }
    return groups.flatMap { length, group in
      let size = max(1, tokensAtOnce / max(1, length))
      return stride(from: 0, to: group.count, by: size).map {
        PairBatch(pairs: Array(group[$0..<min(group.count, $0 + size)]))
      }
    }
  }

  /// Refuses batches of several lengths, for which positions cannot be told apart.
  static func checkLength(_ batches: [PairBatch]) throws {
    guard let shortest = batches.first?.length, let longest = batches.last?.length,
      shortest != longest
    else { return }
    throw CircuitError.lengths(shortest, longest)
  }

  /// m of each prompt, z(answer) − z(versus) at the last position, from the stream before the head.
  ///
  /// - Parameters:
  ///   - residual: [row, position, width].
  ///   - rows: which pair each row is of; nil for one each.
  ///   - model: the model.
  /// - Returns: one number for each row.
  /// - Throws: `CircuitError` for a metric that is not finite.
  func metric(
    _ residual: Tensor, of rows: [Int]? = nil, in model: any LanguageModel
  ) throws -> [Double] {
    let pairs = rows.map { $0.map { self.pairs[$0] } } ?? self.pairs
    let metric = PromptPair.metric(of: pairs)
    let values = try metric(residual, in: model).values()
    guard values.allSatisfy(\.isFinite) else {
      throw CircuitError.notFinite(model.shape.architecture)
    }
    return values
  }
}
