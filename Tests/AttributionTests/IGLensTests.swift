import Attribution
import Checkpoints
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// IG-Lens against a slow implementation from the definition: autograd at every node, plain loops.
@Suite("IG-Lens against its definition")
struct IGLensTests {
  static let models = ["llama-grouped-untied", "qwen2", "gpt2"]
  static let targets: [Target] = [
    .probability, .logProbability, .logit, .probabilityDifference, .logitDifference, .entropy,
    .divergence,
  ]
  static let estimators: [(name: String, estimator: Estimator)] = [
    ("observed", .observed), ("gradient", .gradient(steps: 64)), ("gauss", .gauss(nodes: 16)),
  ]

  let tokenizer: Tokenizer

  init() throws {
    // Any tokenizer serves: these models are asked in ids.
    tokenizer = try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: []))
  }

  private func explainer(_ name: String, _ type: ScalarType = .float64) throws -> Explainer {
    let network = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
    return try Explainer(LoadedModel(model: network, tokenizer: tokenizer, name: name))
  }

  private func baselines(_ stored: JSON) -> [(Baseline, [Int])] {
    [
      (.mean, []), (.meanAll, []), (.meanWithoutSink, []), (.zero, []), (.embedding, []),
      (.finalOf("other"), stored["other_ids"]?.integers ?? []),
    ]
  }

  @Test(
    "Every baseline, target, estimator and choice of layers, in float64", arguments: models,
    estimators.map(\.name))
  func everything(name: String, estimator: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.method.estimator =
      Self.estimators.first { $0.name == estimator }?.estimator ?? .observed
    var compared = 0
    for test in stored["cases"]?.array ?? [] {
      options.layers = .these(test["layers"]?.integers ?? [])
      options.versus = test["versus"]?.integer
      let position = test["position"]?.integer ?? -1
      for (baseline, baselineIDs) in baselines(stored) {
        options.baseline = baseline
        options.baselineIDs = baselineIDs
        for target in Self.targets {
          guard let expected = test["baselines"]?[baseline.name]?[target.name] else {
            #expect(baseline == .meanWithoutSink && position == 0)
            continue
          }
          options.method.target = target
          let result = try explainer.explain(.init(text: "", ids: ids), options)
          let found = try #require(result.explanations.first { $0.position == position })
          let label = "\(name) at \(position), \(baseline.name), \(target.name)"
          #expect(
            distance(found.attributions.map(\.value), expected[estimator]?.numbers ?? []).error
              < 1e-9, "\(label): attributions")
          #expect(
            distance(
              [found.baselineValue, found.modelValue],
              [
                expected["baseline_value"]?.double ?? .nan,
                test["model_value"]?[target.name]?.double ?? .nan,
              ]
            ).error < 1e-10, "\(label): ends")
          #expect(
            distance(found.attributions.map(\.lens), test["lens"]?[target.name]?.numbers ?? [])
              .error < 1e-10, "\(label): lens")
          #expect(found.attributions.compactMap(\.rank) == test["rank"]?.integers)
          #expect(
            distance(found.attributions.compactMap(\.entropy), test["entropy"]?.numbers ?? []).error
              < 1e-10)
          for (row, top) in zip(found.attributions, test["top"]?.array ?? []) {
            #expect(row.top?.map(\.id) == top.array?.compactMap { $0[0]?.integer })
          }
          if estimator == "observed" {
            #expect(found.onsetLayer == expected["onset"]?.integer, "\(label): onset")
            #expect(abs(found.certificate) < 1e-12 * (1 + abs(found.modelValue)))
          }
          compared += 1
        }
      }
    }
    #expect(compared >= 400)
  }

  @Test("The adaptive estimator meets its tolerance or says that it does not", arguments: models)
  func adaptive(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.method.estimator = .adaptive(tolerance: 1e-6)
    for (baseline, ids) in baselines(stored) {
      options.baseline = baseline
      options.baselineIDs = ids
      let result = try explainer.explain(
        .init(text: "", ids: stored["ids"]?.integers ?? []), options)
      var exact = options
      exact.method.estimator = .observed
      let observed = try explainer.explain(
        .init(text: "", ids: stored["ids"]?.integers ?? []), exact)
      for (found, known) in zip(result.explanations, observed.explanations) {
        let total = known.attributions.reduce(0) { $0 + abs($1.value) }
        for (part, whole) in zip(found.attributions, known.attributions) {
          let meets =
            abs(part.value - whole.value) <= 1e-6 * max(abs(whole.value), 0.01 * total)
          #expect(part.converged == meets)
          #expect(meets, "\(baseline.name): \(part.value) for \(whole.value)")
          #expect((part.nodes ?? 0) >= 8)
        }
      }
    }
  }

  @Test("The published script's numbers", arguments: models)
  func compatible(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    let count = stored["prompt_tokens"]?.integer ?? 0
    for entry in stored["iglens"]?.array ?? [] {
      for (estimator, key) in [
        (Estimator.gradient(steps: 64), "gradient"), (.observed, "observed"),
      ] {
        var options = Explainer.Options()
        options.compatible = true
        options.baseline = .meanAll
        options.layers = .these(entry["states"]?.integers ?? [])
        options.continuation = .answer(Array(ids[count...]))
        options.method.estimator = estimator
        let result = try explainer.explain(.init(text: "", ids: Array(ids[..<count])), options)
        let rows = entry["rows"]?.array ?? []
        #expect(rows.count >= 4)
        for (found, row) in zip(result.explanations, rows) {
          #expect(found.position == row["position"]?.integer)
          let expected = (row[key]?.numbers ?? []) + [row["final"]?.double ?? .nan]
          let values = found.attributions.map(\.value) + [found.attributions.last?.lens ?? .nan]
          #expect(distance(values, expected).error < 1e-10)
          // The trap: these states do not end at the model's probability.
          #expect(abs(found.modelValue - (row["final"]?.double ?? .nan)) > 1e-6)
        }
      }
    }
  }

  @Test("A span is the sum of its tokens' log-probabilities", arguments: models)
  func span(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    let count = stored["prompt_tokens"]?.integer ?? 0
    for (baseline, baselineIDs) in baselines(stored) {
      for (key, estimator) in Self.estimators {
        var options = Explainer.Options()
        options.continuation = .answer(Array(ids[count...]))
        options.baseline = baseline
        options.baselineIDs = baselineIDs
        options.method.estimator = estimator
        let result = try explainer.explain(.init(text: "", ids: Array(ids[..<count])), options)
        let found = try #require(result.explanations.last)
        #expect(found.target.span?.map(\.id) == Array(ids[count...]))
        let expected = stored["span"]?["baselines"]?[baseline.name]
        #expect(
          distance(found.attributions.map(\.value), expected?[key]?.numbers ?? []).error < 1e-9)
        #expect(
          distance(found.attributions.map(\.lens), stored["span"]?["lens"]?.numbers ?? []).error
            < 1e-10)
        #expect(
          distance([found.baselineValue], [expected?["baseline_value"]?.double ?? .nan]).error
            < 1e-10)
      }
    }
  }

  @Test("A contrast reads the same continuation after another prompt", arguments: models)
  func contrast(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    let count = stored["prompt_tokens"]?.integer ?? 0
    var options = Explainer.Options()
    options.continuation = .answer([ids[count]])
    options.contrast = .init(text: "", ids: stored["other_ids"]?.integers ?? [])
    let result = try explainer.explain(.init(text: "", ids: Array(ids[..<count])), options)
    let rows = result.explanations[0].attributions
    let lens = stored["contrast"]?["lens"]?.numbers ?? []
    let other = stored["contrast"]?["contrast_lens"]?.numbers ?? []
    #expect(distance(rows.map(\.lens), lens).error < 1e-10)
    #expect(distance(rows.compactMap(\.contrastLens), other).error < 1e-10)
    let differences = zip(lens, other).map { $0 - $1 }
    #expect(distance(rows.compactMap(\.contrastDifference), differences).error < 1e-10)
    let increments = zip(differences, [0] + differences).map { $0 - $1 }
    #expect(distance(rows.compactMap(\.contrastIncrement), increments).error < 1e-10)
  }

  @Test("Generating and being given the same continuation explain it alike", arguments: models)
  func generated(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    let count = stored["prompt_tokens"]?.integer ?? 0
    let prompt = Explainer.Prompt(text: "", ids: Array(ids[..<count]))
    for baseline in [Baseline.mean, .meanAll] {
      var options = Explainer.Options()
      options.baseline = baseline
      options.continuation = .greedy(atMost: ids.count - count)
      let greedy = try explainer.explain(prompt, options)
      options.continuation = .answer(Array(ids[count...]))
      let given = try explainer.explain(prompt, options)
      #expect(greedy.tokens.map(\.id) == ids)
      for (one, other) in zip(greedy.explanations, given.explanations) {
        #expect(
          distance(one.attributions.map(\.value), other.attributions.map(\.value)).error < 1e-12)
        #expect(abs(one.certificate) < 1e-12)
      }
    }
  }

  @Test("Later tokens change nothing, however rows are grouped", arguments: models)
  func independence(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let explainer = try explainer(name)
    let ids = stored["ids"]?.integers ?? []
    var options = Explainer.Options()
    options.continuation = .everyToken
    let whole = try explainer.explain(.init(text: "", ids: ids), options)
    options.memory = 180_000
    let grouped = try explainer.explain(.init(text: "", ids: Array(ids.prefix(7))), options)
    #expect(grouped.explanations.count == 6)
    for (one, other) in zip(whole.explanations, grouped.explanations) {
      #expect(
        distance(one.attributions.map(\.value), other.attributions.map(\.value)).error < 1e-12)
    }
  }

  @Test("float32 stays close to float64", arguments: models)
  func precision(name: String) throws {
    let stored = try reference("models/\(name)/iglens-reference.json")
    let ids = stored["ids"]?.integers ?? []
    var options = Explainer.Options()
    options.continuation = .everyToken
    for estimator in [Estimator.observed, .gauss(nodes: 16)] {
      options.method.estimator = estimator
      let wide = try explainer(name, .float64).explain(.init(text: "", ids: ids), options)
      let narrow = try explainer(name, .float32).explain(.init(text: "", ids: ids), options)
      for (one, other) in zip(wide.explanations, narrow.explanations) {
        #expect(
          distance(other.attributions.map(\.value), one.attributions.map(\.value)).error < 1e-5)
        #expect(abs(other.certificate) < 1e-5 || estimator != .observed)
      }
    }
  }
}
