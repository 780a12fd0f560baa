internal import Attribution
public import Results

// A text's agreement is a mean over its columns, so texts are put together with as many votes as they have
// columns, and drawn as wholes for the intervals: columns of one text are no independent draws.

/// The agreement of two routes over many texts, from what was found of each.
public struct FlowAggregate: Sendable {
  /// One column of numbers: a score, of the routes or of a predictor, in a layer or in all.
  private struct Place: Hashable {
    var layer: Int?
    var null: String?
    var withSelf: Bool
    var measure: AgreementMeasure
  }

  private var places: [Place] = []
  private var numbers: [[(place: Place, value: Double, columns: Int)]] = []
  private var columns = 0
  private var first: FlowResult?

  /// Begins with no text.
  public init() {}

  /// How many texts there are.
  public var texts: Int { numbers.count }

  /// Adds a text's agreement; a result without one adds nothing.
  public mutating func add(_ result: FlowResult) {
    guard let agreement = result.agreement else { return }
    if first == nil { first = result }
    var known = Set(places)
    var text: [(place: Place, value: Double, columns: Int)] = []
    for row in agreement where row.head == nil {
      if row.layer == nil { columns += row.columns }
      let sides: [(String?, AgreementScores, AgreementScores)] =
        [(nil, row.withSelf, row.withoutSelf)]
        + row.nulls.map { ($0.name, $0.withSelf, $0.withoutSelf) }
      for (null, withSelf, withoutSelf) in sides {
        for (isWith, scores) in [(true, withSelf), (false, withoutSelf)] {
          for measure in AgreementMeasure.allCases {
            guard let value = scores[measure], row.columns > 0 else { continue }
            let place = Place(
              layer: row.layer, null: null, withSelf: isWith, measure: measure)
            if known.insert(place).inserted { places.append(place) }
            text.append((place, value, row.columns))
          }
        }
      }
    }
    numbers.append(text)
  }

  /// What the texts have in common; nil where none has an agreement.
  ///
  /// - Parameters:
  ///   - resamples: how many times texts are drawn.
  ///   - seed: of the draws.
  /// - Returns: means with their 95 % intervals.
  /// - Complexity: resamples × texts × scores additions.
  public func result(resamples: Int, seed: Int) -> FlowAggregateResult? {
    guard let first, let routes = first.agreement?.first?.routes else { return nil }
    let index = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1, $0) })
    var means = ClusteredMeans(columns: places.count)
    for text in numbers {
      means.beginCluster()
      for (place, value, columns) in text {
        guard let column = index[place] else { continue }
        for _ in 0..<columns { means.add(value, to: column) }
      }
    }
    let intervals = means.intervals(resamples: resamples, seed: seed)
    return FlowAggregateResult(
      toolVersion: first.toolVersion, model: first.model, device: first.device,
      routes: routes, texts: texts,
      columns: columns, resamples: resamples, seed: seed,
      scores: zip(places, intervals).compactMap { place, interval in
        interval.map {
          FlowScoreMean(
            layer: place.layer, null: place.null, withSelf: place.withSelf,
            measure: place.measure.rawValue, mean: $0.mean, low: $0.low, high: $0.high)
        }
      })
  }
}

extension AgreementScores {
  /// The score of a measure.
  subscript(measure: AgreementMeasure) -> Double? {
    switch measure {
    case .relativeL2: relativeL2
    case .shareL2: shareL2
    case .scaledResidual: scaledResidual
    case .cosine: cosine
    case .pearson: pearson
    case .spearman: spearman
    case .topOverlap: topOverlap
    }
  }
}
