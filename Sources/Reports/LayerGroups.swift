/// Layers in order, with runs of no weight folded into one group each.
package enum LayerGroups {
  /// Splits the layers with these weights into contiguous groups.
  ///
  /// Every layer of weight stands alone; runs of the others are one group. Weight is first a
  /// hundredth of the heaviest, then more until the groups fit.
  ///
  /// - Parameters:
  ///   - weights: One weight ≥ 0 for each layer, in order.
  ///   - limit: The number of groups that fit.
  ///   - alone: Layers that never fold, by index.
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
    var groups = runs(count: weights.count, kept: kept, shortest: 3)
    if groups.count <= limit { return groups }
    // The lightest go first; of equals, the earliest.
    let order = weights.indices.filter { kept.contains($0) && !alone.contains($0) }
      .sorted { (weights[$0], $0) < (weights[$1], $1) }
    for layer in order {
      kept.remove(layer)
      groups = runs(count: weights.count, kept: kept, shortest: 2)
      if groups.count <= limit { return groups }
    }
    return groups.count <= limit ? groups : [0..<weights.count]
  }

  private static func runs(count: Int, kept: Set<Int>, shortest: Int) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    var start = 0
    func close(_ end: Int) {
      guard start < end else { return }
      if end - start < shortest {
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
