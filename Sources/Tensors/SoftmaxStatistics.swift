internal import CTorch
internal import Foundation

// Statistics of softmax over a vocabulary that arrives in slices and is never held whole.
//
// Sums are kept in double against a running maximum; each row is summed by one thread in a fixed
// order, so results do not depend on the thread count.

/// Statistics of rows of logits z.
public struct SoftmaxRows {
  /// What a row looks at.
  public struct Row: Sendable {
    /// The entry whose logit is kept.
    public var target: Int
    /// A second entry; nil for none.
    public var versus: Int?
    /// Entries above this count towards the rank.
    public var threshold: Double
    /// The row that holds the model's own logits.
    public var model: Int

    /// Names what a row looks at.
    public init(target: Int, versus: Int? = nil, threshold: Double, model: Int) {
      self.target = target
      self.versus = versus
      self.threshold = threshold
      self.model = model
    }
  }

  /// What a row's softmax came to.
  public struct Reading: Sendable {
    /// The largest logit plus log Σ exp(z − largest).
    public var logPartition: Double
    /// −Σ p log p, in nats.
    public var entropy: Double
    /// The target's logit.
    public var targetLogit: Double
    /// The second entry's logit.
    public var versusLogit: Double
    /// One more than the number of entries above the threshold.
    public var rank: Int
    /// Σ softmax(model)·z, where it was asked for.
    public var crossMoment: Double
    /// The largest entries, descending: index and logit.
    public var top: [(index: Int, logit: Double)]
  }

  private let store = NumberStore()
  private var statistics = ct_rows()

  /// Starts with nothing seen.
  ///
  /// - Parameters:
  ///   - rows: what each row looks at.
  ///   - cap: the soft-cap κ of z = κ·tanh(l/κ); 0 for none.
  ///   - top: how many of the largest entries to keep per row.
  ///   - crossing: whether Σ softmax(model)·z is wanted.
  public init(_ rows: [Row], cap: Double, top: Int, crossing: Bool) {
    let count = rows.count
    statistics.rows = Int64(count)
    statistics.cap = cap
    statistics.maximum = store.doubles(count, -.infinity)
    statistics.mass = store.doubles(count, 0)
    statistics.moment = store.doubles(count, 0)
    statistics.target = store.integers(rows.map(\.target))
    statistics.versus = store.integers(rows.map { $0.versus ?? -1 })
    statistics.target_logit = store.doubles(count, 0)
    statistics.versus_logit = store.doubles(count, 0)
    statistics.threshold = UnsafePointer(store.doubles(rows.map(\.threshold)))
    statistics.above = UnsafeMutablePointer(
      mutating: store.integers(Array(repeating: 0, count: count)))
    statistics.top = Int64(top)
    statistics.top_logit = store.doubles(count * top, -.infinity)
    statistics.top_id = UnsafeMutablePointer(
      mutating: store.integers(Array(repeating: -1, count: count * top)))
    if crossing {
      statistics.model = store.integers(rows.map(\.model))
      statistics.cross_maximum = store.doubles(count, -.infinity)
      statistics.cross = store.doubles(count, 0)
    }
  }

  /// Adds the entries from `first` on.
  ///
  /// - Parameters:
  ///   - logits: [rows, length], float32 or float64, on the CPU, without bias.
  ///   - bias: [length], of the same type, or nil.
  ///   - first: the index of the first entry.
  public mutating func add(_ logits: Tensor, bias: Tensor?, first: Int) {
    check(ct_rows_add(&statistics, logits.handle, bias?.handle, Int64(first)))
  }

  /// One row's reading, after the whole vocabulary was added.
  public func reading(_ row: Int) -> Reading {
    let s = statistics
    let logPartition = s.maximum[row] + Foundation.log(s.mass[row])
    let mean = s.moment[row] / s.mass[row]
    let top = Int(s.top)
    return Reading(
      logPartition: logPartition,
      entropy: Swift.max(0, logPartition - mean),
      targetLogit: s.target_logit[row],
      versusLogit: s.versus_logit[row],
      rank: Int(s.above[row]) + 1,
      crossMoment: s.model.map { s.cross[row] / s.mass[Int($0[row])] } ?? .nan,
      top: (0..<top).compactMap { k in
        let index = Int(s.top_id[row * top + k])
        return index < 0 ? nil : (index, s.top_logit[row * top + k])
      })
  }
}

/// Statistics of points l = α·a + β·b on segments between two rows, with their slope along it.
public struct SoftmaxPoints {
  /// A segment's ends and what it looks at.
  public struct Segment: Sendable {
    /// The row at the start.
    public var from: Int
    /// The row at the end.
    public var to: Int
    /// The entry whose logit is kept.
    public var target: Int
    /// A second entry; nil for none.
    public var versus: Int?
    /// The row that holds the model's own logits.
    public var model: Int
    /// How each point mixes the rows.
    public var points: [Mixture]

