/// How far two routes to the same flows agree, over columns (targets).
public struct FlowAgreement: Codable, Sendable, Equatable {
  /// The routes: `layer`, `exact`, `product`, `conserving`, each with its baselines where it matters.
  ///
  /// The first is Z, which scores are relative to; the second is C.
  public var routes: [String]
  /// The layer; nil for all layers together.
  public var layer: Int?
  /// The head; nil for sums over heads.
  public var head: Int?
  /// The columns that were compared: those where Z is not 0 everywhere.
  public var columns: Int
  /// How many of a column's largest entries `top_overlap` looks at.
  public var topCount: Int
  /// The metric as published: unscaled distance and Pearson correlation, self entries included; nil where no
  /// column was compared.
  public var published: PublishedAgreement?
  /// Scores of whole columns.
  public var withSelf: AgreementScores
  /// Scores without the target's own entry.
  public var withoutSelf: AgreementScores
  /// What predictors that know nothing of the second route score against the first.
  public var nulls: [NullAgreement]

  /// Gathers the values.
  public init(
    routes: [String], layer: Int?, head: Int? = nil, columns: Int, topCount: Int,
    published: PublishedAgreement?, withSelf: AgreementScores, withoutSelf: AgreementScores,
    nulls: [NullAgreement]
  ) {
    self.routes = routes
    self.layer = layer
    self.head = head
    self.columns = columns
    self.topCount = topCount
    self.published = published
    self.withSelf = withSelf
    self.withoutSelf = withoutSelf
    self.nulls = nulls
  }

  enum CodingKeys: String, CodingKey {
    case routes, layer, head, columns
    case topCount = "top_count"
    case published
    case withSelf = "with_self"
    case withoutSelf = "without_self"
    case nulls
  }
}

/// Mean and population standard deviation of the published metric over columns.
public struct PublishedAgreement: Codable, Sendable, Equatable {
  /// Mean of ‖Z − C‖.
  public var l2Mean: Double
  /// Its standard deviation.
  public var l2Deviation: Double
  /// Mean of Pearson's correlation.
  public var correlationMean: Double
  /// Its standard deviation.
  public var correlationDeviation: Double

  /// Gathers the values.
  public init(
    l2Mean: Double, l2Deviation: Double, correlationMean: Double, correlationDeviation: Double
  ) {
    self.l2Mean = l2Mean
    self.l2Deviation = l2Deviation
    self.correlationMean = correlationMean
    self.correlationDeviation = correlationDeviation
  }

  enum CodingKeys: String, CodingKey {
    case l2Mean = "l2_mean"
    case l2Deviation = "l2_std"
    case correlationMean = "corr_mean"
    case correlationDeviation = "corr_std"
  }
}

/// Means over the columns that have the number; nil where none has.
///
/// A column of zeros has no direction, one of equal entries no order: such numbers are left out of the means
/// and counted in `undefined`.
public struct AgreementScores: Codable, Sendable, Equatable {
  /// ‖Z − C‖ / ‖Z‖.
  public var relativeL2: Double?
  /// The same of columns that were made to sum to 1.
  public var shareL2: Double?
  /// min_s ‖Z − s C‖ / ‖Z‖: what no scale mends.
  public var scaledResidual: Double?
  /// Cosine.
  public var cosine: Double?
  /// Pearson's correlation.
  public var pearson: Double?
  /// Spearman's rank correlation.
  public var spearman: Double?
  /// The share of Z's k largest entries that are among C's k largest, of columns with more than k.
  public var topOverlap: Double?
  /// How many of the compared columns do not have a number, by its name in JSON; only names with any.
  public var undefined: [String: Int]

  /// Gathers the values.
  public init(
    relativeL2: Double?, shareL2: Double?, scaledResidual: Double?, cosine: Double?,
    pearson: Double?, spearman: Double?, topOverlap: Double?, undefined: [String: Int] = [:]
  ) {
    self.relativeL2 = relativeL2
    self.shareL2 = shareL2
    self.scaledResidual = scaledResidual
    self.cosine = cosine
    self.pearson = pearson
    self.spearman = spearman
    self.topOverlap = topOverlap
    self.undefined = undefined
  }

  enum CodingKeys: String, CodingKey {
    case relativeL2 = "relative_l2"
    case shareL2 = "share_l2"
    case scaledResidual = "scaled_residual"
    case cosine, pearson, spearman
    case topOverlap = "top_overlap"
    case undefined
  }
}

/// What a predictor that knows nothing of the second route scores.
public struct NullAgreement: Codable, Sendable, Equatable {
  /// `zero`, `constant` (each column's own mean), `attention` (α of the target), `change` (|Δ| of sources).
  public var name: String
  /// The published metric; nil where no column was compared.
  public var published: PublishedAgreement?
  /// Scores of whole columns.
  public var withSelf: AgreementScores
  /// Scores without the target's own entry.
  public var withoutSelf: AgreementScores

  /// Gathers the values.
  public init(
    name: String, published: PublishedAgreement?, withSelf: AgreementScores,
    withoutSelf: AgreementScores
  ) {
    self.name = name
    self.published = published
    self.withSelf = withSelf
    self.withoutSelf = withoutSelf
  }

  enum CodingKeys: String, CodingKey {
    case name, published
    case withSelf = "with_self"
    case withoutSelf = "without_self"
  }
}

/// A score of many texts: its mean over columns with a 95 % bootstrap interval over texts.
public struct ScoreInterval: Codable, Sendable, Equatable {
  /// The mean.
  public var mean: Double
  /// The 2.5th percentile of resampled means.
  public var low: Double
  /// The 97.5th.
  public var high: Double

  /// Gathers the values.
  public init(mean: Double, low: Double, high: Double) {
    self.mean = mean
    self.low = low
    self.high = high
  }
}
