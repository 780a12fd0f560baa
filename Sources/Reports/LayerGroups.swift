/// Layers in order, with runs of no weight folded into one group each.
package enum LayerGroups {
  /// Splits the layers with these weights into contiguous groups.
  ///
  /// Layers over a hundredth of the heaviest stand alone and runs of three or more of the others are
  /// one group; where these are too many, neighbours that weigh least together join.
  ///
  /// - Parameters:
  ///   - weights: One weight ≥ 0 for each layer, in order.
  ///   - limit: The number of groups that fit; at least those kept alone and what lies between.
  ///   - alone: Layers that never fold, by index.
  /// - Returns: The groups, in order; together they are all layers.
  package static func split(
    weights: [Double], limit: Int, alone: Set<Int> = []
  ) -> [Range<Int>] {
    guard !weights.isEmpty else { return [] }
    let limit = max(1, limit)
    var kept = Set(weights.indices.filter { alone.contains($0) })
    let heaviest = weights.max() ?? 0
    // A short list folds nothing as long as it fits: every row is worth seeing.
    let least = weights.count <= min(12, limit) ? -1 : heaviest * 0.01
    kept.formUnion(weights.indices.filter { weights[$0] > least })
    var groups = runs(count: weights.count, kept: kept)
    // Then neighbours that weigh least together, until the groups fit.
    func weight(_ group: Range<Int>) -> Double { weights[group].reduce(0, +) }
    while groups.count > limit {
      let pairs = groups.indices.dropLast().filter { pair in
        !groups[pair].contains(where: alone.contains)
          && !groups[pair + 1].contains(where: alone.contains)
      }
      let costs = pairs.map { (weight(groups[$0]) + weight(groups[$0 + 1]), $0) }
      guard let lightest = costs.min(by: { $0 < $1 }) else { break }
      let pair = lightest.1
      groups[pair] = groups[pair].lowerBound..<groups[pair + 1].upperBound
      groups.remove(at: pair + 1)
    }
    return groups
  }

  private static func runs(count: Int, kept: Set<Int>) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    var start = 0
    func close(_ end: Int) {
      guard start < end else { return }
      if end - start < 3 {
        groups += (start..<end).map { $0..<$0 + 1 }
      } else {
        groups.append(start..<end)
      }
    }
    for layer in 0..<count where kept.contains(layer) {
      close(layer)
      groups.append(layer..<layer + 1)
      start = layer + 1
    }
    close(count)
    return groups
  }
}
