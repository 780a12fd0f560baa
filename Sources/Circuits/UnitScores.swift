public import Attribution
public import Results

/// A score of every unit: positive supports the metric.
public struct UnitScores: Sendable, Equatable {
  /// What is scored.
  public var kind: UnitKind
  /// [layer][position · units + unit]; with summed positions there is one position.
  public var values: [[Float]]
  /// Units in a layer at a position.
  public var units: Int
  /// Whether a layer's positions are summed, so that a unit stands for all of them.
  public var sumsPositions: Bool
  /// The runs that it took over one prompt.
  public var passes: PassCount

  /// Gathers the values.
  public init(
    kind: UnitKind, values: [[Float]], units: Int, sumsPositions: Bool = false,
    passes: PassCount
  ) {
    self.kind = kind
    self.values = values
    self.units = units
    self.sumsPositions = sumsPositions
    self.passes = passes
  }

  /// Positions that have scores of their own.
  public var positions: Int { (values.first?.count ?? 0) / max(1, units) }

  /// All scores.
  public var count: Int { values.reduce(0) { $0 + $1.count } }
}
