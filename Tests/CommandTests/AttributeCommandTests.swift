import Foundation
import Results
import TestSupport
import Testing

@Suite("telescope attribute")
struct AttributeCommandTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func attribute(_ words: [String]) throws -> Outcome {
    try Command.run(["attribute", "--model", model.path, "--threads", "1"] + words)
  }

  private func result(_ words: String...) throws -> AttributionResult {
    let outcome = try attribute(words + ["--json", "-", "--reproducible", "--dtype", "float64"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try AttributionResult.decoded(from: outcome.output)
  }

  private func sum(_ scores: AttributionScores) -> Double { scores.array.values.reduce(0, +) }

  @Test(
    "Scores of tokens sum to the metric's change, or say why they do not",
    arguments: [
      "saliency", "smoothgrad", "gradient-x-input", "ig", "expected-gradients", "idgi", "dig",
      "sequential-ig", "relp", "atp", "eap-ig", "clean-corrupted", "conductance",
      "internal-influence",
    ])
  func tokens(method: String) throws {
    let compares = !["saliency", "smoothgrad", "gradient-x-input"].contains(method)
    let contrast = compares ? ["--contrast", "abxd"] : []
    let outcome = try attribute(
      [method, "--units", "token"] + contrast
        + ["--json", "-", "--reproducible", "--dtype", "float64", "abcd"])
    #expect(outcome.errors == "" && outcome.code == 0)
    let found = try AttributionResult.decoded(from: outcome.output)
    #expect(found.method.name == method && found.tokens.count == 4)
    #expect((found.contrast?.text == "abxd") == compares)
    let scores = try #require(found.scores.first)
    #expect(scores.unit == "token" && scores.array.axes == ["position"])
    // Texts are the same but for one token, and nothing later is seen before it.
    // Slopes are there where nothing moves; differences are not.
    if compares, !["idgi", "internal-influence"].contains(method) {
      #expect(scores.array.values[0] == 0 && scores.array.values[1] == 0)
    }
    #expect(scores.array.values[2] != 0)
    if let certificate = scores.certificates?.first {
      #expect(abs(sum(scores) - certificate.sum) < 1e-12)
      #expect(
        !["saliency", "smoothgrad", "gradient-x-input", "relp", "atp"].contains(method)
      )
      if let start = found.metric.start, method != "sequential-ig" {
        #expect(abs(certificate.expected - (found.metric.value - start)) < 1e-12)
      }
      if ["ig", "idgi", "conductance"].contains(method) {
        #expect(certificate.residual < 1e-2 * (1 + abs(certificate.expected)))
      }
    } else {
      #expect(scores.reason?.isEmpty == false)
    }
  }

  @Test("Units are those asked for, from one run, and heads and neurons sum to their branches")
  func units() throws {
    let found = try result("atp", "--units", "all", "--contrast", "abxd", "abcd")
    #expect(
      found.scores.map(\.unit) == ["token", "residual", "attention", "mlp", "head", "neuron"])
    #expect(found.passes == PassCount(forward: 2, backward: 1))
    func scores(_ unit: String) throws -> AxisArray {
      try #require(found.scores.first { $0.unit == unit }).array
    }
    let (attention, heads) = (try scores("attention"), try scores("head"))
    let (mlp, neurons) = (try scores("mlp"), try scores("neuron"))
    #expect(heads.axes == ["layer", "position", "head"])
    for layer in 0..<attention.shape[0] {
      for position in 0..<4 {
        let sum = (0..<heads.shape[2]).reduce(0) { $0 + heads[layer, position, $1] }
        #expect(abs(sum - attention[layer, position]) < 1e-10)
        #expect(abs(neurons[layer, position] - mlp[layer, position]) < 1e-10)
      }
    }
    let top = try #require(found.scores.last?.top)
    #expect(zip(top, top.dropFirst()).allSatisfy { abs($0.score) >= abs($1.score) })
  }

  @Test("Relevances sum to the logit less what biases hold, at every layer, in one pass each way")
  func relevance() throws {
    let found = try result("relp", "--units", "token,residual", "--answer", "q", "abcd")
    #expect(found.passes == PassCount(forward: 1, backward: 1))
    for scores in found.scores {
      for certificate in try #require(scores.certificates) {
        #expect(abs(certificate.expected - found.metric.value) < 1e-12)
        #expect(certificate.residual < 1e-10 * (1 + abs(certificate.expected)))
      }
    }
    let bent = try result("relp", "--rules", "norm=frozen", "--units", "token", "abcd")
    #expect(bent.method.rules == "norm=frozen" && bent.scores[0].certificates == nil)
  }

  @Test("A tolerance that was not met is warned of")
  func tolerance() throws {
    let words = ["ig", "--dtype", "float32", "--contrast", "abxd", "--tol"]
    let kept = try attribute(words + ["1e-3", "--quiet", "abcd"])
    #expect(!kept.text.contains("warning"))
    let missed = try attribute(words + ["1e-12", "--quiet", "abcd"])
    #expect(
      missed.text.replacing("\n ", with: "").contains(
        "and the tolerance is 1.0e-12: 512 nodes, or the model's type, go no further. Ask for less, or take --dtype "
          + "float64."), "\(missed.text)")
  }

  @Test("All sites moved together have scores, the embeddings among them")
  func together() throws {
    let found = try result(
      "ig-activations", "--scope", "all", "--units", "token,mlp", "--contrast", "abxd", "abcd")
    #expect(found.scores.map(\.unit) == ["token", "mlp"])
    #expect(found.scores.allSatisfy { $0.array.values.contains { $0 != 0 } })
    #expect(found.scores[0].array.values[0] == 0 && found.scores[0].array.values[2] != 0)
  }

  @Test("Attention methods follow the position asked for")
  func attention() throws {
    for method in ["rollout", "attention-flow", "information-flow"] {
      let found = try result(method, "--units", "token", "--position", "1", "abcd")
      #expect(found.metric.position == 1)
      #expect(found.scores[0].array.values[2...].allSatisfy { $0 == 0 })
      #expect(found.scores[0].array.values[0] > 0)
    }
    let norms = try result("attention-norms", "--norms", "weighted", "abcd")
    #expect(norms.scores[0].unit == "attention")
    let occlusion = try result("occlusion", "--baseline", "mean", "abcd")
    let sequential = try result("sequential-ig", "--baseline", "mean", "--steps", "200", "abcd")
    let pairs = zip(occlusion.scores[0].array.values, sequential.scores[0].array.values)
    #expect(pairs.allSatisfy { abs($0 - $1) < 1e-3 * (1 + abs($0)) })
  }

  @Test("The same words give the same bytes, on screen and as a table")
  func reproducible() throws {
    for words in [["smoothgrad", "--seed", "3"], ["expected-gradients", "--hold", "0"]] {
      let once = try attribute(words + ["--csv", "-", "abcd"])
      let twice = try attribute(words + ["--csv", "-", "abcd"])
      #expect(once.output == twice.output && once.code == 0 && !once.output.isEmpty)
    }
    let screen = try attribute(["ig", "--contrast", "abxd", "abcd", "--quiet"])
    #expect(screen.code == 0 && screen.text.contains("sums to") && !screen.text.contains("\u{1B}"))
  }

  @Test(
    "What cannot be meant is refused with what to do",
    arguments: [
      (
        ["abcd"],
        "There is no method 'abcd'; the methods are saliency, smoothgrad, gradient-x-input, ig, "
          + "expected-gradients, idgi, dig, sequential-ig, relp, atp, eap-ig, clean-corrupted, conductance, "
          + "neuron-conductance, internal-influence, ig-activations, occlusion, rollout, attention-flow, "
          + "attention-norms, information-flow."
      ),
      (
        ["saliency", "--steps", "3", "abcd"],
        "--steps is no option of saliency, which has none of its own; leave it out."
      ),
      (
        ["relp", "--steps", "3", "abcd"],
        "--steps is no option of relp; it has --at, --rules."
      ),
      (
        ["rollout", "--answer", "q", "abcd"],
        "rollout knows nothing of --answer, and would give the same without; leave it out."
      ),
      (
        ["saliency", "--contrast", "abxd", "abcd"],
        "saliency knows nothing of --contrast, and would give the same without; leave it out."
      ),
      (
        ["ig", "--contrast", "abx", "abcd"],
        "The text has 4 tokens and the contrast 3; positions are compared one by one, so give a contrast of as "
          + "many tokens."
      ),
      (
        ["ig", "--answer", "q", "--contrast", "abc", "abcd"],
        "The text has 4 tokens and the contrast 3; positions are compared one by one, so give a contrast of as "
          + "many tokens."
      ),
      (
        ["relp", "--answer", "q", "--contrast", "", "abcd"],
        "The text has 4 tokens and the contrast 0; positions are compared one by one, so give a contrast of as "
          + "many tokens."
      ),
      (
        ["gradient-x-input", "--contrast", "abxd", "abcd"],
        "gradient-x-input knows nothing of --contrast, and would give the same without; leave it out."
      ),
      (
        ["ig", "--contrast", "abxd", "--baseline", "mean", "abcd"],
        "Paths start from --contrast or from --baseline; give one."
      ),
      (
        ["ig", "--baseline", "nothing", "abcd"],
        "--baseline 'nothing': choose zero, mean or token:TEXT, or give --contrast."
      ),
      (
        ["ig", "--units", "head", "abcd"], "--units 'head': ig scores token, all."
      ),
      (
        ["ig", "--tol", "1e-3", "--steps", "4", "abcd"],
        "--tol finds the nodes, and --steps and --quadrature fix them; give one."
      ),
      (
        ["relp", "--rules", "nice", "abcd"],
        "--rules 'nice': give gradient, relp, relp-jafari, cp-lrp, or changes to the gradient such as "
          + "norm=frozen,pattern=frozen,product=half,activation=ratio."
      ),
      (
        ["relp", "--at", "patch", "abcd"],
        "There is no other run to take gradients at; give a contrast, or linearise at clean."
      ),
      (
        ["neuron-conductance", "abcd"],
        "neuron-conductance is of one neuron; name it by --neuron LAYER.NEURON@POSITION."
      ),
      (
        ["neuron-conductance", "--neuron", "0.999999@1", "abcd"],
        "Unit 999999 at position 1 is out of range; feed-forward.hidden.0 has units 0 to 35 at positions 0 to 3."
      ),
      (
        ["ig", "--hold", "9", "abcd"],
        "Position 9 cannot be held; the text has positions 0 to 3."
      ),
      (
        ["ig", "--position", "9", "abcd"],
        "Position 9 is out of range; the text has positions 0 to 3."
      ),
      (["ig"], "There is no text; give one in quotes, or - to read it from standard input."),
    ])
  func refusals(words: [String], message: String) throws {
    let outcome = try attribute(words + ["--quiet"])
    #expect(outcome.errors == "telescope: \(message)\n")
    #expect(outcome.code == 64 && outcome.output.isEmpty)
  }
}
