import Foundation
import Telescope

// Flows between tokens beside the published procedure, which goes target by target: on MiniLM, and on a
// random model of BERT's base size. Neither needs the default model.

private let encoder = checkout.appending(path: ".deps/models/all-MiniLM-L6-v2")
private let nodes = 32
/// Of z → u the published procedure takes minutes; so many targets and heads are timed, and scaled.
private let timedTargets = [7, 20]
private let timedHeads = [2, 9]

@MainActor func flowBenchmarks() throws {
  guard only?.contains("flow") ?? true else { return }
  let tokenizer = try Tokenizer(contentsOf: encoder)
  let text = try String(
    contentsOf: checkout.appending(path: "Tests/Fixtures/models/ordinary-text.txt"),
    encoding: .utf8)
  /// The beginning of a text, so many tokens with those around it.
  func ids(_ count: Int) -> [Int] {
    let all = tokenizer.encode(text, specialTokens: true).ids
    return Array(all.prefix(count - 1)) + all.suffix(1)
  }
  let model = try loadNetwork(of: Checkpoint(encoder))

  // In processes of their own, so that nothing has warmed the heap.
  if let word = option("--memory-of-flow"), let map = FlowGranularity(rawValue: word) {
    print(try Memory.peak { try flow(ids(128), model, [map], .adaptive(tolerance: 1e-3)) })
    exit(0)
  }
  if CommandLine.arguments.contains("--memory-of-base-flow") {
    let base = try loadNetwork(of: Checkpoint(baseFolder))
    print(try Memory.peak { try flow(ids(128), base, [.layer], .adaptive(tolerance: 1e-3)) })
    exit(0)
  }

  let twin = try Twin(
    python: python, script: reference.appending(path: "lig_twin.py"), model: encoder,
    threads: threads)
  try sameNumbers(model, twin, ids(13))
  for count in [13, 41] {
    for baseline in [LayerBaseline.itb, .zero] {
      try tokensToTokens(model, twin, ids(count), baseline)
      try tokensToHeads(model, twin, ids(count), baseline)
    }
  }
  try oneTargetAtATime(model, twin, ids(41))
  try growth(model, ids)
  try completeness(model, tokenizer, text)
  for map in FlowGranularity.allCases {
    try bound(
      "flow, peak memory above the weights, \(map.rawValue), 128 tokens", "MB", must: 500, aim: 200,
      turns: 3
    ) { try child("--only", "flow", "--memory-of-flow", map.rawValue) / 1e6 }
  }
  try baseSize(ids)
}

/// Flows of every layer.
@discardableResult
private func flow(
  _ ids: [Int], _ model: any LanguageModel, _ maps: Set<FlowGranularity>,
  _ quadrature: FlowQuadrature, _ baseline: LayerBaseline = .itb,
  _ change: (inout FlowOptions) -> Void = { _ in }
) throws -> [FlowLayer] {
  var options = FlowOptions()
  options.granularities = maps
  options.quadrature = quadrature
  options.layerBaseline = baseline
  options.attentionBaseline = baseline == .zero ? .zero : .itb
  options.feedForwardBaseline = baseline == .zero ? .zero : .attITB
  change(&options)
  return try TokenFlow(ids, in: model).flows(options)
}

// MARK: - Beside the published procedure

/// Before anything is timed, both sides' numbers at the same nodes must agree.
private func sameNumbers(_ model: any LanguageModel, _ twin: Twin, _ ids: [Int]) throws {
  for baseline in [LayerBaseline.itb, .zero] {
    let rule = FlowQuadrature.captumTrapezoid(steps: nodes)
    let request: [String: Any] = ["ids": ids, "baseline": baseline.rawValue, "steps": nodes]
    let ours = try flow(ids, model, [.layer], rule, baseline)
    let layers =
      try twin.ask(request.merging(["task": "layer"]) { $1 })["values"] as? [[[Double]]] ?? []
    guard layers.count == ours.count else { throw Failure(description: "the twin differs") }
    for (number, layer) in ours.enumerated() {
      try compared(layer.layerFlow, layers[number].flatMap { $0 }, "\(baseline), layer \(number)")
    }
    let some = [1, 7]
    let part = try flow(ids, model, [.attention], rule, baseline) {
      ($0.layers, $0.targets) = ([3], some)
    }
    let heads =
      try twin.ask(
        request.merging(["task": "attention", "layers": [3], "targets": some]) { $1 }
      )["values"] as? [[[[Double]]]] ?? []
    try compared(
      part.first?.attentionFlow, heads.flatMap { $0.flatMap { $0.flatMap { $0 } } },
      "\(baseline), heads of layer 3")
  }
}

