// Spearman's ρ is the correlation of ranks. Equal values share the mean of the ranks that they take up
// together, and ρ is then Pearson's correlation of those ranks: the formula 1 − 6 Σd²/(n³ − n) holds
// only where there are no ties, and attributions have many (layers of no weight at all).

/// How far two lists of scores of the same things agree.
public enum RankAgreement {
  /// Spearman's rank correlation, with ties sharing their mean rank.
  ///
  /// - Parameters:
  ///   - a: one score of each thing.
  ///   - b: another, in the same order.
  /// - Returns: −1 to 1; nil where a list has no order: fewer than two things, all equal, or a number
  ///   that is not finite.
  public static func spearman(_ a: [Double], _ b: [Double]) -> Double? {
    precondition(a.count == b.count, "\(a.count) scores against \(b.count)")
    guard a.count >= 2, (a + b).allSatisfy(\.isFinite) else { return nil }
    // The mean rank is (n − 1)/2 with or without ties; ranks are multiples of ½, so sums are exact.
    let middle = Double(a.count - 1) / 2
    let x = ranks(a).map { $0 - middle }
    let y = ranks(b).map { $0 - middle }
    var (both, first, second) = (0.0, 0.0, 0.0)
    for (p, q) in zip(x, y) {
      both += p * q
      first += p * p
      second += q * q
    }
    guard first > 0, second > 0 else { return nil }
    return both / (first.squareRoot() * second.squareRoot())
  }

  /// The rank of each value from 0, smallest first; equal values share their mean rank.
  public static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for place in start..<end { ranks[order[place]] = Double(start + end - 1) / 2 }
      start = end
    }
    return ranks
  }

  /// The share of things whose two scores have the same sign, of those that have signs.
  ///
  /// A score has a sign when its magnitude exceeds `rounding` times the largest of its list.
  ///
  /// - Parameters:
  ///   - a: one score of each thing.
  ///   - b: another, in the same order.
  ///   - rounding: what counts as zero beside the largest magnitude.
  /// - Returns: 0 to 1; nil where nothing has a sign in both lists.
  public static func signAgreement(
    _ a: [Double], _ b: [Double], rounding: Double = 1e-6
  ) -> Double? {
    precondition(a.count == b.count, "\(a.count) scores against \(b.count)")
    func floor(_ values: [Double]) -> Double {
      rounding * (values.lazy.filter(\.isFinite).map { abs($0) }.max() ?? 0)
    }
    let (least, least2) = (floor(a), floor(b))
    let signed = zip(a, b).filter {
      $0.isFinite && $1.isFinite && abs($0) > least && abs($1) > least2
    }
    guard !signed.isEmpty else { return nil }
    return Double(signed.count { ($0 > 0) == ($1 > 0) }) / Double(signed.count)
  }
}
