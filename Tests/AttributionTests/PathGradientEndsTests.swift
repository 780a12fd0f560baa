import Attribution
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Path-mean gradients between awkward ends, against autograd on ever finer panels in float64.
@Suite("PathGradient between awkward ends")
struct PathGradientEndsTests {
  private let readouts: StoredReadouts
  private var stored: JSON { readouts.stored }

  init() throws { readouts = try StoredReadouts("tree/readout-paths.json") }

  private static let names = [
    "ordinary", "longer", "parallel", "near", "equal", "opposite", "zero", "to-zero",
  ]

  private func ends(_ name: String) -> [[Double]] {
    (stored["ends"]?[name]?.array ?? []).map(\.numbers)
  }

  /// ḡ from the first state to the second, of one question per row.
  private func gradients(
    _ readout: Readout, _ type: ScalarType, _ states: [[Double]], _ target: Target,
    _ questions: [Readout.Question], segments: [(from: Int, to: Int)] = [(0, 1)], nodes: Int,
    circular: Bool = false
  ) throws -> (gradients: [[Double]], values: [Double], isCircular: Bool) {
    let width = states[0].count
    let rows = Tensor(states.flatMap { $0 }, [states.count, width], type)
    let reading = try readout.read(rows, questions, target, top: 0, holding: true)
    let gradient = try PathGradient(
      segments, states: rows, questions: questions, reading: reading, target: target,
      readout: readout)
    let isCircular = gradient.isCircular(0)
    let found = try gradient(
      Array(segments.indices), .gaussLegendre(nodes), circular: circular && isCircular
    ).values()
    return (
      segments.indices.map { Array(found[$0 * width..<($0 + 1) * width]) },
      reading.rows.map { target.value($0, modelEntropy: 0) }, isCircular
    )
  }

