import Foundation
import Telescope

// The gradient family beside captum's methods on the same model in PyTorch, and beside plain passes of our own.

/// A text with another of as many tokens, and the metric: the text's next token against the other's.
private struct Pair {
  var ids: [Int]
  var patch: [Int]
  var token: Int
  var versus: Int

  var metric: Metric { Metric(token: token, versus: versus, position: ids.count - 1) }

  /// A text and its contrast.
  @MainActor init(_ text: String, _ contrast: String, in loaded: LoadedModel) throws {
    try self.init(
      loaded.tokenizer.encode(text, specialTokens: true).ids,
      loaded.tokenizer.encode(contrast, specialTokens: true).ids,
      in: loaded.model)
  }

  /// The beginning of a prompt, its second token exchanged for another of the text.
  @MainActor init(_ prompt: Prompt, count: Int, in model: any LanguageModel) throws {
    let ids = Array(prompt.ids.prefix(count))
    var patch = ids
    patch[1] = ids[2] == ids[1] ? ids[0] : ids[2]
    try self.init(ids, patch, in: model)
  }

  @MainActor private init(_ ids: [Int], _ patch: [Int], in model: any LanguageModel) throws {
    self.ids = ids
    self.patch = patch
    func likeliest(_ ids: [Int]) throws -> [Int] {
      let logits = try withRecording(false) {
        try model.run([ids], capturing: [.logits]).activations[.logits]
      }
      let row = try logits.slice(ids.count - 1..<ids.count, along: 1).floats()
      return row.indices.sorted { row[$0] > row[$1] }.prefix(2).map { $0 }
    }
    let token = try likeliest(ids)[0]
    self.token = token
    versus = try likeliest(patch).first { $0 != token } ?? 0
  }

  func setting(_ model: any LanguageModel, isPaired: Bool = true) throws -> GradientSetting {
    try GradientSetting([ids], metric, from: isPaired ? .contrast([patch]) : .zero, in: model)
  }

  func request(_ task: String, isPaired: Bool = true, _ more: [String: Any] = [:]) -> [String: Any]
  {
    var request: [String: Any] = ["task": task, "ids": ids, "metric": [token, versus]]
    if isPaired { request["patch"] = patch }
    return request.merging(more) { $1 }
  }
}

private let conductanceSteps = 20
private let captumSteps = 50

/// Texts as people contrast them, of as many tokens.
private let contrasts = [
  ("The capital of France is", "The capital of Italy is"),
  (
    "When Mary and John went to the store, John gave a drink to",
    "When Mary and John went to the store, Mary gave a drink to"
  ),
  ("The keys near the cabinet", "The key near the cabinet"),
  ("The opposite of hot is", "The opposite of big is"),
  (
    "Once upon a time there was a little girl who lived in a",
    "Once upon a time there was a little frog who lived in a"
  ),
  ("Water boils at one hundred degrees", "Gold melts at one thousand degrees"),
]

@MainActor func gradientBenchmarks(_ prompts: [Prompt], _ loaded: LoadedModel) throws {
  guard only?.contains("gradients") ?? true, let long = prompts.last else { return }
  let model = loaded.model
  let pairs = try [13, 40].map { try Pair(long, count: $0, in: model) }
  for pair in pairs { try passesAndTime(pair, model) }
  let twin = try Twin(
    python: python, script: reference.appending(path: "gradients_twin.py"), model: modelFile,
    threads: threads)
  try sameConductance(pairs[0], model, twin)
  for pair in pairs { try conductance(pair, model, twin) }
  for (text, contrast) in contrasts {
    try integrated("'\(text)'", Pair(text, contrast, in: loaded), isPaired: true, model, twin)
  }
  for pair in pairs {
    for isPaired in [true, false] {
      try integrated("\(pair.ids.count) tokens", pair, isPaired: isPaired, model, twin)
    }
  }
}

private func neurons(_ model: any LanguageModel) -> [Site] {
  (0..<model.shape.layers).map { .feedForward($0, .hidden) }
}

// MARK: - Node scores in one pass each way

/// A pass forwards and one backwards to the embeddings, nothing else asked for.
private func plainPasses(_ pair: Pair, _ model: any LanguageModel, forward: Int) throws {
  for _ in 1..<forward {
    try withRecording(false) {
      _ = pair.metric(try model.run([pair.ids]).residual, in: model)
    }
  }
  try withRecording(true) {
    var start: Tensor?
    let pass = Pass(sites: [.embedding]) { _, value in
      let leaf = value.requiringGradient()
      start = leaf
      return leaf
    }
    let metric = pair.metric(try model.run([pair.ids], pass: pass).residual, in: model)
    guard let start else { return }
    _ = try metric.gradient(withRespectTo: [start])[0].sum.scalar()
  }
}

