internal import Attribution
public import LanguageModels
public import Results

/// How far scores agree with exact patching on units drawn at random.
public struct ScoreAgreement: Sendable, Equatable {
  /// The units that were patched.
  public var units: [UnitPlace]
  /// Their scores.
  public var scores: [Double]
  /// What patching each of them does.
  public var effects: [Double]
  /// Pearson's correlation of scores and effects; nil where one is constant.
  public var pearson: Double?
  /// Spearman's rank correlation of them; nil where one is constant.
  public var spearman: Double?
  /// The runs that patching took over one prompt.
  public var passes: PassCount

  /// Patches units drawn at random, without repetition.
  ///
  /// - Parameters:
  ///   - scores: the scores of all units.
  ///   - count: how many units to draw; all where there are fewer.
  ///   - seed: what draws them.
  ///   - pairs: the prompts.
  ///   - model: the model.
  ///   - progress: told the share that is done.
  /// - Throws: as `ExactPatching.effects`.
  public init(
    of scores: UnitScores, onSample count: Int, seed: Int, over pairs: [PromptPair],
    in model: any LanguageModel, progress: (Double) -> Void = { _ in }
  ) throws {
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    // Floyd's draw: each set of so many places is as likely as another, without a list of all.
    var drawn: Set<Int> = []
    for last in max(0, scores.count - count)..<scores.count {
      let place = Int.random(in: 0...last, using: &random)
      drawn.insert(drawn.contains(place) ? last : place)
    }
    let places = drawn.sorted().map(scores.place)
    let units = places.map { scores.at($0.layer, $0.place) }
    let found = try ExactPatching.effects(
      of: units, scores.kind, over: pairs, in: model, progress: progress)
    self.init(
      units: units, scores: places.map { Double(scores.values[$0.layer][$0.place]) },
      effects: found.effects, passes: found.passes)
  }

  init(units: [UnitPlace], scores: [Double], effects: [Double], passes: PassCount) {
    self.units = units
    self.scores = scores
    self.effects = effects
    self.passes = passes
    pearson = RankAgreement.pearson(scores, effects)
    spearman = RankAgreement.spearman(scores, effects)
  }
}

extension RankAgreement {
  /// Pearson's correlation.
  ///
  /// - Parameters:
  ///   - a: one score of each thing.
  ///   - b: another, in the same order.
  /// - Returns: −1 to 1; nil where a list is constant or holds a number that is not finite.
  static func pearson(_ a: [Double], _ b: [Double]) -> Double? {
    guard a.count >= 2, (a + b).allSatisfy(\.isFinite) else { return nil }
    let (meanA, meanB) = (
      a.reduce(0, +) / Double(a.count), b.reduce(0, +) / Double(b.count)
    )
    var (both, first, second) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      both += (x - meanA) * (y - meanB)
      first += (x - meanA) * (x - meanA)
      second += (y - meanB) * (y - meanB)
    }
    guard first > 0, second > 0 else { return nil }
    return max(-1, min(1, both / (first * second).squareRoot()))
  }
}
