import Results

// Means over columns, every column weighing the same, as published.

/// Sums of what columns score, one column at a time.
struct RunningAgreement {
  var published = RunningPublished()
  var withSelf = RunningScores()
  var withoutSelf = RunningScores()

  /// Adds columns; those where Z is 0 everywhere are not compared.
  mutating func add(_ columns: [ColumnAgreement]) {
    for column in columns {
      guard let score = column.published else { continue }
      published.add(score)
      withSelf.add(column.withSelf)
      withoutSelf.add(column.withoutSelf)
    }
  }
}

/// Mean and population standard deviation of the published metric, updated column by column (Welford).
struct RunningPublished {
  private(set) var count = 0
  private var means = [0.0, 0.0]
  private var squares = [0.0, 0.0]

  mutating func add(_ column: (l2: Double, correlation: Double)) {
    count += 1
    for (place, value) in [column.l2, column.correlation].enumerated() {
      let before = value - means[place]
      means[place] += before / Double(count)
      squares[place] += before * (value - means[place])
    }
  }

  var value: PublishedAgreement? {
    guard count > 0 else { return nil }
    let deviations = squares.map { ($0 / Double(count)).squareRoot() }
    return PublishedAgreement(
      l2Mean: means[0], l2Deviation: deviations[0], correlationMean: means[1],
      correlationDeviation: deviations[1])
  }
}

/// Means of the scores that are defined, with the number of those that are not.
struct RunningScores {
  private var sums = [Double](repeating: 0, count: AgreementMeasure.allCases.count)
  private var counts = [Int](repeating: 0, count: AgreementMeasure.allCases.count)
  private var columns = 0

  mutating func add(_ scores: [Double?]) {
    columns += 1
    for (place, score) in scores.enumerated() {
      guard let score else { continue }
      sums[place] += score
      counts[place] += 1
    }
  }

  var value: AgreementScores {
    let means = zip(sums, counts).map { $1 > 0 ? $0 / Double($1) : nil }
    let missing = zip(AgreementMeasure.allCases, counts)
      .filter { $1 < columns }.map { ($0.rawValue, columns - $1) }
    return AgreementScores(
      relativeL2: means[0], shareL2: means[1], scaledResidual: means[2], cosine: means[3],
      pearson: means[4], spearman: means[5], topOverlap: means[6],
      undefined: Dictionary(uniqueKeysWithValues: missing))
  }
}
