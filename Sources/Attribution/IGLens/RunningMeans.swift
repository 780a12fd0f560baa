internal import Foundation

/// Means of a layer's states over ranges of positions.
struct RunningMeans {
  private let width: Int
  /// Sums over positions 0 ..< p, one row for each p.
  private var sums: [Double]
  private let norms: [Double]

  /// Sums [position, width] values.
  init(_ values: [Double], width: Int) {
    self.width = width
    let count = values.count / width
    sums = [Double](repeating: 0, count: (count + 1) * width)
    var norms = [Double](repeating: 0, count: count)
    for position in 0..<count {
      for k in 0..<width {
        let value = values[position * width + k]
        sums[(position + 1) * width + k] = sums[position * width + k] + value
        norms[position] += value * value
      }
      norms[position] = norms[position].squareRoot()
    }
    self.norms = norms
  }

  /// The mean over a range of positions.
  func mean(_ range: Range<Int>) -> [Double] {
    (0..<width).map { k in
      (sums[range.upperBound * width + k] - sums[range.lowerBound * width + k])
        / Double(range.count)
    }
  }

  /// What a reader should know about these means.
  func warnings(
    _ baseline: Baseline, _ ranges: [Range<Int>], positions: [Int], layer: Int
  ) -> [String] {
    var warnings: [String] = []
    if zip(positions, ranges).contains(where: { $0.0 == 0 && $0.1 == 0..<1 }) {
      warnings.append(
        "At position 0 the \(baseline.name) baseline is the state itself, so its first attribution "
          + "is 0; --baseline zero starts from nothing.")
    }
    for range in ranges where range.count > 2 {
      let total = norms[range].reduce(0, +)
      if let largest = range.max(by: { norms[$0] < norms[$1] }), norms[largest] > 0.5 * total {
        let share = Int((100 * norms[largest] / total).rounded())
        let remedy =
          largest == 0 ? "; --baseline mean-nosink leaves it out" : "; try --baseline zero"
        warnings.append(
          "Position \(largest) holds \(share) % of the norm that the \(baseline.name) baseline "
            + "averages at layer \(layer == -1 ? "embedding" : "\(layer)")\(remedy).")
        break
      }
    }
    return warnings
  }
}
