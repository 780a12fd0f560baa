import Attribution
import TestSupport
import Testing

@Suite("Rank and sign agreement")
struct RankAgreementTests {
  /// A value's rank from its definition: how many are smaller, and half of the others equal to it.
  private func slowRanks(_ values: [Double]) -> [Double] {
    values.indices.map { i in
      var rank = 0.0
      for j in values.indices where j != i {
        if values[j] < values[i] { rank += 1 }
        if values[j] == values[i] { rank += 0.5 }
      }
      return rank
    }
  }

  /// Pearson's correlation over all pairs: Σ (x_i − x_j)(y_i − y_j) / √(Σ (x_i − x_j)² Σ (y_i − y_j)²).
  private func slowSpearman(_ a: [Double], _ b: [Double]) -> Double {
    let (x, y) = (slowRanks(a), slowRanks(b))
    var (both, first, second) = (0.0, 0.0, 0.0)
    for i in x.indices {
      for j in x.indices {
        both += (x[i] - x[j]) * (y[i] - y[j])
        first += (x[i] - x[j]) * (x[i] - x[j])
        second += (y[i] - y[j]) * (y[i] - y[j])
      }
    }
    return both / (first * second).squareRoot()
  }

  @Test("Spearman is its definition over all pairs, ties and all", arguments: 0..<200)
  func definition(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let count = Int.random(in: 2...40, using: &random)
    // Few different values make many ties; the first two differ, so that there is an order.
    let kinds = Double(Int.random(in: 2...12, using: &random))
    func list() -> [Double] {
      [-1, 1]
        + (2..<max(3, count)).map { _ in
          (Double.random(in: -1...1, using: &random) * kinds).rounded()
        }
    }
    let (a, b) = (list(), list())
    #expect(RankAgreement.ranks(a) == slowRanks(a))
    let found = try #require(RankAgreement.spearman(a, b))
    #expect(abs(found - slowSpearman(a, b)) < 1e-12)
  }

  @Test("Known values: a textbook's ten, a reversal, and ties on one side")
  func known() {
    // Hours of television against IQ, as statistics courses have it: ρ = −29/165.
    let iq: [Double] = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    let hours: [Double] = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    #expect(abs((RankAgreement.spearman(iq, hours) ?? 0) + 29.0 / 165) < 1e-12)
    #expect(RankAgreement.spearman([1, 2, 3], [9, 4, 1]) == -1)
    // Ranks 0, 1, 2 against ½, ½, 2: √3/2, where the formula without ties would say 7/8.
    #expect(
      abs((RankAgreement.spearman([1, 2, 3], [5, 5, 8]) ?? 0) - 3.0.squareRoot() / 2) < 1e-12)
  }

  @Test("Only order counts, and what has no order has no correlation")
  func order() {
    let a = [0.1, -3, 2, 0.5, 7]
    let cubes = a.map { $0 * $0 * $0 }
    #expect(abs((RankAgreement.spearman(a, cubes) ?? 0) - 1) < 1e-15)
    #expect(RankAgreement.spearman(a, [2, 2, 2, 2, 2]) == nil)
    #expect(RankAgreement.spearman([1], [1]) == nil)
    #expect(RankAgreement.spearman([], []) == nil)
    #expect(RankAgreement.spearman([1, .nan], [1, 2]) == nil)
  }

  @Test("Signs are counted above rounding only")
  func signs() {
    // The third has no sign beside 4, the fourth disagrees.
    #expect(RankAgreement.signAgreement([4, -1, 1e-9, 2], [1, -5, -3, -2]) == 2.0 / 3)
    #expect(RankAgreement.signAgreement([4, -1, 1e-9, 2], [1, -5, -3, -2], rounding: 0) == 0.5)
    #expect(RankAgreement.signAgreement([0, 0], [1, -1]) == nil)
    #expect(RankAgreement.signAgreement([], []) == nil)
    #expect(RankAgreement.signAgreement([.nan, 1], [1, 1]) == 1)
  }
}
