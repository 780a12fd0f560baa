public import LanguageModels
public import Results

// Between two points of the path the metric changes by a known amount, and of a small step only the part along the
// gradient changes it. So each step's change is shared out by squared gradients (Yang, Wang and Bilgic 2023):
//
//     A_i = Σ_j g_{j,i}² / ‖g_j‖² · (m(x_{j+1}) − m(x_j))
//
// The sum is the metric's change for any number of steps, even one.

/// IDGI at the embeddings.
public struct IDGI: GradientMethod {
  /// Steps, each with the gradient at its beginning.
  public var steps: Int

  /// So many steps.
  public init(steps: Int = 20) { self.steps = steps }

  /// The scores; a pass each way at every step, and one forward pass more.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    SiteScores(
      try setting.inputPath().scores(of: sites, .left(steps), .squaredShare, progress: progress),
      complete: sites)
  }

  /// `idgi`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "idgi", path: "input", .left(steps), estimator: .squaredShare,
      baseline: setting.start.name)
  }

  /// It always sums.
  public func noSum(at site: Site) -> String? { nil }
}
