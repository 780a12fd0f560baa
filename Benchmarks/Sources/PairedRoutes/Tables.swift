public import Telescope

extension AgreementQuantity {
  /// `l2`, `corr` and `with_self_cosine`, as columns are called.
  public var columnName: String {
    switch self {
    case .publishedL2: "l2"
    case .publishedCorrelation: "corr"
    case .withSelf(let measure): "with_self_" + measure.rawValue
    case .withoutSelf(let measure): "without_self_" + measure.rawValue
    }
  }
}

/// The tables as text.
public struct Tables {
  let outcome: Outcome
  let source: Source

  /// What the numbers are of.
  public struct Source: Sendable {
    /// The model.
    public var model: String
    /// The set of sentences: `dev` of the paper's, the file's name of others.
    public var split: String
    /// The first sentence and the last, from 0.
    public var range: ClosedRange<Int>
    /// How integrals were formed.
    public var quadrature: String
    /// What u was where the feed-forward map started.
    public var boundary: String
    /// How many times sentences were drawn for the intervals.
    public var resamples: Int

    /// Gathers the values.
    public init(
      model: String, split: String, range: ClosedRange<Int>, quadrature: String, boundary: String,
      resamples: Int
    ) {
      self.model = model
      self.split = split
      self.range = range
      self.quadrature = quadrature
      self.boundary = boundary
      self.resamples = resamples
    }
  }

  /// Makes tables of an outcome.
  public init(_ outcome: Outcome, of source: Source) {
    self.outcome = outcome
    self.source = source
  }

  // MARK: - CSV

  /// One line for each pair, then for each null predictor: the columns of the published table, then ours.
  public var csv: String {
    var columns = [
      "pair_name", "pair_key", "layer_ig_baseline_group", "layer_ig_baseline", "att_ig_baseline",
      "mlp_ig_baseline", "split", "sample_start", "sample_end", "layer_ig_dir_suffix",
      "composed_dir_suffix", "n_pairs", "n_samples", "l2_mean", "l2_std", "corr_mean", "corr_std",
      "composition", "sum_error_median",
    ]
    for quantity in AgreementQuantity.all {
      let name = quantity.columnName
      // The published means stand in the published columns.
      if !quantity.isPublished { columns.append(name) }
      columns += [name + "_low", name + "_high", name + "_standing"]
    }
    var lines = outcome.rows.map { row in
      csvLine(
        name: "LAYER \(row.pair.layer.publishedName) vs \(row.pair.composition) \(row.pair.title)",
        reference: row.pair.reference, route: row.pair.route,
        attention: row.pair.halves?.attention.rawValue,
        feedForward: row.pair.halves?.feedForward.rawValue,
        columns: row.scores.columns, published: row.scores.published,
        composition: row.pair.composition.rawValue, sumError: row.sumError,
        overall: row.scores.overall, standing: { row.scores.standing($0) })
    }
    lines += outcome.nulls.map { null in
      let columns = outcome.rows.first { $0.pair.reference == null.reference }?.scores.columns ?? 0
      return csvLine(
        name: "\(null.reference) vs null \(null.name)", reference: null.reference,
        route: "null/" + null.name, attention: nil, feedForward: nil, columns: columns,
        published: null.published, composition: "null", sumError: nil, overall: null.overall,
        standing: { _ in nil })
    }
    return text([columns] + lines)
  }

  private func csvLine(
    name: String, reference: String, route: String, attention: String?, feedForward: String?,
    columns: Int, published: PublishedAgreement?, composition: String, sumError: Double?,
    overall: AgreementIntervals, standing: (AgreementQuantity) -> PairSummary.Standing?
  ) -> [String] {
    let layer = reference.split(separator: ":").last.map(String.init) ?? reference
    var line = [
      name, reference + "|" + route, layer, layer, attention ?? "", feedForward ?? "",
      source.split, "\(source.range.lowerBound)", "\(source.range.upperBound)", reference, route,
      "\(columns)", "\(outcome.sentences)", number(published?.l2Mean),
      number(published?.l2Deviation), number(published?.correlationMean),
      number(published?.correlationDeviation), composition, number(sumError),
    ]
    for quantity in AgreementQuantity.all {
      let interval = overall[quantity]
      if !quantity.isPublished { line.append(number(interval?.mean)) }
      line += [
        number(interval?.low), number(interval?.high), standing(quantity)?.rawValue ?? "",
      ]
    }
    return line
  }

  /// One line for each pair and layer.
  public var layersCSV: String {
    var columns = ["pair_key", "layer"]
    for quantity in AgreementQuantity.all {
      let name = quantity.columnName
      columns += [name, name + "_low", name + "_high"]
    }
    let lines = outcome.rows.flatMap { row in
      row.scores.layers.map { layer, scores in
        [row.pair.reference + "|" + row.pair.route, "\(layer)"]
          + AgreementQuantity.all.flatMap { quantity in
            let interval = scores[quantity]
            return [number(interval?.mean), number(interval?.low), number(interval?.high)]
          }
      }
    }
    return text([columns] + lines)
  }

  private func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }

  /// Fields with commas stand between quotation marks.
  private func text(_ lines: [[String]]) -> String {
    lines.map { line in
      line.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: ",") + "\n"
    }.joined()
  }
}

extension AgreementQuantity {
  fileprivate var isPublished: Bool { self == .publishedL2 || self == .publishedCorrelation }
}
