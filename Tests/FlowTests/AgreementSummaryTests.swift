import Flow
import Results
import TestSupport
import Testing

@Suite("Agreement over many texts")
struct AgreementSummaryTests {
  private struct Text {
    var z: [AxisArray]
    var near: [AxisArray]
    var far: [AxisArray]
  }

  /// Texts of 4 to 6 tokens and two layers: a route that is Z and some noise, and one of noise alone.
  private func texts(_ count: Int, seed: UInt64) -> [Text] {
    var generator = SeededGenerator(seed: seed)
    func map(_ size: Int) -> AxisArray {
      AxisArray(
        axes: ["source", "target"], shape: [size, size],
        values: (0..<size * size).map { _ in Double.random(in: -1...1, using: &generator) })
    }
    return (0..<count).map { index in
      let size = 4 + index % 3
      let z = [map(size), map(size)]
      let noise = [map(size), map(size)]
      let near = zip(z, noise).map { z, noise in
        var near = z
        for place in near.values.indices { near.values[place] += 0.1 * noise.values[place] }
        return near
      }
      return Text(z: z, near: near, far: [map(size), map(size)])
    }
  }

  private func agreements(_ text: Text) -> [RouteAgreement] {
    let frame = AgreementFrame(
      layers: [0, 3], targets: Array(0..<text.z[0].shape[0]),
      visibility: [SourceVisibility(isCausal: false)])
    let reference = AgreementReference(FlowRoute("layer", text.z, in: frame))
    return [
      reference.agreement(with: FlowRoute("near", text.near, in: frame)),
      reference.agreement(with: FlowRoute("far", text.far, in: frame)),
    ]
  }

  @Test("Means over texts weigh every column the same, layer by layer and over all")
  func pooled() {
    let texts = texts(5, seed: 1)
    var summary = AgreementSummary()
    for text in texts { summary.add(agreements(text)) }
    let found = summary.summary(resamples: 50)
    #expect(summary.texts == 5)
    #expect(found.pairs.map(\.route) == ["near", "far"])
    #expect(found.nulls.map(\.name) == ["zero", "constant"])
    for (null, index) in zip(found.nulls, 0...) {
      for (layer, scores) in null.layers {
        let each = texts.map { agreements($0)[0].results.first { $0.layer == layer } }
        let sum = each.reduce(0) {
          $0 + ($1?.nulls[index].withSelf.relativeL2 ?? .nan) * Double($1?.columns ?? 0)
        }
        let columns = each.reduce(0) { $0 + ($1?.columns ?? 0) }
        let mean = scores[.withSelf(.relativeL2)]?.mean ?? .nan
        #expect(abs(mean - sum / Double(columns)) < 1e-14)
      }
    }

    // The same columns as targets of one text: of 4 to 6 rows, so each by its own results.
    for (pair, index) in zip(found.pairs, 0...) {
      let each = texts.map { agreements($0)[index].results }
      for (scope, intervals) in ([pair.overall] + pair.layers.map(\.scores)).enumerated() {
        let one = each.map { $0[scope == 0 ? 2 : scope - 1] }
        let columns = one.map { Double($0.columns) }
        func mean(_ value: (FlowAgreement) -> Double?) -> Double {
          zip(one, columns).reduce(0) { $0 + (value($1.0) ?? .nan) * $1.1 } / columns.reduce(0, +)
        }
        #expect(
          abs((intervals[.withSelf(.cosine)]?.mean ?? 2) - mean { $0.withSelf.cosine }) < 1e-14)
        #expect(
          abs(
            (intervals[.withoutSelf(.spearman)]?.mean ?? 2) - mean { $0.withoutSelf.spearman })
            < 1e-14)
        #expect(
          abs((intervals[.publishedL2]?.mean ?? 0) - mean { $0.published?.l2Mean }) < 1e-13)
      }
      #expect(pair.layers.map(\.layer) == [0, 3])
      #expect(pair.columns == 2 * (4 + 5 + 6 + 4 + 5))
      // Pooled deviation: from the second moments of texts.
      let results = each.map { $0[2] }
      let second = results.reduce(0) { sum, one in
        let part = one.published.map { $0.l2Mean * $0.l2Mean + $0.l2Deviation * $0.l2Deviation }
        return sum + (part ?? .nan) * Double(one.columns)
      }
      let mean = pair.published?.l2Mean ?? .nan
      let deviation = (second / Double(pair.columns) - mean * mean).squareRoot()
      #expect(abs((pair.published?.l2Deviation ?? 0) - deviation) < 1e-12)
    }
  }

  @Test("A route that follows Z beats predictors that know nothing, one of noise does not")
  func standing() {
    var summary = AgreementSummary()
    for text in texts(30, seed: 2) { summary.add(agreements(text)) }
    let pairs = summary.summary(resamples: 200).pairs
    for quantity in [
      AgreementQuantity.publishedL2, .publishedCorrelation, .withSelf(.scaledResidual),
      .withoutSelf(.cosine), .withoutSelf(.spearman),
    ] {
      #expect(pairs[0].standing(quantity) == .beats, "\(quantity)")
    }
    #expect(pairs[1].standing(.publishedL2) == .loses)
    #expect(pairs[1].standing(.publishedCorrelation) == .undecided)
    #expect(pairs[1].standing(.withoutSelf(.spearman)) == .undecided)
    // Nothing can be scaled to be worse than 0, so noise beats zero and not the column's mean.
    #expect(pairs[1].standing(.withSelf(.scaledResidual), against: ["zero"]) == .beats)
    #expect(pairs[1].standing(.withSelf(.shareL2), against: ["zero"]) == nil)
  }

  @Test("Margins are above 0 where the route is better, whichever way its score runs")
  func margins() {
    var summary = AgreementSummary()
    for text in texts(4, seed: 3) { summary.add(agreements(text)) }
    let found = summary.summary(resamples: 10)
    let near = found.pairs[0]
    #expect(near.margins.map(\.null) == ["zero", "constant"])
    for quantity in [
      AgreementQuantity.publishedL2, .withSelf(.relativeL2), .withSelf(.topOverlap),
    ] {
      let own = near.overall[quantity]?.mean ?? .nan
      let null = found.nulls[1].overall[quantity]?.mean ?? .nan
      let margin = near.margins[1].scores[quantity]?.mean ?? .nan
      // Columns of four sources have no three largest without ties: both means are of the same columns.
      #expect(abs(margin - (quantity.isDistance ? null - own : own - null)) < 1e-13)
      #expect(margin > 0)
    }
    // A predictor without order has the correlation 0.
    #expect(
      near.margins[1].scores[.withSelf(.pearson)]?.mean == near.overall[.withSelf(.pearson)]?.mean)
  }

  @Test("One text has no spread, the same seed gives the same intervals, and no text gives nothing")
  func intervals() throws {
    var summary = AgreementSummary()
    #expect(summary.summary().pairs.isEmpty)
    let texts = texts(6, seed: 4)
    summary.add(agreements(texts[0]))
    let one = try #require(summary.summary(resamples: 20).pairs[0].overall[.withSelf(.cosine)])
    #expect(one.low == one.mean && one.high == one.mean)
    for text in texts.dropFirst() { summary.add(agreements(text)) }
    let first = summary.summary(resamples: 100, seed: 9).pairs[1]
    let second = summary.summary(resamples: 100, seed: 9).pairs[1]
    #expect(first.overall == second.overall)
    let interval = try #require(first.overall[.withSelf(.cosine)])
    #expect(interval.low < interval.mean && interval.mean < interval.high)
  }
}
