import Attribution
import Checkpoints
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// A tiny random model with prompts for it.
struct CircuitFixture: CustomTestStringConvertible, Sendable {
  let name: String

  init(_ name: String) { self.name = name }

  var testDescription: String { name }

  func model(_ type: ScalarType = .float64) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
  }

  /// Prompts of seven tokens, each with one or two tokens changed.
  let pairs = [
    PromptPair(
      clean: [5, 17, 9, 33, 9, 21, 12], patch: [5, 40, 9, 33, 9, 21, 12], answer: 3, versus: 8),
    PromptPair(
      clean: [7, 2, 30, 4, 41, 6, 12], patch: [7, 2, 31, 4, 19, 6, 12], answer: 8, versus: 3),
    PromptPair(
      clean: [11, 22, 33, 44, 1, 2, 3], patch: [11, 22, 33, 44, 1, 2, 50], answer: 20, versus: 21),
  ]

  /// Pre-norm, parallel, post-norm at the branches' ends, sandwich, grouped heads, both ways.
  static let families = [
    "gpt2", "llama-grouped-untied", "gemma2", "olmo2", "gpt-neox", "stablelm-parallel", "qwen3",
    "bert",
  ].map(CircuitFixture.init)
}

/// Reproducible scores that know nothing.
func randomScores(
  _ kind: UnitKind, _ model: any LanguageModel, positions: Int = 7, sums: Bool = false
) -> UnitScores {
  var random = SeededGenerator(seed: 5)
  let count = (sums ? 1 : positions) * kind.count(in: model.shape)
  return UnitScores(
    kind: kind,
    values: (0..<model.shape.layers).map { _ in
      (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    }, units: kind.count(in: model.shape), sumsPositions: sums,
    passes: .init(forward: 0, backward: 0))
}

/// m of one prompt in an ordinary run in which values are changed as a dictionary says, number by number.
func slowMetric(
  _ pair: PromptPair, _ ids: [Int]? = nil, in model: any LanguageModel,
  changing: [Site: ([Double]) -> [Double]] = [:]
) throws -> Double {
  let run = try model.run(
    [ids ?? pair.clean], capturing: [.logits],
    pass: Pass(sites: Set(changing.keys)) { site, value in
      guard let change = changing[site], let numbers = try? value.values() else { return value }
      return Tensor(change(numbers), value.shape, value.type)
    })
  let logits = try run.activations[.logits].values()
  let row = logits.suffix(model.shape.vocabulary)
  let first = row.startIndex
  return row[first + pair.answer] - (pair.versus.map { row[first + $0] } ?? 0)
}

/// The values of one prompt at a site, one number after another.
func slowValues(_ site: Site, _ ids: [Int], in model: any LanguageModel) throws -> [Double] {
  try model.run([ids], capturing: [site]).activations[site].values()
}
