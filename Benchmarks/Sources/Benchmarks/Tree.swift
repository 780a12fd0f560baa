import Foundation
import Telescope

// The probability tree, its certificate and its causal check, and the logit lens.

/// Options for the tree of a prompt's given answer.
func treeOptions(
  _ answer: [Int], depth: Depth = .head, rule: IntegralRule = .certified(tolerance: 1e-4)
) -> Explainer.Options {
  var options = Explainer.Options()
  options.continuation = .answer(answer)
  options.depth = depth
  options.rule = rule
  return options
}

/// The parts of every layer: attention, MLP and heads, in the order of the result.
func flattened(_ result: ExplainResult) -> [[[Double]]] {
  result.explanations.map { explanation in
    explanation.attributions.map { layer in
      (layer.parts ?? []).flatMap { [$0.value] + ($0.children ?? []).map(\.value) }
    }
  }
}

/// The share of certified layers that converged, and the most nodes that any took.
struct Certificate {
  var cells = 0
  var converged = 0
  var nodes: [Int: Int] = [:]

  mutating func add(_ nodes: [Int], _ converged: [Bool]) {
    for (count, isMet) in zip(nodes, converged) {
      cells += 1
      if isMet { self.converged += 1 }
      self.nodes[count, default: 0] += 1
    }
  }

  var share: Double { 100 * Double(converged) / Double(max(1, cells)) }
  var summary: String {
    nodes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
  }
}

@MainActor func treeBenchmarks() throws {
  let prompt = prompts[0]
  let ours = Explainer.Prompt(text: prompt.text, ids: prompt.ids)
  if wanted("tree to heads, 16 nodes, against autograd") {
    let twin = try Twin(
      python: python, script: reference.appending(path: "tree_twin.py"), model: modelFile,
      threads: threads)
    let request: [String: Any] = [
      "task": "tree", "ids": prompt.ids, "answer": prompt.answer, "nodes": 16, "rule": "gauss",
    ]
    let fixed = treeOptions(prompt.answer, rule: .fixed(nodes: 16))
    try checkTree(explainer.explain(ours, fixed), twin.ask(request))
    try compare(
      [
        (
          "tree to heads, 16 nodes, against autograd", 12, 20,
          { _ = try explainer.explain(ours, fixed) }
        )
      ], turns: turns
    ) { try twin.time(request) }
  }
  for prompt in prompts {
    let text = Explainer.Prompt(text: prompt.text, ids: prompt.ids)
    let tree = treeOptions(prompt.answer)
    try bound(
      "certified tree to heads over the plain layer map, \(prompt.tokens) tokens", "×", must: 2.5,
      aim: 1.8,
      values: ratios(turns: 4 * turns) {
        _ = try explainer.explain(text, tree)
      } over: {
        try explain(prompt, .observed)
      })
  }
  try bound(
    "peak memory, to neurons and source tokens, 1 token", "MB", must: 400, aim: 200, turns: 3
  ) { try child("--memory-of-tree") / 1e6 }

  try certificates()
  try precision()
  try ablations()
  try lens()
}

/// Both sides score the same parts.
@MainActor private func checkTree(_ result: ExplainResult, _ answer: [String: Any]) throws {
  let attention = answer["attention"] as? [[Double]] ?? []
  let mlp = answer["mlp"] as? [[Double]] ?? []
  let heads = answer["heads"] as? [[[Double]]] ?? []
  // The last explanation is the span of all tokens.
  let explanations = result.explanations.filter { $0.target.span == nil }
  guard heads.count == explanations.count else {
    throw Failure(description: "the tree's twin differs")
  }
  for (token, explanation) in explanations.enumerated() {
    for (layer, found) in explanation.attributions.enumerated() {
      for part in found.parts ?? [] {
        var pairs: [(Double, Double)] = []
        if part.kind == .attention {
          pairs = [(part.value, attention[token][layer])]
          pairs += (part.children ?? []).compactMap { child in
            child.head.map { (child.value, heads[token][layer][$0]) }
          }
        } else if part.kind == .mlp {
          pairs = [(part.value, mlp[token][layer])]
        }
        // Both are float32 with 16 nodes; a part may be several times the probability.
        if let worst = pairs.first(where: { abs($0.0 - $0.1) > 1e-3 }) {
          throw Failure(
            description: "token \(token), layer \(layer), \(part.kind): \(worst.0), \(worst.1)")
        }
      }
    }
  }
}

/// The ratio of two of our own tasks, turn by turn.
func ratios(
  turns: Int, _ task: () throws -> Void, over other: () throws -> Void
) throws -> [Double] {
  try task()
  try other()
  return try (0..<turns).map { _ in
    let first = try milliseconds(task)
    return try first / milliseconds(other)
  }
}

