/// Wall time in milliseconds.
final class Stopwatch {
  private let start = ContinuousClock.now
  private var last = ContinuousClock.now

  /// The time since the last lap.
  func lap() -> Double {
    let now = ContinuousClock.now
    defer { last = now }
    return Self.milliseconds(now - last)
  }

  /// The time since the start.
  var total: Double { Self.milliseconds(.now - start) }

  private static func milliseconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) * 1000 + Double(attoseconds) / 1e15
  }
}
