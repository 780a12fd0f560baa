import Attribution
import Checkpoints
import Foundation
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing
import Tokenization

@Suite("Verification")
struct VerificationTests {
  private static let ids = [3, 17, 4, 11, 5, 9, 2, 6]

  private func verified(_ model: any LanguageModel) throws -> VerifyResult {
    let tokenizer = try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: []))
    return try Verification(
      LoadedModel(model: model, tokenizer: tokenizer, name: "tiny"),
      on: .init(text: "", ids: Self.ids)
    ).verify()
  }

  private func network(_ name: String, _ type: ScalarType = .float64) throws -> Transformer {
    try #require(
      try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type) as? Transformer)
  }

  private func names(_ result: VerifyResult, _ verdict: Invariant.Verdict) -> Set<String> {
    Set(result.invariants.filter { $0.verdict == verdict }.map(\.name))
  }

  @Test(
    "Models of every wiring pass, in float32 and float64",
    arguments: [
      "gpt2", "llama-grouped-untied", "gemma2", "gpt-neox", "olmo2", "mistral-window", "mixtral",
      "qwen2-moe", "qwen3", "phi3", "mamba", "bert", "albert", "mpnet", "bert-headless",
    ], [ScalarType.float32, .float64])
  func passes(name: String, type: ScalarType) throws {
    let result = try verified(network(name, type))
    for invariant in result.invariants where invariant.verdict == .fail {
      Issue.record("\(name): \(invariant)")
    }
    #expect(result.passed && result.invariants.count == 25)
    #expect(result.model.dtype == type.name && result.tokens.map(\.id) == Self.ids)
    // What is measured is not simply nothing.
    #expect(result.invariants.contains { ($0.measured ?? 0) > 0 })
  }

  @Test("What says nothing of a model is told with its reason, and nothing else is left out")
  func reasons() throws {
    func reasons(_ name: String) throws -> [String: String] {
      Dictionary(
        uniqueKeysWithValues: try verified(network(name)).invariants.compactMap {
          $0.verdict == .none ? ($0.name, $0.detail ?? "") : nil
        })
    }
    #expect(try reasons("llama-tied").isEmpty)
    #expect(
      try reasons("gpt2") == [
        "scale": "the head is not linear after an RMS norm without bias"
      ])
    #expect(
      try reasons("mamba") == [
        "attention": "no block has an attention pattern",
        "replacement": "no block shows what its branches add",
        "updates": "no block has a rule that splits it", "heads": "no block shows its heads",
        "neurons": "no block shows its neurons",
        "rules forward": "layer 0 has a selective state space",
        "relevance": "layer 0 has a selective state space",
      ])
    let bert = try reasons("bert")
    #expect(
      Set(bert.keys) == ["cache", "replacement", "logit", "scale", "gradient"])
    #expect(bert["cache"] == "every position sees every other: nothing is kept")
    #expect(bert["logit"] == "the head has a nonlinear layer before its norm")
    let headless = try reasons("bert-headless")
    for name in ["read-out", "layers", "tree", "integral", "autograd"] {
      #expect(headless[name] == "the model has no language-model head")
    }
    for name in ["relevance", "differences"] {
      #expect(headless[name] == "there is no language-model head")
    }
  }

  @Test("A text too short to tell before from after is refused")
  func short() throws {
    let tokenizer = try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: []))
    let loaded = LoadedModel(model: try network("llama-tied"), tokenizer: tokenizer, name: "tiny")
    do {
      _ = try Verification(loaded, on: .init(text: "", ids: [1, 2]))
      Issue.record("two tokens were taken")
    } catch let error as AttributionError {
      #expect(
        error.message
          == "The text is 2 tokens long, and verifying needs at least 3; give a longer one.")
    }
  }

  // MARK: Broken models

  @Test("A model whose later tokens leak fails causality, the cache and the gradient")
  func leaking() throws {
    var broken = Broken(try network("llama-tied"))
    broken.change = { x, _ in
      // Every position gets a thousandth of the last one's state.
      x + x.slice(x.size(1) - 1..<x.size(1), along: 1) * 1e-3
    }
    let failed = names(try verified(broken), .fail)
    #expect(failed.isSuperset(of: ["causality", "cache", "gradient"]))
    #expect(failed.isDisjoint(with: ["repeat", "batch", "heads", "neurons", "read-out"]))
  }

  @Test("A model that forgets its cache fails the cache, and causality holds")
  func forgetful() throws {
    var broken = Broken(try network("llama-tied"))
    broken.forgets = true
    #expect(names(try verified(broken), .fail) == ["cache"])
  }

  @Test("A model whose texts of a batch mix fails the batch alone")
  func mixing() throws {
    var broken = Broken(try network("gpt2"))
    broken.change = { x, _ in
      x.size(0) == 1 ? x : x + x.mean(along: 0, keepingDimension: true) * 1e-4
    }
    #expect(names(try verified(broken), .fail) == ["batch"])
  }

  @Test("A model that never says the same twice fails the repetition")
  func moody() throws {
    var broken = Broken(try network("gpt2"))
    let count = Counter()
    broken.change = { x, _ in
      count.value += 1
      return x * (1 + 1e-6 * Double(count.value % 7))
    }
    #expect(names(try verified(broken), .fail).contains("repeat"))
  }

  @Test("A block whose stated rule has another projection fails the sums that use it")
  func wrongRule() throws {
    var broken = Broken(try network("llama-tied"))
    broken.rule = { rule in
      guard case .branches(var branches)? = rule else { return rule }
      branches.attention.output.weight = branches.attention.output.weight * 1.001
      return .branches(branches)
    }
    let failed = names(try verified(broken), .fail)
    #expect(failed.contains("heads") && failed.contains("tree"))
    #expect(failed.isDisjoint(with: ["updates", "neurons", "layers", "causality"]))
  }

  @Test("A post-norm block whose stated norms are exchanged fails its update")
  func wrongNorms() throws {
    var broken = Broken(try network("bert"))
    broken.rule = { rule in
      guard case .branches(var branches)? = rule, let norms = branches.norms else { return rule }
      branches.norms = PostNorms(attention: norms.feedForward, feedForward: norms.attention)
      return .branches(branches)
    }
    #expect(names(try verified(broken), .fail).contains("updates"))
  }

  @Test("A state that is not a number fails")
  func poisoned() throws {
    var broken = Broken(try network("gpt2"))
    broken.change = { x, _ in x * Double.nan }
    let result = try verified(broken)
    #expect(!result.passed && names(result, .fail).contains("finite"))
    #expect(names(result, .fail).contains("causality"))
  }

  @Test("A text read one way fails as one read both ways, and the other way round")
  func direction() throws {
    var decoder = Broken(try network("llama-tied"))
    decoder.isCausal = false
    #expect(names(try verified(decoder), .fail) == ["both-ways"])
    var encoder = Broken(try network("bert"))
    encoder.isCausal = true
    let failed = names(try verified(encoder), .fail)
    #expect(failed.contains("causality") && failed.contains("gradient"))
  }
}

private final class Counter {
  var value = 0
}

/// A model with something wrong at its end, its cache or what it says of its blocks.
private struct Broken: LanguageModel {
  var base: Transformer
  var isCausal: Bool
  var forgets = false
  /// Of the stream that the head receives.
  var change: (Tensor, [[Int]]) -> Tensor = { x, _ in x }
  var rule: (BlockRule?) -> BlockRule? = { $0 }

  init(_ base: Transformer) {
    self.base = base
    isCausal = base.isCausal
  }

  var shape: ModelShape { base.shape }
  var sites: Set<Site> { base.sites }
  var head: Unembedding? { base.head }
  var type: ScalarType { base.type }
  var device: Device { base.device }

  func rule(of layer: Int) -> BlockRule? { rule(base.rule(of: layer)) }

  func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
    let last = Site.residual(shape.layers - 1, .after)
    var changed = pass
    changed.sites.insert(last)
    changed.visit = { site, value in
      guard site == last else { return pass(site, value) }
      return pass(site, change(value, ids))
    }
    return base.forward(ids, cache: forgets || !base.isCausal ? nil : cache, pass: changed)
  }
}
