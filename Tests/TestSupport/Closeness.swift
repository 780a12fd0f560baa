/// How far two lists of numbers are apart: the largest |Δ| / (1 + |expected|), and where it is.
///
/// Lists of different lengths, and numbers that are not finite, are infinitely far apart.
public func distance(_ found: [Double], _ expected: [Double]) -> (error: Double, index: Int) {
  guard found.count == expected.count else { return (.infinity, -1) }
  var worst = (error: 0.0, index: 0)
  for (index, pair) in zip(found, expected).enumerated() {
    let error = abs(pair.0 - pair.1) / (1 + abs(pair.1))
    if !(error <= worst.error) { worst = (error.isNaN ? .infinity : error, index) }
  }
  return worst
}

/// A seeded generator, so that every run of a test sees the same numbers (Vigna's SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// Starts from a seed.
  public init(seed: UInt64) { state = seed }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
