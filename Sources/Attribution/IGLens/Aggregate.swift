public import Results

// What many explanations have in common. Prediction t of prompt p has the values A_ptl over the chosen
// layers l. Values of different predictions differ in size, as probabilities do, so each is taken as a
// share of its prediction's whole movement, with its sign:
//
//     s_ptl = A_ptl / Σ_l |A_ptl|           Σ_l |s_ptl| = 1
//     profile_l = mean of s_ptl over predictions
//     onset_l   = share of predictions whose onset layer is l
//
// A profile thus lies between −1 and 1, and sums to 1 where every layer of every prediction adds.
// Predictions weigh the same, whatever prompt they belong to; intervals come from drawing whole prompts.
// A span is left out: its tokens are there already.

/// Gathers many explanations of one model by one method into one picture.
public struct Aggregate: Sendable {
  private struct Measure: Hashable {
    var replacement: CausalCheck.Replacement
    var kind: CheckedPart.Kind
    var name: String
  }

  private static let measures = CausalCheck.Replacement.allCases.flatMap { replacement in
    CheckedPart.Kind.allCases.flatMap { kind in
      ["spearman", "sign"].map { Measure(replacement: replacement, kind: kind, name: $0) }
    }
  }
  private static let places = Dictionary(
    uniqueKeysWithValues: zip(measures, measures.indices))

  /// What all results share.
  private struct Frame {
    var model: ModelDescription
    var device: String
    var method: MethodDescription
    var settings: [(name: String, value: String)]
  }

  private var frame: Frame?
  private var scope: CausalCheck.Scope?
  private var columns: [Int: Int] = [:]
  private var shares = ClusteredMeans(columns: 0)
  private var onsets = ClusteredMeans(columns: 0)
  private var agreements = ClusteredMeans(columns: measures.count)
  private var predictions = 0
  private var weightless = 0
  private var warned = 0
  private var certified = 0
  private var converged = 0

  /// Begins with nothing.
  public init() {}

  /// How many results were added.
  public var prompts: Int { agreements.clusters }

  /// Why a result does not belong with those added before it; nil where it does.
  ///
  /// Everything that the numbers depend on must be the same, prompt and continuation aside.
  public func difference(_ result: ExplainResult) -> String? {
    guard let frame else { return nil }
    func differs(_ name: String, _ here: String, _ before: String) -> String? {
      here == before ? nil : "its \(name) is \(here), and \(before) in the results before it"
    }
    for (before, here) in zip(frame.settings, result.settings) {
      if let found = differs(here.name, here.value, before.value) { return found }
    }
    guard let scope, let other = result.scope else { return nil }
    return differs("place of replacement", other.rawValue, scope.rawValue)
  }

  /// Adds one result.
  ///
  /// - Throws: `AttributionError` where it was made by another model or in another way than the
  ///   results before it.
  public mutating func add(_ result: ExplainResult) throws {
    if let difference = difference(result) {
      throw AttributionError(
        .usage, "Result \(prompts) does not belong: \(difference); aggregate them apart.")
    }
    if frame == nil { begin(result) }
    scope = scope ?? result.scope
    shares.beginCluster()
    onsets.beginCluster()
    agreements.beginCluster()
    if !result.warnings.isEmpty { warned += 1 }
    for explanation in result.explanations where explanation.target.span == nil {
      predictions += 1
      add(explanation)
    }
  }

  private mutating func begin(_ result: ExplainResult) {
    frame = Frame(
      model: result.model, device: result.device, method: result.method,
      settings: result.settings)
    let layers = result.method.layers
    columns = Dictionary(zip(layers, layers.indices)) { earlier, _ in earlier }
    shares = ClusteredMeans(columns: layers.count)
    onsets = ClusteredMeans(columns: layers.count)
  }

  private mutating func add(_ explanation: Explanation) {
    let total = explanation.attributions.reduce(0) { $0 + abs($1.value) }
    if total > 0, total.isFinite {
      for attribution in explanation.attributions {
        guard let column = columns[attribution.layer] else { continue }
        shares.add(attribution.value / total, to: column)
      }
    } else {
      weightless += 1
    }
    if let onset = explanation.onsetLayer {
      for (layer, column) in columns { onsets.add(layer == onset ? 1 : 0, to: column) }
    }
    for isConverged in explanation.attributions.compactMap(\.converged) {
      certified += 1
      if isConverged { converged += 1 }
    }
    for check in explanation.checks ?? [] {
      for agreement in check.agreement {
        for (name, value) in [("spearman", agreement.spearman), ("sign", agreement.signAgreement)] {
          let measure = Measure(replacement: check.replacement, kind: agreement.kind, name: name)
          guard let value, let column = Self.places[measure] else { continue }
          agreements.add(value, to: column)
        }
      }
    }
  }