/// How many integrals converge, on ordinary text, for the default and for the other choices.
@MainActor private func certificates() throws {
  let text = try String(
    contentsOf: checkout.appending(path: "Tests/Fixtures/models/ordinary-text.txt"),
    encoding: .utf8)
  let ids = Array(loaded.tokenizer.encode(text).ids.prefix(101))
  let whole = Explainer.Prompt(text: text, ids: ids)
  var options = Explainer.Options()
  options.continuation = .everyToken
  options.depth = .head
  if wanted("certificate, layers after the first") {
    let result = try explainer.explain(whole, options)
    var later = Certificate()
    var first = Certificate()
    for explanation in result.explanations {
      let layers = explanation.attributions
      first.add([layers[0].nodes ?? 0], [layers[0].converged ?? false])
      later.add(
        layers.dropFirst().map { $0.nodes ?? 0 },
        layers.dropFirst().map { $0.converged ?? false })
    }
    say("nodes after the first layer: \(later.summary); first layer: \(first.summary)")
    bound(
      "certificate, layers after the first: cells that do not converge", "%", must: 0, aim: 0,
      values: [100 - later.share])
    bound(
      "certificate, layers after the first: most nodes", "nodes", must: 32, aim: 16,
      values: [Double(later.nodes.keys.max() ?? 0)])
    bound(
      "certificate, first layer: cells that do not converge", "%", must: 1, aim: 1,
      values: [100 - first.share])
  }
  guard wanted("other paths and baselines") else { return }
  // Every fifth position: these integrals are the slow ones.
  var others = Explainer.Options()
  others.continuation = .positions(Array(stride(from: 0, to: 100, by: 5)))
  others.depth = .block
  let baselines: [Baseline] = [.mean, .meanAll, .meanWithoutSink, .zero, .embedding]
  for path in [PathChoice.chain, .straight] {
    for baseline in baselines where path != .chain || baseline != .mean {
      others.path = path
      others.baseline = baseline
      let result = try explainer.explain(whole, others)
      var certificate = Certificate()
      for explanation in result.explanations {
        // A straight line is one integral, a chain one for each layer.
        let layers =
          path == .straight ? explanation.attributions.prefix(1) : explanation.attributions[...]
        certificate.add(layers.map { $0.nodes ?? 0 }, layers.map { $0.converged ?? false })
      }
      say("\(path.name)/\(baseline.name): \(certificate.summary)")
      bound(
        "other paths and baselines, \(path.name)/\(baseline.name): integrals that do not converge",
        "%", must: 100, aim: 1, values: [100 - certificate.share])
    }
  }
}

/// float32 beside the same code in float64, part by part.
@MainActor private func precision() throws {
  guard wanted("float32 parts against float64") else { return }
  let exact = try Explainer(LoadedModel(at: modelFile, type: .float64))
  let prompt = prompts[0]
  let ours = Explainer.Prompt(text: prompt.text, ids: prompt.ids)
  let narrow = try explainer.explain(ours, treeOptions(prompt.answer))
  let wide = try exact.explain(ours, treeOptions(prompt.answer))
  var worst = 0.0
  for (index, pair) in zip(flattened(narrow), flattened(wide)).enumerated() {
    let total = wide.explanations[index].attributions.reduce(0) { $0 + abs($1.value) }
    for (a, b) in zip(pair.0.joined(), pair.1.joined()) { worst = max(worst, abs(a - b) / total) }
  }
  bound(
    "float32 parts against float64, worst", "of Σ|A|", must: 1e-4, aim: 1e-5, values: [worst])
}

/// All single-layer ablations of one token, beside a forward pass of as many rows.
@MainActor private func ablations() throws {
  guard wanted("30 single-layer ablations over a pass of 30 rows") else { return }
  let model = loaded.model
  for prompt in prompts.prefix(2) {
    let text = prompt.ids + prompt.answer
    let position = prompt.ids.count - 1
    try withRecording(false) {
      let context = try model.rerunContext(of: text, at: [position])
      let nothing = [Double](repeating: 0, count: model.shape.width)
      let layers = (0..<model.shape.layers).map { Replacement(.layer($0), by: nothing) }
      let rows = Array((prompts.last?.ids ?? []).prefix(model.shape.layers))
      try bound(
        "30 single-layer ablations over a pass of 30 rows, text of \(prompt.tokens)", "×",
        must: 1.5, aim: 1.5,
        values: ratios(turns: 4 * turns) {
          _ = try model.rerun(layers, at: position, of: context).values()
        } over: {
          _ = try model.run([rows]).residual.values()
        })
    }
  }
}

/// The logit lens over a text of 128 tokens.
@MainActor private func lens() throws {
  let name = "logit lens, 128 tokens × 30 layers, top 10"
  guard wanted(name) else { return }
  let twin = try Twin(
    python: python, script: reference.appending(path: "lens_twin.py"), model: modelFile,
    threads: threads)
  let ids = Array((prompts.last?.ids ?? []).prefix(128))
  let request: [String: Any] = ["task": "lens", "ids": ids, "top": 10, "summary": true]
  let lens = try LogitLens(loaded)
  var options = LogitLens.Options()
  options.top = 10
  try compare(
    [(name, 1.5, 2.2, { _ = try lens.show(.init(text: "", ids: ids), options) })],
    turns: slowTurns
  ) { try twin.time(request) }
}
