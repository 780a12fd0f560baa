import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Every part against autograd at every node and plain loops, in float64.
///
/// Tolerance: 1e-8 of 1 + |value|, with integrals certified to 1e-10 of their layer's value.
@Suite("The probability tree against its definition")
struct ProbabilityTreeTests {
  static let tolerance = 1e-8

  /// Compares an explanation with stored segments; heads, and below them where `isDeep`.
  static func compare(
    _ found: Explanation, _ expected: JSON?, _ label: String, tolerance: Double = Self.tolerance,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let segments = expected?["segments"]?.array ?? []
    #expect(!segments.isEmpty && segments.count == found.attributions.count, "\(label)")
    let ends = distance(
      [found.baselineValue, found.modelValue],
      [expected?["baseline_value"]?.double ?? .nan, expected?["final_value"]?.double ?? .nan])
    #expect(ends.error < 1e-10, "\(label): ends", sourceLocation: sourceLocation)
    let values = distance(
      found.attributions.map(\.value), segments.map { $0["value"]?.double ?? .nan })
    #expect(
      values.error < tolerance, "\(label): values off by \(values)", sourceLocation: sourceLocation)
    for (layer, segment) in zip(found.attributions, segments) {
      #expect(layer.layer == segment["layer"]?.integer)
      #expect(
        layer.converged == true, "\(label), layer \(layer.layer): \(layer.nodes ?? 0) nodes",
        sourceLocation: sourceLocation)
      let worst = distance(layer.named, named(segment))
      #expect(
        worst.error < tolerance, "\(label), layer \(layer.layer): off by \(worst)",
        sourceLocation: sourceLocation)
    }
  }

  @Test(
    "Attention, MLP, heads, source tokens, neurons, biases and embedding of every target",
    arguments: TreeReference.names)
  func everyPart(name: String) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("tree")
    let ids = stored["ids"]?.integers ?? []
    let cases = stored["cases"]?.array ?? []
    #expect(cases.count == 2)
    for test in cases {
      for target in IGLensTests.targets.map(\.name) {
        var options = try model.options(test, target)
        options.depth = target == "prob" ? .token : .head
        options.neurons = target == "prob" ? .all : .none
        let found = try model.explain(ids, options)
        #expect(found.target.id == test["token"]?.integer)
        Self.compare(
          found, test["targets"]?[target],
          "\(name) at \(test["position"]?.integer ?? -1), \(target)")
        #expect(abs(found.certificate) < 1e-11 * (1 + abs(found.modelValue)))
      }
    }
  }

  @Test(
    "Likely mistakes would show: each moves numbers a hundred tolerances away",
    arguments: TreeReference.names)
  func mistakes(name: String) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("tree")
    for test in stored["cases"]?.array ?? [] {
      var options = try model.options(test, "prob")
      options.depth = .token
      let found = try model.explain(stored["ids"]?.integers ?? [], options)
      let first = try #require(found.attributions.first)
      let last = try #require(found.attributions.last)
      let attention = try #require(first.parts?.first { $0.kind == .attention })
      let heads = (attention.children ?? []).filter { $0.kind == .head }
      let wrong = try #require(test["wrong"]?.object).members
      #expect(wrong.count >= 7)
      for (mistake, value) in wrong.map({ ($0.key, $0.value) }) {
        let right: [Double]
        let numbers: [Double]
        switch mistake {
        case "embedding": (right, numbers) = ([first.value], [value.double ?? .nan])
        case "columns": (right, numbers) = (heads.map(\.value), value.numbers)
        case "pattern", "shift", "groups":
          right = heads.flatMap { $0.children ?? [] }.map(\.value)
          numbers = (value.array ?? []).flatMap(\.numbers)
        default:
          right = (last.parts ?? []).filter { $0.kind == .attention || $0.kind == .mlp }
            .map(\.value)
          numbers = value.numbers
        }
        #expect(right.count == numbers.count, "\(mistake)")
        let apart = zip(right, numbers).map { abs($0 - $1) }.max() ?? 0
        #expect(apart > 100 * Self.tolerance, "\(name): '\(mistake)' is only \(apart) away")
      }
    }
  }

  @Test("Chosen layers, the straight path and every baseline", arguments: TreeReference.names)
  func paths(name: String) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("paths")
    let ids = stored["ids"]?.integers ?? []
    let cases = stored["cases"]?.array ?? []
    #expect(cases.count == 11)
    for test in cases {
      let targets = try #require(test["targets"]?.object).members.map(\.key)
      for target in targets {
        var options = try model.options(test, target)
        options.depth = .head
        let found = try model.explain(ids, options)
        Self.compare(
          found, test["targets"]?[target],
          "\(name) at \(test["position"]?.integer ?? -1), \(options.path.name) from "
            + "\(options.baseline.name), layers \(test["layers"]?.integers ?? []), \(target)")
      }
    }
  }

  @Test("float32 is within 1e-5 of float64's Σ|A|", arguments: TreeReference.names)
  func precision(name: String) throws {
    let stored = try TreeReference(name).stored("tree")
    let ids = stored["ids"]?.integers ?? []
    for path in [PathChoice.chain, .straight] {
      let found = try [ScalarType.float64, .float32].map { type in
        let model = try TreeReference(name, type)
        var options = try model.options(
          try #require(stored["cases"]?[0]), "prob", tolerance: 1e-5)
        options.path = path
        options.depth = .token
        options.neurons = .all
        return try model.explain(ids, options)
      }
      let total = found[0].attributions.reduce(0) { $0 + abs($1.value) }
      for (wide, narrow) in zip(found[0].attributions, found[1].attributions) {
        #expect(narrow.converged == true)
        #expect(wide.named.count == narrow.named.count && wide.named.count > 50)
        let worst = wide.named.map { abs($0.value - (narrow.named[$0.key] ?? .nan)) }.max()
        #expect((worst ?? .infinity) < 1e-5 * total)
      }
    }
  }
}
