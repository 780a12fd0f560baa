public import Results

// Two routes are compared column by column: what reaches one target, from all sources that it sees. Every
// score is taken with the target's own entry and without it, because the one entry can be all there is (zero
// baselines) or nothing by construction (ITB), and beside what predictors score that know nothing of C:
//
//     zero        C = 0
//     constant    C_ij = mean of Z's column: the best guess that tells no source from another
//     attention   C_ij = α_ji, where the caller gives it
//     change      C_ij = |x_i − b_i|, where the caller gives it
//
// A score that does not exceed theirs says nothing of the composition.

/// A route to the flows of some layers, ready to be compared with any number of others.
public struct FlowRoute: Sendable {
  /// What it is called in results.
  public let name: String
  /// What its maps count.
  public let frame: AgreementFrame
  /// [unit][column].
  let units: [[TargetColumns]]
  /// How many heads each layer's units count besides the sum.
  let headCount: Int

  /// One target's column: whole, of what the target sees, and of that without itself.
  struct TargetColumns: Sendable {
    var whole: AgreementColumn
    var withSelf: AgreementColumn
    var withoutSelf: AgreementColumn
  }

  /// Prepares a route.
  ///
  /// - Parameters:
  ///   - name: what it is called in results.
  ///   - maps: one for each layer of the frame, all on the axes source, target or all on source, target, head;
  ///     with heads, their sum is compared as well as each.
  ///   - frame: what the maps count.
  /// - Complexity: O(n log n) for each column of n sources.
  public init(_ name: String, _ maps: [AxisArray], in frame: AgreementFrame) {
    precondition(maps.count == frame.layers.count, "\(maps.count) maps of \(frame.layers) layers")
    self.name = name
    self.frame = frame
    let heads = maps.first?.axes.count == 3 ? maps[0].shape[2] : 0
    precondition(heads == 0 || heads == frame.heads.count, "\(heads) heads of \(frame.heads)")
    headCount = heads
    units = maps.enumerated().flatMap { index, map in
      precondition(
        map.axes == ["source", "target"] + (heads > 0 ? ["head"] : [])
          && map.shape[1] == frame.targets.count
          && map.shape.dropFirst(2).allSatisfy { $0 == heads },
        "\(map.axes) of \(map.shape) for \(frame.targets.count) targets")
      return ([nil] + (0..<heads).map { $0 }).map { (head: Int?) in
        frame.targets.enumerated().map { column, target in
          Self.columns(map, column, head, target, frame.visibility[index], frame.topCount)
        }
      }
    }
  }

  private static func columns(
    _ map: AxisArray, _ column: Int, _ head: Int?, _ target: Int, _ visibility: SourceVisibility,
    _ topCount: Int
  ) -> TargetColumns {
    let heads = map.shape.dropFirst(2).reduce(1, *)
    let step = map.shape[1] * heads
    let whole = (0..<map.shape[0]).map { source in
      let cell = source * step + column * heads
      return head.map { map.values[cell + $0] }
        ?? map.values[cell..<cell + heads].reduce(0, +)
    }
    let seen = whole.indices.filter { visibility.shows(target, $0) }
    let full = AgreementColumn(whole, topCount: topCount)
    return TargetColumns(
      whole: full,
      withSelf: seen.count == whole.count
        ? full : AgreementColumn(seen.map { whole[$0] }, topCount: topCount),
      withoutSelf: AgreementColumn(
        seen.filter { $0 != target }.map { whole[$0] }, topCount: topCount))
  }

  /// The layer and head of a unit; without a head, the sum over heads.
  func place(of unit: Int) -> (layer: Int, head: Int?) {
    let (layer, head) = unit.quotientAndRemainder(dividingBy: headCount + 1)
    return (frame.layers[layer], head == 0 ? nil : frame.heads[head - 1])
  }

  /// The columns of a unit of another route.
  func columns(of unit: Int, in other: FlowRoute) -> [TargetColumns]? {
    let (layer, head) = unit.quotientAndRemainder(dividingBy: other.headCount + 1)
    guard head == 0 || headCount == other.headCount else { return nil }
    return units[layer * (headCount + 1) + head]
  }
}

/// What one column scores against another of the same target.
struct ColumnAgreement: Sendable {
  var published: (l2: Double, correlation: Double)?
  var withSelf: [Double?]
  var withoutSelf: [Double?]

  init(_ reference: FlowRoute.TargetColumns, _ other: FlowRoute.TargetColumns) {
    published = reference.whole.published(other.whole)
    withSelf = reference.withSelf.scores(of: other.withSelf)
    withoutSelf = reference.withoutSelf.scores(of: other.withoutSelf)
  }
}

