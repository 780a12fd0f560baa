import Attribution
import Foundation
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// The default model against stored numbers of a float64 run of the Hugging Face implementation.
@Suite("SmolLM2 explained", .serialized)
struct SmolLM2Tests {
  static let file = Fixtures.checkout.appending(
    path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf")

  private let stored: JSON

  init() throws { stored = try reference("models/smollm2-reference.json") }

  private func load(_ type: ScalarType = .float32) throws -> LoadedModel {
    try LoadedModel(at: Self.file, type: type)
  }

  private func explain(
    _ loaded: LoadedModel, _ text: String, _ options: Explainer.Options
  ) throws -> ExplainResult {
    try Explainer(loaded).explain(
      .init(text: text, ids: loaded.tokenizer.encode(text).ids), options)
  }

  @Test(
    "Paris, layer by layer",
    arguments: [(ScalarType.float32, 2e-5), (.float64, 1e-10)])
  func paris(type: ScalarType, tolerance: Double) throws {
    let loaded = try load(type)
    var options = Explainer.Options()
    options.continuation = .answer(loaded.tokenizer.encode(" Paris").ids)
    let found = try explain(loaded, "The capital of France is", options).explanations[0]
    let expected = stored["float64"]?["france"]?["chain"]
    #expect(found.position == 4 && found.target.id == 7042)
    #expect(abs(found.modelValue - 0.77253) < 2e-5)
    for (key, values) in [
      ("observed", found.attributions.map(\.value)), ("lens", found.attributions.map(\.lens)),
      ("entropy", found.attributions.compactMap(\.entropy)),
    ] {
      #expect(distance(values, expected?[key]?.numbers ?? []).error < tolerance, "\(key)")
    }
    if type == .float64 {
      #expect(found.attributions.compactMap(\.rank) == expected?["rank"]?.integers)
    }
    #expect(found.onsetLayer == 29)
    #expect(abs(found.certificate) < 5e-5 * found.modelValue)

    options.method.estimator = .gauss(nodes: 16)
    let gauss = try explain(loaded, "The capital of France is", options).explanations[0]
    #expect(
      distance(gauss.attributions.map(\.value), expected?["gauss"]?.numbers ?? []).error
        < tolerance)
  }

  @Test("The published script's numbers, double norm and all")
  func compatible() throws {
    let loaded = try load()
    var options = Explainer.Options()
    options.compatible = true
    options.baseline = .meanAll
    options.layers = .evenly(6)
    options.continuation = .greedy(atMost: 8)
    let rows = stored["float64"]?["iglens"]?["rows"]?.array ?? []
    for (estimator, key) in [(Estimator.gradient(steps: 64), "gradient"), (.observed, "observed")] {
      options.method.estimator = estimator
      let result = try explain(loaded, "The capital of France is", options)
      #expect(result.method.layers == [1, 7, 13, 18, 24, 30])
      #expect(result.explanations.count == 8)
      for (found, row) in zip(result.explanations, rows) {
        #expect(
          distance(found.attributions.map(\.value), row[key]?.numbers ?? []).error < 1e-4)
      }
      let first = try #require(result.explanations.first?.attributions.last)
      #expect(abs(first.lens - 0.0055) < 1e-4)
    }
  }

  @Test("Eiffel Tower: the three most probable tokens")
  func eiffel() throws {
    let loaded = try load()
    var options = Explainer.Options()
    options.continuation = .greedy(atMost: 1)
    let result = try explain(loaded, "The Eiffel Tower is in the city of", options)
    let top = try #require(result.explanations[0].attributions.last?.top)
    #expect(top.prefix(3).map(\.text) == [" Paris", " Rome", " Barcelona"])
    #expect(
      distance(top.prefix(3).map(\.probability), [0.65616, 0.03769, 0.03208]).error < 1e-4)
  }

  @Test("500 ordinary tokens: probabilities within 5e-5 of float64, and each certificate")
  func ordinary() throws {
    let loaded = try load()
    let ids = stored["ordinary"]?["ids"]?.integers ?? []
    let expected = stored["ordinary"]?["probabilities"]?.numbers ?? []
    #expect(expected.count == 500)
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.layers = .these([])
    let result = try Explainer(loaded).explain(.init(text: "", ids: ids), options)
    var worst = 0.0
    var worstReadout = 0.0
    for (found, probability) in zip(result.explanations, expected) {
      worst = max(worst, abs(found.modelValue - probability) / probability)
      worstReadout = max(worstReadout, abs(found.certificate) / probability)
    }
    #expect(worst < 5e-5, "the worst relative error is \(worst)")
    #expect(worstReadout < 5e-5, "the worst certificate is \(worstReadout)")
  }

  @Test("One thread and two give the same numbers to 1e-6")
  func threads() throws {
    let loaded = try load()
    var options = Explainer.Options()
    options.continuation = .answer(loaded.tokenizer.encode(" Paris.").ids)
    let before = Engine.threads
    defer { Engine.threads = before }
    let found = try [1, 2].map { count in
      Engine.threads = count
      return try explain(loaded, "The capital of France is", options).explanations
    }
    for (one, two) in zip(found[0], found[1]) {
      #expect(
        distance(one.attributions.map(\.value), two.attributions.map(\.value)).error < 1e-6)
    }
  }
}
