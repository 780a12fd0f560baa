import Foundation
import Results
import Testing

/// What each option changes, on a tiny model.
@Suite("Options")
struct OptionTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func explain(_ words: String..., input: String = "") throws -> ExplainResult {
    let outcome = try Command.run(
      ["explain", "--model", model.path, "--json", "-"] + words, input: Data(input.utf8))
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }

  /// baseline + Σ of every explanation is its last lens and the model's own value.
  private func expectSums(
    _ result: ExplainResult, within tolerance: Double = 1e-6,
    at place: SourceLocation = #_sourceLocation
  ) {
    #expect(!result.explanations.isEmpty, sourceLocation: place)
    for explanation in result.explanations {
      let sum = explanation.attributions.reduce(0) { $0 + $1.value }
      let (scale, total) = (1 + abs(explanation.modelValue), explanation.baselineValue + sum)
      #expect(abs(explanation.sum - sum) <= 1e-12 * scale, sourceLocation: place)
      #expect(abs(total - explanation.modelValue) <= tolerance * scale, sourceLocation: place)
      #expect(
        abs(explanation.certificate - (total - explanation.modelValue)) <= 1e-12 * scale,
        sourceLocation: place)
    }
  }

  @Test(
    "Every target is split over the layers without rest",
    arguments: ["prob", "logprob", "logit", "prob-diff:a", "logit-diff:a", "entropy", "kl"])
  func targets(_ target: String) throws {
    let result = try explain("--target", target, "--answer", "b", "Is it")
    #expect(result.method.target == target.split(separator: ":")[0])
    #expect(result.explanations[0].target.versus?.text == (target.contains(":") ? "a" : nil))
    expectSums(result)
  }

  @Test(
    "Every baseline is where the sum begins",
    arguments: ["mean", "mean-all", "mean-nosink", "zero", "embedding", "final-of:Or so"])
  func baselines(_ baseline: String) throws {
    let result = try explain("--baseline", baseline, "--answer", "b", "Is it")
    #expect(result.method.baseline == baseline.split(separator: ":")[0])
    #expect(result.baselineText == (baseline.contains(":") ? "Or so" : nil))
    expectSums(result)
  }

  @Test("Every estimator gives the same sum, in its own number of nodes")
  func estimators() throws {
    let observed = try explain("--answer", "b", "Is it")
    #expect(observed.method.estimator == "observed" && observed.method.nodes == nil)
    let choices: [([String], Int?, Double)] = [
      (["gradient"], 64, 1e-4), (["gradient", "--nodes", "512"], 512, 1e-6), (["gauss"], 16, 1e-6),
      (["gauss", "--nodes", "8"], 8, 1e-6), (["gauss", "--tol", "1e-7"], nil, 1e-6),
    ]
    for (words, nodes, tolerance) in choices {
      let outcome = try Command.run(
        ["explain", "--model", model.path, "--json", "-", "--answer", "b", "--estimator"] + words
          + ["Is it"])
      let result = try outcome.result()
      #expect(result.method.estimator == words[0] && result.method.nodes == nodes)
      expectSums(result, within: tolerance)
      #expect(
        abs(result.explanations[0].sum - observed.explanations[0].sum) <= tolerance)
    }
  }

  @Test("--layers takes numbers and 'embedding', and the last is always among them")
  func layers() throws {
    func chosen(_ words: String...) throws -> [Int] {
      let result = try Command.run(
        ["explain", "--model", model.path, "--json", "-", "--answer", "b"] + words + ["Is it"]
      ).result()
      expectSums(result)
      #expect(result.explanations[0].attributions.map(\.layer) == result.method.layers)
      return result.method.layers
    }
    #expect(try chosen() == [0, 1])
    #expect(try chosen("--layers", "embedding") == [-1, 1])
    #expect(try chosen("--layers", "embedding", "0") == [-1, 0, 1])
    #expect(try chosen("--layers", "0,embedding") == [-1, 0, 1])
    #expect(try chosen("--layers=1") == [1])
    #expect(try chosen("--k", "1") == [1])
    #expect(try chosen("--k", "2") == [0, 1])
  }

  @Test("--ids gives the same as the text they stand for")
  func ids() throws {
    let text = try explain("--answer", "b", "Is it")
    let ids = text.tokens.prefix(text.promptTokens).map { String($0.id) }
    #expect(ids == ["40", "82", "94", "72", "83"])
    let given = try Command.run(
      ["explain", "--model", model.path, "--json", "-", "--answer", "b", "--ids"] + ids
    ).result()
    #expect(given.prompt == "Is it" && given.tokens == text.tokens)
    #expect(given.explanations == text.explanations)
    #expect(try explain("--answer", "b", "--ids", ids.joined(separator: ",")).tokens == text.tokens)
  }

  @Test(
    "--bos begins with the beginning-of-text token, --no-bos and the default of this model do not")
  func beginning() throws {
    let plain = try explain("--answer", "b", "Is it")
    #expect(try explain("--no-bos", "--answer", "b", "Is it").explanations == plain.explanations)
    let begun = try explain("--bos", "--answer", "b", "Is it")
    #expect(begun.tokens.map(\.text) == ["<s>"] + plain.tokens.map(\.text))
    #expect(begun.explanations[0].position == plain.explanations[0].position + 1)
    #expect(begun.explanations[0].modelValue != plain.explanations[0].modelValue)
    #expect(begun.warnings == plain.warnings)
  }

  @Test("--every-token explains each next token, --position the predictions at these positions")
  func positions() throws {
    let every = try explain("--every-token", "Is it")
    #expect(every.promptTokens == every.tokens.count)
    #expect(every.explanations.map(\.position) == [0, 1, 2, 3])
    #expect(every.explanations.map(\.target.text) == ["s", " ", "i", "t"])
    expectSums(every)
    let some = try explain("--position", "3", "1", "--", "Is it")
    #expect(some.explanations == [every.explanations[1], every.explanations[3]])
    let last = try explain("--position", "4", "--", "Is it").explanations[0]
    let greedy = try explain("--max-new-tokens", "1", "Is it").explanations[0]
    #expect(last.target == greedy.target)
    #expect(abs(last.modelValue - greedy.modelValue) <= 1e-6)
    #expect(greedy.attributions.last?.rank == 1)
  }

  @Test("--contrast sets the same continuation after another prompt beside it")
  func contrast() throws {
    let result = try explain("--answer", "b", "--contrast", "Was it", "Is it")
    let other = try explain("--answer", "b", "Was it").explanations[0]
    #expect(result.contrast?.prompt == "Was it" && result.contrast?.promptTokens == 6)
    var before = 0.0
    for (layer, there) in zip(result.explanations[0].attributions, other.attributions) {
      let (lens, difference) = (try #require(layer.contrastLens), layer.lens - there.lens)
      #expect(abs(lens - there.lens) <= 1e-9)
      #expect(abs(try #require(layer.contrastDifference) - difference) <= 1e-9)
      #expect(abs(try #require(layer.contrastIncrement) - (difference - before)) <= 1e-9)
      before = difference
    }
    let ids = try explain("--answer", "b", "--contrast", "Was it", "--ids", "40,82,94,72,83")
    #expect(ids.explanations == result.explanations && ids.contrast == result.contrast)
  }

  @Test("--top is how many tokens are listed, --onset the share that the onset layer reaches")
  func topAndOnset() throws {
    let result = try explain("--top", "7", "--onset", "1", "--answer", "b", "Is it")
    #expect(result.explanations[0].attributions.allSatisfy { $0.top?.count == 7 })
    #expect(result.method.onsetFraction == 1 && result.explanations[0].onsetLayer == 1)
    let none = try explain("--top", "0", "--answer", "b", "Is it")
    #expect(none.explanations[0].attributions.allSatisfy { $0.top == [] })
    #expect(none.method.onsetFraction == 0.5)
  }

  @Test("--dtype and --threads change the arithmetic, not the result")
  func arithmetic() throws {
    let single = try explain("--answer", "b", "Is it")
    let double = try explain("--dtype", "float64", "--threads", "1", "--answer", "b", "Is it")
    #expect(single.model.dtype == "float32" && double.model.dtype == "float64")
    expectSums(double, within: 1e-12)
    #expect(
      abs(single.explanations[0].modelValue - double.explanations[0].modelValue) <= 1e-6)
    for (type, tolerance) in [("bfloat16", 1e-2), ("float16", 2e-3)] {
      let half = try explain("--dtype", type, "--answer", "b", "Is it")
      #expect(half.model.dtype == type)
      let error = abs(half.explanations[0].modelValue - double.explanations[0].modelValue)
      #expect(error > 1e-7 && error <= tolerance, "\(type): \(error)")
    }
  }

  @Test("GPT-2 folders and shards are explained too", arguments: ["gpt2", "llama-sharded"])
  func families(_ fixture: String) throws {
    let other = try TinyModel(fixture)
    let result = try Command.result("--model", other.path, "--answer", "b", "Is it")
    #expect(result.model.name == other.name && result.model.sha256.count == 64)
    expectSums(result)
  }
}
