import Attribution
public import Results

// Columns of one text share its tokens and are no independent draws: intervals are over whole texts
// (`ClusteredMeans`). Whether a route scores better than a predictor that knows nothing of it is asked column
// by column: the mean of the differences has an interval of its own, far narrower than those of the two
// scores, which rise and fall together from text to text.

/// One of the numbers that columns have: the published metric, or a score with or without the self entry.
public enum AgreementQuantity: Sendable, Hashable {
  /// ‖Z − C‖ of whole columns, as published.
  case publishedL2
  /// Pearson's correlation of whole columns, as published.
  case publishedCorrelation
  /// A score of whole columns.
  case withSelf(AgreementMeasure)
  /// A score without the target's own entry.
  case withoutSelf(AgreementMeasure)

  /// All of them.
  public static let all: [AgreementQuantity] =
    [.publishedL2, .publishedCorrelation] + AgreementMeasure.allCases.map { .withSelf($0) }
    + AgreementMeasure.allCases.map { .withoutSelf($0) }

  /// Whether less is better.
  public var isDistance: Bool {
    switch self {
    case .publishedL2: true
    case .publishedCorrelation: false
    case .withSelf(let measure), .withoutSelf(let measure): measure.isDistance
    }
  }
}

/// Means over the columns of many texts with 95 % bootstrap intervals over texts.
public typealias AgreementIntervals = [AgreementQuantity: ScoreInterval]

/// What a route scores against a reference over many texts.
public struct PairSummary: Sendable {
  /// Z's name.
  public var reference: String
  /// C's name.
  public var route: String
  /// The columns that were compared.
  public var columns: Int
  /// The metric as published, over the columns of all texts.
  public var published: PublishedAgreement?
  /// All layers together.
  public var overall: AgreementIntervals
  /// Each layer by itself.
  public var layers: [(layer: Int, scores: AgreementIntervals)]
  /// How much better the route scores than each null predictor, column by column; above 0 where the route is
  /// better, whichever way the score runs.
  ///
  /// A predictor without a correlation (all its entries equal) counts as one of 0, as published; where it has no
  /// distance there is no margin.
  public var margins: [(null: String, scores: AgreementIntervals)]

  /// Whether the route beats predictors that know nothing of it.
  public enum Standing: String, Sendable {
    /// The whole interval of the margin over each predictor is above 0.
    case beats
    /// Some interval holds 0, and none is below it.
    case undecided
    /// Some predictor is better with its whole interval.
    case loses
  }

  /// Whether the route beats predictors by one of the numbers; nil where no margin is defined.
  ///
  /// - Parameters:
  ///   - quantity: the number.
  ///   - names: the predictors; nil for all.
  /// - Returns: the worst standing against any of them.
  public func standing(_ quantity: AgreementQuantity, against names: [String]? = nil) -> Standing? {
    let found = margins.filter { names?.contains($0.null) ?? true }.compactMap {
      $0.scores[quantity]
    }
    guard !found.isEmpty else { return nil }
    if found.contains(where: { $0.high < 0 }) { return .loses }
    return found.allSatisfy { $0.low > 0 } ? .beats : .undecided
  }
}

/// What null predictors score against a reference over many texts.
public struct NullSummary: Sendable {
  /// Z's name.
  public var reference: String
  /// The predictor.
  public var name: String
  /// The metric as published, over the columns of all texts.
  public var published: PublishedAgreement?
  /// All layers together.
  public var overall: AgreementIntervals
  /// Each layer by itself.
  public var layers: [(layer: Int, scores: AgreementIntervals)]
}

/// Gathers what pairs of routes score, one text at a time.
public struct AgreementSummary: Sendable {
  /// A pair, its margin over a null predictor, or the predictor itself.
  private struct Row: Sendable {
    enum Kind: Sendable {
      case pair
      case margin
      case null
    }
    var kind: Kind
    var reference: String
    /// C's name, or the predictor's.
    var name: String
    /// Where its numbers begin among all: those of all layers together, then those of each; a margin has the
    /// first alone.
    var start: Int
    var published = RunningPublished()
  }

  private var rows: [Row] = []
  private var layers: [Int] = []
  private var means = ClusteredMeans(columns: 0)

  /// Begins with no text.
  public init() {}

  /// How many texts there are.
  public var texts: Int { means.clusters }

  /// Adds a text.
  ///
  /// - Parameter agreements: its pairs: in every text the same, of the same layers, each reference under its
  ///   own name. Heads by themselves are not summarised.
  public mutating func add(_ agreements: [RouteAgreement]) {
    if rows.isEmpty { begin(agreements) }
    means.beginCluster()
    var row = 0
    for agreement in agreements {
      let reference = agreement.reference
      precondition(
        row < rows.count && rows[row].reference == reference.route.name
          && rows[row].name == agreement.name && reference.route.frame.layers == layers,
        "a text with other pairs")
      add(agreement.units, of: reference, to: row)
      row += 1
      for null in reference.nulls {
        addMargins(agreement.units, over: null, of: reference, to: row)
        row += 1
      }
    }
    for reference in Self.references(agreements) {
      for null in reference.nulls {
        add(null, of: reference, to: row)
        row += 1
      }
    }
    precondition(row == rows.count, "a text with other pairs")
  }

