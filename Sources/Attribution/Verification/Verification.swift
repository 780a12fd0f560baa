internal import Foundation
public import LanguageModels
package import Results
internal import Tensors

// What must hold of every model and every attribution, tried on a person's own: sums that meet their wholes,
// runs that must not differ, and derivatives by three ways. Each invariant is a measure of how far it is
// missed and a tolerance that goes by the element type: what rounding explains in a sum of some thousand
// products, and no more. A measure that is not a number fails.
//
// Distances between states are by position, ‖a − b‖ / ‖b‖, the largest: a few dimensions of the stream are
// hundreds of times larger than the others, and elements are no measure of each other.

/// Tries on a model what must hold of every model.
public struct Verification {
  package let loaded: LoadedModel
  package let text: Explainer.Prompt

  /// Prepares to verify a model on a text.
  ///
  /// - Parameters:
  ///   - loaded: the model.
  ///   - text: what runs, three tokens at least.
  /// - Throws: `AttributionError` for a text that is too short.
  public init(_ loaded: LoadedModel, on text: Explainer.Prompt) throws {
    guard text.ids.count >= 3 else {
      throw AttributionError(
        .usage,
        "The text is \(text.ids.count) \(text.ids.count == 1 ? "token" : "tokens") long, and "
          + "verifying needs at least 3; give a longer one.")
    }
    self.loaded = loaded
    self.text = text
  }

  /// Tries every invariant.
  ///
  /// - Parameters:
  ///   - further: checks of other rooms, tried last.
  ///   - progress: told the share of the invariants tried, and each as it is done.
  /// - Returns: the table, without the model's hash.
  /// - Throws: `ModelError` or `EngineError` where the model cannot run at all.
  /// - Complexity: about forty forward passes over the text, and predictions of its last position down to
  ///   neurons and source tokens.
  package func verify(
    further: [Check] = [],
    progress: (_ share: Double, _ done: Invariant?) -> Void = { _, _ in }
  ) throws -> VerifyResult {
    let clock = Stopwatch()
    let checks = runChecks + sumChecks + derivativeChecks + gradientChecks + further
    var found: [Invariant] = []
    progress(0, nil)
    for check in checks {
      let invariant = try withRecording(false) { try tried(check) }
      found.append(invariant)
      progress(Double(found.count) / Double(checks.count), invariant)
    }
    return VerifyResult(
      toolVersion: telescopeVersion,
      model: loaded.modelDescription, device: loaded.model.device.name, prompt: text.text,
      tokens: text.ids.map(loaded.describe), invariants: found,
      passed: !found.contains { $0.verdict == .fail }, timingsMs: ["total": clock.total])
  }

  // MARK: - One invariant

  /// What is tried.
  package struct Check {
    package var name: String
    package var claim: String
    package var tolerance: Tolerance
    /// Whether the measure must be above the tolerance.
    package var exceeds = false
    /// By how much it is missed.
    package var measure: () throws -> Outcome

    /// Describes a check.
    package init(
      name: String, claim: String, tolerance: Tolerance, exceeds: Bool = false,
      measure: @escaping () throws -> Outcome
    ) {
      self.name = name
      self.claim = claim
      self.tolerance = tolerance
      self.exceeds = exceeds
      self.measure = measure
    }
  }

  /// What trying came to.
  package enum Outcome {
    /// By how much, and where most.
    case missed(Double, String?)
    /// Why it says nothing of this model.
    case none(String)

    static func missed(_ value: Double) -> Outcome { .missed(value, nil) }
  }

  /// What may be missed, by element type.
  package struct Tolerance {
    var single: Double
    var double: Double
    var brief: Double

    /// Names what may be missed.
    package init(single: Double, double: Double, brief: Double) {
      self.single = single
      self.double = double
      self.brief = brief
    }

    /// Nothing.
    package static let exact = Tolerance(single: 0, double: 0, brief: 0)
    /// Of states that were computed in another order.
    static let states = Tolerance(single: 1e-5, double: 1e-12, brief: 0.05)
    /// Of one state's sum.
    static let sum = Tolerance(single: 2e-6, double: 1e-13, brief: 0.02)
    /// Of states by different thread counts.
    static let threads = Tolerance(single: 1e-6, double: 1e-13, brief: 0.05)
    /// Of a probability.
    static let probability = Tolerance(single: 1e-5, double: 1e-11, brief: 0.05)
    /// Of what integrals come to, in shares of their whole.
    static let integral = Tolerance(single: 1e-3, double: 1e-6, brief: 0.05)
    /// Of one quadrature by two ways, in shares of its whole.
    static let quadrature = Tolerance(single: 1e-4, double: 1e-9, brief: 0.1)

    func of(_ type: ScalarType) -> Double {
      switch type {
      case .float64: double
      case .bfloat16, .float16: brief
      default: single
      }
    }
  }

