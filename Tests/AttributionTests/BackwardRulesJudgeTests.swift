import Attribution
import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// Backward rules against a judge that has no backward pass, and against what must hold of them.
@Suite("Backward rules against the judge")
struct BackwardRulesJudgeTests {
  /// Every tiny model.
  static let names: [String] = {
    let folder = Fixtures.url("models")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter {
      FileManager.default.fileExists(
        atPath: folder.appending(path: "\($0)/reference.safetensors").path)
    }.sorted()
  }()
  static let ids = [5, 17, 9, 33, 21, 9]

  private func network(_ name: String) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: .float64)
  }

  /// A number that depends on everything: a difference of logits, or of a model without a head the last
  /// stream's numbers weighted at random.
  private func outcome(_ model: any LanguageModel) -> (Tensor, Pass) -> Tensor {
    if model.head != nil {
      let metric = Metric(.logit, token: 7, versus: 3, position: 4)
      return { metric($0, in: model, pass: $1) }
    }
    var generator = SeededGenerator(seed: 5)
    let count = Self.ids.count * model.shape.width
    let weights = Tensor(
      (0..<count).map { _ in Double.random(in: -1...1, using: &generator) },
      [Self.ids.count, model.shape.width], model.type)
    return { residual, _ in
      (residual.reshaped([Self.ids.count, -1]) * weights).sum(along: -1)
        .reshaped([1, -1]).sum(along: -1)
    }
  }

  @Test(
    "Coefficients of every site and what biases hold are the judge's",
    arguments: GradientFixture.names)
  func judged(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = fixture.sites.map(\.site)
    #expect(sites.count > 1)
    for (set, rules) in judgedRules {
      let run = try RuledRun(
        fixture.clean, in: fixture.model, rules, at: sites, of: fixture.metric)
      #expect(abs(run.metric - fixture.numbers("metric.values")[0]) < 1e-10)
      for site in sites {
        #expect(
          distance(run.values[site] ?? [], fixture.numbers("clean.value", at: site)).error < 1e-10)
        #expect(
          distance(
            run.coefficients[site] ?? [], fixture.numbers("coefficient." + set, at: site)
          ).error < GradientFixture.tolerance, "\(set), \(site)")
      }
      // Where networks are stopped, the judge has the biases before neurons as theirs.
      if rules.feedForward == .flow {
        #expect(
          distance(run.biases, fixture.numbers("biases." + set)).error < GradientFixture.tolerance,
          "\(set)")
      }
    }
  }

  @Test("Coefficients of the other text's run are the judge's", arguments: GradientFixture.names)
  func judgedPatch(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = fixture.sites.map(\.site)
    for (set, rules) in [("gradient", BackwardRules.gradient), ("relp", .relp)] {
      let run = try RuledRun(
        fixture.patch, in: fixture.model, rules, at: sites, of: fixture.metric)
      for site in sites {
        #expect(
          distance(
            run.coefficients[site] ?? [], fixture.numbers("patch.coefficient." + set, at: site)
          ).error < GradientFixture.tolerance, "\(set), \(site)")
      }
    }
  }

  @Test(
    "A frozen pattern with halved values, norms left true, and heads exchanged are told from RelP",
    arguments: GradientFixture.names)
  func knownMistakes(name: String) throws {
    let fixture = try GradientFixture(name)
    let run = try RuledRun(
      fixture.clean, in: fixture.model, .relp, at: [.embedding], of: fixture.metric)
    for mistake in ["halved-values", "true-norms", "true-final-norm", "swapped-heads"] {
      let wrong = fixture.numbers("wrong." + mistake)
      #expect(!wrong.isEmpty)
      #expect(
        distance(run.coefficients[.embedding] ?? [], wrong).error > 100 * GradientFixture.tolerance,
        "\(mistake)")
    }
  }

  @Test("The rule-free gradient at every site is the difference quotient", arguments: names)
  func differences(name: String) throws {
    let model = try network(name)
    let outcome = outcome(model)
    // A pattern that is moved no longer sums to 1, and a router's logits may choose others.
    let sites = model.sites.filter {
      switch $0 {
      case .logits, .finalNorm, .feedForward(_, .experts): false
      default: true
      }
    }.inOrder
    let run = try RuledRun(Self.ids, in: model, .gradient, at: sites, outcome: outcome)
    var generator = SeededGenerator(seed: 3)
    for site in sites {
      let gradient = try #require(run.coefficients[site])
      let direction = gradient.map { _ in Double.random(in: -1...1, using: &generator) }
      let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
      func moved(_ step: Double) throws -> Double {
        let pass = Pass(sites: [site]) { _, value in
          value + Tensor(direction.map { $0 * step }, value.shape, value.type)
        }
        return try outcome(try model.run([Self.ids], pass: pass).residual, .plain).scalar()
      }
      let h = 1e-4
      // Central differences of fourth order.
      let quotient =
        try (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
      #expect(
        abs(slope - quotient) < 1e-7 * (1 + abs(quotient)), "\(site): \(slope), \(quotient)")
    }
  }
}
