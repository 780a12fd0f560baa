public import Telescope

/// What all pairs score over many sentences.
public struct Experiment: Sendable {
  private var summary = AgreementSummary()
  private var completeness: [String: [Double]] = [:]
  private var sumErrors = [[Double]](repeating: [], count: RoutePair.all.count)
  private var improper = (count: 0, of: 0)

  /// Begins with no sentence.
  public init() {}

  /// Adds a sentence.
  public mutating func add(_ sentence: SentenceAgreement) {
    summary.add(sentence.agreements)
    completeness.merge(sentence.completeness, uniquingKeysWith: +)
    for (index, errors) in sentence.sumErrors.enumerated() { sumErrors[index] += errors }
    improper.count += sentence.improperRatios.count
    improper.of += sentence.improperRatios.of
  }

  /// What was found.
  ///
  /// - Parameters:
  ///   - resamples: how many times sentences are drawn for intervals.
  ///   - seed: of the draws.
  /// - Returns: the numbers of the tables.
  public func outcome(resamples: Int = 1000, seed: Int = 0) -> Outcome {
    let (pairs, nulls) = summary.summary(resamples: resamples, seed: seed)
    return Outcome(
      sentences: summary.texts,
      rows: zip(RoutePair.all, pairs).enumerated().map { index, both in
        Outcome.Row(
          pair: both.0, scores: both.1, sumError: Spread(sumErrors[index])?.median)
      },
      nulls: nulls, completeness: completeness.compactMapValues { Spread($0) },
      improperShares: improper)
  }
}

/// The numbers of the tables.
public struct Outcome: Sendable {
  /// A pair and what it scores.
  public struct Row: Sendable {
    /// The pair.
    public var pair: RoutePair
    /// Its scores.
    public var scores: PairSummary
    /// The median over columns of |Σ C − Σ Z| / Σ |Z|.
    public var sumError: Double?
  }

  /// How many sentences were measured.
  public var sentences: Int
  /// One for each pair.
  public var rows: [Row]
  /// The null predictors of each reference.
  public var nulls: [NullSummary]
  /// Relative completeness errors of each map that was integrated.
  public var completeness: [String: Spread]
  /// How many shares of ratio variants lie outside [0, 1], and of how many.
  public var improperShares: (count: Int, of: Int)

  /// The best composition of a reference by some number, and what stands beside it.
  public struct Best: Sendable {
    /// The composition.
    public var row: Row
    /// Its number.
    public var value: ScoreInterval
    /// Whether it beats every null predictor.
    public var standing: PairSummary.Standing
    /// The null predictor that is best, and its number.
    public var null: (name: String, value: ScoreInterval)?
  }

  /// The best composition of a reference by some number.
  ///
  /// - Parameters:
  ///   - composition: the rule.
  ///   - reference: the layer's baseline.
  ///   - quantity: the number.
  /// - Returns: nil where no composition has the number.
  public func best(
    _ composition: Composition, of reference: LayerBaseline, by quantity: AgreementQuantity
  ) -> Best? {
    func better(_ a: Double, _ b: Double) -> Bool { quantity.isDistance ? a < b : a > b }
    let candidates = rows.filter {
      $0.pair.composition == composition && $0.pair.layer == reference
    }.compactMap { row in row.scores.overall[quantity].map { (row, $0) } }
    guard let (row, value) = candidates.min(by: { better($0.1.mean, $1.1.mean) }),
      let standing = row.scores.standing(quantity)
    else { return nil }
    let nulls = nulls.filter { $0.reference == FlowWay.layer(reference).name }
      .compactMap { null in null.overall[quantity].map { (null.name, $0) } }
    return Best(
      row: row, value: value, standing: standing,
      null: nulls.min { better($0.1.mean, $1.1.mean) })
  }
}

/// Where many numbers lie.
public struct Spread: Sendable, Equatable {
  /// How many there are.
  public var count: Int
  /// Their mean.
  public var mean: Double
  /// Half are below.
  public var median: Double
  /// Of a hundred, 99 are below.
  public var percentile99: Double
  /// The largest.
  public var largest: Double
  /// The share of them that is at most 1e-3.
  public var withinThousandth: Double

  /// Finds it out; nil of no numbers.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    func at(_ share: Double) -> Double {
      sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }
    count = sorted.count
    mean = sorted.reduce(0, +) / Double(sorted.count)
    median = at(0.5)
    percentile99 = at(0.99)
    largest = sorted[sorted.count - 1]
    withinThousandth = Double(sorted.count { $0 <= 1e-3 }) / Double(sorted.count)
  }
}
