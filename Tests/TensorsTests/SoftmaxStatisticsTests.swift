import Foundation
import Tensors
import TestSupport
import Testing

/// Streamed statistics against the same sums written out in float64.
@Suite("Softmax statistics")
struct SoftmaxStatisticsTests {
  private let rows = 5
  private let vocabulary = 157

  /// Logits with a large spread, one row shifted far up and one far down.
  private func logits(_ seed: UInt64) -> [[Double]] {
    var generator = SeededGenerator(seed: seed)
    return (0..<rows).map { row in
      let shift = [0, 300, -300, 5, 0][row]
      return (0..<vocabulary).map { _ in
        Double(Float(Double(shift) + Double.random(in: -12...12, using: &generator)))
      }
    }
  }

  private func bias() -> [Double] {
    var generator = SeededGenerator(seed: 99)
    return (0..<vocabulary).map { _ in
      Double(Float(Double.random(in: -1...1, using: &generator)))
    }
  }

  private func slices(_ length: Int) -> [Range<Int>] {
    stride(from: 0, to: vocabulary, by: length).map { $0..<min(vocabulary, $0 + length) }
  }

  private func slice(_ values: [[Double]], _ range: Range<Int>, _ type: ScalarType) -> Tensor {
    Tensor(values.flatMap { $0[range] }, [values.count, range.count], type)
  }

  private func capped(_ x: Double, _ cap: Double) -> Double { cap > 0 ? cap * tanh(x / cap) : x }

  @Test(
    "Rows: partition, entropy, rank, top and cross moment", arguments: [1, 16, 50, 157], [0.0, 8.0])
  func rowStatistics(length: Int, cap: Double) throws {
    for (type, tolerance) in [(ScalarType.float64, 1e-12), (.float32, 3e-6)] {
      let logits = logits(1)
      let bias = bias()
      let z = logits.map { zip($0, bias).map { capped($0 + $1, cap) } }
      let targets = [3, 150, 0, 77, 156]
      let questions = targets.enumerated().map {
        SoftmaxRows.Row(
          target: $1, versus: ($1 + 5) % vocabulary, threshold: z[$0][$1] + 1e-4, model: 4)
      }
      var statistics = SoftmaxRows(questions, cap: cap, top: 3, crossing: true)
      for range in slices(length) {
        statistics.add(
          slice(logits, range, type), bias: Tensor(Array(bias[range]), [range.count], type),
          first: range.lowerBound)
      }
      func partition(_ row: [Double]) -> Double {
        let most = row.max() ?? 0
        return most + log(row.reduce(0) { $0 + exp($1 - most) })
      }
      let model = z[4].map { exp($0 - partition(z[4])) }
      for row in 0..<rows {
        let found = statistics.reading(row)
        let logZ = partition(z[row])
        let p = z[row].map { exp($0 - logZ) }
        let entropy = zip(p, z[row]).reduce(0) { $0 - $1.0 * ($1.1 - logZ) }
        let cross = zip(model, z[row]).reduce(0) { $0 + $1.0 * $1.1 }
        let expected = [
          logZ, entropy, z[row][targets[row]], z[row][(targets[row] + 5) % vocabulary], cross,
        ]
        let values = [
          found.logPartition, found.entropy, found.targetLogit, found.versusLogit,
          found.crossMoment,
        ]
        // A row at 300 carries its entropy as a difference of numbers that large.
        let allowed = abs(logZ) > 100 && type == .float32 ? 1e-4 : tolerance
        #expect(distance(values, expected).error < allowed, "row \(row): \(values) for \(expected)")
        #expect(found.rank == 1 + z[row].filter { $0 > z[row][targets[row]] + 1e-4 }.count)
        let order = z[row].indices.sorted { z[row][$0] > z[row][$1] }
        if cap == 0 { #expect(found.top.map(\.index) == Array(order.prefix(3))) }
        #expect(
          distance(found.top.map(\.logit), order.prefix(3).map { z[row][$0] }).error < tolerance)
      }
    }
  }

  @Test("Points: every sum at mixtures of two rows", arguments: [16, 157], [0.0, 8.0])
  func pointStatistics(length: Int, cap: Double) throws {
    for (type, tolerance) in [(ScalarType.float64, 1e-12), (.float32, 2e-5)] {
      let logits = logits(2)
      let bias = bias()
      let mixtures = (0..<3).map { k in
        let t = 0.2 + 0.3 * Double(k)
        return SoftmaxPoints.Mixture(
          alpha: 0.9 * (1 - t), beta: 1.1 * t, alphaSlope: -0.8, betaSlope: 1.2)
      }
      let ends = [(0, 3), (3, 4)]
      var statistics = SoftmaxPoints(
        ends.map {
          .init(from: $0.0, to: $0.1, target: 7, versus: 100, model: 4, points: mixtures)
        }, cap: cap, secondMoments: true, crossing: true)
      for range in slices(length) {
        statistics.add(
          slice(logits, range, type), bias: Tensor(Array(bias[range]), [range.count], type),
          first: range.lowerBound)
      }
      let modelZ = zip(logits[4], bias).map { capped($0 + $1, cap) }
      let modelSum = modelZ.reduce(0) { $0 + exp($1) }
      for (segment, end) in ends.enumerated() {
        for (point, mixture) in mixtures.enumerated() {
          let l = (0..<vocabulary).map {
            mixture.alpha * logits[end.0][$0] + mixture.beta * logits[end.1][$0] + bias[$0]
          }
          let z = l.map { capped($0, cap) }
          let dz = (0..<vocabulary).map { v -> Double in
            let slope =
              mixture.alphaSlope * logits[end.0][v] + mixture.betaSlope * logits[end.1][v]
            return cap > 0 ? slope * (1 - pow(z[v] / cap, 2)) : slope
          }
          let sum = z.reduce(0) { $0 + exp($1) }
          func mean(_ f: (Int) -> Double) -> Double {
            (0..<vocabulary).reduce(0) { $0 + exp(z[$1]) / sum * f($1) }
          }
          let expected = [
            log(sum), mean { dz[$0] }, mean { z[$0] }, mean { z[$0] * dz[$0] }, z[7], dz[7],
            z[100], dz[100],
            (0..<vocabulary).reduce(0) { $0 + exp(modelZ[$1]) / modelSum * dz[$1] },
          ]
          let r = statistics.reading(segment: segment, point: point)
          let found = [
            r.logPartition, r.meanSlope, r.mean, r.momentSlope, r.targetLogit, r.targetSlope,
            r.versusLogit, r.versusSlope, r.crossSlope,
          ]
          #expect(
            distance(found, expected).error < tolerance, "\(found) for \(expected)")
        }
      }
    }
  }

  @Test("A slice that does not fit is refused by the engine")
  func misfits() {
    let error = #expect(throws: EngineError.self) {
      try withEngineErrors {
        var statistics = SoftmaxRows(
          [.init(target: 0, threshold: 0, model: 0)], cap: 0, top: 0, crossing: false)
        statistics.add(Tensor(repeating: 0, [2, 4]), bias: nil, first: 0)
      }
    }
    #expect(error?.message == "readout: slice and statistics differ in rows")
  }
}
