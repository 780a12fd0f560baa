public import LanguageModels
public import Results
internal import Tensors

// The effect of patching every value at once, to first order (Nanda 2023):
//
//     (v − v′) ∂m/∂v       at the clean run, or at the patched one
//
// Without a patch v′ = 0: gradient times value. The mean of both ends' gradients is the two-point trapezoid of EAP-IG
// ("clean-corrupted").

/// Attribution patching: the change of a value times the gradient at one of the runs.
public struct AttributionPatching: GradientMethod {
  /// Where the gradient is taken.
  public var point: LinearisationPoint
  /// What stands for derivatives.
  public var rules: BackwardRules
  /// The name in results.
  var name: String

  /// At a run, by the derivative.
  public init(at point: LinearisationPoint = .clean) {
    self.init(at: point, .gradient, name: "atp")
  }

  /// Under rules, by another name.
  package init(at point: LinearisationPoint, _ rules: BackwardRules, name: String) {
    self.point = point
    self.rules = rules
    self.name = name
  }

  /// The scores; one pass each way, and with a patch one forward pass more.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    guard setting.isPaired || point == .clean else {
      throw AttributionError(
        .usage,
        "There is no other run to take gradients at; give a contrast, or linearise at clean.")
    }
    // Constants are told apart where the theory has sums: value times coefficient, of rules that conserve.
    let sums = !setting.isPaired && rules.conserves
    let slopes = try setting.seen(sites, at: point, rules: rules, biases: sums)
    var found = SiteScores(
      values: [:], end: slopes.metric, passes: PassCount(forward: 1, backward: 1))
    var other: GradientSetting.Seen?
    if setting.isPaired {
      let second = try setting.seen(sites, at: point.other, gradients: false)
      found.passes.forward += 1
      let isClean = point == .clean
      (found.end, found.start) =
        isClean ? (slopes.metric, second.metric) : (second.metric, slopes.metric)
      other = second
    }
    for site in sites {
      guard let here = slopes.values[site], let slope = slopes.gradients[site] else { continue }
      let change =
        other?.values[site].map { point == .clean ? here - $0 : $0 - here } ?? here
      found.values[site] = change * slope
    }
    if sums {
      let whole = slopes.metric.reduce(0, +)
      for site in sites.cuts {
        found.expected[site] = whole
        found.constants[site] = slopes.biases[site.firstBlockAfter...].reduce(0, +)
      }
    }
    return found
  }

  /// `atp`, with where the gradient was taken.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: name, rules: rules.spelling, linearisedAt: point.rawValue,
      baseline: setting.isPaired ? "contrast" : "zero")
  }

  /// First order, unless the rules make the network linear.
  public func noSum(at site: Site) -> String? {
    if !rules.conserves {
      return
        "A gradient at one point says nothing of the way there, so its sums are not the metric's change."
    }
    return site.isCut
      ? "The two runs have other coefficients, so the difference of values does not sum to the metric's."
      : "These units hold a part of the metric; the rest goes past them."
  }
}

/// Relevance propagation: value times coefficient under rules that make the network linear (RelP).
///
/// R_v = v · ∂̃m/∂v, with ∂̃ the derivative under the rules; with a patch (v − v′) · ∂̃m/∂v at one of the runs.
/// Unpaired, under rules that conserve, it sums at every cut to m less what biases hold.
public struct RelevancePropagation: GradientMethod {
  private let method: AttributionPatching

  /// Rules, and with a patch where coefficients are taken.
  public init(_ rules: BackwardRules = .relp, at point: LinearisationPoint = .clean) {
    method = AttributionPatching(at: point, rules, name: "relp")
  }

  /// The scores; one pass each way, and with a patch one forward pass more.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    try method.scores(of: sites, in: setting, progress: progress)
  }

  /// `relp`, with its rules.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    method.description(in: setting)
  }

  /// Cuts sum, without a patch.
  public func noSum(at site: Site) -> String? { method.noSum(at: site) }
}

extension LinearisationPoint {
  /// The other run.
  var other: LinearisationPoint { self == .clean ? .patch : .clean }
}

extension Site {
  /// The first block that a cut's values reach; the number of blocks for the head.
  var firstBlockAfter: Int {
    switch self {
    case .residual(let layer, .after): layer + 1
    case .residual(let layer, _): layer
    default: 0
    }
  }
}