  /// What was gathered.
  ///
  /// - Parameters:
  ///   - resamples: how many times texts are drawn for the intervals.
  ///   - seed: of the draws.
  /// - Returns: the pairs in their order, and the null predictors of each reference.
  /// - Complexity: resamples × texts × numbers additions.
  public func summary(
    resamples: Int = 1000, seed: Int = 0
  ) -> (pairs: [PairSummary], nulls: [NullSummary]) {
    guard texts > 0 else { return ([], []) }
    let all = means.intervals(resamples: resamples, seed: seed)
    func intervals(_ row: Row, _ scope: Int = 0) -> AgreementIntervals {
      var found: AgreementIntervals = [:]
      for (place, quantity) in AgreementQuantity.all.enumerated() {
        guard let one = all[Self.column(row, scope, place)] else { continue }
        found[quantity] = ScoreInterval(mean: one.mean, low: one.low, high: one.high)
      }
      return found
    }
    func byLayer(_ row: Row) -> [(layer: Int, scores: AgreementIntervals)] {
      layers.indices.map { (layers[$0], intervals(row, $0 + 1)) }
    }
    var pairs: [PairSummary] = []
    var nulls: [NullSummary] = []
    for row in rows {
      switch row.kind {
      case .pair:
        pairs.append(
          PairSummary(
            reference: row.reference, route: row.name, columns: row.published.count,
            published: row.published.value, overall: intervals(row), layers: byLayer(row),
            margins: []))
      case .margin: pairs[pairs.count - 1].margins.append((row.name, intervals(row)))
      case .null:
        nulls.append(
          NullSummary(
            reference: row.reference, name: row.name, published: row.published.value,
            overall: intervals(row), layers: byLayer(row)))
      }
    }
    return (pairs, nulls)
  }

  // MARK: - Places

  private static func column(_ row: Row, _ scope: Int, _ quantity: Int) -> Int {
    row.start + scope * AgreementQuantity.all.count + quantity
  }

  private static func references(_ agreements: [RouteAgreement]) -> [AgreementReference] {
    var seen: Set<String> = []
    return agreements.map(\.reference).filter { seen.insert($0.route.name).inserted }
  }

  private mutating func begin(_ agreements: [RouteAgreement]) {
    layers = agreements.first?.reference.route.frame.layers ?? []
    var count = 0
    var made: [Row] = []
    func append(_ kind: Row.Kind, _ reference: AgreementReference, _ name: String) {
      made.append(Row(kind: kind, reference: reference.route.name, name: name, start: count))
      count += (kind == .margin ? 1 : layers.count + 1) * AgreementQuantity.all.count
    }
    for agreement in agreements {
      append(.pair, agreement.reference, agreement.name)
      for null in agreement.reference.nullNames { append(.margin, agreement.reference, null) }
    }
    for reference in Self.references(agreements) {
      for null in reference.nullNames { append(.null, reference, null) }
    }
    rows = made
    means = ClusteredMeans(columns: count)
  }

  // MARK: - Adding

  private mutating func add(
    _ units: [[ColumnAgreement]?], of reference: AgreementReference, to row: Int
  ) {
    for (unit, columns) in units.enumerated() {
      let place = reference.route.place(of: unit)
      guard place.head == nil, let layer = layers.firstIndex(of: place.layer) else { continue }
      for column in columns ?? [] {
        guard let score = column.published else { continue }
        rows[row].published.add(score)
        for (place, value) in column.quantities.enumerated() {
          guard let value else { continue }
          means.add(value, to: Self.column(rows[row], 0, place))
          means.add(value, to: Self.column(rows[row], layer + 1, place))
        }
      }
    }
  }

  private mutating func addMargins(
    _ units: [[ColumnAgreement]?], over null: [[ColumnAgreement]?],
    of reference: AgreementReference, to row: Int
  ) {
    for (unit, columns) in units.enumerated() where reference.route.place(of: unit).head == nil {
      for (own, guess) in zip(columns ?? [], null[unit] ?? []) where own.published != nil {
        let scores = zip(own.quantities, guess.quantities)
        for (place, pair) in zip(AgreementQuantity.all, scores).enumerated() {
          let (quantity, (own, guess)) = pair
          guard let own, let guess = guess ?? (quantity.isDistance ? nil : 0) else { continue }
          means.add(
            quantity.isDistance ? guess - own : own - guess,
            to: Self.column(rows[row], 0, place))
        }
      }
    }
  }
}

extension ColumnAgreement {
  /// In the order of `AgreementQuantity.all`.
  fileprivate var quantities: [Double?] {
    [published?.l2, published?.correlation] + withSelf + withoutSelf
  }
}