  private func tried(_ check: Check) throws -> Invariant {
    let tolerance = check.tolerance.of(loaded.model.type)
    var invariant = Invariant(
      name: check.name, claim: check.claim, verdict: .fail, tolerance: tolerance,
      exceeds: check.exceeds)
    do {
      switch try check.measure() {
      case .none(let reason):
        (invariant.verdict, invariant.tolerance) = (.none, nil)
        invariant.detail = reason
      case .missed(let value, let place):
        // What is not finite has no place in the JSON, and holds nothing.
        guard value.isFinite else {
          invariant.detail = (place.map { $0 + ": " } ?? "") + "not a finite number"
          break
        }
        invariant.measured = value
        invariant.detail = place
        if check.exceeds ? value > tolerance : value <= tolerance { invariant.verdict = .pass }
      }
    } catch let error as AttributionError where error.code == .notFinite {
      invariant.detail = error.message
    }
    return invariant
  }

  // MARK: - What several share

  var model: any LanguageModel { loaded.model }
  var ids: [Int] { text.ids }
  var layers: Int { model.shape.layers }

  /// The ends of all blocks, which tell any two runs apart.
  var ends: Set<Site> {
    model.sites.intersection((0..<layers).map { .residual($0, .after) })
  }

  /// Some layers, evenly: the first and the last among them.
  func someLayers(_ count: Int) -> [Int] {
    Array(Set((0..<count).map { $0 * (layers - 1) / max(1, count - 1) })).sorted()
  }

  /// The states at the ends of all blocks and the end of the stream, [position, width] each.
  func states(
    _ texts: [[Int]], row: Int = 0, first count: Int? = nil, cache: KeyValueCache? = nil,
    seeing sites: Set<Site> = []
  ) throws -> [(place: String, values: Tensor)] {
    let run = try model.run(texts, capturing: ends, cache: cache, pass: Pass(sites: sites))
    func kept(_ value: Tensor) -> Tensor {
      let one = value.slice(row..<row + 1, along: 0)
      return (count.map { one.slice(0..<$0, along: 1) } ?? one)
        .reshaped([-1, model.shape.width]).to(.float64, on: .cpu)
    }
    return try withEngineErrors {
      ends.inOrder.map { ($0.description, kept(run.activations[$0])) }
        + [("end of the stream", kept(run.residual))]
    }
  }

  /// The largest distance between two runs' states, and where it is.
  func distance(
    _ found: [(place: String, values: Tensor)], _ expected: [(place: String, values: Tensor)]
  ) throws -> Outcome {
    try worst(
      zip(found, expected).map { pair in
        (try pair.0.values.distance(from: pair.1.values), pair.1.place)
      })
  }

  /// The largest of several measures.
  func worst(_ measures: [(value: Double, place: String)]) -> Outcome {
    guard let worst = measures.max(by: { !($0.value >= $1.value) && !$0.value.isNaN }) else {
      return .none("there is nothing to measure")
    }
    let isNaN = measures.contains { $0.value.isNaN }
    return .missed(isNaN ? .nan : worst.value, worst.value == 0 ? nil : worst.place)
  }

  /// Why nothing that needs probabilities can be tried.
  var noHead: String? {
    model.head == nil ? "the model has no language-model head" : nil
  }
}

extension Tensor {
  /// max over rows of ‖self − other‖ / ‖other‖; rows are [row, width].
  func distance(from other: Tensor) throws -> Double {
    guard shape == other.shape else { return .infinity }
    let (a, b) = (to(.float64, on: .cpu), other.to(.float64, on: .cpu))
    let difference = a - b
    let missed = try (difference * difference).sum(along: 1).values()
    let whole = try (b * b).sum(along: 1).values()
    var worst = 0.0
    for (part, all) in zip(missed, whole) {
      let share = part == 0 ? 0 : (part / all).squareRoot()
      if !(share <= worst) { worst = share }
    }
    return worst
  }
}
