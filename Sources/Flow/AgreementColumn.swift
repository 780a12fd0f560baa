import Attribution

// A column is compared with many others (in the paper's experiment each of three references with eight
// compositions, and each with predictors that know nothing). What depends on one column alone (norms, sums,
// ranks, the sort among it) is therefore worked out once; a comparison is then a few sums of products.
//
// Distances are summed from differences, not from ‖Z‖² − 2 Z·C + ‖C‖²: routes that are the same up to
// rounding would otherwise be 1e-8 apart.

/// A score of a pair of columns Z (the reference) and C.
public enum AgreementMeasure: String, Sendable, Hashable, CaseIterable {
  /// ‖Z − C‖ / ‖Z‖.
  case relativeL2 = "relative_l2"
  /// The same of columns that were made to sum to 1.
  case shareL2 = "share_l2"
  /// min_s ‖Z − s C‖ / ‖Z‖.
  case scaledResidual = "scaled_residual"
  /// Z·C / (‖Z‖ ‖C‖).
  case cosine
  /// Pearson's correlation.
  case pearson
  /// Spearman's rank correlation.
  case spearman
  /// The share of Z's k largest entries that are among C's k largest.
  case topOverlap = "top_overlap"

  /// Whether less is better.
  public var isDistance: Bool {
    switch self {
    case .relativeL2, .shareL2, .scaledResidual: true
    case .cosine, .pearson, .spearman, .topOverlap: false
    }
  }
}

/// The numbers of one column, and what of a comparison depends on them alone.
struct AgreementColumn: Sendable {
  let values: [Double]
  let norm: Double
  let mean: Double
  /// ‖values − mean‖; 0 where all are equal up to rounding.
  let spread: Double
  /// The sum; nil where entries cancel so far that it is rounding.
  let sum: Double?
  /// Ranks less their mean, and their norm; empty where all values are equal.
  let ranks: [Double]
  let rankNorm: Double
  /// To what degree each entry is among the k largest; empty where there are not more than k.
  let top: [Double]
  let topCount: Int

  /// Entries that sum to less than this share of their magnitudes have a sum of rounding: maps are made in
  /// float32.
  private static let cancelled = 1e-6
  /// A column is constant where its spread is less than this beside its norm, which float64 cannot tell.
  private static let constant = 1e-12

  init(_ values: [Double], topCount: Int) {
    var (squares, sum, size) = (0.0, 0.0, 0.0)
    for value in values {
      squares += value * value
      sum += value
      size += abs(value)
    }
    let mean = values.isEmpty ? 0 : sum / Double(values.count)
    var deviations = 0.0
    for value in values { deviations += (value - mean) * (value - mean) }
    self.values = values
    self.mean = mean
    self.topCount = topCount
    norm = squares.squareRoot()
    self.sum = abs(sum) > Self.cancelled * size ? sum : nil
    let spread = deviations.squareRoot()
    self.spread = spread > Self.constant * norm ? spread : 0
    guard self.spread > 0 else {
      ranks = []
      rankNorm = 0
      top = Self.top(Array(repeating: 0, count: values.count), topCount)
      return
    }
    // The mean rank is (n − 1)/2 with or without ties.
    let middle = Double(values.count - 1) / 2
    ranks = RankAgreement.ranks(values).map { $0 - middle }
    rankNorm = ranks.reduce(0) { $0 + $1 * $1 }.squareRoot()
    top = Self.top(ranks, topCount)
  }

  /// Each column has this in every place.
  init(constant: Double, like other: AgreementColumn) {
    self.init(
      Array(repeating: constant, count: other.values.count), topCount: other.topCount)
  }

  /// How far each entry is among the k largest: 1 above the k-th value and 0 below; entries that tie for the
  /// last places share them.
  ///
  /// A column of equal entries then overlaps with any other by k/n, which is chance.
  private static func top(_ ranks: [Double], _ count: Int) -> [Double] {
    guard ranks.count > count else { return [] }
    let least = ranks.sorted(by: >)[count - 1]
    let above = ranks.count { $0 > least }
    let share = Double(count - above) / Double(ranks.count { $0 == least })
    return ranks.map { $0 > least ? 1 : $0 == least ? share : 0 }
  }

  /// The scores of another column against this one, in the order of `AgreementMeasure.allCases`; nil where
  /// there is none.
  func scores(of other: AgreementColumn) -> [Double?] {
    AgreementMeasure.allCases.map { measure in
      guard let score = score(measure, other), score.isFinite else { return nil }
      return score
    }
  }

  private func score(_ measure: AgreementMeasure, _ other: AgreementColumn) -> Double? {
    guard norm > 0, norm.isFinite, other.norm.isFinite else { return nil }
    switch measure {
    case .relativeL2: return distance(to: other, 1) / norm
    case .shareL2:
      guard let sum, let otherSum = other.sum else { return nil }
      return distance(to: other, sum / otherSum) / norm
    case .scaledResidual:
      // Without C there is nothing to scale: all of Z is left.
      guard other.norm > 0 else { return 1 }
      let scale = Self.product(values, other.values) / (other.norm * other.norm)
      return min(1, distance(to: other, scale) / norm)
    case .cosine:
      guard other.norm > 0 else { return nil }
      return Self.clamped(Self.product(values, other.values) / norm / other.norm)
    case .pearson: return correlation(with: other)
    case .spearman:
      guard rankNorm > 0, other.rankNorm > 0 else { return nil }
      return Self.clamped(Self.product(ranks, other.ranks) / rankNorm / other.rankNorm)
    case .topOverlap:
      guard !top.isEmpty, spread > 0 else { return nil }
      var shared = 0.0
      for place in top.indices { shared += min(top[place], other.top[place]) }
      return shared / Double(topCount)
    }
  }

  /// Pearson's correlation; nil where a column is constant.
  private func correlation(with other: AgreementColumn) -> Double? {
    guard spread > 0, other.spread > 0 else { return nil }
    var both = 0.0
    for place in values.indices {
      both += (values[place] - mean) * (other.values[place] - other.mean)
    }
    return Self.clamped(both / spread / other.spread)
  }

  /// The metric as published, of whole columns: ‖Z − C‖ and Pearson's correlation, which where it is undefined
  /// is 1 for columns that are close (1e-5 relative, 1e-8 absolute) and 0 for others.
  func published(_ other: AgreementColumn) -> (l2: Double, correlation: Double)? {
    guard norm > 0, norm.isFinite, other.norm.isFinite else { return nil }
    let undefined = {
      zip(values, other.values).allSatisfy { abs($0 - $1) <= 1e-8 + 1e-5 * abs($1) } ? 1.0 : 0
    }
    return (distance(to: other, 1), correlation(with: other) ?? undefined())
  }

  /// ‖Z − s C‖.
  private func distance(to other: AgreementColumn, _ scale: Double) -> Double {
    var squares = 0.0
    for place in values.indices {
      let difference = values[place] - scale * other.values[place]
      squares += difference * difference
    }
    return squares.squareRoot()
  }

  private static func product(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for place in a.indices { sum += a[place] * b[place] }
    return sum
  }

  private static func clamped(_ correlation: Double) -> Double { min(1, max(-1, correlation)) }
}
