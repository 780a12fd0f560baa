import Attribution
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Readouts against autograd in float64, with both norms, shifts, biases and soft-caps.
@Suite("Readout")
struct ReadoutTests {
  private let stored: JSON
  private let cases: [JSON]

  init() throws {
    stored = try reference("readout/readout.json")
    cases = stored["readouts"]?.array ?? []
  }

  private static let targets: [Target] = [
    .probability, .logProbability, .logit, .probabilityDifference, .logitDifference, .entropy,
  ]

  private func readout(_ description: JSON, _ type: ScalarType) -> Readout {
    let width = stored["width"]?.integer ?? 0
    let vocabulary = stored["vocabulary"]?.integer ?? 0
    func vector(_ key: String) -> Tensor {
      let values = stored[key]?.numbers ?? []
      return Tensor(values, [values.count], type)
    }
    let norm = Norm(
      kind: description["norm"]?.string == "rms" ? .rms : .layer, weight: vector("scale"),
      bias: description["with_shift"]?.boolean == true ? vector("shift") : nil,
      epsilon: stored["epsilon"]?.double ?? 0)
    return Readout(
      Unembedding(
        norm: norm,
        weight: Tensor(stored["unembedding"]?.numbers ?? [], [vocabulary, width], type),
        bias: description["with_constant"]?.boolean == true ? vector("constant") : nil,
        softCap: description["cap"]?.double))
  }

  private func read(
    _ readout: Readout, _ type: ScalarType, _ target: Target, at nodes: [Double],
    circular: Bool = false
  ) throws -> Readout.Reading {
    let (start, end) = (stored["start"]?.numbers ?? [], stored["end"]?.numbers ?? [])
    let segment = Segment(start[...], end[...], readout.norm)
    let question = Readout.Question(
      token: stored["token"]?.integer ?? 0, versus: stored["versus"]?.integer, model: 1)
    return try readout.read(
      Tensor(start + end, [2, start.count], type), [question, question], target, top: 3,
      segments: [
        (
          0, 1,
          nodes.map {
            circular ? segment.circular($0) ?? segment.straight($0) : segment.straight($0)
          }
        )
      ])
  }

  @Test(
    "Values at both ends, and slopes along the segment, are autograd's",
    arguments: [(ScalarType.float64, 1e-11), (.float32, 2e-5)])
  func closedForm(type: ScalarType, tolerance: Double) throws {
    #expect(cases.count == 5)
    let times = stored["times"]?.numbers ?? []
    let (start, end) = (stored["start"]?.numbers ?? [], stored["end"]?.numbers ?? [])
    for description in cases {
      let readout = readout(description, type)
      for target in Self.targets {
        let expected = description["targets"]?[target.name]
        let reading = try read(readout, type, target, at: times)
        let values = reading.rows.map { target.value($0, modelEntropy: 0) }
        let known = [expected?["start"]?.double ?? .nan, expected?["end"]?.double ?? .nan]
        #expect(distance(values, known).error < tolerance, "\(target.name) values")
        let slopes = reading.points[0].map(target.slope)
        let gradients = expected?["gradients"]?.array ?? []
        let products = gradients.map { gradient in
          zip(gradient.numbers, zip(end, start)).reduce(0) { $0 + $1.0 * ($1.1.0 - $1.1.1) }
        }
        #expect(
          distance(slopes, products).error < tolerance,
          "\(target.name) slopes \(slopes) against \(products)")
      }
    }
  }

  @Test("Both variables integrate to the change of the target", arguments: [false, true])
  func completeness(circular: Bool) throws {
    let rule = Quadrature.gaussLegendre(64)
    for description in cases {
      let readout = readout(description, .float64)
      for target in Self.targets {
        let reading = try read(readout, .float64, target, at: rule.nodes, circular: circular)
        let values = reading.rows.map { target.value($0, modelEntropy: 0) }
        let integral = zip(reading.points[0], rule.weights).reduce(0) {
          $0 + $1.1 * target.slope($1.0)
        }
        #expect(abs(integral - (values[1] - values[0])) < 1e-9, "\(target.name)")
      }
    }
  }

  @Test("The fixture tells a forgotten shift, constant or cap apart")
  func wrongVariants() throws {
    for description in cases {
      let expected = description["targets"]?["prob"]?["end"]?.double ?? .nan
      for (key, replacement) in [
        ("with_shift", JSON.boolean(description["with_shift"]?.boolean == false)),
        ("with_constant", .boolean(description["with_constant"]?.boolean == false)),
        ("cap", description["cap"]?.isNull == true ? .number(.real(5)) : .null),
      ] {
        // RMS norms have no shift to forget.
        if key == "with_shift" && description["norm"]?.string == "rms" { continue }
        let members = (description.members ?? []).filter { $0.key != key }
        let wrong = try JSON.parse(
          Array(
            #"{"norm":"\#(description["norm"]?.string ?? "")""#.utf8)
            + members.filter { ["with_shift", "with_constant"].contains($0.key) }.flatMap {
              Array(#","\#($0.key)":\#($0.value.boolean == true)"#.utf8)
            }
            + (key == "cap"
              ? []
              : Array(#","cap":\#(description["cap"]?.double.map { "\($0)" } ?? "null")"#.utf8))
            + Array(#","\#(key)":\#(Self.text(replacement))}"#.utf8))
        let reading = try read(readout(wrong, .float64), .float64, .probability, at: [])
        let value = Target.probability.value(reading.rows[1], modelEntropy: 0)
        #expect(abs(value - expected) > 1e-5 * (1 + abs(expected)), "\(key)")
      }
    }
  }

  private static func text(_ value: JSON) -> String {
    if let flag = value.boolean { return "\(flag)" }
    return value.double.map { "\($0)" } ?? "null"
  }

  @Test("Equal logits share the best rank, and a large vocabulary is read slice by slice")
  func ranksAndSlices() throws {
    // Vocabulary of 5,000 over three slices; entries 10 and 4,321 are the same, 4,999 is best.
    let width = 4
    var generator = SeededGenerator(seed: 7)
    var rows = (0..<5_000).map { _ in
      (0..<width).map { _ in Double.random(in: -1...0, using: &generator) }
    }
    rows[10] = [1, 1, 1, 1]
    rows[4_321] = rows[10]
    rows[4_999] = [2, 2, 2, 2]
    let ones = Tensor(repeating: 1, [width])
    let readout = Readout(
      Unembedding(
        norm: Norm(kind: .rms, weight: ones, bias: nil, epsilon: 1e-6),
        weight: Tensor(rows.flatMap { $0 }, [5_000, width]), bias: nil, softCap: nil))
    let state = Tensor(repeating: 3, [3, width])
    let reading = try readout.read(
      state,
      [10, 4_321, 4_999].map { Readout.Question(token: $0, versus: nil, model: 0) }, .probability,
      top: 4)
    #expect(reading.rows.map(\.rank) == [2, 2, 1])
    #expect(reading.rows[0].top.map(\.index).prefix(3) == [4_999, 10, 4_321])
    let logits = rows.map { $0.reduce(0, +) }
    let partition = logits.reduce(0) { $0 + exponential($1) }
    let entropy = logits.reduce(0.0) { total, z in
      let p = exponential(z) / partition
      return total - p * logarithm(p)
    }
    #expect(abs(reading.rows[0].logPartition - logarithm(partition)) < 1e-5)
    #expect(abs(reading.rows[0].entropy - entropy) < 1e-5)
  }
}
