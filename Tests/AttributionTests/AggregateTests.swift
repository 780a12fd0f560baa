import Attribution
import Results
import TestSupport
import Testing

@Suite("Aggregates")
struct AggregateTests {
  /// A prediction with these values at layers 0, 1, ….
  private func explanation(
    _ values: [Double], onset: Int? = 0, converged: [Bool]? = nil, isSpan: Bool = false,
    checks: [CausalCheck]? = nil
  ) -> Explanation {
    let token = TokenDescription(id: 1, text: "a")
    return Explanation(
      position: 0,
      target: TargetDescription(id: 1, text: "a", span: isSpan ? [token, token] : nil),
      modelValue: 1, baselineValue: 0,
      attributions: values.enumerated().map { layer, value in
        LayerAttribution(layer: layer, value: value, lens: 0, converged: converged?[layer])
      },
      sum: 0, certificate: 0, onsetLayer: onset, checks: checks)
  }

  private func result(_ explanations: [Explanation], layers: Int = 3) -> ExplainResult {
    ExplainResult(
      toolVersion: "0",
      model: .init(
        name: "m", sha256: "aa", architecture: "llama", layers: layers, dtype: "float32"),
      device: "cpu", prompt: "p", promptTokens: 1, tokens: [.init(id: 0, text: "p")],
      method: .init(
        path: "chain", baseline: "mean", target: "prob", estimator: "observed",
        layers: Array(0..<layers), onsetFraction: 0.5),
      explanations: explanations)
  }

  private func expectMeans(
    _ intervals: [LayerInterval], _ expected: [Double],
    at place: SourceLocation = #_sourceLocation
  ) {
    #expect(intervals.map(\.layer) == Array(expected.indices), sourceLocation: place)
    #expect(distance(intervals.map(\.mean), expected).error <= 1e-15, sourceLocation: place)
  }

