public import LanguageModels
package import Tensors

/// The readout f(h) of a model: softmax of U·N(h) + c at single residual vectors, streamed.
///
/// Slices of rows × vocabulary are computed, summed and dropped, so that memory does not grow with
/// the number of rows times the vocabulary. Sums are in float64; products in float32, or in float64
/// when the model is.
public struct Readout {
  /// The final norm, without its shift.
  package let norm: Norm
  /// κ, or 0.
  let cap: Double
  /// The element type of the products.
  let type: ScalarType
  private let weight: Tensor
  /// c′ = Uβ + c: what the norm's shift and the head's bias add to every state's logits.
  private let offset: Tensor?

  /// The vocabulary entries of one slice.
  private static let slice = 2048

  /// The readout of a model's final norm and head.
  ///
  /// - Complexity: one product of the unembedding with a vector where the norm has a shift.
  public init(_ head: Unembedding) {
    let type: ScalarType = head.weight.type == .float64 ? .float64 : .float32
    self.type = type
    weight = head.weight
    cap = head.softCap ?? 0
    norm = Norm(
      kind: head.norm.kind, weight: head.norm.weight.to(type), bias: nil,
      epsilon: head.norm.epsilon)
    let bias = head.bias?.to(type)
    if let shift = head.norm.bias {
      let width = shift.count
      let shifted = Self.slices(head.weight.size(0)).map { range in
        shift.to(type).reshaped([1, width]).linear(head.weight.slice(range, along: 0).to(type))
      }
      let joined = Tensor.concatenating(shifted, along: 1).reshaped([-1])
      offset = (bias.map { $0 + joined } ?? joined).to(type, on: .cpu)
    } else {
      offset = bias?.to(type, on: .cpu)
    }
  }

  private static func slices(_ vocabulary: Int) -> [Range<Int>] {
    stride(from: 0, to: vocabulary, by: slice).map { $0..<min(vocabulary, $0 + slice) }
  }

  /// What is asked of one row.
  package struct Question {
    /// The token y.
    package var token: Int
    /// The token x of a difference.
    package var versus: Int?
    /// The row that holds the model's own state.
    package var model: Int

    package init(token: Int, versus: Int?, model: Int) {
      self.token = token
      self.versus = versus
      self.model = model
    }
  }

  /// What is read from rows and, on the way, from points between them.
  package struct Reading {
    package var rows: [SoftmaxRows.Reading]
    /// [segment][point].
    package var points: [[SoftmaxPoints.Reading]]
    /// The rows' logits, where they were to be held.
    package var held: HeldLogits?
  }

  /// The logits of a sweep's rows, kept for what a second pass over them needs.
  package struct HeldLogits {
    /// One per slice of the vocabulary: [rows, length], without bias.
    fileprivate var slices: [Tensor] = []
  }

