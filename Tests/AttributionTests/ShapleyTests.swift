import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Shapley values of layers: exact ones against every order, sampled ones against all sets.
@Suite("Shapley values over layers")
struct ShapleyTests {
  @Test("Up to 10 layers they are the mean over every order", arguments: TreeReference.names)
  func everyOrder(name: String) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("orders")
    let cases = stored["cases"]?.array ?? []
    #expect(cases.count == (name == "llama-six-layers" ? 4 : 1))
    for test in cases {
      for target in try #require(test["targets"]?.object).members.map(\.key) {
        let expected = test["targets"]?[target]
        var options = try model.options(test, target)
        // So few sampled orders would be far off.
        options.path = .shapley(orders: 2)
        let found = try model.explain(stored["ids"]?.integers ?? [], options)
        let values = (expected?["segments"]?.array ?? []).map { $0["value"]?.double ?? .nan }
        let worst = distance(found.attributions.map(\.value), values)
        #expect(
          worst.error < 1e-11,
          "\(name), \(options.baseline.name), \(target): off by \(worst)")
        #expect(found.attributions.allSatisfy { $0.nodes == nil && $0.converged == nil })
        #expect(abs(found.certificate) < 1e-12 * (1 + abs(found.modelValue)))
        // The chain is one order; it is not their mean.
        options.path = .chain
        let chain = try model.explain(stored["ids"]?.integers ?? [], options)
        #expect(distance(chain.attributions.map(\.value), values).error > 1e-4)
      }
    }
  }

  /// A readout, a path of so many layers, and v(S) written out.
  private struct Game {
    let readout: Readout
    let prediction: IGLens.Prediction
    private let weight: [Double]
    private let path: [[Double]]
    private let token = 3

    static let (width, vocabulary) = (6, 9)

    init(players: Int, seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      func numbers(_ count: Int, _ scale: Double) -> [Double] {
        (0..<count).map { _ in scale * .random(in: -1...1, using: &random) }
      }
      let (width, vocabulary) = (Self.width, Self.vocabulary)
      weight = numbers(vocabulary * width, 1.5)
      var path = [numbers(width, 1)]
      for _ in 0..<players {
        path.append(zip(path[path.count - 1], numbers(width, 0.6)).map { $0 + $1 })
      }
      self.path = path
      readout = Readout(
        Unembedding(
          norm: Norm(
            kind: .rms, weight: Tensor([Double](repeating: 1, count: width), [width], .float64),
            bias: nil, epsilon: 1e-6),
          weight: Tensor(weight, [vocabulary, width], .float64), bias: nil, softCap: nil))
      prediction = .init(
        token: token, path: Tensor(path.flatMap { $0 }, [players + 1, width], .float64))
    }

    /// p_y at b + Σ_S u.
    private func value(_ set: Int) -> Double {
      var state = path[0]
      for player in 0..<path.count - 1 where set >> player & 1 == 1 {
        for k in state.indices { state[k] += path[player + 1][k] - path[player][k] }
      }
      let width = Double(state.count)
      let scale = (state.reduce(0) { $0 + $1 * $1 } / width + 1e-6).squareRoot()
      let e = (0..<Self.vocabulary).map { v in
        exponential(
          state.indices.reduce(0) { $0 + weight[v * state.count + $1] * state[$1] } / scale)
      }
      return e[token] / e.reduce(0, +)
    }

    /// Σ_S |S|! (k − |S| − 1)! / k! (v(S ∪ j) − v(S)).
    var exact: [Double] {
      let players = path.count - 1
      let values = (0..<1 << players).map(value)
      func factorial(_ n: Int) -> Double { n < 2 ? 1 : (2...n).reduce(1) { $0 * Double($1) } }
      return (0..<players).map { player in
        values.indices.filter { $0 >> player & 1 == 0 }.reduce(0) { sum, set in
          let size = set.nonzeroBitCount
          return sum + factorial(size) * factorial(players - size - 1) / factorial(players)
            * (values[set | 1 << player] - values[set])
        }
      }
    }
  }

  private func sampled(
    _ game: Game, orders: Int, seed: UInt64, rows: Int = 512
  ) throws -> IGLens.Explanation {
    try IGLens(rowsPerSweep: rows)
      .shapley([game.prediction], with: game.readout, orders: orders, seed: seed)[0]
  }

  @Test("10 updates are exact, 11 are sampled")
  func border() throws {
    let ten = Game(players: 10, seed: 1)
    let exact = try sampled(ten, orders: 4, seed: 0)
    #expect(exact.standardErrors == nil)
    #expect(distance(exact.attributions, ten.exact).error < 1e-13)
    let eleven = Game(players: 11, seed: 1)
    let drawn = try sampled(eleven, orders: 4, seed: 0)
    #expect(drawn.standardErrors?.count == 11)
    #expect(distance(drawn.attributions, eleven.exact).error > 1e-6)
  }

  @Test("Sampled values are unbiased, and the standard error is what they scatter by")
  func standardErrors() throws {
    let game = Game(players: 12, seed: 5)
    let exact = game.exact
    let (seeds, orders) = (60, 100)
    let runs = try (0..<seeds).map { try sampled(game, orders: orders, seed: UInt64($0)) }
    var (squares, claimed) = (0.0, 0.0)
    for player in exact.indices {
      let values = runs.map { $0.attributions[player] }
      let errors = runs.map { $0.standardErrors?[player] ?? .nan }
      let mean = values.reduce(0, +) / Double(seeds)
      let stated = errors.reduce(0, +) / Double(seeds)
      let scatter = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(seeds - 1))
        .squareRoot()
      #expect(stated > 1e-4 && scatter > 1e-4)
      // The scatter of 60 runs is known to 9 %: four of its deviations.
      #expect(abs(scatter / stated - 1) < 0.37, "player \(player): \(scatter) for \(stated)")
      #expect(abs(mean - exact[player]) < 4 * stated / Double(seeds).squareRoot())
      squares += values.reduce(0) { $0 + ($1 - exact[player]) * ($1 - exact[player]) }
      claimed += errors.reduce(0) { $0 + $1 * $1 }
    }
    // Over all players the squared distances from the exact values are those claimed.
    #expect(abs(squares / claimed - 1) < 0.2, "\(squares) for \(claimed)")
  }

  @Test("Every sample telescopes, repeats with its seed, and is no matter of sweeps")
  func sampling() throws {
    let game = Game(players: 14, seed: 9)
    let one = try sampled(game, orders: 8, seed: 3)
    #expect(abs(one.baseline + one.sum - (one.lens.last ?? .nan)) < 1e-13)
    #expect(try sampled(game, orders: 8, seed: 3).attributions == one.attributions)
    #expect(try sampled(game, orders: 8, seed: 4).attributions != one.attributions)
    // An odd count is rounded up to a pair.
    #expect(try sampled(game, orders: 7, seed: 3).attributions == one.attributions)
    let narrow = try sampled(game, orders: 8, seed: 3, rows: 5)
    #expect(distance(narrow.attributions, one.attributions).error < 1e-14)
    #expect(
      distance(narrow.standardErrors ?? [], one.standardErrors ?? [.nan]).error < 1e-14)
  }

  @Test("One pair of orders has no standard error, and none is stated")
  func onePair() throws {
    #expect(try sampled(Game(players: 12, seed: 5), orders: 2, seed: 0).standardErrors == nil)
    #expect(try sampled(Game(players: 12, seed: 5), orders: 3, seed: 0).standardErrors != nil)
  }
}