/// The route that others are compared with, and what predictors that know nothing score against it.
public struct AgreementReference: Sendable {
  /// The route.
  public let route: FlowRoute
  /// The predictors' names, in the order of results.
  public let nullNames: [String]
  /// [null][unit][column]; nil where a predictor has no such unit.
  let nulls: [[[ColumnAgreement]?]]

  /// Prepares a reference.
  ///
  /// - Parameters:
  ///   - route: Z.
  ///   - attention: the attention α that each target pays each source: by head, or for maps without heads its
  ///     mean over heads.
  ///   - change: |x_i − b_i| of each source, on the path to each target.
  public init(_ route: FlowRoute, attention: FlowRoute? = nil, change: FlowRoute? = nil) {
    self.route = route
    func guesses(_ guess: (AgreementColumn) -> Double) -> [[ColumnAgreement]?] {
      route.units.map { unit in
        unit.map { columns in
          func constant(_ column: AgreementColumn) -> AgreementColumn {
            AgreementColumn(constant: guess(column), like: column)
          }
          return ColumnAgreement(
            columns,
            .init(
              whole: constant(columns.whole), withSelf: constant(columns.withSelf),
              withoutSelf: constant(columns.withoutSelf)))
        }
      }
    }
    var nulls = [("zero", guesses { _ in 0 }), ("constant", guesses(\.mean))]
    for (name, given) in [("attention", attention), ("change", change)] {
      if let given { nulls.append((name, Self.compare(route, given))) }
    }
    nullNames = nulls.map(\.0)
    self.nulls = nulls.map(\.1)
  }

  static func compare(_ reference: FlowRoute, _ other: FlowRoute) -> [[ColumnAgreement]?] {
    precondition(reference.frame == other.frame, "\(reference.name) and \(other.name) differ")
    return reference.units.enumerated().map { unit, columns in
      other.columns(of: unit, in: reference).map { others in
        zip(columns, others).map { ColumnAgreement($0, $1) }
      }
    }
  }

  /// Compares a route with the reference.
  ///
  /// - Parameter other: C, of the same frame.
  /// - Returns: the scores of every column.
  /// - Complexity: O(n) for each column of n sources.
  public func agreement(with other: FlowRoute) -> RouteAgreement {
    RouteAgreement(reference: self, name: other.name, units: Self.compare(route, other))
  }
}

/// What a route scores against a reference, column by column.
public struct RouteAgreement: Sendable {
  /// Z and its null predictors.
  public let reference: AgreementReference
  /// C's name.
  public let name: String
  /// [unit][column]; nil where C has no such unit.
  let units: [[ColumnAgreement]?]

  /// Means over columns: each layer by itself, with heads each head after its layer, then all layers together.
  public var results: [FlowAgreement] {
    let known = units.indices.filter { units[$0] != nil }
    let each = known.map { result([$0], reference.route.place(of: $0)) }
    let sums = known.filter { reference.route.place(of: $0).head == nil }
    return each + [result(sums, (nil, nil))]
  }

  private func result(_ chosen: [Int], _ place: (layer: Int?, head: Int?)) -> FlowAgreement {
    var own = RunningAgreement()
    for unit in chosen { own.add(units[unit] ?? []) }
    let nulls = zip(reference.nullNames, reference.nulls).compactMap { name, scores in
      guard chosen.allSatisfy({ scores[$0] != nil }) else { return nil as NullAgreement? }
      var running = RunningAgreement()
      for unit in chosen { running.add(scores[unit] ?? []) }
      return NullAgreement(
        name: name, published: running.published.value, withSelf: running.withSelf.value,
        withoutSelf: running.withoutSelf.value)
    }
    return FlowAgreement(
      routes: [reference.route.name, name], layer: place.layer, head: place.head,
      columns: own.published.count, topCount: reference.route.frame.topCount,
      published: own.published.value, withSelf: own.withSelf.value,
      withoutSelf: own.withoutSelf.value, nulls: nulls)
  }
}

/// How far two routes agree.
///
/// - Parameters:
///   - reference: Z.
///   - other: C, of the same frame.
///   - attention: the attention that each target pays each source, as a predictor that knows nothing of C.
///   - change: |x_i − b_i| of each source, as another.
/// - Returns: each layer by itself, with heads each head after its layer, then all layers together.
public func flowAgreement(
  of reference: FlowRoute, with other: FlowRoute, attention: FlowRoute? = nil,
  change: FlowRoute? = nil
) -> [FlowAgreement] {
  AgreementReference(reference, attention: attention, change: change)
    .agreement(with: other).results
}
