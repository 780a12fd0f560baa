import Attribution
import Checkpoints
import LanguageModels
import Tensors
import TestSupport
import Testing

/// The worked example under backward rules, in numbers that were worked out apart, in double precision.
///
/// They were worked out with patch − clean as the difference of patching; positive scores support the clean text's
/// metric here, so that those numbers appear with the other sign.
@Suite("The worked example, by rules")
struct GoldenRulesTests {
  private let folder: TemporaryFolder
  private let model: any LanguageModel
  private let metric = Metric(.logit, token: 0, position: 1)
  private static let tolerance = 1e-9

  private static let neurons = Site.feedForward(0, .hidden)
  private static let clean = -1.0082632703699408
  private static let patch = -1.5470810886127118

  init() throws {
    folder = try TemporaryFolder()
    model = try loadNetwork(of: Checkpoint(WorkedExample.write(to: folder)), type: .float64)
  }

  private func run(
    _ rules: BackwardRules, _ ids: [Int] = WorkedExample.clean
  ) throws -> RuledRun {
    try RuledRun(
      ids, in: model, rules,
      at: [.embedding, .residual(0, .middle), Self.neurons, .residual(0, .after)],
      of: metric)
  }

  /// The three neurons at the last position; those of the first must be without effect.
  private func last(_ values: [Double]?) throws -> [Double] {
    let values = try #require(values)
    try #require(values.count == 6)
    return Array(values[3...])
  }

  private func scores(
    _ rules: BackwardRules, at point: [Int], from start: [Int]?, to end: [Int]
  ) throws -> [Double] {
    let coefficients = try run(rules, point).coefficients[Self.neurons] ?? []
    #expect(coefficients.prefix(3) == [0, 0, 0])
    let ends = try last(run(rules, end).values[Self.neurons])
    let starts = try start.map { try last(run(rules, $0).values[Self.neurons]) } ?? [0, 0, 0]
    return zip(zip(ends, starts), coefficients[3...]).map { ($0.0 - $0.1) * $1 }
  }

  private func expect(
    _ found: [Double], _ known: [Double], _ place: SourceLocation = #_sourceLocation
  ) {
    #expect(distance(found, known).error < Self.tolerance, "\(found)", sourceLocation: place)
  }

  @Test("Metrics, pattern, neurons and their gradients")
  func values() throws {
    let clean = try run(.gradient)
    expect(
      [clean.metric, try run(.gradient, WorkedExample.patch).metric], [Self.clean, Self.patch])
    expect(
      try last(clean.values[Self.neurons]), [0.775674646002, -0.411811985856, -0.191724074396])
    expect(
      try last(run(.gradient, WorkedExample.patch).values[Self.neurons]),
      [0.164378886437, -0.462746604236, -0.433561799611])
    expect(
      try last(clean.coefficients[Self.neurons]),
      [-0.938385779968, -1.202766672571, 1.059478884331])
    let pattern = try model.run([WorkedExample.clean], capturing: [.attention(0, .pattern)])
      .activations[.attention(0, .pattern)].values()
    expect(pattern, [1, 0, 0.283484512931, 0.716515487069])
  }

  @Test("Attribution patching at either run")
  func attributionPatching() throws {
    expect(
      try scores(
        .gradient, at: WorkedExample.clean, from: WorkedExample.patch, to: WorkedExample.clean),
      [0.573631248130, 0.061262461467, -0.256221963299].map { -$0 })
    expect(
      try scores(
        .gradient, at: WorkedExample.patch, from: WorkedExample.patch, to: WorkedExample.clean),
      [-0.639690468696, -0.092447532544, 0.354470296369])
  }

  @Test("RelP of neurons, unpaired and paired at either run")
  func relpOfNeurons() throws {
    expect(
      try scores(.relp, at: WorkedExample.clean, from: nil, to: WorkedExample.clean),
      [-0.997753857213, 0.423772517977, -0.207157067745])
    expect(
      try scores(
        .relp, at: WorkedExample.clean, from: WorkedExample.patch, to: WorkedExample.clean),
      [0.786312541151, 0.052413946714, -0.261304659747].map { -$0 })
    expect(
      try scores(
        .relp, at: WorkedExample.patch, from: WorkedExample.patch, to: WorkedExample.clean),
      [-1.151041440409, -0.076726011053, 0.382510104062])
    // Shares of m.
    expect(
      try scores(.relp, at: WorkedExample.clean, from: nil, to: WorkedExample.clean)
        .map { $0 / Self.clean },
      [0.989576717247, -0.420299469822, 0.205459301983])
  }

