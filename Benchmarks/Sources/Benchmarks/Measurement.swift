import Foundation

/// Times of one task, ours and the twin's, taken in turns.
struct Measurement: Codable {
  var name: String
  var ours: [Double]
  var twin: [Double]
  /// The ratio that must be reached, and the one aimed for; nil where there is none.
  var must: Double?
  var aim: Double?

  var ourMedian: Double { median(ours) }
  var twinMedian: Double { median(twin) }
  /// The median of the ratios of each turn, so that a slow moment of the machine counts on both
  /// sides.
  var ratio: Double { median(zip(ours, twin).map { $1 / $0 }) }
}

/// A number that must stay below a bound, or above it.
struct Bound: Codable {
  var name: String
  var values: [Double]
  var unit: String
  var must: Double
  var aim: Double
  /// Whether the bound is the least that the number may be.
  var isFloor = false

  var value: Double { median(values) }
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return .nan }
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func milliseconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  let (seconds, attoseconds) = (ContinuousClock.now - start).components
  return Double(seconds) * 1000 + Double(attoseconds) / 1e15
}

/// Memory of this process from the kernel's books, in bytes; Linux only.
enum Memory {
  static func value(_ key: String) -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(key + ":") } ?? ""
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
      .map { $0 * 1024 } ?? .nan
  }

  /// Peak above what was resident before, while `body` runs.
  static func peak(_ body: () throws -> Void) rethrows -> Double {
    try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    let before = value("VmRSS")
    try body()
    return value("VmHWM") - before
  }
}