/// In float32 the published rule has noise of its own at a = 0, which is a hundredth of a column at most.
private func compared(_ map: FlowMap?, _ theirs: [Double], _ what: String) throws {
  guard let map, map.array.values.count == theirs.count else {
    throw Failure(description: "\(what): the twin's map has another size")
  }
  let cells = map.totals.values.count
  for (place, pair) in zip(map.array.values, theirs).enumerated() {
    let total = max(map.totals.values[place % cells], 1e-3)
    guard abs(pair.0 - pair.1) <= 0.02 * total else {
      throw Failure(description: "\(what): ours \(pair.0), the twin's \(pair.1) of \(total)")
    }
  }
}

@MainActor private func tokensToTokens(
  _ model: any LanguageModel, _ twin: Twin, _ ids: [Int], _ baseline: LayerBaseline
) throws {
  let what = "\(baseline.rawValue), \(ids.count) tokens"
  try compare(
    [
      (
        "flow z→z, \(nodes) nodes, \(what)", 25, 50,
        { try flow(ids, model, [.layer], .fixed(nodes: nodes), baseline) }
      ),
      (
        "flow z→z to 1e-3, \(what)", 25, 50,
        { try flow(ids, model, [.layer], .adaptive(tolerance: 1e-3), baseline) }
      ),
    ], turns: slowTurns
  ) {
    try twin.time([
      "task": "layer", "ids": ids, "baseline": baseline.rawValue, "steps": nodes, "summary": true,
    ])
  }
}

@MainActor private func tokensToHeads(
  _ model: any LanguageModel, _ twin: Twin, _ ids: [Int], _ baseline: LayerBaseline
) throws {
  let what = "\(baseline.rawValue), \(ids.count) tokens"
  let targets = timedTargets.filter { $0 < ids.count }
  let cells = Double(ids.count * model.shape.heads) / Double(targets.count * timedHeads.count)
  try compare(
    [
      (
        "flow z→u, \(nodes) nodes, \(what) (twin's time scaled)", 500, 5000,
        { try flow(ids, model, [.attention], .fixed(nodes: nodes), baseline) }
      ),
      (
        "flow z→u to 1e-3, \(what) (twin's time scaled)", 500, 5000,
        { try flow(ids, model, [.attention], .adaptive(tolerance: 1e-3), baseline) }
      ),
    ], turns: slowTurns
  ) {
    try cells
      * twin.time([
        "task": "attention", "ids": ids, "baseline": baseline.rawValue, "steps": nodes,
        "targets": targets, "heads": timedHeads, "summary": true,
      ])
  }
}

/// What of the gain is the engine's and what is the algorithm's: the published procedure on our engine, one
/// target and all its nodes at a time, beside the twin's and beside all targets at once.
@MainActor private func oneTargetAtATime(
  _ model: any LanguageModel, _ twin: Twin, _ ids: [Int]
) throws {
  let targets = timedTargets
  let share = Double(ids.count) / Double(targets.count)
  func published() throws {
    try flow(ids, model, [.layer], .fixed(nodes: nodes)) {
      $0.formulas = .automatic
      $0.splitsHeads = false
      ($0.layers, $0.targets) = ([0], targets)
    }
  }
  try compare(
    [
      (
        "flow, the published procedure on both engines, \(targets.count) targets of a layer", 1,
        1.2,
        published
      )
    ], turns: turns
  ) {
    try twin.time([
      "task": "layer", "ids": ids, "baseline": "itb", "steps": nodes, "targets": targets,
      "layers": [0], "summary": true,
    ])
  }
  let name = "flow, gain of the algorithm on one engine, z→z of \(ids.count) tokens"
  guard wanted(name) else { return }
  let gains = try (0..<turns).map { _ in
    let slow = try milliseconds { try published() }
    let fast = try milliseconds {
      try flow(ids, model, [.layer], .fixed(nodes: nodes)) { $0.layers = [0] }
    }
    return slow * share / fast
  }
  bound(name, "×", must: 25, aim: 50, isFloor: true, values: gains)
}