  /// Means over all predictions added, with 95 % intervals from drawing whole prompts.
  ///
  /// - Parameters:
  ///   - resamples: how many times the prompts are drawn.
  ///   - seed: of the draws; the same results and seed give the same numbers.
  /// - Returns: the profile, the onsets, and agreement where there are checks.
  /// - Throws: `AttributionError` where nothing was added.
  /// - Complexity: no model runs; resamples × prompts × numbers per prompt additions.
  public func result(resamples: Int = 1000, seed: Int = 0) throws -> AggregateResult {
    guard let frame else {
      throw AttributionError(.usage, "There are no results to aggregate; give at least one.")
    }
    guard resamples > 0 else {
      throw AttributionError(
        .usage, "An interval from \(resamples) resamples is none; take at least 1.")
    }
    func intervals(_ means: ClusteredMeans) -> [LayerInterval] {
      zip(frame.method.layers, means.intervals(resamples: resamples, seed: seed)).compactMap {
        layer, interval in
        interval.map {
          LayerInterval(layer: layer, mean: $0.mean, low: $0.low, high: $0.high)
        }
      }
    }
    let agreement = zip(
      Self.measures, agreements.intervals(resamples: resamples, seed: seed)
    ).compactMap { measure, interval in
      interval.map {
        AgreementInterval(
          replacement: measure.replacement, kind: measure.kind, measure: measure.name,
          mean: $0.mean, low: $0.low, high: $0.high)
      }
    }
    return AggregateResult(
      toolVersion: telescopeVersion, model: frame.model, device: frame.device, prompts: prompts,
      tokens: predictions, method: frame.method, resamples: resamples, seed: seed,
      profile: intervals(shares), onset: intervals(onsets), agreement: agreement,
      converged: certified > 0 ? Double(converged) / Double(certified) : nil, warnings: warnings)
  }

  private var warnings: [String] {
    var warnings: [String] = []
    if prompts < 10 {
      warnings.append(
        "An interval from \(prompts) prompt\(prompts == 1 ? "" : "s") is too narrow: it shows how these "
          + "differ, not how others would.")
    }
    if weightless > 0 {
      warnings.append(
        "Left out of profile and onset: \(weightless) of \(predictions) predictions, which have no layer "
          + "of any weight.")
    }
    if warned > 0 {
      warnings.append("See the warnings in the lines of \(warned) of \(prompts) results.")
    }
    return warnings
  }

  /// Gathers results that are all at hand.
  ///
  /// - Throws: `AttributionError` where there are none, or they do not belong together.
  public static func result(
    of results: some Sequence<ExplainResult>, resamples: Int = 1000, seed: Int = 0
  ) throws -> AggregateResult {
    var aggregate = Aggregate()
    for result in results { try aggregate.add(result) }
    return try aggregate.result(resamples: resamples, seed: seed)
  }
}

extension ExplainResult {
  /// Where parts were replaced, if any were.
  fileprivate var scope: CausalCheck.Scope? {
    explanations.lazy.compactMap { $0.checks?.first?.scope }.first
  }

  /// All that the numbers depend on, prompt and continuation aside.
  fileprivate var settings: [(name: String, value: String)] {
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "none" }
    func quoted(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "none" }
    let target = explanations.first?.target.versus.map { "\(method.target):\($0.text)" }
    return [
      ("model hash", model.sha256), ("number of layers", text(model.layers)),
      ("dtype", model.dtype), ("device", device), ("path", method.path),
      ("baseline", method.baseline), ("baseline text", quoted(baselineText)),
      ("target", target ?? method.target), ("estimator", method.estimator),
      ("number of nodes", text(method.nodes)), ("tolerance", text(method.tolerance)),
      ("list of layers", method.layers.map(String.init).joined(separator: " ")),
      ("onset share", text(method.onsetFraction)), ("depth", text(method.depth)),
      ("number of neurons", text(method.neurons)), ("completion", text(method.completion)),
      ("lens", text(method.lens)), ("seed", text(seed)), ("contrast", quoted(contrast?.prompt)),
    ]
  }
}
