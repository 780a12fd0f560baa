internal import Foundation

/// How the nodes of growing circuits are chosen by their scores.
public enum CircuitSelection: Sendable, Equatable {
  /// |score| > τ, strictly, for each τ.
  case threshold([Double])
  /// The k largest scores, for each k: what supports the metric first (CPR's convention).
  case topSigned([Int])
  /// The k scores of the largest magnitude, for each k (CMD's).
  case topAbsolute([Int])

  /// The kinds, as commands call them.
  public enum Kind: String, Sendable, CaseIterable {
    /// By threshold.
    case threshold
    /// By signed score.
    case topSigned = "top-signed"
    /// By magnitude.
    case topAbsolute = "top-absolute"
  }

  /// Which of the kinds.
  public var kind: Kind {
    switch self {
    case .threshold: .threshold
    case .topSigned: .topSigned
    case .topAbsolute: .topAbsolute
    }
  }

  /// Circuits that grow evenly on a logarithmic axis.
  ///
  /// Thresholds are 0 and `steps` − 1 more from 10⁻⁶ of the largest magnitude up to below it; counts are
  /// `steps` from one node up to below all.
  ///
  /// - Parameters:
  ///   - kind: how nodes are chosen.
  ///   - steps: how many circuits.
  ///   - scores: the scores.
  public init(_ kind: Kind, steps: Int, of scores: UnitScores) {
    switch kind {
    case .threshold:
      let largest = Double(scores.values.joined().lazy.map { abs($0) }.max() ?? 0)
      self = .threshold(
        [0] + (1..<max(1, steps)).map { largest * pow(10, -6 * Double($0) / Double(steps - 1)) })
    case .topSigned: self = .topSigned(Self.counts(steps, scores.count))
    case .topAbsolute: self = .topAbsolute(Self.counts(steps, scores.count))
    }
  }

  /// From 1 to below all, evenly on a logarithmic axis, each once.
  private static func counts(_ steps: Int, _ all: Int) -> [Int] {
    let counts = (0..<steps).map { Int(pow(Double(all), Double($0) / Double(steps)).rounded()) }
    return Set(counts.filter { $0 > 0 && $0 < all }).sorted()
  }

  /// One circuit of a selection, made when it is run.
  struct Choice {
    var threshold: Double?
    var count: Int
    var set: () -> NodeSet
  }

  /// The circuits in ascending order of size, none twice, neither the empty one nor the whole.
  func circuits(of scores: UnitScores) -> [Choice] {
    let all: [Choice]
    switch self {
    case .threshold(let thresholds):
      all = thresholds.map { threshold in
        let count = scores.values.reduce(0) {
          $0 + $1.count { Double(abs($0)) > threshold }
        }
        return Choice(threshold: threshold, count: count) { scores.above(threshold) }
      }
    case .topSigned(let counts), .topAbsolute(let counts):
      let ranking = scores.ranking(signed: kind == .topSigned)
      all = counts.map { count in Choice(count: count) { ranking.first(count) } }
    }
    // Circuits of one selection contain each other, so that those of equal size are the same.
    var known: Set<Int> = [0, scores.count]
    return all.sorted { $0.count < $1.count }.filter { known.insert($0.count).inserted }
  }
}
