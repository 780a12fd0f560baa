public import LanguageModels
public import Results

// IG_i = (x_i − x′_i) ∫₀¹ ∂m/∂x_i (x′ + α (x − x′)) dα,   Σ_i IG_i = m(x) − m(x′)
//
// Sundararajan, Taly and Yan 2017. With places drawn at random it is expected gradients of one baseline (Erion and
// others 2021); averaged over the path at the input but multiplied by the change of a value behind it, it is EAP-IG
// (Hanna, Pezzelle and Belinkov 2024), which need not sum to anything: the change is taken out of the integral.

/// Integrated gradients along the input's straight path, at the embeddings and, as EAP-IG, at any site.
public struct IntegratedGradients: GradientMethod {
  /// The points.
  public var rule: PathRule

  /// The name in results; nil for `ig`, or `expected-gradients` at random places.
  package var name: String?

  /// A path rule; by default it is refined until the sum misses 1e-3 of the change.
  public init(_ rule: PathRule = .adaptive(tolerance: 1e-3)) { self.rule = rule }

  /// The same by another name.
  package init(_ rule: PathRule, name: String) {
    self.rule = rule
    self.name = name
  }

  /// The scores; a pass each way at every node, over the tokens from the first that moves on.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    SiteScores(
      try setting.inputScores(of: sites, rule, .endPoint, progress: progress),
      complete: sites.filter { $0 == .embedding })
  }

  /// The name and the path.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    var (usual, seed): (String, Int?) = ("ig", nil)
    if case .random(_, let drawn) = rule { (usual, seed) = ("expected-gradients", drawn) }
    return AttributionMethod(
      name: name ?? usual, path: "input", rule, estimator: .endPoint, baseline: setting.start.name,
      seed: seed)
  }

  /// Behind the input nothing is promised.
  public func noSum(at site: Site) -> String? {
    site == .embedding
      ? nil
      : "EAP-IG takes the value's change out of the integral, so its sums are not the metric's change."
  }
}

extension AttributionMethod {
  /// A method with its path.
  init(
    name: String, path: String, _ rule: PathRule, estimator: PathEstimator, baseline: String,
    seed: Int? = nil
  ) {
    self.init(
      name: name, path: path, quadrature: rule.name, steps: rule.steps, tolerance: rule.tolerance,
      estimator: estimator.rawValue, rules: "gradient", baseline: baseline, seed: seed)
  }
}
