public import Tensors

/// One forward pass: what is seen and what is replaced.
///
/// Every family calls `pass(site, value)` at the same named moments and goes on with what comes
/// back: capture returns the value, patching another, ablation a mean, steering a sum.
public struct Pass {
  /// The sites that are visited; checked before the run against those that the model has.
  public var sites: Set<Site>
  /// Receives a site's value and returns what the run continues with.
  public var visit: (Site, Tensor) -> Tensor

  /// A pass that visits these sites.
  public init(
    sites: Set<Site> = [], visit: @escaping (Site, Tensor) -> Tensor = { _, value in value }
  ) {
    self.sites = sites
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