  /// Reads rows, and points on segments between them, in one sweep over the vocabulary.
  ///
  /// - Parameters:
  ///   - states: [rows, width] residual vectors before the final norm.
  ///   - questions: one per row.
  ///   - target: decides which sums are kept.
  ///   - top: how many of the largest entries to keep per row.
  ///   - segments: pairs of rows with the mixtures to read between them.
  ///   - holding: whether to keep the rows' logits: 4 bytes × rows × vocabulary (8 in float64).
  ///   - progress: told the share of the vocabulary seen.
  /// - Returns: one reading per row, and one per point of each segment.
  /// - Throws: `EngineError` when memory runs out.
  /// - Complexity: rows × width × vocabulary multiplications, whatever the number of points.
  package func read(
    _ states: Tensor, _ questions: [Question], _ target: Target, top: Int,
    segments: [(from: Int, to: Int, points: [SoftmaxPoints.Mixture])] = [],
    holding: Bool = false, progress: (Double) -> Void = { _ in }
  ) throws -> Reading {
    let normed = norm(states.to(type))
    let thresholds = try tieThresholds(normed, questions)
    var rows = SoftmaxRows(
      zip(questions, thresholds).map {
        .init(target: $0.token, versus: $0.versus, threshold: $1, model: $0.model)
      }, cap: cap, top: top, crossing: target.needsModel)
    var points = SoftmaxPoints(
      segments.map { segment in
        let question = questions[segment.to]
        return .init(
          from: segment.from, to: segment.to, target: question.token, versus: question.versus,
          model: question.model, points: segment.points)
      }, cap: cap, secondMoments: target.needsSecondMoments, crossing: target.needsModel)

    let vocabulary = weight.size(0)
    var held = HeldLogits()
    for range in Self.slices(vocabulary) {
      let slice = weight.slice(range, along: 0).to(type)
      let logits = normed.linear(slice).to(type, on: .cpu).contiguous
      let bias = offset?.slice(range, along: 0)
      rows.add(logits, bias: bias, first: range.lowerBound)
      if !segments.isEmpty { points.add(logits, bias: bias, first: range.lowerBound) }
      if holding { held.slices.append(logits) }
      progress(Double(range.upperBound) / Double(vocabulary))
    }
    return Reading(
      rows: questions.indices.map(rows.reading),
      points: segments.enumerated().map { index, segment in
        segment.points.indices.map { points.reading(segment: index, point: $0) }
      },
      held: holding ? held : nil)
  }

  /// Statistics of points on segments between rows whose logits are held.
  package func points(
    _ segments: [SoftmaxPoints.Segment], _ target: Target, of held: HeldLogits
  ) -> [[SoftmaxPoints.Reading]] {
    var points = SoftmaxPoints(
      segments, cap: cap, secondMoments: target.needsSecondMoments, crossing: target.needsModel)
    for (range, logits) in zip(Self.slices(weight.size(0)), held.slices) {
      points.add(logits, bias: offset?.slice(range, along: 0), first: range.lowerBound)
    }
    return segments.enumerated().map { index, segment in
      segment.points.indices.map { points.reading(segment: index, point: $0) }
    }
  }

  /// Σ over each segment's points of Uᵀq, from held logits: [segments, width], float64.
  package func pullBack(_ segments: [SoftmaxGradients.Segment], of held: HeldLogits) -> Tensor {
    let gradients = SoftmaxGradients(segments, cap: cap)
    var sum: Tensor?
    for (range, logits) in zip(Self.slices(weight.size(0)), held.slices) {
      let q = gradients.slice(
        logits, bias: offset?.slice(range, along: 0), first: range.lowerBound)
      let slice = weight.slice(range, along: 0).to(type)
      // Slices add up in double: the sum over the vocabulary loses nothing that a slice had.
      let part = q.to(type, on: weight.device).matmul(slice).to(.float64, on: .cpu)
      sum = sum.map { $0 + part } ?? part
    }
    return sum ?? Tensor(repeating: 0, [segments.count, weight.size(1)], .float64)
  }

  /// Each row's target logit, and a little more: logits within rounding of it are ties and do not
  /// push its rank down.
  private func tieThresholds(_ normed: Tensor, _ questions: [Question]) throws -> [Double] {
    let tokens = Array(Set(questions.map(\.token))).sorted()
    let columns = Dictionary(uniqueKeysWithValues: zip(tokens, tokens.indices))
    var picked = normed.linear(weight.selecting(tokens, along: 0).to(type))
    if let offset {
      picked = picked + offset.selecting(tokens, along: 0).to(type, on: picked.device)
    }
    let logits = try picked.values()
    let rounding = type == .float64 ? 1e-13 : 1e-6
    return questions.enumerated().map { row, question in
      let raw = logits[row * tokens.count + (columns[question.token] ?? 0)]
      let logit = cap > 0 ? cap * hyperbolicTangent(raw / cap) : raw
      return logit + rounding * (1 + abs(logit))
    }
  }
}
