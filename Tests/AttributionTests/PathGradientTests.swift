import Attribution
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Path-mean gradients against autograd in float64.
@Suite("PathGradient")
struct PathGradientTests {
  private let stored: StoredReadouts

  init() throws { stored = try StoredReadouts() }

  @Test(
    "The closed form is autograd's path-mean gradient, in both variables",
    arguments: [(ScalarType.float64, 1e-10), (.float32, 2e-5)], [false, true])
  func closedForm(precision: (ScalarType, Double), circular: Bool) throws {
    let (type, tolerance) = precision
    for description in stored.cases {
      let readout = stored.readout(description, type)
      let states = Tensor(stored.start + stored.end, [2, stored.start.count], type)
      for target in StoredReadouts.targets {
        let questions = [stored.question, stored.question]
        let reading = try readout.read(states, questions, target, top: 0, holding: true)
        let gradient = try PathGradient(
          [(0, 1)], states: states, questions: questions, reading: reading, target: target,
          readout: readout)
        #expect(gradient.isCircular(0))
        let found = try gradient([0], .gaussLegendre(64), circular: circular).values()
        let known = description["targets"]?[target.name]?["path_gradient"]?.numbers ?? []
        #expect(known.count == found.count)
        #expect(distance(found, known).error < tolerance, "\(target.name)")
      }
    }
  }
}
