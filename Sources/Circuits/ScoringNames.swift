public import LanguageModels
public import Results

extension NodeScoring {
  /// The names of scorings in commands.
  public static let names = [
    "relp", "relp-paired", "atp", "ig-activations", "conductance", "eap-ig", "exact", "random",
  ]

  /// The scoring of a name.
  ///
  /// - Parameters:
  ///   - name: one of `names`.
  ///   - steps: the nodes of a path; nil for ten.
  ///   - rules: the rules of RelP.
  ///   - point: the run at which gradients are taken, where that is a choice.
  ///   - seed: what draws random scores.
  public init?(
    _ name: String, steps: Int? = nil, rules: BackwardRules = .relp,
    at point: LinearisationPoint = .clean, seed: Int = 0
  ) {
    switch name {
    case "relp": self = .relp(rules)
    case "relp-paired": self = .relp(rules, paired: point)
    case "atp": self = .attributionPatching(at: point)
    case "ig-activations": self = .activations(steps: steps ?? 10)
    case "conductance": self = .conductance(steps: steps ?? 10)
    case "eap-ig": self = .pathAverage(steps: steps ?? 10)
    case "exact": self = .exact
    case "random": self = .random(seed: seed)
    default: return nil
    }
  }

  /// The scoring as results tell it.
  ///
  /// - Parameter hasPatch: whether prompts have changed ones, from which paths and differences start.
  public func described(hasPatch: Bool) -> AttributionMethod {
    let start = hasPatch ? "contrast" : "zero"
    switch self {
    case .relp(let rules, let point):
      return AttributionMethod(
        name: point == nil ? "relp" : "relp-paired", rules: rules.name,
        linearisedAt: (point ?? .clean).rawValue, baseline: point == nil ? "zero" : start)
    case .attributionPatching(let point):
      return AttributionMethod(
        name: "atp", rules: BackwardRules.gradient.name, linearisedAt: point.rawValue,
        baseline: start)
    case .activations(let steps):
      return AttributionMethod(
        name: "ig-activations", path: "layer", steps: steps, estimator: "end-point",
        rules: BackwardRules.gradient.name, baseline: start)
    case .conductance(let steps):
      return AttributionMethod(
        name: "conductance", path: "input", steps: steps, estimator: "stieltjes",
        rules: BackwardRules.gradient.name, baseline: start)
    case .pathAverage(let steps):
      return AttributionMethod(
        name: "eap-ig", path: "input", steps: steps, estimator: "end-point",
        rules: BackwardRules.gradient.name, baseline: start)
    case .exact: return AttributionMethod(name: "exact", path: "node", baseline: start)
    case .random(let seed): return AttributionMethod(name: "random", seed: seed)
    }
  }
}
