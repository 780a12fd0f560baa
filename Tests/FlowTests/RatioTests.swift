import Flow
import Results
import TestSupport
import Testing

/// The published rule, word for word: put ρ S in place of the self term, then restore the sum.
private func published(_ ratio: Double, _ column: [Double], at target: Int) -> [Double] {
  let total = column.reduce(0, +)
  var made = column
  made[target] = 0
  made[target] = ratio * made.reduce(0, +)
  let sum = made.reduce(0, +)
  return abs(sum) <= 1e-8 ? made : made.map { $0 * (total / sum) }
}

private func publishedZeroRatio(_ zero: [Double], at target: Int) -> Double {
  let others = zero.reduce(0, +) - zero[target]
  return abs(others) <= 1e-8 ? 0 : zero[target] / others
}

private func publishedMapRatio(_ weight: Double) -> Double {
  abs(1 - weight) <= 1e-8 ? 0 : weight / (1 - weight)
}

@Suite("Ratio variants")
struct RatioTests {
  private func columns(_ body: (_ itb: [Double], _ zero: [Double], _ target: Int) -> Void) {
    var random = SeededGenerator(seed: 5)
    for count in [2, 3, 7, 41] {
      for offset in [-0.6, 0.0, 0.6] {  // sums below and above 0
        for _ in 0..<50 {
          let target = Int.random(in: 0..<count, using: &random)
          var itb = (0..<count).map { _ in Double.random(in: -1...1, using: &random) + offset }
          itb[target] = 0
          body(
            itb, (0..<count).map { _ in Double.random(in: -1...1, using: &random) + offset },
            target)
        }
      }
    }
  }

  @Test("The mixture by a share is the published rule, for both ratios and sums of either sign")
  func publishedRule() {
    columns { itb, zero, target in
      let made = withSelfShare(zeroRatioShare(zero, at: target), itb, at: target)
      #expect(
        distance(made, published(publishedZeroRatio(zero, at: target), itb, at: target)).error
          < 1e-9)
      let weight = abs(zero[0].truncatingRemainder(dividingBy: 1))
      #expect(
        distance(
          withSelfShare(mapRatioShare(weight), itb, at: target),
          published(publishedMapRatio(weight), itb, at: target)
        ).error < 1e-9)
    }
  }

  @Test("A self term that is not 0 to the last bit is treated as the published rule treats it")
  func selfTerm() {
    columns { itb, zero, target in
      var itb = itb
      itb[target] = 0.01
      let made = withSelfShare(zeroRatioShare(zero, at: target), itb, at: target)
      #expect(
        distance(made, published(publishedZeroRatio(zero, at: target), itb, at: target)).error
          < 1e-8)
    }
    #expect(withSelfShare(0.3, [1, 5, -1], at: 1) == [1, 5, -1])
  }

  @Test("Columns keep their sums and the target gets its share of them")
  func sums() {
    columns { itb, zero, target in
      let share = zeroRatioShare(zero, at: target)
      let made = withSelfShare(share, itb, at: target)
      let size = made.reduce(0) { $0 + abs($1) } + 1
      #expect(abs(made.reduce(0, +) - itb.reduce(0, +)) < 1e-12 * size)
      #expect(abs(made[target] - share * itb.reduce(0, +)) < 1e-12 * size)
    }
    #expect(withSelfShare(0.25, [4, 0, -8], at: 1) == [3, -1, -6])
    #expect(withSelfShare(1.5, [4, 0, -8], at: 1) == [-2, -6, 4])
  }

  @Test("Where the others' terms sum to nothing, or all do, there is no share")
  func guards() {
    #expect(zeroRatioShare([3, 1, -1], at: 0) == 0)
    #expect(zeroRatioShare([3, 0.9e-8, 0], at: 0) == 0)
    #expect(zeroRatioShare([3, 1.1e-8, 0], at: 0) == 3 / (3 + 1.1e-8))
    #expect(zeroRatioShare([3], at: 0) == 0)
    #expect(zeroRatioShare([-2, 1, 1], at: 0) == 0)
    #expect(zeroRatioShare([-2, 1, 3], at: 0) == -1)
    #expect(zeroRatioShare([1, -2, -1], at: 0) == -0.5)
    #expect(mapRatioShare(1) == 0)
    #expect(mapRatioShare(1 - 0.5e-8) == 0)
    #expect(mapRatioShare(0.75) == 0.75)
  }

  @Test("Maps are treated column by column and head by head, rows being sources")
  func maps() {
    // Two sources; targets 1 and 0, so that a transposed map or swapped targets would show; two heads.
    let zero = AxisArray(
      axes: ["source", "target", "head"], shape: [2, 2, 2], values: [1, 2, 3, 4, 5, 6, 7, 8])
    let shares = zeroRatioShares(zero, targets: [1, 0])
    #expect(shares.axes == ["target", "head"])
    #expect(shares.shape == [2, 2])
    let expected: [Double] = [5.0 / 6, 0.75, 0.3, 4.0 / 12]
    #expect(shares.values == expected)
    let itb = AxisArray(
      axes: ["source", "target", "head"], shape: [2, 2, 2], values: [10, 20, 0, 0, 0, 0, 30, 40])
    let made = withSelfShares(
      AxisArray(axes: ["target", "head"], shape: [2, 2], values: [0.5, 0.25, 0.75, 1.5]), itb,
      targets: [1, 0])
    #expect(made.axes == itb.axes)
    #expect(made.values == [5, 15, 22.5, 60, 5, 5, 7.5, -20])
    let plain = AxisArray(axes: ["source", "target"], shape: [3, 1], values: [1, 2, 5])
    #expect(zeroRatioShares(plain, targets: [2]).values == [5.0 / 8])
  }

  @Test("Shares outside 0 to 1 are named")
  func improper() {
    let shares = AxisArray(axes: ["target"], shape: [5], values: [0, 1, -0.01, 1.01, .nan])
    #expect(improperShares(shares) == [2, 3, 4])
  }
}
