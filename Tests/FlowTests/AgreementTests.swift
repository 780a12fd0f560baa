import Flow
import Foundation
import Results
import TestSupport
import Testing

/// The scores by other formulas: ranks by counting, the residual by Pythagoras, moments from raw sums.
private enum Slow {
  static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).map(*).reduce(0, +) }
  static func norm(_ a: [Double]) -> Double { dot(a, a).squareRoot() }
  static func minus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 - $1 } }

  static func pearson(_ a: [Double], _ b: [Double]) -> Double {
    let n = Double(a.count)
    let (x, y) = (a.reduce(0, +), b.reduce(0, +))
    let spreads = (n * dot(a, a) - x * x) * (n * dot(b, b) - y * y)
    return (n * dot(a, b) - x * y) / spreads.squareRoot()
  }

  static func ranks(_ a: [Double]) -> [Double] {
    a.map { one in
      Double(a.count { $0 < one }) + Double(a.count { $0 == one } - 1) / 2
    }
  }

  static func largest(_ a: [Double], _ k: Int) -> Set<Int> {
    Set(a.indices.sorted { a[$0] > a[$1] }.prefix(k))
  }

  static func scores(_ z: [Double], _ c: [Double], k: Int) -> [Double] {
    let cosine = dot(z, c) / norm(z) / norm(c)
    let (x, y) = (z.reduce(0, +), c.reduce(0, +))
    return [
      norm(minus(z, c)) / norm(z),
      norm(minus(z.map { $0 / x }, c.map { $0 / y })) / norm(z.map { $0 / x }),
      (1 - cosine * cosine).squareRoot(), cosine, pearson(z, c), pearson(ranks(z), ranks(c)),
      Double(largest(z, k).intersection(largest(c, k)).count) / Double(k),
    ]
  }
}

private func list(_ scores: AgreementScores) -> [Double?] {
  [
    scores.relativeL2, scores.shareL2, scores.scaledResidual, scores.cosine, scores.pearson,
    scores.spearman, scores.topOverlap,
  ]
}

private func random(_ shape: [Int], _ generator: inout SeededGenerator) -> AxisArray {
  AxisArray(
    axes: Array(["source", "target", "head"].prefix(shape.count)), shape: shape,
    values: (0..<shape.reduce(1, *)).map { _ in Double.random(in: -0.4...1, using: &generator) })
}

/// One target's map of these entries.
private func column(_ values: [Double]) -> AxisArray {
  AxisArray(axes: ["source", "target"], shape: [values.count, 1], values: values)
}

private let everything = [SourceVisibility(isCausal: false)]

/// Agreement of two columns of the target at `place`.
private func agreement(
  _ z: [Double], _ c: [Double], at place: Int = 0, top: Int = 3,
  _ visibility: SourceVisibility = .init(isCausal: false)
) -> FlowAgreement {
  let frame = AgreementFrame(
    layers: [0], targets: [place], visibility: [visibility], topCount: top)
  return flowAgreement(
    of: FlowRoute("layer", [column(z)], in: frame),
    with: FlowRoute("product", [column(c)], in: frame)
  )[1]
}

@Suite("Agreement of routes")
struct AgreementTests {
  @Test("The scores of a column are those that NumPy finds, with the self entry and without it")
  func numbers() {
    let found = agreement([4, -1, 2.5, 0.5, 7, 3], [1, 2, -0.5, 6, 8, 0.25], at: 2)
    let withSelf = [
      0.8986185717106635, 0.8722763493919876, 0.7573275333758575, 0.6530352266079061,
      0.33204645154404216, 0.14285714285714288, 1 / 3.0,
    ]
    let withoutSelf = [
      0.8688978010700217, 0.7554552411920816, 0.7195118517714005, 0.694480161819249,
      0.36096795271878757, 0.2, 1 / 3.0,
    ]
    #expect(distance(list(found.withSelf).compactMap(\.self), withSelf).error < 1e-14)
    #expect(distance(list(found.withoutSelf).compactMap(\.self), withoutSelf).error < 1e-14)
    #expect(found.published?.l2Mean == 8.112490369793976)
    #expect(abs((found.published?.correlationMean ?? 0) - 0.33204645154404216) < 1e-15)
    #expect(found.routes == ["layer", "product"])
    #expect(found.columns == 1)
    #expect(found.withSelf.undefined.isEmpty)
  }

