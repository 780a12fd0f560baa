public import LanguageModels
package import Tensors

/// The readout f(h) of a model: softmax of U·N(φ(h)) + c at single residual vectors, streamed.
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
  private let head: Unembedding
  /// φ, where the head has it, in the element type of the products.
  private let transform: HeadTransform?
  private let entryNorms = EntryNorms()
  private let weight: Tensor
  /// c′ = Uβ + c: what the norm's shift and the head's bias add to every state's logits.
  private let offset: Tensor?

  /// The vocabulary entries of one slice.
  private static let slice = 2048

  /// The readout of a model's final norm and head.
  ///
  /// - Complexity: one product of the unembedding with a vector where the norm has a shift.
  public init(_ head: Unembedding) {
    self.init(head, head.weight.type == .float64 ? .float64 : .float32)
  }

  /// The same head in double, whatever its weights: for what float32 cannot settle.
  var wide: Readout { type == .float64 ? self : Readout(head, .float64) }

  private init(_ head: Unembedding, _ type: ScalarType) {
    self.head = head
    self.type = type
    weight = head.weight
    transform = head.transform.map { $0.to(type) }
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

  /// Whether a straight segment of states is one of what the norm sees, so that closed forms hold.
  package var isStraight: Bool { transform == nil }

  /// φ of states, or the states themselves: [rows, width].
  func transformed(_ states: Tensor) -> Tensor {
    let states = states.to(type)
    return transform?(states) ?? states
  }

  /// The same readout of what φ has made.
  var behindTransform: Readout {
    var head = head
    head.transform = nil
    return Readout(head, type)
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
    let normed = norm(transformed(states))
    let thresholds = try tieThresholds(normed, questions)
    func statistics(top: Int) -> SoftmaxRows {
      SoftmaxRows(
        zip(questions, thresholds).map {
          .init(target: $0.token, versus: $0.versus, threshold: $1, model: $0.model)
        }, cap: cap, top: top, crossing: target.needsModel)
    }
    let isSharpened = holding && type == .float32
    var rows = statistics(top: isSharpened ? max(top, Self.sharpened) : top)
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
    if isSharpened {
      try sharpen(held, states, questions, questions.indices.map(rows.reading))
      rows = statistics(top: top)
      for (range, logits) in zip(Self.slices(vocabulary), held.slices) {
        rows.add(logits, bias: offset?.slice(range, along: 0), first: range.lowerBound)
      }
    }
    return Reading(
      rows: questions.indices.map(rows.reading),
      points: segments.enumerated().map { index, segment in
        segment.points.indices.map { points.reading(segment: index, point: $0) }
      },
      held: holding ? held : nil)
  }

  /// How many of each row's largest logits are computed again in double.
  private static let sharpened = 32

  /// Replaces the logits that carry a row's probability, and those asked about, by products in double.
  ///
  /// A float32 product over the width leaves errors of some 1e-5 in logits of 20 to 30. What parts
  /// score comes from the weights, not from these logits, so the errors would show as sums that miss
  /// their whole. A few entries hold nearly all of a peaked softmax; over the many entries of a flat
  /// one errors average out.
  private func sharpen(
    _ held: HeldLogits, _ states: Tensor, _ questions: [Question], _ rows: [SoftmaxRows.Reading]
  ) throws {
    let exact = Norm(
      kind: norm.kind, weight: norm.weight.to(.float64, on: .cpu), bias: nil,
      epsilon: norm.epsilon)
    let wide = states.to(.float64, on: .cpu)
    let normed = exact(head.transform.map { $0.to(.float64, on: .cpu)(wide) } ?? wide)
    let width = normed.size(1)
    var elements: [[(row: Int, column: Int, value: Double)]] = Array(
      repeating: [], count: held.slices.count)
    for start in stride(from: 0, to: rows.count, by: 64) {
      let chosen = start..<min(rows.count, start + 64)
      // As many for every row; a token may stand twice.
      let ids = chosen.map { row in
        rows[row].top.map(\.index) + [
          questions[row].token, questions[row].versus ?? questions[row].token,
        ]
      }
      let count = ids[0].count
      let weights = weight.selecting(Array(ids.joined()), along: 0).to(.float64, on: .cpu)
        .reshaped([chosen.count, count, width])
      let products = try weights.matmul(
        normed.slice(chosen, along: 0).reshaped([chosen.count, width, 1])
      ).values()
      for (row, ids) in zip(chosen, ids) {
        for (place, id) in ids.enumerated() {
          elements[id / Self.slice].append(
            (row, id % Self.slice, products[(row - start) * count + place]))
        }
      }
    }
    for (slice, elements) in zip(held.slices, elements) where !elements.isEmpty {
      slice.put(elements)
    }
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

  /// Σ over each segment's points of γ ∘ Uᵀq, from held logits.
  ///
  /// - Parameters:
  ///   - segments: with their points' coefficients.
  ///   - coarse: how many of each segment's points come first and belong to a coarser rule.
  ///   - held: the rows' logits.
  /// - Returns: [segments, width], float64, and a bound on how far the coarser rule's is from it.
  package func pullBack(
    _ segments: [SoftmaxGradients.Segment], coarse: Int, of held: HeldLogits
  ) -> (sum: Tensor, drifts: [Double]) {
    let gradients = SoftmaxGradients(segments, cap: cap, coarse: coarse)
    let norms = coarse > 0 ? entryNorms.value(weight, norm.weight, type) : nil
    var sum = Tensor(repeating: 0, [segments.count, weight.size(1)], .float64)
    for (range, logits) in zip(Self.slices(weight.size(0)), held.slices) {
      let q = gradients.slice(
        logits, bias: offset?.slice(range, along: 0), norms: norms, first: range.lowerBound)
      let slice = weight.slice(range, along: 0).to(type).transposed(0, 1)
      // Slices add up in double: the sum over the vocabulary loses nothing that a slice had.
      sum = sum + q.to(type, on: weight.device).linear(slice).to(.float64, on: .cpu)
    }
    return (sum * norm.weight.to(.float64, on: .cpu), gradients.drifts)
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

/// ‖γ ∘ u_v‖ of every entry of the vocabulary, computed when first asked for.
private final class EntryNorms {
  private var known: Tensor?

  func value(_ weight: Tensor, _ scale: Tensor, _ type: ScalarType) -> Tensor {
    if let known { return known }
    // Slice by slice: no second copy of the unembedding.
    let parts = stride(from: 0, to: weight.size(0), by: 4096).map { start -> Tensor in
      let end = min(weight.size(0), start + 4096)
      let rows = weight.slice(start..<end, along: 0).to(type) * scale
      return (rows * rows).sum(along: 1)
    }
    let squares = Tensor.concatenating(parts, along: 0).to(.float64, on: .cpu)
    let made = ((squares + 1e-300).log * 0.5).exp.to(type).contiguous
    known = made
    return made
  }
}

extension HeadTransform {
  /// The same with weights of another type.
  func to(_ type: ScalarType, on device: Device? = nil) -> HeadTransform {
    func moved(_ x: Tensor) -> Tensor { x.to(type, on: device) }
    return HeadTransform(
      norm: norm.map {
        Norm(
          kind: $0.kind, weight: moved($0.weight), bias: $0.bias.map(moved), epsilon: $0.epsilon)
      },
      dense: Linear(weight: moved(dense.weight), bias: dense.bias.map(moved)),
      activation: activation)
  }
}
