public import Tensors

/// One forward pass: what is seen, what is replaced, and what is held constant on the way back.
///
/// Every family calls `pass(site, value)` at the same named moments and goes on with what comes
/// back: capture returns the value, patching another, ablation a mean, steering a sum.
public struct Pass {
  /// The sites that are visited; checked before the run against those that the model has.
  public var sites: Set<Site>
  /// Receives a site's value and returns what the run continues with.
  public var visit: (Site, Tensor) -> Tensor
  /// What stands for derivatives on the way back; values do not depend on it.
  public var rules: BackwardRules
  /// What biases are multiplied by, one number for each block and a last for the head; nil for 1.
  ///
  /// Ones that want a gradient tell what of the metric biases hold: ∂m/∂share_ℓ = Σ ⟨b, ∂m/∂b⟩ over the biases
  /// of block ℓ.
  package var biasShares: Tensor?

  /// A pass that visits these sites.
  public init(
    sites: Set<Site> = [], rules: BackwardRules = .gradient,
    visit: @escaping (Site, Tensor) -> Tensor = { _, value in value }
  ) {
    self.sites = sites
    self.rules = rules
    self.visit = visit
  }

  /// Nothing seen, nothing replaced.
  public static var plain: Pass { Pass() }

  /// Whether a site is visited; blocks ask so that fused attention can stay fused.
  public func wants(_ site: Site) -> Bool { sites.contains(site) }

  /// Shows a value at its site.
  public func callAsFunction(_ site: Site, _ value: Tensor) -> Tensor {
    sites.contains(site) ? visit(site, value) : value
  }
}
