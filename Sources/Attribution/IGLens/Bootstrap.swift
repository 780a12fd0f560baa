// Numbers come in clusters: the predictions of one prompt share its text, and are no independent
// draws. So whole prompts are drawn, with replacement, as many as there are; a resample's mean is
//
//     m* = Σ_p c_p Σ_t x_pt / Σ_p c_p n_p        c_p how often prompt p was drawn, n_p its numbers
//
// and the interval reaches from the 2.5th to the 97.5th percentile of many m* (Efron 1979; clusters:
// Field and Welsh 2007). Every number weighs the same, as in the mean that the interval is about.
//
// Sums are kept of x less the first x seen, which is put back at the end: numbers that are all equal
// then give exactly themselves.

/// Means of several quantities over clusters of numbers, with bootstrap intervals.
package struct ClusteredMeans {
  /// A mean with the ends of its 95 % interval.
  package struct Interval: Equatable, Sendable {
    /// The mean.
    package var mean: Double
    /// The 2.5th percentile of resampled means.
    package var low: Double
    /// The 97.5th.
    package var high: Double

    /// Gathers the values.
    package init(mean: Double, low: Double, high: Double) {
      self.mean = mean
      self.low = low
      self.high = high
    }
  }

  private let columns: Int
  private var origins: [Double?]
  /// [cluster][column], less the column's origin.
  private var sums: [Double] = []
  private var counts: [Double] = []

  /// Begins with no cluster.
  package init(columns: Int) {
    self.columns = columns
    origins = Array(repeating: nil, count: columns)
  }

  /// How many clusters there are.
  package private(set) var clusters = 0

  /// Begins the next cluster.
  package mutating func beginCluster() {
    clusters += 1
    sums += repeatElement(0, count: columns)
    counts += repeatElement(0, count: columns)
  }

  /// Adds a number to the cluster that was begun last.
  package mutating func add(_ value: Double, to column: Int) {
    let origin = origins[column] ?? value
    origins[column] = origin
    let cell = (clusters - 1) * columns + column
    sums[cell] += value - origin
    counts[cell] += 1
  }

  /// The interval of each column.
  ///
  /// - Parameters:
  ///   - resamples: how many times the clusters are drawn.
  ///   - seed: of the draws; the same seed gives the same intervals.
  /// - Returns: one for each column; nil where there is no number.
  /// - Complexity: resamples × clusters × columns additions.
  package func intervals(resamples: Int, seed: Int) -> [Interval?] {
    precondition(resamples > 0, "an interval needs a resample")
    let used = (0..<columns).filter { origins[$0] != nil }
    guard !used.isEmpty else { return Array(repeating: nil, count: columns) }
    // Only columns with numbers, sums and counts side by side.
    var rows = [Double]()
    rows.reserveCapacity(clusters * used.count * 2)
    for cluster in 0..<clusters {
      for column in used { rows.append(sums[cluster * columns + column]) }
      for column in used { rows.append(counts[cluster * columns + column]) }
    }
    let width = used.count * 2
    var total = [Double](repeating: 0, count: width)
    for cluster in 0..<clusters { Self.add(rows, cluster, to: &total) }
    let means = Self.means(total)

    var drawn = used.map { _ in [Double]() }
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    for _ in 0..<resamples {
      for index in 0..<width { total[index] = 0 }
      for _ in 0..<clusters {
        let pick = random.next().multipliedFullWidth(by: UInt64(clusters)).high
        Self.add(rows, Int(pick), to: &total)
      }
      // A resample may have drawn no cluster with a number of some column.
      for (index, mean) in Self.means(total).enumerated() {
        if let mean { drawn[index].append(mean) }
      }
    }
    var intervals = [Interval?](repeating: nil, count: columns)
    for (index, column) in used.enumerated() {
      guard let mean = means[index], let origin = origins[column] else { continue }
      let sorted = drawn[index].sorted()
      intervals[column] = Interval(
        mean: origin + mean,
        low: origin + (Self.percentile(0.025, of: sorted) ?? mean),
        high: origin + (Self.percentile(0.975, of: sorted) ?? mean))
    }
    return intervals
  }

  private static func add(_ rows: [Double], _ row: Int, to total: inout [Double]) {
    let start = row * total.count
    for index in total.indices { total[index] += rows[start + index] }
  }

  /// The means of totals whose first half are sums and whose second are counts.
  private static func means(_ total: [Double]) -> [Double?] {
    let half = total.count / 2
    return (0..<half).map { total[half + $0] > 0 ? total[$0] / total[half + $0] : nil }
  }

  /// The value below which a share of sorted values lies, between neighbours in proportion.
  package static func percentile(_ share: Double, of sorted: [Double]) -> Double? {
    guard let last = sorted.indices.last else { return nil }
    let place = share * Double(last)
    let below = Int(place)
    guard below < last else { return sorted[last] }
    return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
  }
}