  @Test("Profile and onsets by hand: predictions weigh the same, prompts are drawn whole")
  func byHand() throws {
    let found = try Aggregate.result(of: [
      result([
        explanation([1, -1, 2], onset: 2),  // shares ¼ −¼ ½
        explanation([0, 0, 4], onset: 2),  // shares 0 0 1
      ]),
      result([explanation([-3, 1, 0], onset: 0)]),  // shares −¾ ¼ 0
    ])
    #expect(found.prompts == 2 && found.tokens == 3 && found.resamples == 1000 && found.seed == 0)
    expectMeans(found.profile, [-1.0 / 6, 0, 0.5])
    expectMeans(found.onset, [1.0 / 3, 0, 2.0 / 3])
    // Both prompts, or one of them twice: these three means are all there are.
    #expect(distance(found.profile.map(\.low), [-0.75, -0.125, 0]).error <= 1e-15)
    #expect(distance(found.profile.map(\.high), [0.125, 0.25, 0.75]).error <= 1e-15)
    #expect(found.onset.map(\.low) == [0, 0, 0] && found.onset.map(\.high) == [1, 0, 1])
    #expect(found.agreement == [] && found.converged == nil)
    #expect(
      found.warnings == [
        "An interval from 2 prompts is too narrow: it shows how these differ, not how others would."
      ])
  }

  @Test("A span adds nothing, since its tokens are there, and what has no weight is left out")
  func leftOut() throws {
    var warned = result([explanation([1, 1, 2]), explanation([9, 9, 9], isSpan: true)])
    warned.warnings = ["one", "two"]
    let results =
      [warned]
      + (0..<9).map { _ in
        result([explanation([1, 1, 2]), explanation([0, 0, 0], onset: nil)])
      }
    let found = try Aggregate.result(of: results)
    #expect(found.tokens == 19)
    expectMeans(found.profile, [0.25, 0.25, 0.5])
    expectMeans(found.onset, [1, 0, 0])
    #expect(
      found.warnings == [
        "Left out of profile and onset: 9 of 19 predictions, which have no layer of any weight.",
        "See the warnings in the lines of 1 of 10 results.",
      ])
    let none = try Aggregate.result(of: [result([explanation([0, 0, 0], onset: nil)])])
    #expect(none.profile == [] && none.onset == [])
  }

  @Test("What is the same everywhere has an interval of no width, to the last bit")
  func constant() throws {
    let values = [0.1, 0.2, -0.7]
    let total = values.reduce(0) { $0 + abs($1) }
    for count in [1, 3, 7, 50] {
      let found = try Aggregate.result(
        of: (0..<count).map { number in
          result((0...number % 3).map { _ in explanation(values) })
        }, resamples: 200, seed: count)
      for (interval, value) in zip(found.profile, values) {
        #expect(interval.mean == value / total)
        #expect(interval.low == interval.mean && interval.high == interval.mean)
      }
    }
  }

  @Test("Agreement is averaged by replacement, kind and measure; convergence over all segments")
  func agreement() throws {
    func check(
      _ replacement: CausalCheck.Replacement, _ kind: CheckedPart.Kind, _ spearman: Double?,
      _ sign: Double?
    ) -> CausalCheck {
      CausalCheck(
        replacement: replacement, scope: .position, rows: [],
        agreement: [
          CheckAgreement(kind: kind, count: 3, spearman: spearman, signAgreement: sign)
        ])
    }
    let found = try Aggregate.result(of: [
      result([
        explanation(
          [1, 1, 1], converged: [true, true, false],
          checks: [check(.zero, .layer, 0.5, 1), check(.mean, .head, nil, 0.25)])
      ]),
      result([explanation([1, 1, 1], converged: [true, true, true])]),
      result([
        explanation(
          [1, 1, 1], converged: [true, false, true],
          checks: [check(.zero, .layer, -0.25, 0.5), check(.mean, .head, nil, 0.25)])
      ]),
    ])
    #expect(
      found.agreement.map { "\($0.replacement) \($0.kind) \($0.measure) \($0.mean)" } == [
        "mean head sign 0.25", "zero layer spearman 0.125", "zero layer sign 0.75",
      ])
    #expect(found.agreement.map(\.low) == [0.25, -0.25, 0.5])
    #expect(found.agreement.map(\.high) == [0.25, 0.5, 1])
    #expect(found.converged == 7.0 / 9)
  }

  @Test("The same results and seed give the same numbers; another seed, other intervals")
  func deterministic() throws {
    var random = SeededGenerator(seed: 5)
    let results = (0..<20).map { _ in
      result([explanation((0..<3).map { _ in Double.random(in: -1...1, using: &random) })])
    }
    let first = try Aggregate.result(of: results, seed: 1)
    #expect(try Aggregate.result(of: results, seed: 1) == first)
    let second = try Aggregate.result(of: results, seed: 2)
    #expect(second.profile.map(\.mean) == first.profile.map(\.mean))
    #expect(second.profile.map(\.low) != first.profile.map(\.low))
  }

  @Test("Results of another model or method are refused by name")
  func mixed() throws {
    let base = result([explanation([1, 1, 1])])
    let changes: [(String, (inout ExplainResult) -> Void)] = [
      ("model hash is bb, and aa", { $0.model.sha256 = "bb" }),
      ("dtype is float64, and float32", { $0.model.dtype = "float64" }),
      ("device is cuda, and cpu", { $0.device = "cuda" }),
      ("path is straight, and chain", { $0.method.path = "straight" }),
      ("baseline is zero, and mean", { $0.method.baseline = "zero" }),
      ("baseline text is \"x\", and none", { $0.baselineText = "x" }),
      ("target is logprob, and prob", { $0.method.target = "logprob" }),
      (
        "target is prob:b, and prob",
        { $0.explanations[0].target.versus = .init(id: 2, text: "b") }
      ),
      ("estimator is gauss, and observed", { $0.method.estimator = "gauss" }),
      ("number of nodes is 8, and none", { $0.method.nodes = 8 }),
      ("list of layers is 0 2, and 0 1 2", { $0.method.layers = [0, 2] }),
      ("onset share is 0.75, and 0.5", { $0.method.onsetFraction = 0.75 }),
      ("depth is head, and none", { $0.method.depth = "head" }),
      ("seed is 3, and none", { $0.seed = 3 }),
      ("lens is l.safetensors, and none", { $0.method.lens = "l.safetensors" }),
    ]
    for (what, change) in changes {
      var other = base
      change(&other)
      let error = #expect(throws: AttributionError.self) {
        try Aggregate.result(of: [base, other])
      }
      #expect(
        error?.message == "Result 1 does not belong: its \(what) in the results before it; "
          + "aggregate them apart.")
    }
  }

  @Test("Nothing to aggregate is refused, and an interval from no resamples")
  func refused() throws {
    let empty = #expect(throws: AttributionError.self) { try Aggregate.result(of: []) }
    #expect(empty?.message == "There are no results to aggregate; give at least one.")
    let none = #expect(throws: AttributionError.self) {
      try Aggregate.result(of: [result([explanation([1, 1, 1])])], resamples: 0)
    }
    #expect(none?.message == "An interval from 0 resamples is none; take at least 1.")
  }
}

