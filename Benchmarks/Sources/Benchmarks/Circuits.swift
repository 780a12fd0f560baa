import Foundation
import Telescope

// Circuits of neurons and heads: what a sweep costs beside plain passes, how scores agree with exact patching, and how
// many units carry subject-verb agreement.

private let thresholds = 20
private let testPrompts = 40
private let trainPrompts = 40
private let sampledNeurons = 2000

@MainActor func circuitBenchmarks(_ loaded: LoadedModel) throws {
  guard only?.contains("circuits") ?? true else { return }
  try sweepTime(loaded)
  try agreement(loaded)
  try outputAgreement(loaded)
  for task in ["sva-simple", "sva-within-rc", "sva-nounpp"] {
    try curves(task, loaded)
  }
}

private func prompts(_ name: String, train: Int, _ loaded: LoadedModel) throws -> PromptSet {
  guard let task = PromptTask.named(name) else { throw Failure(description: "no task \(name)") }
  return try PromptSet(task, train: train, test: testPrompts, seed: 0, in: loaded)
}

// MARK: - What a sweep costs

@MainActor private func sweepTime(_ loaded: LoadedModel) throws {
  let name = "circuits, sweep of \(thresholds) thresholds, \(testPrompts) prompts"
  guard wanted(name) else { return }
  let model = loaded.model
  let set = try prompts("sva-simple", train: 2, loaded)
  let scores = try NodeScoring.relp().scores(of: .neuron, pairs: set.train, in: model)
  let selection = CircuitSelection(.threshold, steps: thresholds, of: scores)
  let method = AttributionMethod(name: "relp")
  let metric = PromptPair.metric(of: set.test)
  var runs = 0.0
  func sweep() throws {
    let sweep = try CircuitSweep(of: .neuron, over: set.test, in: model)
    runs = try sweep.curve(of: scores, by: selection, method: method).curvePasses.forward
  }
  func plain() throws {
    try withRecording(false) {
      for _ in 0..<Int(runs) {
        _ = try metric(model.run(set.test.map(\.clean)).residual, in: model).sum.scalar()
      }
    }
  }
  try sweep()
  let most = Double(3 + 2 * thresholds)
  bound("\(name): batched forwards", "F", must: most, aim: most, values: [runs])
  try plain()
  let ratios = try (0..<turns).map { _ in
    let base = try milliseconds(plain)
    return try milliseconds(sweep) / base
  }
  bound("\(name), over as many plain forwards", "×", must: 1.3, aim: 1.1, values: ratios)
}

// MARK: - Beside exact patching

private let scorings: [(name: String, scoring: NodeScoring)] = [
  ("RelP", .relp(paired: .clean)),
  ("RelP with the patterns' derivative", .relp(.relpJafari, paired: .clean)),
  ("RelP at the patch", .relp(paired: .patch)), ("RelP unpaired", .relp()),
  ("AtP", .attributionPatching()),
  ("AtP at the patch", .attributionPatching(at: .patch)), ("EAP-IG", .pathAverage()),
  ("IG-activations", .activations()), ("conductance", .conductance()),
]

/// Pearson's correlation.
private func correlation(_ a: [Double], _ b: [Double]) -> Double {
  let (meanA, meanB) = (a.reduce(0, +) / Double(a.count), b.reduce(0, +) / Double(b.count))
  var (both, first, second) = (0.0, 0.0, 0.0)
  for (x, y) in zip(a, b) {
    both += (x - meanA) * (y - meanB)
    first += (x - meanA) * (x - meanA)
    second += (y - meanB) * (y - meanB)
  }
  return both / (first * second).squareRoot()
}

/// Ranks, equal numbers sharing theirs.
private func ranks(_ numbers: [Double]) -> [Double] {
  let order = numbers.indices.sorted { numbers[$0] < numbers[$1] }
  var ranks = [Double](repeating: 0, count: numbers.count)
  var start = 0
  while start < order.count {
    var end = start
    while end + 1 < order.count, numbers[order[end + 1]] == numbers[order[start]] { end += 1 }
    for place in start...end { ranks[order[place]] = Double(start + end) / 2 }
    start = end + 1
  }
  return ranks
}