  @Test("Means over columns, layer by layer and over all, are those of slow formulas")
  func slow() {
    var generator = SeededGenerator(seed: 11)
    // Fewer targets than sources, out of order: a transposed map has another shape or other numbers.
    let (sources, targets, layers) = (7, [5, 0, 3], [2, 4])
    let maps = layers.map { _ in random([sources, targets.count], &generator) }
    let others = layers.map { _ in random([sources, targets.count], &generator) }
    let frame = AgreementFrame(layers: layers, targets: targets, visibility: everything)
    let found = flowAgreement(
      of: FlowRoute("layer", maps, in: frame), with: FlowRoute("product", others, in: frame))
    #expect(found.map(\.layer) == [2, 4, nil])
    #expect(found.map(\.columns) == [3, 3, 6])

    func expected(_ chosen: [Int], withoutSelf: Bool) -> [Double] {
      var rows: [[Double]] = []
      for index in chosen {
        for (place, target) in targets.enumerated() {
          let kept = (0..<sources).filter { !withoutSelf || $0 != target }
          rows.append(
            Slow.scores(
              kept.map { maps[index][$0, place] }, kept.map { others[index][$0, place] }, k: 3))
        }
      }
      return rows[0].indices.map { score in
        rows.map { $0[score] }.reduce(0, +) / Double(rows.count)
      }
    }
    for (result, chosen) in zip(found, [[0], [1], [0, 1]]) {
      #expect(
        distance(
          list(result.withSelf).compactMap(\.self), expected(chosen, withoutSelf: false)
        ).error < 1e-12)
      #expect(
        distance(
          list(result.withoutSelf).compactMap(\.self), expected(chosen, withoutSelf: true)
        ).error < 1e-12)
    }
  }

  @Test("The published metric pools columns with the population's deviation")
  func published() {
    // Columns: distances 5 and 1, correlations 1 and −1; a third where Z is 0 does not count.
    let z = AxisArray(
      axes: ["source", "target"], shape: [2, 3], values: [1, 1, 0, 2, 2, 0])
    let c = AxisArray(
      axes: ["source", "target"], shape: [2, 3], values: [4, 2, 8, 6, 2 - 1e-3, 9])
    let frame = AgreementFrame(layers: [0], targets: [0, 1, 2], visibility: everything)
    let found = flowAgreement(
      of: FlowRoute("z", [z], in: frame), with: FlowRoute("c", [c], in: frame))
    #expect(found[1].columns == 2)
    let published = found[1].published
    let second = (1 + 1e-6).squareRoot()
    #expect(abs((published?.l2Mean ?? 0) - (5 + second) / 2) < 1e-12)
    #expect(abs((published?.l2Deviation ?? 0) - (5 - second) / 2) < 1e-12)
    #expect(abs(published?.correlationMean ?? 1) < 1e-12)
    #expect(abs((published?.correlationDeviation ?? 0) - 1) < 1e-12)
  }

  @Test("The published metric calls an undefined correlation 1 where columns are close and else 0")
  func publishedUndefined() {
    #expect(agreement([2, 2, 2], [2, 2, 2.00001]).published?.correlationMean == 1)
    #expect(agreement([2, 2, 2], [2, 2, 2.1]).published?.correlationMean == 0)
    #expect(agreement([1, 2, 3], [0, 0, 0]).published?.correlationMean == 0)
    #expect(agreement([5], [5]).published?.correlationMean == 1)
    // The looseness is of the second column, as in NumPy's allclose.
    #expect(agreement([1e-9, 1e-9], [0, 0]).published?.correlationMean == 1)
  }

  @Test("Sources that a causal mask hides take no part, but in the published metric")
  func causal() {
    let (z, c) = ([3.0, 1, 2, 0, 0], [1.0, 2, 5, 0, 0])
    let found = agreement(z, c, at: 2, top: 2, .init(isCausal: true))
    let short = agreement(Array(z[..<3]), Array(c[..<3]), at: 2, top: 2)
    #expect(found.withSelf == short.withSelf)
    #expect(found.withoutSelf == short.withoutSelf)
    #expect(found.published == agreement(z, c, at: 2).published)
    #expect(found.published?.correlationMean != short.published?.correlationMean)
    // What a mask hides is not looked at, even where it is not 0.
    #expect(
      agreement(z, [1, 2, 5, 9, -4], at: 2, top: 2, .init(isCausal: true)).withSelf
        == short.withSelf)
  }

  @Test("A window bounds what is seen, on one side or on both")
  func windows() {
    let causal = SourceVisibility(isCausal: true, window: 2)
    #expect((0..<6).filter { causal.shows(3, $0) } == [2, 3])
    let both = SourceVisibility(isCausal: false, window: 2)
    #expect((0..<6).filter { both.shows(3, $0) } == [2, 3, 4])
    #expect((0..<6).filter { SourceVisibility(isCausal: true).shows(3, $0) } == [0, 1, 2, 3])
    let (z, c) = ([9.0, 3, 1, 2, 8], [0.0, 1, 2, 5, -7])
    #expect(
      agreement(z, c, at: 2, top: 1, both).withSelf
        == agreement([3, 1, 2], [1, 2, 5], at: 1, top: 1).withSelf)
  }

  @Test("A column of zeros has no direction: its numbers are left out and counted")
  func zeros() {
    let none = agreement([0, 0, 0], [1, 2, 3])
    #expect(none.columns == 0)
    #expect(none.published == nil)
    #expect(list(none.withSelf) == Array(repeating: nil, count: 7))
    #expect(none.withSelf.undefined.isEmpty)

    let silent = agreement([1, 2, 4, 3], [0, 0, 0, 0], top: 2).withSelf
    #expect(list(silent) == [1, nil, 1, nil, nil, nil, 0.5])
    #expect(silent.undefined == ["share_l2": 1, "cosine": 1, "pearson": 1, "spearman": 1])

    // Only the self entry is not 0: nothing is left without it.
    let own = agreement([2, 0, 0, 0], [1, 1, 2, 3], at: 0)
    #expect(own.columns == 1)
    #expect(list(own.withoutSelf) == Array(repeating: nil, count: 7))
    #expect(own.withoutSelf.undefined.values.allSatisfy { $0 == 1 })
  }

  @Test("A column of equal entries has no order, even where rounding tells them apart")
  func constants() {
    let third = 1.0 / 3
    let noisy = [third, third.nextUp, third, third]
    for (z, c) in [([1.0, 2, 3, 4], noisy), (noisy, [1.0, 2, 3, 4])] {
      let found = agreement(z, c).withSelf
      #expect(found.pearson == nil)
      #expect(found.spearman == nil)
      #expect(found.cosine.map { abs($0 - 10 / 120.0.squareRoot()) < 1e-15 } == true)
    }
    #expect(agreement([1, 2, 3, 4], noisy).withSelf.topOverlap == 0.75)
    #expect(agreement(noisy, [1, 2, 3, 4]).withSelf.topOverlap == nil)
  }

  @Test("A single entry, entries that cancel and numbers that are not finite make no score")
  func undefined() {
    let single = agreement([3], [2])
    #expect(list(single.withSelf) == [1 / 3.0, 0, 0, 1, nil, nil, nil])
    #expect(list(single.withoutSelf) == Array(repeating: nil, count: 7))
    #expect(agreement([1, -1, 1e-7], [1, 2, 3]).withSelf.shareL2 == nil)
    #expect(agreement([1, 2, 3], [1, -1, 1e-7]).withSelf.shareL2 == nil)
    for bad in [Double.nan, .infinity, 1e200] {
      let found = agreement([1, 2, 3, 4], [1, bad, 3, 4])
      #expect(found.columns == 0)
      #expect(found.published == nil)
      #expect(list(found.withSelf) == Array(repeating: nil, count: 7))
    }
  }

  @Test("Entries that tie for the last of the largest places share them")
  func ties() {
    #expect(agreement([5, 4, 3, 3, 0], [5, 4, 3, 0, 0]).withSelf.topOverlap == 2.5 / 3)
    #expect(agreement([5, 4, 3, 3, 0], [5, 4, 3, 3, 0]).withSelf.topOverlap == 1)
    #expect(agreement([3, 2, 1], [3, 2, 1]).withSelf.topOverlap == nil)
    // Largest, not largest in size.
    #expect(agreement([-9, 4, 3, 2], [9, 4, 3, -2], top: 1).withSelf.topOverlap == 0)
  }

  @Test("A factor on C leaves what is scale-free and changes the distance alone")
  func scale() {
    let (z, c) = ([3.0, 1, 2, 4, 1.5], [1.0, 2, 5, 3, 0.5])
    let once = agreement(z, c).withSelf
    var tenfold = agreement(z, c.map { $0 * 1024 }).withSelf
    #expect(tenfold.relativeL2 != once.relativeL2)
    tenfold.relativeL2 = once.relativeL2
    #expect(distance(list(tenfold).compactMap(\.self), list(once).compactMap(\.self)).error < 1e-12)
    let same = agreement(z, z.map { $0 * 3 }).withSelf
    #expect(same.scaledResidual.map { $0 < 1e-15 } == true)
    #expect(agreement(z, z).withSelf.relativeL2 == 0)
  }

  @Test("Null predictors score what zeros, each column's mean, attention and |Δ| score")
  func nulls() {
    var generator = SeededGenerator(seed: 3)
    let maps = (0..<5).map { _ in random([6, 6], &generator) }
    let frame = AgreementFrame(layers: [0], targets: Array(0..<6), visibility: everything)
    let routes = zip(["layer", "product", "α", "Δ"], maps).map {
      FlowRoute($0, [$1], in: frame)
    }
    let found = flowAgreement(
      of: routes[0], with: routes[1], attention: routes[2], change: routes[3])[1]
    #expect(found.nulls.map(\.name) == ["zero", "constant", "attention", "change"])
    for (null, route) in [(found.nulls[2], routes[2]), (found.nulls[3], routes[3])] {
      let direct = flowAgreement(of: routes[0], with: route)[1]
      #expect(null.published == direct.published)
      #expect(null.withSelf == direct.withSelf)
      #expect(null.withoutSelf == direct.withoutSelf)
    }

    #expect(
      list(found.nulls[0].withSelf) == [1, nil, 1, nil, nil, nil, 0.5])
    let norms = (0..<6).map { target in Slow.norm((0..<6).map { maps[0][$0, target] }) }
    #expect(abs((found.nulls[0].published?.l2Mean ?? 0) - norms.reduce(0, +) / 6) < 1e-14)

    // The mean of all for whole columns, of the others without the self entry.
    func residuals(_ kept: (Int, Int) -> Bool) -> Double {
      (0..<6).map { target in
        let values = (0..<6).filter { kept($0, target) }.map { maps[0][$0, target] }
        let mean = values.reduce(0, +) / Double(values.count)
        return Slow.norm(values.map { $0 - mean }) / Slow.norm(values)
      }.reduce(0, +) / 6
    }
    let constant = found.nulls[1]
    #expect(abs((constant.withSelf.relativeL2 ?? 0) - residuals { _, _ in true }) < 1e-14)
    #expect(abs((constant.withoutSelf.relativeL2 ?? 0) - residuals { $0 != $1 }) < 1e-14)
    #expect(constant.withSelf.topOverlap == 0.5)
    #expect(constant.withoutSelf.topOverlap.map { abs($0 - 0.6) < 1e-15 } == true)
    #expect(constant.published?.correlationMean == 0)
  }

  @Test("Maps with heads are compared head by head and in their sum")
  func heads() {
    var generator = SeededGenerator(seed: 8)
    let (z, c) = (random([5, 2, 3], &generator), random([5, 2, 3], &generator))
    let frame = AgreementFrame(
      layers: [4], targets: [1, 3], heads: [0, 2, 5], visibility: everything)
    let found = flowAgreement(
      of: FlowRoute("z", [z], in: frame), with: FlowRoute("c", [c], in: frame))
    #expect(found.map(\.layer) == [4, 4, 4, 4, nil])
    #expect(found.map(\.head) == [nil, 0, 2, 5, nil])

    func part(_ map: AxisArray, _ weights: [Double]) -> AxisArray {
      var values: [Double] = []
      for source in 0..<5 {
        for target in 0..<2 {
          values.append((0..<3).map { map[source, target, $0] * weights[$0] }.reduce(0, +))
        }
      }
      return AxisArray(axes: ["source", "target"], shape: [5, 2], values: values)
    }
    for (index, weights) in [[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]].enumerated() {
      let plain = flowAgreement(
        of: FlowRoute("z", [part(z, weights)], in: frame),
        with: FlowRoute("c", [part(c, weights)], in: frame))[0]
      #expect(plain.withSelf == found[index].withSelf)
      #expect(plain.published == found[index].published)
    }
    // A route of sums is compared with sums alone.
    let sums = flowAgreement(
      of: FlowRoute("z", [z], in: frame), with: FlowRoute("c", [part(c, [1, 1, 1])], in: frame))
    #expect(sums.map(\.head) == [nil, nil])
    #expect(sums[0].withSelf == found[0].withSelf)
  }

  @Test("Agreement survives JSON, and undefined scores are absent from it")
  func json() throws {
    let found = agreement([1, 2, 4, 3], [0, 0, 0, 0])
    let data = try JSONEncoder().encode(found)
    #expect(try JSONDecoder().decode(FlowAgreement.self, from: data) == found)
    let text = String(decoding: data, as: UTF8.self)
    #expect(!text.contains(":null"))
    #expect(text.contains(#""top_count":3"#))
  }
}