@Suite("Bootstrap intervals")
struct BootstrapTests {
  private func means(_ clusters: [[Double]]) -> ClusteredMeans {
    var means = ClusteredMeans(columns: 1)
    for cluster in clusters {
      means.beginCluster()
      for value in cluster { means.add(value, to: 0) }
    }
    return means
  }

  @Test("Intervals are those of every possible draw, one after another")
  func bruteForce() throws {
    let clusters: [[Double]] = [[0.3, 0.1], [2.0], [-1.5, 0.25, 0.5], [0.9], [4.0, 3.0]]
    // All 5⁵ draws have the same chance.
    var all: [Double] = []
    for code in 0..<3125 {
      let drawn = sequence(state: (code, 0)) { state -> Int? in
        guard state.1 < 5 else { return nil }
        defer { state = (state.0 / 5, state.1 + 1) }
        return state.0 % 5
      }.flatMap { clusters[$0] }
      all.append(drawn.reduce(0, +) / Double(drawn.count))
    }
    all.sort()
    let interval = try #require(means(clusters).intervals(resamples: 200_000, seed: 3)[0])
    // A percentile of 200,000 draws lies between exact percentiles that are 0.2 % of draws away:
    // six standard errors of the share below it.
    for (found, share) in [(interval.low, 0.025), (interval.high, 0.975)] {
      let (least, most) = (all[Int((share - 0.0021) * 3125)], all[Int((share + 0.0021) * 3125)])
      #expect(least - 1e-12 <= found && found <= most + 1e-12)
    }
    #expect(interval.low < interval.mean && interval.mean < interval.high)
    let flat = clusters.flatMap(\.self)
    #expect(abs(interval.mean - flat.reduce(0, +) / Double(flat.count)) <= 1e-15)
  }

  @Test("Intervals contain a known mean about 95 times in a hundred, clustered or not")
  func coverage() throws {
    var random = SeededGenerator(seed: 11)
    var (covered, narrow, total) = (0, 0, 0)
    for _ in 0..<400 {
      // Three numbers that move together: a draw of single numbers would take them for three.
      let clusters = (0..<40).map { _ in
        let shared = Double.random(in: 0...1, using: &random)
        return (0..<3).map { _ in shared + 0.01 * Double.random(in: -1...1, using: &random) }
      }
      func isCovered(_ means: ClusteredMeans) throws -> Bool {
        let interval = try #require(means.intervals(resamples: 300, seed: total)[0])
        return interval.low <= 0.5 && 0.5 <= interval.high
      }
      if try isCovered(means(clusters)) { covered += 1 }
      if try isCovered(means(clusters.flatMap(\.self).map { [$0] })) { narrow += 1 }
      total += 1
    }
    // 95 % ± 3 standard errors of 1.1 %, less the percentile method's known shortfall of a few.
    #expect((364...392).contains(covered), "\(covered) of 400")
    #expect(narrow < 320, "\(narrow) of 400 without clusters")
  }

  @Test("The width falls as one over the root of the number of prompts")
  func width() throws {
    var random = SeededGenerator(seed: 2)
    func width(_ count: Int) throws -> Double {
      let clusters = (0..<count).map { _ in [Double.random(in: 0...1, using: &random)] }
      let interval = try #require(means(clusters).intervals(resamples: 4000, seed: 1)[0])
      return interval.high - interval.low
    }
    // 2 · 1.96 · √(1/12n) for uniform numbers.
    for count in [100, 1600] {
      let expected = 2 * 1.96 * (1 / (12 * Double(count))).squareRoot()
      #expect(abs(try width(count) / expected - 1) <= 0.15)
    }
  }

  @Test("Percentiles by hand")
  func percentiles() {
    let sorted = [0.0, 1, 2, 4]
    for (share, value) in [(0, 0), (0.5, 1.5), (1, 4), (5.0 / 6, 3), (0.1, 0.3)] {
      #expect(
        abs((ClusteredMeans.percentile(share, of: sorted) ?? .nan) - value) <= 1e-15)
    }
    #expect(ClusteredMeans.percentile(0.5, of: []) == nil)
  }

  @Test("A column with few numbers has its own interval, and one without numbers none")
  func sparse() throws {
    var means = ClusteredMeans(columns: 3)
    for number in 0..<30 {
      means.beginCluster()
      means.add(Double(number), to: 0)
      if number == 7 { means.add(5, to: 2) }
    }
    let found = means.intervals(resamples: 200, seed: 0)
    #expect(found[0]?.mean == 14.5 && found[1] == nil)
    #expect(found[2] == ClusteredMeans.Interval(mean: 5, low: 5, high: 5))
  }
}
