internal import CTorch

/// Gradients of functions of softmax, summed over the points of segments between two rows.
///
/// At a point with logits z (a mixture of its ends', biased, soft-capped) and p = softmax(z), the
/// gradient with respect to the logits before the cap is
///
///     q_v = D_v [(first + second · log p_v) p_v + target · [v = y] + versus · [v = x] + model · m_v]
///
/// with D = ∂z/∂l and m the model's own distribution.
package struct SoftmaxGradients {
  /// A point: how it mixes the ends, what its softmax came to, and the gradient's coefficients.
  package struct Point: Sendable {
    /// The share of the start.
    package var alpha: Double
    /// The share of the end.
    package var beta: Double
    /// log Σ exp z.
    package var logPartition: Double
    /// The coefficient of p.
    package var first = 0.0
    /// The coefficient of p log p.
    package var second = 0.0
    /// What the entry y receives.
    package var target = 0.0
    /// What the entry x receives.
    package var versus = 0.0
    /// The coefficient of m.
    package var model = 0.0

    /// A point whose coefficients are still 0.
    package init(alpha: Double, beta: Double, logPartition: Double) {
      self.alpha = alpha
      self.beta = beta
      self.logPartition = logPartition
    }
  }

  /// A segment's ends and what it looks at.
  package struct Segment: Sendable {
    /// The row at the start.
    package var from: Int
    /// The row at the end.
    package var to: Int
    /// The entry y.
    package var target: Int
    /// The entry x; nil for none.
    package var versus: Int?
    /// The row that holds the model's own logits, and their log Σ exp z; nil for none.
    package var model: (row: Int, logPartition: Double)?
    /// The points, of which every segment has as many.
    package var points: [Point]

    /// Describes a segment.
    package init(
      from: Int, to: Int, target: Int, versus: Int?, model: (row: Int, logPartition: Double)?,
      points: [Point]
    ) {
      self.from = from
      self.to = to
      self.target = target
      self.versus = versus
      self.model = model
      self.points = points
    }
  }

  private let store = NumberStore()
  private var path = ct_path()

  /// Describes the segments of one pass.
  ///
  /// - Parameters:
  ///   - segments: all with the same number of points.
  ///   - cap: the soft-cap κ; 0 for none.
  ///   - coarse: how many of each segment's points come first and belong to a coarser rule, which is
  ///     only compared with.
  package init(_ segments: [Segment], cap: Double, coarse: Int = 0) {
    let nodes = segments.first?.points.count ?? 0
    precondition(segments.allSatisfy { $0.points.count == nodes }, "segments differ in points")
    let points = segments.flatMap(\.points)
    func numbers(_ value: (Point) -> Double) -> UnsafePointer<Double> {
      UnsafePointer(store.doubles(points.map(value)))
    }
    let crossing = segments.contains { $0.model != nil }
    path.segments = Int64(segments.count)
    path.nodes = Int64(nodes)
    path.cap = cap
    path.coarse = Int64(coarse)
    path.drift = store.doubles(segments.count, 0)
    path.general = cap > 0 || crossing || points.contains { $0.second != 0 }
    path.from = store.integers(segments.map(\.from))
    path.to = store.integers(segments.map(\.to))
    path.target = store.integers(segments.map(\.target))
    path.versus = store.integers(segments.map { $0.versus ?? -1 })
    path.alpha = numbers(\.alpha)
    path.beta = numbers(\.beta)
    path.partition = numbers(\.logPartition)
    path.first = numbers(\.first)
    path.second = numbers(\.second)
    path.target_weight = numbers(\.target)
    path.versus_weight = numbers(\.versus)
    path.model_weight = numbers(\.model)
    if crossing {
      path.model = store.integers(segments.map { $0.model?.row ?? 0 })
      path.model_partition = UnsafePointer(
        store.doubles(segments.map { $0.model?.logPartition ?? 0 }))
    }
  }

  /// Σ over the finer rule's points of q, for one slice of the vocabulary: [segments, length].
  ///
  /// - Parameters:
  ///   - logits: [rows, length], float32 or float64, on the CPU, without bias.
  ///   - bias: [length], of the same type, or nil.
  ///   - norms: ‖u_v‖ of all entries: [vocabulary], of the same type, where there is a coarser rule.
  ///   - first: the index of the first entry.
  /// - Returns: Q, of the type of the logits.
  package func slice(_ logits: Tensor, bias: Tensor?, norms: Tensor?, first: Int) -> Tensor {
    withUnsafePointer(to: path) { path in
      Tensor { ct_path_add(path, logits.handle, bias?.handle, norms?.handle, Int64(first), $0) }
    }
  }

  /// Σ_v |Q_v − Q_coarse,v| ‖u_v‖ over the slices so far, by segment.
  package var drifts: [Double] { (0..<Int(path.segments)).map { path.drift[$0] } }
}