    /// Describes a segment.
    public init(
      from: Int, to: Int, target: Int, versus: Int?, model: Int, points: [Mixture]
    ) {
      self.from = from
      self.to = to
      self.target = target
      self.versus = versus
      self.model = model
      self.points = points
    }
  }

  /// The logits of a point and their slope as mixtures of the two rows' logits without bias.
  public struct Mixture: Sendable {
    /// The share of the start.
    public var alpha: Double
    /// The share of the end.
    public var beta: Double
    /// dα/dt.
    public var alphaSlope: Double
    /// dβ/dt.
    public var betaSlope: Double

    /// Describes a mixture.
    public init(alpha: Double, beta: Double, alphaSlope: Double, betaSlope: Double) {
      self.alpha = alpha
      self.beta = beta
      self.alphaSlope = alphaSlope
      self.betaSlope = betaSlope
    }
  }

  /// What a point's softmax came to, with slopes d/dt along the segment.
  public struct Reading: Sendable {
    /// log Σ exp z.
    public var logPartition: Double
    /// Σ p·dz.
    public var meanSlope: Double
    /// Σ p·z, where second moments were asked for.
    public var mean: Double
    /// Σ p·z·dz, where second moments were asked for.
    public var momentSlope: Double
    /// The target's logit.
    public var targetLogit: Double
    /// Its slope.
    public var targetSlope: Double
    /// The second entry's logit.
    public var versusLogit: Double
    /// Its slope.
    public var versusSlope: Double
    /// Σ softmax(model)·dz, where it was asked for.
    public var crossSlope: Double
  }

  private let store = NumberStore()
  private var statistics = ct_points()

  /// Starts with nothing seen.
  ///
  /// - Parameters:
  ///   - segments: all with the same number of points.
  ///   - cap: the soft-cap κ; 0 for none.
  ///   - secondMoments: whether Σ p·z and Σ p·z·dz are wanted.
  ///   - crossing: whether Σ softmax(model)·dz is wanted.
  public init(_ segments: [Segment], cap: Double, secondMoments: Bool, crossing: Bool) {
    let nodes = segments.first?.points.count ?? 0
    precondition(segments.allSatisfy { $0.points.count == nodes }, "segments differ in points")
    let points = segments.flatMap(\.points)
    let count = points.count
    statistics.segments = Int64(segments.count)
    statistics.nodes = Int64(nodes)
    statistics.cap = cap
    statistics.from = store.integers(segments.map(\.from))
    statistics.to = store.integers(segments.map(\.to))
    statistics.target = store.integers(segments.map(\.target))
    statistics.versus = store.integers(segments.map { $0.versus ?? -1 })
    statistics.alpha = UnsafePointer(store.doubles(points.map(\.alpha)))
    statistics.beta = UnsafePointer(store.doubles(points.map(\.beta)))
    statistics.alpha_slope = UnsafePointer(store.doubles(points.map(\.alphaSlope)))
    statistics.beta_slope = UnsafePointer(store.doubles(points.map(\.betaSlope)))
    statistics.second_moments = secondMoments
    statistics.maximum = store.doubles(count, -.infinity)
    statistics.mass = store.doubles(count, 0)
    statistics.slope = store.doubles(count, 0)
    statistics.moment = store.doubles(count, 0)
    statistics.moment_slope = store.doubles(count, 0)
    statistics.target_logit = store.doubles(count, 0)
    statistics.target_slope = store.doubles(count, 0)
    statistics.versus_logit = store.doubles(count, 0)
    statistics.versus_slope = store.doubles(count, 0)
    if crossing {
      statistics.model = store.integers(segments.map(\.model))
      statistics.cross_maximum = store.doubles(count, -.infinity)
      statistics.cross_mass = store.doubles(count, 0)
      statistics.cross_slope = store.doubles(count, 0)
    }
  }

  /// Adds the entries from `first` on; see ``SoftmaxRows/add(_:bias:first:)``.
  public mutating func add(_ logits: Tensor, bias: Tensor?, first: Int) {
    check(ct_points_add(&statistics, logits.handle, bias?.handle, Int64(first)))
  }

  /// One point's reading, after the whole vocabulary was added.
  public func reading(segment: Int, point: Int) -> Reading {
    let s = statistics
    let p = segment * Int(s.nodes) + point
    return Reading(
      logPartition: s.maximum[p] + Foundation.log(s.mass[p]),
      meanSlope: s.slope[p] / s.mass[p],
      mean: s.moment[p] / s.mass[p],
      momentSlope: s.moment_slope[p] / s.mass[p],
      targetLogit: s.target_logit[p],
      targetSlope: s.target_slope[p],
      versusLogit: s.versus_logit[p],
      versusSlope: s.versus_slope[p],
      crossSlope: s.model == nil ? .nan : s.cross_slope[p] / s.cross_mass[p])
  }
}
