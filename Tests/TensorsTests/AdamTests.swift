import Tensors
import TestSupport
import Testing

@Suite("Adam")
struct AdamTests {
  /// Adam with AMSGrad, number by number (Kingma and Ba, algorithm 1; Reddi and others, algorithm 2).
  private struct Plain {
    var parameter: [Double]
    var mean, square, largest: [Double]
    var steps = 0

    init(_ parameter: [Double]) {
      self.parameter = parameter
      mean = parameter.map { _ in 0 }
      (square, largest) = (mean, mean)
    }

    mutating func step(_ gradients: [Double], rate: Double, decay: Double) {
      steps += 1
      var (first, second) = (1.0, 1.0)
      for _ in 0..<steps { (first, second) = (first * 0.9, second * 0.999) }
      for i in parameter.indices {
        let gradient = gradients[i] + decay * parameter[i]
        mean[i] = 0.9 * mean[i] + 0.1 * gradient
        square[i] = 0.999 * square[i] + 0.001 * gradient * gradient
        largest[i] = max(largest[i], square[i])
        let root = (largest[i] / (1 - second)).squareRoot() + 1e-8
        parameter[i] -= rate * mean[i] / (1 - first) / root
      }
    }
  }

  private func gradients(_ step: Int) -> [Double] {
    var generator = SeededGenerator(seed: UInt64(step + 1))
    // Smaller and smaller, so that the largest square is not the latest.
    return (0..<6).map { _ in Double.random(in: -1...1, using: &generator) / Double(step + 1) }
  }

  @Test("It is Adam with AMSGrad and weight decay, number by number")
  func definition() throws {
    let start = [0.5, -1, 2, 0, 0.25, -3]
    var options = Adam.Options()
    options.weightDecay = 0.01
    let adam = Adam([Tensor(start, [2, 3], .float64)], options)
    var plain = Plain(start)
    for step in 0..<8 {
      let rate = 0.1 / Double(step + 1)
      adam.step([Tensor(gradients(step), [2, 3], .float64)], learningRate: rate)
      plain.step(gradients(step), rate: rate, decay: 0.01)
      #expect(distance(try adam.parameters[0].values(), plain.parameter).error < 1e-12)
    }
    let state = adam.state[0]
    #expect(distance(try state.mean.values(), plain.mean).error < 1e-12)
    #expect(distance(try state.square.values(), plain.square).error < 1e-12)
    #expect(distance(try state.largestSquare.values(), plain.largest).error < 1e-12)
  }

  @Test(
    "A restored state goes on as if nothing had happened, and what it was made from is untouched")
  func restoring() throws {
    let start = Tensor([1, 2, 3, 4, 5, 6], [6])
    let whole = Adam([start])
    for step in 0..<3 { whole.step([Tensor(gradients(step), [6])], learningRate: 0.1) }
    let resumed = Adam([Tensor(repeating: 0, [6])])
    resumed.restore(whole.state, afterSteps: 3)
    for step in 3..<6 {
      for adam in [whole, resumed] { adam.step([Tensor(gradients(step), [6])], learningRate: 0.1) }
      #expect(try resumed.parameters[0].values() == whole.parameters[0].values())
    }
    #expect(try start.values() == [1, 2, 3, 4, 5, 6])
    #expect(try whole.parameters[0].values() != start.values())
  }
}