  private func relevances(_ run: RuledRun, _ site: Site) -> [Double] {
    zip(run.values[site] ?? [], run.coefficients[site] ?? []).map { $0 * $1 }
  }

  @Test("RelP of the embedding and of the stream in the middle sums to the metric")
  func relpOfCuts() throws {
    let run = try run(.relp)
    let embedding = relevances(run, .embedding)
    expect(embedding, [-0.003289495345, 0.119111562305, -0.160325265830, -0.963760071501])
    let middle = relevances(run, .residual(0, .middle))
    expect(middle, [0, 0, -0.197932782346, -0.810330488024])
    for cut in [embedding, middle] { #expect(abs(cut.reduce(0, +) - run.metric) < 1e-12) }
  }

  @Test("Held gates, products by their derivative, and a true pattern")
  func otherRules() throws {
    let held = relevances(try run(.cpLRP), .embedding)
    expect(held, [0.050459567089, 0.296422038129, 0.941385564910, -2.296530440498])
    #expect(abs(held.reduce(0, +) - Self.clean) < 1e-12)
    // Products count twice what passes the network.
    let twice = relevances(
      try run(BackwardRules(norm: .frozen, pattern: .frozen, activation: .ratio)), .embedding)
    expect([twice.reduce(0, +)], [-1.7894016773505506])
    expect([twice.reduce(0, +)], [Self.clean - 0.781138406981])
    let jafari = relevances(try run(.relpJafari), .embedding)
    expect(jafari, [-0.005837358468, 0.035907907193, -0.307323527551, -0.980968846891])
  }

  @Test(
    "The gradient times the input does not sum to the metric, least of all before the last norm")
  func gradients() throws {
    let run = try run(.gradient)
    expect([run.relevance(of: .embedding)], [0.321565707185])
    // m D ε / (‖z‖² + D ε)
    let z = try #require(run.values[.residual(0, .after)]).suffix(2)
    let square = z.reduce(0) { $0 + $1 * $1 }
    let known = Self.clean * 2e-5 / (square + 2e-5)
    #expect(abs(run.relevance(of: .residual(0, .after)) - known) < 1e-12)
    #expect(abs(run.relevance(of: .residual(0, .after)) + 2.6692e-6) < 1e-9)
  }

  @Test("Halving what values get under a held pattern loses relevance, and ours does not")
  func halvedValues() throws {
    let run = try RuledRun(
      WorkedExample.clean, in: model, .relp, at: [.embedding, .attention(0, .output)], of: metric)
    // The mistake's own sum: half of attention's relevance is lost.
    let lost = run.relevance(of: .attention(0, .output)) / 2
    expect([run.metric - lost], [-0.974815376340])
    #expect(abs(lost) > 100 * Self.tolerance)
    #expect(abs(run.relevance(of: .embedding) - run.metric) < 1e-12)
  }

  @Test("Embeddings give neurons all that they have")
  func edges() throws {
    let known = [
      [0.082672584668, 0.693002061334], [0.026773667834, -0.438585653690],
      [0.030284862675, -0.222008937071],
    ]
    for (neuron, row) in known.enumerated() {
      var hidden: Tensor?
      let run = try RuledRun(
        WorkedExample.clean, in: model, .relp, at: [.embedding, Self.neurons],
        changing: { site, value in
          if site == Self.neurons { hidden = value }
          return value
        },
        outcome: { residual, _ in
          (hidden ?? residual).slice(1..<2, along: 1).slice(neuron..<neuron + 1, along: 2)
            .reshaped([1])
        })
      let given = relevances(run, .embedding)
      expect([given[0] + given[1], given[2] + given[3]], row)
      #expect(abs(given.reduce(0, +) - run.metric) < 1e-12)
    }
  }
}