  @Test(
    "Every readout and target: autograd's gradient, where one variable settles to 1e-10",
    arguments: names)
  func everyTarget(name: String) throws {
    let ends = ends(name)
    let question = readouts.question
    for description in readouts.cases {
      let readout = readouts.readout(description, .float64)
      for target in StoredReadouts.targets {
        let known = description["segments"]?[name]?[target.name]
        let expected = known?["path_gradient"]?.numbers ?? []
        #expect(expected.count == stored["width"]?.integer)
        let label = "\(name), \(description["norm"]?.string ?? ""), \(target.name)"
        var worst = Double.infinity
        for circular in [false, true] {
          let found = try gradients(
            readout, .float64, ends, target, [question, question], nodes: 1024,
            circular: circular)
          guard found.isCircular || !circular else { continue }
          let error = distance(found.gradients[0], expected).error
          #expect(error < 1e-7, "\(label): off by \(error), circular \(circular)")
          worst = min(worst, error)
          #expect(
            distance(
              found.values, [known?["start"]?.double ?? .nan, known?["end"]?.double ?? .nan]
            ).error < 1e-12)
          // The theorem that the split rests on: ⟨ḡ, b − a⟩ = F(b) − F(a).
          let along = zip(found.gradients[0], zip(ends[0], ends[1])).reduce(0) {
            $0 + $1.0 * ($1.1.1 - $1.1.0)
          }
          #expect(abs(along - (found.values[1] - found.values[0])) < 1e-5 || worst < 1e-10)
        }
        #expect(worst < 1e-10, "\(label): off by \(worst)")
      }
    }
  }

  @Test("Equal ends have no angle and need none")
  func noAngle() throws {
    let readout = readouts.readout(readouts.cases[0], .float64)
    for (name, isCircular) in [
      ("ordinary", true), ("opposite", true), ("equal", false),
    ] {
      let found = try gradients(
        readout, .float64, ends(name), .probability, [readouts.question, readouts.question],
        nodes: 8)
      #expect(found.isCircular == isCircular, "\(name)")
    }
  }

  @Test("No pair of ends gives a number that is not one, in either precision", arguments: names)
  func finite(name: String) throws {
    var pairs = [ends(name), Array(ends(name).reversed())]
    // Exactly opposite, and both zero: where an angle or a length would be divided by.
    pairs.append([ends(name)[0], ends(name)[0].map { -$0 }])
    pairs.append([ends("zero")[0], ends("zero")[0]])
    for type in [ScalarType.float64, .float32] {
      for description in readouts.cases {
        let readout = readouts.readout(description, type)
        for target in StoredReadouts.targets + [.divergence] {
          for pair in pairs {
            for circular in [false, true] {
              let found = try gradients(
                readout, type, pair, target, [readouts.question, readouts.question], nodes: 16,
                circular: circular)
              #expect(
                found.gradients[0].allSatisfy { $0.isFinite },
                "\(name), \(target.name), circular \(circular), \(type.name)")
            }
          }
        }
      }
    }
  }

  /// ∇KL(m ‖ p) = −Σ_v m_v ∇ log p_v: every token's log-probability gradient, and the weights m.
  private func divergence(
    _ readout: Readout, _ ends: [[Double]], _ model: [Double], nodes: Int, circular: Bool
  ) throws -> [Double] {
    let tokens = model.indices
    let questions =
      [readouts.question]
      + tokens.map { Readout.Question(token: $0, versus: nil, model: 1) }
    let found = try gradients(
      readout, .float64, [ends[0]] + tokens.map { _ in ends[1] }, .logProbability, questions,
      segments: tokens.map { (0, $0 + 1) }, nodes: nodes, circular: circular)
    return found.gradients[0].indices.map { k in
      -tokens.reduce(0) { $0 + model[$1] * found.gradients[$1][k] }
    }
  }

  @Test(
    "kl: autograd's gradient for any model distribution, and for a state's own", arguments: names)
  func divergence(name: String) throws {
    let ends = ends(name)
    let state = self.ends("ordinary")[1].map { 0.7 * $0 + 0.1 }
    for description in readouts.cases {
      let readout = readouts.readout(description, .float64)
      let head = readouts.head(description, .float64)
      let expected = description["segments"]?[name]?["kl"]?["path_gradient"]?.numbers ?? []
      let own = try head.logits(Tensor(state, [1, state.count], .float64)).softmax(along: -1)
        .values()
      var worst = Double.infinity
      for circular in [false, true] {
        let any = try divergence(
          readout, ends, stored["model"]?.numbers ?? [], nodes: 1024, circular: circular)
        worst = min(worst, distance(any, expected).error)
        // A third row is the model's.
        let question = Readout.Question(token: 0, versus: nil, model: 2)
        let found = try gradients(
          readout, .float64, ends + [state], .divergence, [question, question, question],
          nodes: 64, circular: circular)
        let same = try divergence(readout, ends, own, nodes: 64, circular: circular)
        #expect(distance(found.gradients[0], same).error < 1e-11, "\(name)")
      }
      #expect(worst < 1e-10, "\(name): off by \(worst)")
    }
  }

  @Test("A coarser rule's distance is bounded by what is said of it", arguments: names)
  func drifts(name: String) throws {
    let ends = ends(name)
    let states = Tensor(ends.flatMap { $0 }, [2, ends[0].count], .float64)
    let questions = [readouts.question, readouts.question]
    for description in readouts.cases {
      let readout = readouts.readout(description, .float64)
      for target in StoredReadouts.targets + [.divergence] {
        let reading = try readout.read(states, questions, target, top: 0, holding: true)
        let gradient = try PathGradient(
          [(0, 1)], states: states, questions: questions, reading: reading, target: target,
          readout: readout)
        let pair = gradient.gradients(
          [0], .gaussLegendre(16), comparedWith: .gaussLegendre(8), circular: false)
        let fine = try gradient([0], .gaussLegendre(16), circular: false).values()
        let coarse = try gradient([0], .gaussLegendre(8), circular: false).values()
        #expect(distance(try pair.values.values(), fine).error < 1e-14)
        let apart = zip(fine, coarse).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
          .squareRoot()
        #expect(
          apart <= pair.drifts[0] * (1 + 1e-9) + 1e-13,
          "\(name), \(target.name): \(apart) beyond \(pair.drifts[0])")
      }
    }
  }
}