@MainActor private func agreement(_ loaded: LoadedModel) throws {
  let name = "circuits, agreement with exact patching of \(sampledNeurons) neurons, IOI"
  guard wanted(name) else { return }
  let pairs = Array(try prompts("ioi", train: 4, loaded).train.prefix(4))
  var exact: ScoreAgreement?
  for (word, scoring) in scorings {
    let scores = try scoring.scores(of: .neuron, pairs: pairs, in: loaded.model)
    // One draw and one patching for all scores.
    let base =
      try exact
      ?? ScoreAgreement(
        of: scores, onSample: sampledNeurons, seed: 1, over: pairs, in: loaded.model)
    exact = base
    let own = base.units.map { unit in
      Double(scores.values[unit.layer][(unit.position ?? 0) * scores.units + unit.unit])
    }
    let isRelP = word == "RelP"
    for (kind, value) in [
      ("Pearson", correlation(own, base.effects)),
      ("Spearman", correlation(ranks(own), ranks(base.effects))),
    ] {
      bound(
        "\(name): \(word), \(kind)", "", must: isRelP ? 0.9 : 0, aim: isRelP ? 0.9 : 0,
        isFloor: true, values: [value])
    }
    say(
      "  \(word): \(scores.passes.forward) F + \(scores.passes.backward) B a prompt; patching took "
        + "\(base.passes.forward) F")
  }
}

/// Whole outputs of attention and of networks, one for each layer and token, beside patching each.
@MainActor private func outputAgreement(_ loaded: LoadedModel) throws {
  let name = "circuits, agreement with exact patching of outputs, IOI"
  guard wanted(name) else { return }
  let pairs = Array(try prompts("ioi", train: 4, loaded).train.prefix(4))
  let model = loaded.model
  let outcomes = try pairs.map { pair in
    try ActivationPatching(units: [.attention, .mlp], direction: .noise).run(
      clean: pair.clean, corrupted: pair.patch ?? [],
      metric: Metric(token: pair.answer, versus: pair.versus, position: pair.clean.count - 1),
      in: model)
  }
  let count = pairs[0].clean.count
  // Tokens before the first that differs anywhere are the same in both runs, and patching them does nothing.
  let first = pairs.map { pair in zip(pair.clean, pair.patch ?? []).prefix { $0 == $1 }.count }
  let cells = (0..<model.shape.layers).flatMap { layer in
    ((first.min() ?? 0)..<count).map { (layer: layer, position: $0) }
  }
  for (index, kind) in [UnitKind.attention, .mlp].enumerated() {
    let effects = cells.map { layer, position in
      var sum = 0.0
      for outcome in outcomes {
        sum += outcome.clean - outcome.grids[index].metric.values[layer * count + position]
      }
      return sum / Double(outcomes.count)
    }
    for (word, scoring) in scorings {
      let scores = try scoring.scores(of: kind, pairs: pairs, in: model)
      let own = cells.map { layer, position in
        let units = position * scores.units..<(position + 1) * scores.units
        return scores.values[layer][units].reduce(0.0) { $0 + Double($1) }
      }
      for (measure, value) in [
        ("Pearson", correlation(own, effects)),
        ("Spearman", correlation(ranks(own), ranks(effects))),
      ] {
        bound(
          "\(name): \(kind.rawValue)s by \(word), \(measure)", "", must: -1, aim: 0.9,
          isFloor: true,
          values: [value])
      }
    }
  }
}

// MARK: - Curves

@MainActor private func curves(_ task: String, _ loaded: LoadedModel) throws {
  let name = "circuits, \(task)"
  guard wanted(name) else { return }
  let set = try prompts(task, train: trainPrompts, loaded)
  let compared: [(String, NodeScoring)] = [
    ("RelP", .relp()), ("RelP paired", .relp(paired: .clean)),
    ("IG-activations", .activations()), ("conductance", .conductance()),
    ("AtP", .attributionPatching()),
  ]
  try curves(name, .neuron, set, compared, loaded)
  try curves(name, .head, set, compared + [("exact patching", .exact)], loaded)
}

@MainActor private func curves(
  _ name: String, _ kind: UnitKind, _ set: PromptSet, _ compared: [(String, NodeScoring)],
  _ loaded: LoadedModel
) throws {
  var plan = CircuitPlan()
  plan.kind = kind
  plan.steps = 24
  let found = try plan.evaluate(compared.map(\.1), of: set, in: loaded)
  guard let found = found.curves, found.count == compared.count else {
    throw Failure(description: "\(name): a curve is missing")
  }
  for ((word, _), curve) in zip(compared, found) {
    let what = "\(name), \(kind.rawValue)s by \(word)"
    say(
      "\(what): F(M) \(curve.full), F(∅) \(curve.empty); scores \(curve.scorePasses.forward) F + "
        + "\(curve.scorePasses.backward) B a prompt, curve \(curve.curvePasses.forward) F; CMD "
        + "\(curve.areas?.cmd ?? .nan), log \(curve.areas?.cmdLog ?? .nan)")
    for point in curve.points {
      say(
        "  \(point.nodes)\t\(point.faithfulness ?? .nan)\t\(point.completeness ?? .nan)")
    }
    let enough = curve.points.first {
      ($0.faithfulness ?? 0) >= 0.9 && ($0.completeness ?? 1) <= 0.2
    }
    bound(
      "\(what): units for faithfulness 0.9 and completeness 0.2", "%", must: 100, aim: 2,
      values: [100 * (enough?.share ?? 1)])
  }
}
