internal import Tensors

// Shapley values of the layers' updates u_j = h_ℓj − h_ℓ(j−1) (Shapley 1953): with v(S) = f(b + Σ_S u),
//
//     φ_j = mean over all orders of  v(those before j, and j) − v(those before j).
//
// Every order's differences telescope to f(h_ℓk) − f(b), so their mean does too. Up to 10 updates
// have at most 1,024 sets, and φ is exact:
//
//     φ_j = Σ_{S ∌ j} |S|! (k − |S| − 1)! / k! · (v(S ∪ j) − v(S)).
//
// More are sampled: each drawn order is walked forwards and backwards, for a pair's mean varies less
// than two independent draws', and the standard error is that of the pairs' means.

extension IGLens {
  /// The most updates whose Shapley values are exact.
  static let mostExact = 10

  /// Splits predictions by Shapley values over their layers' updates.
  ///
  /// - Parameters:
  ///   - predictions: paths of equal length.
  ///   - readout: the model's readout.
  ///   - orders: how many orders are sampled, at least 2; rounded up to pairs.
  ///   - seed: of the sampling.
  ///   - progress: told the share of the work done.
  /// - Returns: one explanation per prediction.
  /// - Throws: `EngineError`, or `AttributionError` when the model's numbers are not finite.
  /// - Complexity: no model run; predictions × (2^k or orders × (k − 1)) rows through the head.
  package func shapley(
    _ predictions: [Prediction], with readout: Readout, orders: Int, seed: UInt64,
    progress: (Double) -> Void = { _ in }
  ) throws -> [Explanation] {
    var explanations = try explain(predictions, with: readout)
    let count = (predictions.first?.path.size(0) ?? 1) - 1
    for (index, prediction) in predictions.enumerated() {
      let game = try LayerGame(prediction, self, readout)
      let (values, errors) =
        count <= Self.mostExact
        ? (try game.exactValues(), nil) : try game.sampledValues(orders: orders, seed: seed)
      explanations[index].attributions = values
      explanations[index].standardErrors = errors
      progress(Double(index + 1) / Double(predictions.count))
    }
    return explanations
  }
}

/// v(S) = f(b + Σ_S u) for the layers of one prediction.
private struct LayerGame {
  private let method: IGLens
  private let readout: Readout
  private let prediction: IGLens.Prediction
  /// b, then every update: [1 + k, width], float64.
  private let terms: Tensor
  let players: Int

  init(_ prediction: IGLens.Prediction, _ method: IGLens, _ readout: Readout) throws {
    self.method = method
    self.readout = readout
    self.prediction = prediction
    let path = prediction.path.to(.float64, on: .cpu)
    players = path.size(0) - 1
    terms = Tensor.concatenating(
      [
        path.slice(0..<1, along: 0),
        path.slice(1..<players + 1, along: 0) - path.slice(0..<players, along: 0),
      ], along: 0)
  }

  /// v of sets of players.
  private func values(_ sets: [[Bool]]) throws -> [Double] {
    let model = prediction.path.slice(players..<players + 1, along: 0)
    var found: [Double] = []
    let most = max(1, method.rowsPerSweep - 1)
    for start in stride(from: 0, to: sets.count, by: most) {
      let chosen = sets[start..<min(sets.count, start + most)]
      let values = try withEngineErrors {
        let members = Tensor(
          chosen.flatMap { [1] + $0.map { $0 ? 1 : 0 } }, [chosen.count, players + 1], .float64)
        let states = Tensor.concatenating(
          [members.matmul(terms).to(readout.type, on: model.device), model], along: 0)
        let question = Readout.Question(
          token: prediction.token, versus: prediction.versus, model: chosen.count)
        let rows = try readout.read(
          states, Array(repeating: question, count: chosen.count + 1), method.target, top: 0
        ).rows
        return rows.dropLast().map {
          method.target.value($0, modelEntropy: rows[chosen.count].entropy)
        }
      }
      found += values
    }
    return found
  }

  func exactValues() throws -> [Double] {
    let sets = (0..<1 << players).map { set in (0..<players).map { set >> $0 & 1 == 1 } }
    let values = try values(sets)
    // |S|! (k − |S| − 1)! / k! = 1 / (k · C(k − 1, |S|))
    var weights = [1 / Double(players)]
    for size in stride(from: 1, to: players, by: 1) {
      weights.append(weights[size - 1] * Double(size) / Double(players - size))
    }
    return (0..<players).map { player in
      sets.indices.filter { $0 >> player & 1 == 0 }.reduce(0) { sum, set in
        sum + weights[set.nonzeroBitCount] * (values[set | 1 << player] - values[set])
      }
    }
  }

  func sampledValues(orders: Int, seed: UInt64) throws -> (values: [Double], errors: [Double]?) {
    var random = SeededRandom(seed: seed)
    let pairs = max(1, (orders + 1) / 2)
    let drawn = (0..<pairs).flatMap { _ -> [[Int]] in
      let order = Array(0..<players).shuffled(using: &random)
      return [order, order.reversed()]
    }
    // Every order starts at nobody and ends at all; only what lies between differs.
    var sets = [[Bool](repeating: false, count: players), .init(repeating: true, count: players)]
    for order in drawn {
      var set = [Bool](repeating: false, count: players)
      for player in order.dropLast() {
        set[player] = true
        sets.append(set)
      }
    }
    let values = try values(sets)
    var sums = [Double](repeating: 0, count: players)
    var squares = sums
    for pair in 0..<pairs {
      var means = [Double](repeating: 0, count: players)
      for side in 0..<2 {
        let order = drawn[2 * pair + side]
        let first = 2 + (2 * pair + side) * (players - 1)
        for (step, player) in order.enumerated() {
          let before = step == 0 ? values[0] : values[first + step - 1]
          let after = step == players - 1 ? values[1] : values[first + step]
          means[player] += (after - before) / 2
        }
      }
      for player in 0..<players {
        sums[player] += means[player]
        squares[player] += means[player] * means[player]
      }
    }
    let count = Double(pairs)
    // One pair does not say how pairs vary.
    guard pairs > 1 else { return (sums, nil) }
    let errors = (0..<players).map { player -> Double in
      let variance = (squares[player] - sums[player] * sums[player] / count) / (count - 1)
      return (max(0, variance) / count).squareRoot()
    }
    return (sums.map { $0 / count }, errors)
  }
}
