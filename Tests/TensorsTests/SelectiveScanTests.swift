import Foundation
import Tensors
import TestSupport
import Testing

/// The recurrence of state-space models against its definition, number by number.
@Suite("The selective scan")
struct SelectiveScanTests {
  /// Sizes, and inputs drawn for them: the step above 0, the decay below.
  private struct Problem {
    var batch: Int
    var positions: Int
    var channels: Int
    var states: Int
    var x: [Double]
    var step: [Double]
    var decay: [Double]
    var input: [Double]
    var output: [Double]
    var skip: [Double]
    var state: [Double]

    init(_ batch: Int, _ positions: Int, _ channels: Int, _ states: Int, seed: UInt64) {
      var generator = SeededGenerator(seed: seed)
      func draw(_ count: Int, _ range: ClosedRange<Double> = -1.5...1.5) -> [Double] {
        (0..<count).map { _ in .random(in: range, using: &generator) }
      }
      (self.batch, self.positions, self.channels, self.states) =
        (batch, positions, channels, states)
      x = draw(batch * positions * channels)
      step = draw(batch * positions * channels, 0.01...2)
      decay = draw(channels * states, -3...(-0.01))
      input = draw(batch * positions * states)
      output = draw(batch * positions * states)
      skip = draw(channels)
      state = draw(batch * channels * states)
    }

    func tensors(_ type: ScalarType) -> [Tensor] {
      [
        (x, [batch, positions, channels]), (step, [batch, positions, channels]),
        (decay, [channels, states]), (input, [batch, positions, states]),
        (output, [batch, positions, states]), (skip, [channels]),
        (state, [batch, channels, states]),
      ].map { Tensor($0.0, $0.1, type) }
    }

    /// y and the last h, from the definition.
    func expected() -> (values: [Double], state: [Double]) {
      var h = state
      var y = [Double](repeating: 0, count: x.count)
      for b in 0..<batch {
        for t in 0..<positions {
          for c in 0..<channels {
            let at = (b * positions + t) * channels + c
            var sum = skip[c] * x[at]
            for n in 0..<states {
              let place = (b * channels + c) * states + n
              let row = (b * positions + t) * states + n
              h[place] =
                exp(decay[c * states + n] * step[at]) * h[place] + step[at] * input[row] * x[at]
              sum += output[row] * h[place]
            }
            y[at] = sum
          }
        }
      }
      return (y, h)
    }
  }

  private func scan(_ t: [Tensor]) -> (values: Tensor, state: Tensor) {
    t[0].selectiveScan(
      step: t[1], decay: t[2], input: t[3], output: t[4], skip: t[5], from: t[6])
  }

  @Test(
    "It computes its definition, whatever the number of channels",
    arguments: [(1, 9, 16, 16), (2, 7, 37, 5), (3, 1, 3, 1), (1, 40, 64, 4)],
    [(ScalarType.float64, 1e-13), (.float32, 1e-5)])
  func definition(sizes: (Int, Int, Int, Int), precision: (ScalarType, Double)) throws {
    let problem = Problem(sizes.0, sizes.1, sizes.2, sizes.3, seed: 5)
    let (values, state) = scan(problem.tensors(precision.0))
    let expected = problem.expected()
    #expect(try distance(values.values(), expected.values).error < precision.1)
    #expect(try distance(state.values(), expected.state).error < precision.1)
  }

  @Test("What is recorded for gradients is the same", arguments: [ScalarType.float32, .float64])
  func recorded(type: ScalarType) throws {
    let problem = Problem(2, 6, 19, 3, seed: 8)
    let plain = scan(problem.tensors(type))
    let recorded = withRecording(true) {
      scan(problem.tensors(type).map { $0.requiringGradient() })
    }
    let tolerance = type == .float64 ? 1e-13 : 1e-5
    for (found, expected) in [(recorded.values, plain.values), (recorded.state, plain.state)] {
      #expect(try distance(found.values(), expected.values()).error < tolerance)
    }
  }

  @Test("Its gradients are those of differences", arguments: 0..<7)
  func gradients(input place: Int) throws {
    let problem = Problem(1, 5, 4, 3, seed: 13)
    let weights = Problem(1, 5, 4, 3, seed: 14)
    func loss(_ t: [Tensor]) -> Tensor {
      let made = scan(t)
      return (made.values * Tensor(weights.x, [1, 5, 4], .float64)).sum
        + (made.state * Tensor(weights.state, [1, 4, 3], .float64)).sum
    }
    let found = try withRecording(true) {
      let inputs = problem.tensors(.float64).map { $0.requiringGradient() }
      return try loss(inputs).gradient(withRespectTo: [inputs[place]])[0].values()
    }
    let plain = problem.tensors(.float64)
    let numbers = try plain[place].values()
    let steps = try numbers.indices.map { index in
      func moved(_ by: Double) throws -> Double {
        var changed = numbers
        changed[index] += by
        var inputs = plain
        inputs[place] = Tensor(changed, plain[place].shape, .float64)
        return try loss(inputs).scalar()
      }
      return (try moved(1e-5) - moved(-1e-5)) / 2e-5
    }
    #expect(distance(found, steps).error < 1e-8)
  }

  @Test("A text scanned in parts, each from the state before it, is the text scanned at once")
  func parts() throws {
    let problem = Problem(2, 11, 21, 6, seed: 21)
    let all = problem.tensors(.float64)
    var state = all[6]
    var values: [Tensor] = []
    for range in [0..<1, 1..<7, 7..<11] {
      func cut(_ x: Tensor) -> Tensor { x.slice(range, along: 1) }
      let made = scan([cut(all[0]), cut(all[1]), all[2], cut(all[3]), cut(all[4]), all[5], state])
      values.append(made.values)
      state = made.state
    }
    let whole = scan(all)
    #expect(
      try Tensor.concatenating(values, along: 1).values() == whole.values.values())
    #expect(try state.values() == whole.state.values())
  }

  @Test("Low precision is summed in float32")
  func low() throws {
    let problem = Problem(1, 30, 8, 4, seed: 34)
    let single = problem.tensors(.bfloat16)
    let (values, state) = scan(single)
    #expect(values.type == .bfloat16)
    #expect(state.type == .float32)
    let wide = scan(single.map { $0.to(.float32) })
    #expect(try distance(state.values(), wide.state.values()).error < 1e-5)
    #expect(try distance(values.values(), wide.values.values()).error < 0.005)
  }

  @Test("Shapes that do not fit are an error")
  func shapes() {
    var inputs = Problem(1, 4, 6, 2, seed: 1).tensors(.float32)
    inputs[3] = Tensor(repeating: 0, [1, 4, 3])
    #expect {
      try withEngineErrors { _ = scan(inputs) }
    } throws: {
      "\($0)".contains("selective scan: shapes do not fit")
    }
  }
}
