public import LanguageModels
public import Results
internal import Tensors

// Along the input's straight path values behind it follow, y(α). The part of the metric's change that passes through
// a value is
//
//     Cond_y = ∫₀¹ ∂m/∂y · dy/dα dα  ≈  Σ_k f_k g_k · (y(b_k) − y(a_k))
//
// (Dhamdhere, Sundararajan and Yan 2019): no Jacobian is needed, and one run of the path gives every layer's. Over a
// full cut it sums to m(x) − m(x′); the neurons of a layer are none, their sum is what was routed through them.
// Left and right steps bracket the truth, and their mean, the trapezoid, costs one pass more.

/// Conductance of the values at any sites, all layers from one run of the path.
public struct Conductance: GradientMethod {
  /// The points.
  public var rule: PathRule

  /// A path rule with a fixed number of steps.
  public init(_ rule: PathRule = .trapezoid(20)) { self.rule = rule }

  /// The scores; a pass each way at every node, over the tokens from the first that moves on.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    SiteScores(
      try setting.inputScores(of: sites, rule, .stieltjes, progress: progress),
      complete: sites.cuts)
  }

  /// `conductance`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "conductance", path: "input", rule, estimator: .stieltjes, baseline: setting.start.name)
  }

  /// Only cuts carry everything.
  public func noSum(at site: Site) -> String? {
    site.isCut
      ? nil
      : "What passes through these units is a part of the metric's change; the rest goes past them."
  }
}

// For one unit y, how much of what passes through it came from each input (Dhamdhere and others 2019, §3):
//
//     (x_i − x′_i) ∫₀¹ ∂m/∂y · ∂y/∂x_i dα
//
// which is IG of the number y · c with c = ∂m/∂y held at each point. Over the inputs it sums to y's conductance.

/// The conductance of one unit, shared out over the input.
public struct NeuronConductance: GradientMethod {
  /// Where the unit is.
  public var site: Site
  /// Its position.
  public var position: Int
  /// Its place among the numbers of the position.
  public var unit: Int
  /// The points.
  public var rule: PathRule

  /// A unit and a path rule.
  public init(_ site: Site, position: Int, unit: Int, _ rule: PathRule = .gaussLegendre(20)) {
    self.site = site
    self.position = position
    self.unit = unit
    self.rule = rule
  }

  /// The scores at the embedding; two passes back at each node.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    if case .adaptive = rule {
      throw AttributionError(
        .usage,
        "A tolerance needs a metric's change to meet, and a unit's conductance is an integral itself; give the number of "
          + "--steps.")
    }
    guard sites == [.embedding] else {
      throw AttributionError(
        .usage, "Neuron conductance is shared out over tokens; leave out other units.")
    }
    let size = setting.model.shape
    let units: Int
    switch site {
    case .feedForward(_, .hidden): units = size.hidden
    case .attention(_, .heads): units = size.heads * size.headWidth
    default: units = size.width
    }
    guard (0..<units).contains(unit), setting.ids[0].indices.contains(position) else {
      throw AttributionError(
        .usage,
        "Unit \(unit) at position \(position) is out of range; \(site) has units 0 to \(units - 1) at "
          + "positions 0 to \(setting.ids[0].count - 1).")
    }
    guard setting.model.sites.contains(site) else {
      throw AttributionError(.usage, "\(setting.model.shape.architecture) has no site '\(site)'.")
    }
    let whole = setting.function()
    var path = setting.inputPath()
    path.function = { [site, position, unit] x, pass in
      var seen: Tensor?
      var inner = pass
      inner.sites.insert(site)
      inner.visit = { place, value in
        if place == site { seen = value }
        return pass.sites.contains(place) ? pass.visit(place, value) : value
      }
      let metric = whole(x, inner)
      guard let value = seen else { return metric }
      let y = value.slice(position..<position + 1, along: 1).reshaped([value.size(0), -1])
        .slice(unit..<unit + 1, along: 1).reshaped([-1])
      guard metric.isRecorded else { return y }
      let slope = metric.gradient(withRespectTo: [value])[0]
        .slice(position..<position + 1, along: 1).reshaped([value.size(0), -1])
        .slice(unit..<unit + 1, along: 1).reshaped([-1])
      return y * slope
    }
    let found = try path.scores(of: [.embedding], rule, .endPoint, progress: progress)
    let ends = try setting.seen([.embedding], gradients: false)
    return SiteScores(
      values: found.values, end: ends.metric, nodes: found.nodes,
      passes: PassCount(
        forward: found.passes.forward + 1, backward: 2 * found.passes.backward))
  }

  /// `neuron-conductance`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "neuron-conductance", path: "input", rule, estimator: .endPoint,
      baseline: setting.start.name)
  }

  /// It sums to the unit's conductance, an integral itself.
  public func noSum(at site: Site) -> String? {
    "The sum is the unit's conductance, which is not known apart from the integral."
  }
}

/// ∫₀¹ ∂m/∂y dα along the input's path, multiplied by nothing (Leino and others 2018).
public struct InternalInfluence: GradientMethod {
  /// The points.
  public var rule: PathRule

  /// A path rule.
  public init(_ rule: PathRule = .gaussLegendre(20)) { self.rule = rule }

  /// The scores; a pass each way at every node.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    SiteScores(
      try setting.inputPath().scores(of: sites, rule, .influence, progress: progress), complete: [])
  }

  /// `internal-influence`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "internal-influence", path: "input", rule, estimator: .influence,
      baseline: setting.start.name)
  }

  /// It is a mean slope.
  public func noSum(at site: Site) -> String? {
    "Internal influence is a mean slope, multiplied by no change, so it sums to nothing in particular."
  }
}
