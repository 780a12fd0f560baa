import Foundation
import Results
import Testing

/// `--path`, `--paths` and `--baselines`: how much the choices matter.
@Suite("Paths")
struct PathTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func run(_ words: String...) throws -> Outcome {
    try Command.run(["explain", "--model", model.path, "--answer", "b"] + words + ["Is it"])
  }

  private func explain(_ words: String...) throws -> ExplainResult {
    let outcome = try Command.run(
      ["explain", "--model", model.path, "--answer", "b", "--json", "-"] + words + ["Is it"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }

  @Test("The straight path's integrals meet the whole within --tol")
  func straight() throws {
    for tolerance in [1e-4, 1e-9] {
      let result = try explain(
        "--path", "straight", "--depth", "block", "--dtype", "float64", "--tol", "\(tolerance)")
      let found = result.explanations[0]
      #expect(result.method.path == "straight" && result.method.tolerance == tolerance)
      let scale = found.attributions.reduce(0) { $0 + abs($1.value) }
      #expect(abs(found.certificate) <= tolerance * scale)
      for layer in found.attributions {
        #expect(layer.converged == true && layer.nodes.map { (8...1024).contains($0) } == true)
        let parts = try #require(layer.parts)
        let sum = parts.reduce(0) { $0 + $1.value }
        #expect(abs(layer.value - sum) <= tolerance * scale)
      }
    }
  }

  @Test("With one layer there is one way to go, so that all paths agree")
  func oneLayer() throws {
    let found = try explain("--layers", "1", "--paths", "all", "--dtype", "float64").explanations[0]
    let alternatives = try #require(found.alternatives)
    #expect(alternatives.map(\.path) == ["straight", "shapley"])
    for other in alternatives {
      #expect(abs(other.values[0] - found.attributions[0].value) <= 1e-4 * abs(found.sum))
    }
    // Ranks of one layer say nothing.
    #expect(found.rankCorrelations?.allSatisfy { $0.spearman == nil } == true)
  }

  @Test("Shapley values of few layers are exact: no seed matters, and no error is stated")
  func exactShapley() throws {
    let result = try explain("--path", "shapley", "--dtype", "float64")
    let found = result.explanations[0]
    #expect(result.method.path == "shapley" && abs(found.certificate) <= 1e-12)
    let seeded = try explain(
      "--path", "shapley", "--dtype", "float64", "--seed", "7", "--orders", "2")
    #expect(seeded.explanations == result.explanations)
    // Not the chain, whose order is one of the two.
    let chain = try explain("--dtype", "float64").explanations[0]
    #expect(abs(found.attributions[0].value - chain.attributions[0].value) > 1e-8)
  }

  @Test("All paths and baselines stand beside the main one, each complete, with ranges and ranks")
  func all() throws {
    let result = try explain("--paths", "all", "--baselines", "all", "--seed", "3")
    let found = result.explanations[0]
    let others = try #require(found.alternatives)
    #expect(
      others.map { $0.path + "/" + $0.baseline } == [
        "straight/mean", "shapley/mean", "chain/mean-all", "chain/mean-nosink", "chain/zero",
        "chain/embedding",
      ])
    let scale = found.attributions.reduce(0) { $0 + abs($1.value) }
    for other in others {
      let total = other.values.reduce(other.baselineValue, +)
      #expect(abs(total - found.modelValue) <= 1e-4 * scale)
      #expect(abs(other.certificate - (total - found.modelValue)) <= 1e-12)
    }
    for (index, layer) in found.attributions.enumerated() {
      let values = [layer.value] + others.map { $0.values[index] }
      #expect(layer.low == values.min() && layer.high == values.max())
    }
    let ways = 1 + others.count
    #expect(found.rankCorrelations?.count == ways * (ways - 1) / 2)
    // The same command gives a baseline of its own what it gives it beside another.
    let zero = try explain("--baseline", "zero").explanations[0]
    for (value, layer) in zip(others[4].values, zero.attributions) {
      #expect(abs(value - layer.value) <= 1e-9)
    }
    let screen = try run("--paths", "all", "--baselines", "all").text
    #expect(screen.contains("other paths and baselines\n") && screen.contains(" … "))
    for name in ["straight/mean", "shapley/mean", "chain/embedding"] {
      #expect(screen.contains("  \(name) "))
    }
  }

  @Test("Where orders are sampled, a seed says which, and the error is stated")
  func sampledShapley() throws {
    try model.repeatLayers(to: 12)
    func shapley(_ words: String...) throws -> Outcome {
      let outcome = try Command.run(
        ["explain", "--model", model.path, "--answer", "b", "--json", "-", "--reproducible"]
          + ["--path", "shapley"] + words + ["Is it"])
      #expect(outcome.code == 0 && outcome.errors == "")
      return outcome
    }
    let first = try shapley("--seed", "5", "--orders", "4")
    #expect(try shapley("--seed", "5", "--orders", "4").output == first.output)
    let other = try shapley("--seed", "6", "--orders", "4")
    let (one, two) = (try first.result(), try other.result())
    #expect(one.seed == 5 && two.seed == 6)
    #expect(one.explanations != two.explanations)
    for result in [one, two] { #expect(abs(result.explanations[0].certificate) <= 1e-6) }
    let beside = try Command.result(
      "--model", model.path, "--answer", "b", "--paths", "all", "--seed", "5", "--orders", "4",
      "Is it")
    let sampled = try #require(
      beside.explanations[0].alternatives?.first { $0.path == "shapley" })
    let (errors, values) = (try #require(sampled.standardErrors), sampled.values)
    #expect(errors.count == 12 && errors.allSatisfy { $0 > 0 })
    for (value, layer) in zip(values, one.explanations[0].attributions) {
      #expect(abs(value - layer.value) <= 1e-9)
    }
  }

  @Test("The state that is read, and what is asked of it, must go together")
  func refusals() throws {
    func refused(_ words: String..., by message: String) throws {
      try expectFailure(
        ["explain", "--model", model.path, "--answer", "b"] + words + ["Is it"], 64, message)
    }
    let compatible =
      "--compat iglens reads states that no path of the model visits; leave out --depth, --neurons, "
      + "--path, --paths, --baselines, --completion, --lens and --check."
    try refused("--compat", "iglens", "--depth", "block", by: compatible)
    try refused("--compat", "iglens", "--paths", "all", by: compatible)
    try refused("--compat", "iglens", "--check", by: compatible)
    let estimator =
      "--estimator is for whole layers on the chain; parts and other paths have integrals of their "
      + "own (--tol): leave one out."
    try refused("--estimator", "gauss", "--neurons", "1", by: estimator)
    try refused("--estimator", "gradient", "--path", "straight", by: estimator)
    try refused("--estimator", "gauss", "--check", by: estimator)
    try refused(
      "--path", "shapley", "--check",
      by: "--check predicts with a path's gradient, and --path shapley has no one gradient; use "
        + "--path chain or straight.")
    try refused(
      "--path", "shapley", "--depth", "head",
      by:
        "--path shapley has a value for each layer but no one gradient to split it by; use --depth "
        + "layer, or --path chain or straight.")
  }
}