// MARK: - Growth, completeness, sizes

/// p of T^p between 32 and 128 tokens.
@MainActor private func growth(
  _ model: any LanguageModel, _ ids: (Int) -> [Int]
) throws {
  for (map, must, aim) in [(FlowGranularity.layer, 1.3, 1.1), (.attention, 2.3, 2.0)] {
    let name = "flow, growth from 32 to 128 tokens, \(map.rawValue)"
    guard wanted(name) else { continue }
    let texts = [32, 128].map(ids)
    for text in texts { try flow(text, model, [map], .fixed(nodes: 16)) }
    let powers = try (0..<2 * turns).map { _ in
      let times = try texts.map { text in
        try milliseconds { try flow(text, model, [map], .fixed(nodes: 16)) }
      }
      return log(times[1] / times[0]) / log(4)
    }
    bound(name, "power of T", must: must, aim: aim, values: powers)
  }
}

/// The share of targets within the default tolerance, over sentences of an ordinary text.
@MainActor private func completeness(
  _ model: any LanguageModel, _ tokenizer: Tokenizer, _ text: String
) throws {
  let names = [LayerBaseline.itb, .zero].map {
    "flow, targets of ordinary sentences complete to 1e-3, \($0.rawValue)"
  }
  guard names.contains(where: wanted) else { return }
  let sentences = text.split(whereSeparator: { ".\n".contains($0) }).map(String.init)
    .map { tokenizer.encode($0 + ".", specialTokens: true).ids }
    .filter { (10...41).contains($0.count) }.prefix(24)
  for (name, baseline) in zip(names, [LayerBaseline.itb, .zero]) {
    var (met, all, marked, nodes) = (0, 0, 0, 0)
    for ids in sentences {
      let found = try flow(
        ids, model, Set(FlowGranularity.allCases), .adaptive(tolerance: 1e-3), baseline)
      for map in found.flatMap({ [$0.layerFlow, $0.attentionFlow, $0.feedForwardFlow] }) {
        guard let map else { continue }
        let heads = map.completenessError.values.count / ids.count
        for target in ids.indices {
          let errors = map.completenessError.values[target * heads..<(target + 1) * heads]
          all += 1
          if (errors.max() ?? 0) <= 1e-3 { met += 1 }
          if map.unconverged.contains(target) { marked += 1 }
        }
        nodes = max(nodes, map.nodes.max() ?? 0)
      }
    }
    say("\(name): \(met) of \(all), \(marked) marked, \(nodes) nodes at most")
    if met + marked < all { throw Failure(description: "targets above the tolerance, unmarked") }
    bound(
      name, "%", must: 99, aim: 100, isFloor: true, values: [100 * Double(met) / Double(all)])
  }
}

private let baseFolder = checkout.appending(path: "Benchmarks/.build/bert-base")

@MainActor private func baseSize(_ ids: (Int) -> [Int]) throws {
  let name = "flow, BERT-base size, z→z, 41 tokens, 16 nodes"
  let memory = "flow, BERT-base size, peak memory above the weights, 128 tokens"
  guard wanted(name) || wanted(memory) else { return }
  // It makes the model where there is none.
  let twin = try Twin(
    python: python, script: reference.appending(path: "lig_twin.py"), model: baseFolder,
    threads: threads)
  let base = try loadNetwork(of: Checkpoint(baseFolder))
  for baseline in [LayerBaseline.itb, .zero] {
    try bound(
      "\(name), \(baseline.rawValue)", "s", must: 6, aim: 3, turns: slowTurns
    ) {
      try milliseconds {
        try flow(ids(41), base, [.layer], .fixed(nodes: 16), baseline)
      } / 1000
    }
  }
  let text = ids(41)
  try compare(
    [("flow, BERT-base size, forward pass, 41 tokens", 0.9, 1.1, { _ = try base.run([text]) })],
    turns: turns
  ) { try twin.time(["task": "forward", "ids": text]) }
  try bound(memory, "MB", must: 500, aim: 200, turns: 3) {
    try child("--only", "flow", "--memory-of-base-flow") / 1e6
  }
}
