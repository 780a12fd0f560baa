public import LanguageModels
public import Results
internal import Tensors

// Integrated gradients of values inside the network. Which values move together is a choice, and the names in use hide
// it; here it has one:
//
//     layer   all values of a site move from the patch's to the clean ones while everything before them stays clean
//             (Marks and others 2024, as their code has it). Each site has a path of its own, begun at its block. Sums
//             to m(clean) − m(do site ← patch).
//     all     the values of all sites move at once, each cut from what is before it: direct effects alone.
//     node    one number moves, all else follows. By the fundamental theorem that is exactly the effect of patching it,
//             which takes one pass and no integral: `telescope patch`, `circuit --method exact`.
//
// Without a patch, values move from 0.

/// Integrated gradients on activations.
public struct ActivationIG: GradientMethod {
  /// What moves together.
  public enum Scope: String, Sendable, CaseIterable {
    /// One site's values.
    case layer
    /// All sites' values.
    case all
  }

  /// The points.
  public var rule: PathRule
  /// What moves together.
  public var scope: Scope

  /// A path rule and what moves.
  public init(_ rule: PathRule = .gaussLegendre(10), scope: Scope = .layer) {
    self.rule = rule
    self.scope = scope
  }

  /// The scores; with sites of their own, half a pass each way at every node of every site, on average.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    try withEngineErrors { try recorded(sites, setting, progress) }
  }

  private func recorded(
    _ sites: [Site], _ setting: GradientSetting, _ progress: (Double) -> Void
  ) throws -> SiteScores {
    // A layer's path begins with the stream before it, which the same run shows.
    let before =
      scope == .layer
      ? (0..<setting.model.shape.layers).map { Site.residual($0, .before) } : []
    let clean = try setting.seen(sites + before, gradients: false)
    var passes = PassCount(forward: 1, backward: 0)
    var patch: GradientSetting.Seen?
    if setting.isPaired {
      patch = try setting.seen(sites, at: .patch, gradients: false)
      passes.forward += 1
    }
    func ends(_ site: Site) -> (start: Tensor, end: Tensor)? {
      clean.values[site].map { (patch?.values[site] ?? $0 * 0, $0) }
    }
    switch scope {
    case .layer:
      let streams = before.compactMap { clean.values[$0] }
      // From zero every token's value moves; from another text's, those from the first that differs on.
      let moving = setting.isPaired ? MovingTokens(of: setting, at: sites) : nil
      if let moving { passes.forward += 1 - moving.share }
      var found = SiteScores(values: [:], end: clean.metric, start: patch?.metric, passes: passes)
      for (index, site) in sites.enumerated() {
        guard let (start, end) = ends(site) else { continue }
        let path = PathIntegral(
          site, from: moving?.part(of: start) ?? start, to: moving?.part(of: end) ?? end,
          rowsAtOnce: moving?.rowsAtOnce ?? setting.rowsAtOnce,
          of: setting.function(of: site, streams: streams, moving))
        var one = try path.scores(of: [site], rule, .endPoint) {
          progress((Double(index) + $0) / Double(sites.count))
        }
        one = moving?.whole(one) ?? one
        found.values[site] = one.values[site]
        found.expected[site] = zip(one.end, one.start).reduce(0) { $0 + $1.0 - $1.1 }
        let share = setting.share(from: site)
        found.passes =
          found.passes
          + PassCount(forward: share * one.passes.forward, backward: share * one.passes.backward)
        found.nodes = max(found.nodes ?? 0, one.nodes)
      }
      return found
    case .all:
      let all = sites.compactMap { site in ends(site).map { (site, $0) } }
      let values = Dictionary(uniqueKeysWithValues: all)
      let whole = setting.function()
      let batch = setting.batch
      let type = setting.embedding.type
      let path = PathIntegral(
        .logits, from: Tensor(repeating: 0, [batch, 1], type),
        to: Tensor(repeating: 1, [batch, 1], type), rowsAtOnce: setting.rowsAtOnce
      ) { alpha, pass in
        var inner = pass
        inner.sites.formUnion(values.keys)
        let visit = { (site: Site, value: Tensor) in
          guard let (start, end) = values[site] else { return value }
          let ones = start.shape.dropFirst().map { _ in 1 }
          let a = alpha.reshaped([-1, batch] + ones)
          let moved = (a * (end - start) + start).reshaped([-1] + start.shape.dropFirst())
          return pass.sites.contains(site) ? pass.visit(site, moved) : moved
        }
        inner.visit = visit
        // What the first block receives is no site of a run from there on; it moves with the others.
        let x = setting.embedding
        let rows = alpha.size(0) / batch
        let tiled = x.reshaped([1] + x.shape).expanded([rows] + x.shape)
          .reshaped([rows * batch] + x.shape.dropFirst())
        return whole(visit(.embedding, tiled), inner)
      }
      let one = try path.scores(of: sites, rule, .endPoint, progress: progress)
      return SiteScores(
        values: one.values, end: clean.metric, start: patch?.metric, nodes: one.nodes,
        passes: passes + one.passes)
    }
  }

  /// `ig-activations`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "ig-activations", path: scope.rawValue, rule, estimator: .endPoint,
      baseline: setting.isPaired ? "contrast" : "zero")
  }

  /// A layer's sum is the effect of patching the layer.
  public func noSum(at site: Site) -> String? {
    scope == .layer
      ? nil
      : "With all layers held at once each score is a direct effect; what later layers pass on is in none."
  }
}
