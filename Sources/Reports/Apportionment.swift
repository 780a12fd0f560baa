/// Numbers rounded to fixed decimals such that they add up to a total that is rounded already.
///
/// Each is rounded to the nearest unit of the last decimal. What the rounded numbers then miss of
/// the total, at most half a unit a number where the exact ones add up, goes one unit at a time to
/// those whose rounding lost the most in that direction. So every number shown is within one unit of
/// the exact one, and the column adds up as it is read.
package struct Apportionment {
  /// Units in 1.
  package let scale: Double

  /// Rounds to this many decimals.
  package init(decimals: Int) {
    var scale = 1.0
    for _ in 0..<max(0, decimals) { scale *= 10 }
    self.scale = scale
  }

  /// The nearest whole number of units, or nothing where a float64 cannot count them.
  package func units(_ value: Double) -> Double? {
    let units = (value * scale).rounded()
    return abs(units) < 4e15 ? units : nil
  }

  /// Whole units for each value that add up to the total, or nothing where they cannot be counted.
  package func split(_ total: Double, over values: [Double]) -> [Double]? {
    var units: [Double] = []
    for value in values {
      guard let unit = self.units(value) else { return nil }
      units.append(unit)
    }
    let missing = total - units.reduce(0, +)
    guard missing != 0, !units.isEmpty else { return missing == 0 ? units : nil }
    guard abs(missing) < 4e15 else { return nil }
    let step: Double = missing < 0 ? -1 : 1
    let lost = values.indices.map { (values[$0] * scale - units[$0]) * step }
    let order = values.indices.sorted { (lost[$0], $1) > (lost[$1], $0) }
    let all = (abs(missing) / Double(units.count)).rounded(.down)
    let more = Int(abs(missing) - all * Double(units.count))
    for (place, index) in order.enumerated() {
      units[index] += step * (all + (place < more ? 1 : 0))
    }
    return units
  }
}
