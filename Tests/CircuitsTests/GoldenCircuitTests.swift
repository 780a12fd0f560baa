import Attribution
import Checkpoints
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// The worked example's circuits, in numbers that were worked out apart, in double precision.
///
/// Effects of patching were worked out as patch − clean; here positive scores support the clean text's metric.
@Suite("The worked example, circuits")
struct GoldenCircuitTests {
  private let folder: TemporaryFolder
  private let model: any LanguageModel
  private let pair = PromptPair(
    clean: WorkedExample.clean, patch: WorkedExample.patch, answer: 0)
  private static let tolerance = 1e-9

  init() throws {
    folder = try TemporaryFolder()
    model = try loadNetwork(of: Checkpoint(WorkedExample.write(to: folder)), type: .float64)
  }

  /// Neurons 0, 1, 2 at the second position; those at the first are in no circuit.
  private func circuit(_ neurons: Set<Int>) -> NodeSet {
    NodeSet([(0..<6).map { $0 >= 3 && neurons.contains($0 - 3) }])
  }

  @Test("Exact patching of each neuron")
  func exact() throws {
    let units = (0..<3).map { UnitPlace(layer: 0, position: 1, unit: $0) }
    let found = try ExactPatching.effects(of: units, .neuron, over: [pair], in: model)
    #expect(
      distance(found.effects, [-0.730814505225, -0.060821529207, 0.252779967263]).error
        < Self.tolerance)
  }

  @Test("Scores of the neurons by every way")
  func scores() throws {
    let known: [(scoring: NodeScoring, numbers: [Double])] = [
      (.relp(), [-0.997753857213, 0.423772517977, -0.207157067745]),
      (.relp(paired: .clean), [-0.786312541151, -0.052413946714, 0.261304659747]),
      (.relp(paired: .patch), [-1.151041440409, -0.076726011053, 0.382510104062]),
      (.attributionPatching(), [-0.573631248130, -0.061262461467, 0.256221963299]),
      (.attributionPatching(at: .patch), [-0.639690468696, -0.092447532544, 0.354470296369]),
      (.activations(steps: 30), [-0.696831612819, -0.066436916032, 0.288509324073]),
      (.conductance(steps: 10), [-0.651263549972, -0.040272668532, 0.311646570028]),
      (.pathAverage(steps: 2000), [-0.620175184158, -0.073550159732, 0.297856032112]),
      (.exact, [-0.730814505225, -0.060821529207, 0.252779967263]),
    ]
    for (scoring, numbers) in known {
      let found = try scoring.scores(of: .neuron, over: [pair], in: model)
      // Scores are kept in single precision.
      #expect(
        distance(found.values[0].map(Double.init), [0, 0, 0] + numbers).error < 1e-6,
        "\(scoring): \(found.values)")
    }
  }

  @Test("Circuits with the patch's values elsewhere: metric, faithfulness, completeness")
  func resampled() throws {
    let sweep = try CircuitSweep(of: .neuron, over: [pair], replacedBy: .resample, in: model)
    #expect(abs(sweep.empty + 0.533504065592) < Self.tolerance)
    #expect(abs(sweep.full + 1.008263270370) < Self.tolerance)
    let known: [(neurons: Set<Int>, metric: Double, faithfulness: Double, completeness: Double)] = [
      ([0], -1.199398059033, 1.402593118237, -0.539337200564),
      ([0, 2], -0.947441741163, 0.871889731479, 0.152722295884),
    ]
    let range = sweep.full - sweep.empty
    for (neurons, metric, faithfulness, completeness) in known {
      let found = try sweep.metric(of: circuit(neurons))
      #expect(abs(found - metric) < Self.tolerance)
      #expect(abs((found - sweep.empty) / range - faithfulness) < Self.tolerance)
      let rest = try sweep.metric(of: circuit(neurons).complement)
      #expect(abs((rest - sweep.empty) / range - completeness) < Self.tolerance)
    }
    // A curve says the same, its circuits chosen by scores of 3, 2 and 1.
    let scores = UnitScores(
      kind: .neuron, values: [[0, 0, 0, 3, 1, -2]], units: 3,
      passes: .init(forward: 0, backward: 0))
    let curve = try sweep.curve(
      of: scores, by: .topAbsolute([1, 2]), method: .init(name: "given"))
    let points = curve.points.filter { $0.nodes == 1 || $0.nodes == 2 }
    try #require(points.count == 2)
    for (point, row) in zip(points, known) {
      #expect(abs((point.faithfulness ?? .nan) - row.faithfulness) < Self.tolerance)
      #expect(abs((point.completeness ?? .nan) - row.completeness) < Self.tolerance)
    }
  }

  @Test("Tokens give neurons all that they have, and neurons and tokens all of the metric")
  func edges() throws {
    let nodes = (0..<3).map { CircuitEdges.Place(layer: 0, position: 1, unit: $0) }
    let found = try CircuitEdges(leastWeight: 0).edges(
      between: nodes, scores: [1, 1, 1], of: WorkedExample.clean,
      Metric(.logit, token: 0, position: 1), in: model)
    let known = [
      [0.082672584668, 0.693002061334], [0.026773667834, -0.438585653690],
      [0.030284862675, -0.222008937071],
    ]
    for (node, row) in known.enumerated() {
      for (token, number) in row.enumerated() {
        let edge = found.edges.first {
          $0.source == .token(token) && $0.target == .node(node)
        }
        #expect(abs((edge?.value ?? .nan) - number) < Self.tolerance)
      }
    }
    let shares = [0.989576717247, -0.420299469822, 0.205459301983]
    for (node, share) in shares.enumerated() {
      let edge = found.edges.first { $0.source == .node(node) && $0.target == .metric }
      #expect(abs((edge?.weight ?? .nan) - share) < Self.tolerance)
    }
  }
}
