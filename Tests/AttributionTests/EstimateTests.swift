import Attribution
import Checkpoints
import LanguageModels
import TestSupport
import Testing
import Tokenization

@Suite("Estimate")
struct EstimateTests {
  private func explainer() throws -> Explainer {
    let network = try loadNetwork(of: Checkpoint(Fixtures.url("models/llama-grouped-untied")))
    let tokenizer = try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: []))
    return try Explainer(LoadedModel(model: network, tokenizer: tokenizer, name: "tiny"))
  }

  private let prompt = Explainer.Prompt(text: "", ids: [1, 2, 3, 4])

  @Test("Rows are predictions × (layers + baseline), and a continuation stops at the context")
  func counts() throws {
    let explainer = try explainer()
    var options = Explainer.Options()
    options.continuation = .answer([5, 6])
    #expect(try explainer.estimate(prompt, options).rows == 2 * 4)
    options.layers = .these([])
    #expect(try explainer.estimate(prompt, options).rows == 2 * 2)
    options.continuation = .greedy(atMost: 100_000)
    #expect(try explainer.estimate(prompt, options).predictions == 60)
    options.continuation = .everyToken
    #expect(try explainer.estimate(prompt, options).predictions == 3)
  }

  @Test("Nodes and a cache cost memory; multiplications do not grow with nodes")
  func costs() throws {
    let explainer = try explainer()
    var options = Explainer.Options()
    options.continuation = .answer([5, 6])
    let plain = try explainer.estimate(prompt, options)
    options.method.estimator = .gauss(nodes: 64)
    let gauss = try explainer.estimate(prompt, options)
    #expect(gauss.bytes > plain.bytes + 8 * 64 * 128)
    #expect(gauss.multiplications == plain.multiplications)
    // By hand: 6 positions through 3 blocks and 8 + 2 rows through the head.
    let block = 24 * (2 * 6 + 2 * 2) * 8 + 3 * 24 * 36
    #expect(plain.multiplications == Double(6 * 3 * block + 10 * 24 * 97))
  }
}