@MainActor private func passesAndTime(_ pair: Pair, _ model: any LanguageModel) throws {
  let methods: [(name: String, isPaired: Bool, method: any GradientMethod)] = [
    ("RelP", false, RelevancePropagation()), ("RelP paired", true, RelevancePropagation()),
    ("AtP", true, AttributionPatching()),
  ]
  for (name, isPaired, method) in methods {
    let forward = isPaired ? 2 : 1
    let what = "\(name), all neurons, \(pair.ids.count) tokens"
    guard wanted("gradients, \(what)") else { continue }
    let setting = try pair.setting(model, isPaired: isPaired)
    func score() throws -> SiteScores {
      let found = try method.scores(of: neurons(model), in: setting, progress: { _ in })
      // Every score is formed, not merely promised.
      for value in found.values.values { _ = try value.sum.scalar() }
      return found
    }
    let passes = try score().passes
    bound(
      "gradients, passes of \(what)", "F + B", must: Double(forward + 1), aim: Double(forward + 1),
      values: [passes.forward + passes.backward])
    try plainPasses(pair, model, forward: forward)
    let ratios = try (0..<4 * turns).map { _ in
      let plain = try milliseconds { try plainPasses(pair, model, forward: forward) }
      return try milliseconds { _ = try score() } / plain
    }
    bound(
      "gradients, \(what), over \(forward)F + 1B", "×", must: 1.5, aim: 1.2, values: ratios)
  }
}

// MARK: - Conductance

/// Before anything is timed, both sides' numbers must agree.
private func sameConductance(_ pair: Pair, _ model: any LanguageModel, _ twin: Twin) throws {
  let found = try Conductance(.left(conductanceSteps)).scores(
    of: neurons(model), in: pair.setting(model))
  let layers = [0, 11, 29].filter { $0 < model.shape.layers }
  let answer = try twin.ask(
    pair.request(
      "conductance",
      ["steps": conductanceSteps, "what": "neurons", "values": true, "layers": layers]))
  let values = answer["values"] as? [[Double]] ?? []
  for (layer, theirs) in zip(layers, values) {
    let ours = try found.values[.feedForward(layer, .hidden)]?.values() ?? []
    let size = theirs.map(abs).max() ?? 0
    guard ours.count == theirs.count, size > 0,
      zip(ours, theirs).allSatisfy({ abs($0 - $1) <= 2e-3 * size })
    else { throw Failure(description: "captum's conductance of layer \(layer) differs") }
  }
  guard values.count == layers.count else { throw Failure(description: "the twin differs") }
}

@MainActor private func conductance(
  _ pair: Pair, _ model: any LanguageModel, _ twin: Twin
) throws {
  let setting = try pair.setting(model)
  try compare(
    [
      (
        "gradients, conductance of all neurons, \(conductanceSteps) steps, \(pair.ids.count) tokens",
        20, 24,
        {
          let found = try Conductance(.left(conductanceSteps)).scores(
            of: neurons(model), in: setting)
          for value in found.values.values { _ = try value.sum.scalar() }
        }
      )
    ], turns: slowTurns
  ) {
    try twin.time(pair.request("conductance", ["steps": conductanceSteps, "what": "neurons"]))
  }
}

// MARK: - Integrated gradients of the input

@MainActor private func integrated(
  _ text: String, _ pair: Pair, isPaired: Bool, _ model: any LanguageModel, _ twin: Twin
) throws {
  let what = "gradients, input IG to 1e-3 from \(isPaired ? "a contrast" : "zero"), \(text)"
  guard wanted(what) else { return }
  let setting = try pair.setting(model, isPaired: isPaired)
  func score() throws -> SiteScores {
    try IntegratedGradients(.adaptive(tolerance: 1e-3)).scores(of: [.embedding], in: setting)
  }
  let found = try score()
  let expected = found.expected[.embedding] ?? .nan
  let sum = try found.values[.embedding]?.to(.float64).sum.scalar() ?? .nan
  let request = pair.request("integrated", isPaired: isPaired, ["steps": captumSteps])
  let delta =
    try twin.ask(request.merging(["delta": true]) { $1 })["delta"] as? Double ?? .nan
  let (ours, theirs) = (abs(sum - expected) / abs(expected), delta / abs(expected))
  say(
    "\(what): \(found.nodes ?? 0) nodes, \(found.passes.forward)F + \(found.passes.backward)B; misses \(ours) of the change, captum \(theirs)"
  )
  bound("\(what): misses of the change", "relative", must: 1e-3, aim: 1e-3, values: [ours])
  bound("\(what): captum misses", "relative", must: 1, aim: 1, values: [theirs])
  try compare([(what, 2, 4, { _ = try score() })], turns: turns) { try twin.time(request) }
}
