import Attribution
import Checkpoints
import LanguageModels
import Tensors
import TestSupport
import Testing

/// The worked example along paths, in numbers that were worked out apart, in double precision.
///
/// They were worked out from the clean text to the patch, with patch − clean as the difference. Here positive scores
/// support the clean text's metric and paths lead to it: signs change, and left becomes right.
@Suite("The worked example, along paths")
struct GoldenPathsTests {
  private let folder: TemporaryFolder
  private let model: any LanguageModel
  private static let tolerance = 1e-9
  private static let neurons = Site.feedForward(0, .hidden)
  private static let change = 0.538817818243

  init() throws {
    folder = try TemporaryFolder()
    model = try loadNetwork(of: Checkpoint(WorkedExample.write(to: folder)), type: .float64)
  }

  private func setting(isPaired: Bool = true) throws -> GradientSetting {
    try GradientSetting(
      [WorkedExample.clean], Metric(.logit, token: 0, position: 1),
      from: isPaired ? .contrast([WorkedExample.patch]) : .zero, in: model)
  }

  private func scores(
    _ method: some GradientMethod, at site: Site = neurons, isPaired: Bool = true
  ) throws -> [Double] {
    try method.scores(of: [site], in: setting(isPaired: isPaired), progress: { _ in })
      .numbers(at: site)
  }

  /// Expects a row of the table at the last position, its first position without effect.
  private func expect(
    _ found: [Double], last known: [Double], within tolerance: Double = tolerance,
    _ place: SourceLocation = #_sourceLocation
  ) {
    let zeros = [Double](repeating: 0, count: known.count)
    #expect(distance(found, zeros + known).error < tolerance, "\(found)", sourceLocation: place)
  }

  private func negated(_ numbers: [Double]) -> [Double] { numbers.map { -$0 } }

  @Test("Integrated gradients of the neurons together: exact, and ten steps from the clean run")
  func joint() throws {
    let exact = try scores(ActivationIG(.gaussLegendre(40)))
    expect(exact, last: negated([0.696831612819, 0.066436916032, -0.288509324073]))
    #expect(abs(exact.reduce(0, +) + 0.474759204778) < Self.tolerance)
    expect(
      try scores(ActivationIG(.right(10))),
      last: negated([0.683411254003, 0.065916873537, -0.285116480129]))
    let found = try ActivationIG(.right(10)).scores(of: [Self.neurons], in: setting())
    #expect(abs((found.expected[Self.neurons] ?? .nan) + 0.474759204778) < Self.tolerance)
  }

  @Test("The same from zero sums to the metric less the metric without neurons")
  func jointFromZero() throws {
    let found = try scores(ActivationIG(.gaussLegendre(40)), isPaired: false)
    expect(found, last: [-0.998081457001, 0.583067809245, -0.251683333227])
    #expect(abs(found.reduce(0, +) + 0.666696980983) < Self.tolerance)
  }

  @Test("Conductance of the neurons: ten steps either way, their mean, and the integral")
  func conductance() throws {
    expect(
      try scores(Conductance(.right(10))),
      last: negated([0.638616407338, 0.036136267685, -0.298451476906]))
    expect(
      try scores(Conductance(.left(10))),
      last: negated([0.663910692607, 0.044409069379, -0.324841663150]))
    expect(
      try scores(Conductance(.trapezoid(10))),
      last: negated([0.651263549972, 0.040272668532, -0.311646570028]))
    let exact = try refined(Self.neurons)
    expect(exact, last: negated([0.654526864109, 0.037020108287, -0.311891875658]))
    #expect(abs(exact.reduce(0, +) + 0.379655096738) < Self.tolerance)
  }

  @Test("Conductance of the stream in the middle is the whole change")
  func conductanceOfCut() throws {
    let exact = try refined(.residual(0, .middle))
    expect(exact, last: negated([-0.237839865838, -0.300977952410]))
    #expect(abs(exact.reduce(0, +) - Self.change) < Self.tolerance)
  }

  /// The integral, from trapezoids whose errors go with even powers of a step.
  private func refined(_ site: Site) throws -> [Double] {
    var rows = try [64, 128, 256, 512].map { try scores(Conductance(.trapezoid($0)), at: site) }
    var factor = 4.0
    while rows.count > 1 {
      rows = zip(rows, rows.dropFirst()).map { coarse, fine in
        zip(coarse, fine).map { $1 + ($1 - $0) / (factor - 1) }
      }
      factor *= 4
    }
    return rows[0]
  }

  @Test("EAP-IG by either convention, and its integral")
  func pathAverages() throws {
    let first = [0.613172004848, 0.070327393258, -0.287677606607]
    let second = [0.626383848961, 0.076564407473, -0.307327273221]
    expect(try scores(IntegratedGradients(.right(5))), last: negated(first))
    expect(try scores(IntegratedGradients(.left(5))), last: negated(second))
    expect(
      try scores(IntegratedGradients(.gaussLegendre(60))),
      last: negated([0.620175184158, 0.073550159732, -0.297856032112]))
    // With one step at the clean run it is attribution patching.
    expect(
      try scores(IntegratedGradients(.right(1))),
      last: negated([0.573631248130, 0.061262461467, -0.256221963299]))
  }

  @Test("Integrated gradients of the input by every rule")
  func input() throws {
    let exact = [0.043181105467, -0.581998923715]
    let left = [0.030253939788, -0.556134522940]
    let middle = [0.042991815805, -0.585964087757]
    let right = [0.055703788592, -0.597981904804]
    let known: [(rule: PathRule, numbers: [Double])] = [
      (.gaussLegendre(60), exact), (.right(10), left), (.midpoint(10), middle), (.left(10), right),
      (.trapezoid(10), zip(left, right).map { ($0 + $1) / 2 }),
    ]
    for (rule, numbers) in known {
      let found = try scores(IntegratedGradients(rule), at: .embedding)
      #expect(
        distance(found, negated(numbers) + [0, 0]).error < Self.tolerance, "\(rule): \(found)")
      let cut = try scores(Conductance(rule), at: .embedding)
      if case .gaussLegendre = rule { continue }
      #expect(distance(cut, found).error < 1e-12, "conductance at the input, \(rule)")
    }
    let found = try scores(IntegratedGradients(.adaptive(tolerance: 1e-9)), at: .embedding)
    #expect(abs(found.reduce(0, +) - Self.change) < 1e-9)
  }

  @Test("IDGI with one step and with four")
  func idgi() throws {
    let one = [0.001606849125, 0.002315351553, 0.194050426411, 0.340845191153]
    let four = [0.015437347538, 0.050320653093, 0.176267763492, 0.296792054120]
    for (steps, known) in [(1, one), (4, four)] {
      let found = try scores(IDGI(steps: steps), at: .embedding)
      #expect(distance(found, known).error < Self.tolerance, "\(found)")
      #expect(abs(found.reduce(0, +) - Self.change) < Self.tolerance)
    }
  }

  @Test("A left rule is not Gauss–Legendre's, by far more than the tolerance")
  func leftIsNotGauss() throws {
    let left = try scores(IntegratedGradients(.left(10)), at: .embedding)
    let gauss = try scores(IntegratedGradients(.gaussLegendre(10)), at: .embedding)
    #expect(distance(left, gauss).error > 100 * Self.tolerance)
  }
}
