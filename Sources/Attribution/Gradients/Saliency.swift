internal import Foundation
public import LanguageModels
public import Results
internal import Tensors

// The slope itself, at the text (Simonyan and others 2014), or averaged over noisy copies of it (Smilkov and others
// 2017). A token's score is the length of its slope, so it has no sign.

/// Gradients, at the text or averaged over noise around it.
public struct Saliency: GradientMethod {
  /// Noise as a share of the embeddings' standard deviation, and how many copies; nil for none.
  public struct Noise: Sendable, Equatable {
    /// σ over the standard deviation of the text's embeddings.
    public var share: Double
    /// Copies.
    public var samples: Int
    /// What draws it.
    public var seed: Int

    /// Gathers the values.
    public init(share: Double = 0.15, samples: Int = 20, seed: Int = 0) {
      self.share = share
      self.samples = samples
      self.seed = seed
    }
  }

  /// SmoothGrad's noise; nil for the gradient at the text.
  public var noise: Noise?

  /// With or without noise.
  public init(noise: Noise? = nil) { self.noise = noise }

  /// The slopes; one pass each way, or one for each copy.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    guard let noise else {
      let seen = try setting.seen(sites)
      return SiteScores(
        values: seen.gradients, end: seen.metric, passes: PassCount(forward: 1, backward: 1))
    }
    let clean = try setting.seen([.embedding], gradients: false)
    let x = setting.embedding
    let spread = try withEngineErrors {
      let centred = x - x.mean(along: -1, keepingDimension: true)
      return (try (centred * centred).sum.to(.float64).scalar() / Double(x.count)).squareRoot()
    }
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(noise.seed)))
    var sums: [Site: Tensor] = [:]
    let atOnce = max(1, setting.rowsAtOnce / setting.batch)
    try withEngineErrors {
      for first in stride(from: 0, to: noise.samples, by: atOnce) {
        let count = min(atOnce, noise.samples - first)
        let drawn = Tensor(
          random.normal(count * x.count).map { $0 * noise.share * spread }, [count] + x.shape,
          x.type, on: x.device)
        let noisy = (drawn + x).reshaped([count * x.size(0)] + x.shape.dropFirst())
        // A path that does not move: its one point is the noisy texts.
        let path = PathIntegral(.embedding, from: noisy, to: noisy, of: setting.function())
        for (site, slopes) in path.run([0], sites, []).gradients {
          let apart = slopes.reshaped([count, x.size(0)] + slopes.shape.dropFirst(2))
          let share = apart.sum(along: 0) * (1 / Double(noise.samples))
          sums[site] = sums[site].map { $0 + share } ?? share
        }
        progress(Double(first + count) / Double(noise.samples))
      }
    }
    let runs = Double(noise.samples)
    return SiteScores(
      values: sums, end: clean.metric, nodes: noise.samples,
      passes: PassCount(forward: runs + 1, backward: runs))
  }

  /// `saliency` or `smoothgrad`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: noise == nil ? "saliency" : "smoothgrad", steps: noise?.samples, rules: "gradient",
      linearisedAt: "clean", seed: noise?.seed)
  }

  /// Slopes have lengths.
  public var isUnsigned: Bool { true }

  /// Slopes are not parts.
  public func noSum(at site: Site) -> String? {
    "A slope's length has no sign and is no part of the metric."
  }
}

extension SeededRandom {
  /// Standard normal numbers, by Box and Muller's transform.
  mutating func normal(_ count: Int) -> [Double] {
    func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }
    return (0..<count).map { _ in
      (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())
    }
  }
}
