public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// What a person asks of a model: which units, how they are scored, and either the circuit that the scores choose
// or how well circuits of growing size carry the metric. Scores are means over the prompts for training; circuits
// are run on those for testing, which share no words with them.

/// What is asked of prompts.
public struct CircuitPlan: Sendable {
  /// Which of the scored nodes are kept.
  public enum NodeChoice: Sendable, Equatable {
    /// So many of the largest magnitude, or the largest as they are.
    case top(Int, signed: Bool = false)
    /// The fewest of the largest magnitude that hold a share of the magnitudes' sum.
    case mass(Double)
    /// Those whose magnitude is above a number.
    case above(Double)
  }

  /// What circuits are made of.
  public var kind = UnitKind.neuron
  /// Whether a unit stands for all positions, so that prompts may differ in length.
  public var sumsPositions = false
  /// Which nodes a trace keeps.
  public var choice = NodeChoice.top(100)
  /// What stands in for what is not of a circuit.
  public var ablation = Ablation.mean
  /// How the circuits of a curve grow.
  public var selection = CircuitSelection.Kind.topAbsolute
  /// The circuits of a curve, beside the empty one and the whole.
  public var steps = 20
  /// The most bytes of a run; nil for what runs fastest.
  public var memory: Int?

  /// Neurons, one hundred of them.
  public init() {}

  /// Scores the units and keeps some.
  ///
  /// - Parameters:
  ///   - scoring: how.
  ///   - prompts: what for; those for training.
  ///   - loaded: the model.
  ///   - progress: told the share that is done.
  /// - Returns: the nodes; the model's hash is left to the caller.
  /// - Throws: `CircuitError` for prompts that do not fit; `ModelError`, `AttributionError` and `EngineError` as
  ///   the scores do.
  /// - Complexity: that of the scores, and a run of each prompt.
  public func trace(
    _ scoring: NodeScoring, of prompts: PromptSet, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> CircuitResult {
    let clock = ContinuousClock()
    let start = clock.now
    var result = try self.start(scoring, prompts, loaded)
    let scores = try scoring.scores(
      of: kind, over: prompts.train, in: loaded.model, summingPositions: sumsPositions,
      memory: memory, progress: progress)
    let scored = clock.now
    result.passes = result.passes + scores.passes
    result.unitCount = scores.count
    let set =
      switch choice {
      case .top(let count, let signed): scores.top(count, signed: signed)
      case .mass(let share): scores.holding(share)
      case .above(let threshold): scores.above(threshold)
      }
    result.nodes = scores.listed(set).map {
      CircuitNode(
        layer: $0.place.layer, position: $0.place.position, unit: $0.place.unit,
        score: Double($0.score))
    }
    try addValues(to: &result, of: prompts, in: loaded.model)
    result.timingsMs = [
      "scores": (scored - start) / .milliseconds(1),
      "total": (clock.now - start) / .milliseconds(1),
    ]
    return result
  }

  /// Runs circuits of growing size, as several ways of scoring choose them.
  ///
  /// - Parameters:
  ///   - scorings: the ways, at least one; the first is the result's method.
  ///   - prompts: those for training are scored on, and those for testing are run.
  ///   - loaded: the model.
  ///   - progress: told the share that is done.
  /// - Returns: one curve for each way.
  /// - Throws: as `trace`.
  /// - Complexity: that of the scores, three runs over all prompts for testing, and for each way two for each
  ///   circuit.
  public func evaluate(
    _ scorings: [NodeScoring], of prompts: PromptSet, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> CircuitResult {
    let clock = ContinuousClock()
    let start = clock.now
    guard let first = scorings.first else {
      throw CircuitError(.usage, "There is nothing to evaluate; name at least one method.")
    }
    let sweep = try CircuitSweep(
      of: kind, over: prompts.test, replacedBy: ablation, summingPositions: sumsPositions,
      in: loaded.model, tokensAtOnce: loaded.model.tokensAtOnce(4096, within: memory))
    var result = try self.start(first, prompts, loaded)
    result.unitCount = sweep.unitCount
    result.passes.forward += sweep.sharedPasses
    var curves: [CircuitCurve] = []
    var scoring: Duration = .zero
    for (index, method) in scorings.enumerated() {
      let before = clock.now
      func share(_ done: Double) { progress((Double(index) + done) / Double(scorings.count)) }
      let scores = try method.scores(
        of: kind, over: prompts.train, in: loaded.model, summingPositions: sumsPositions,
        memory: memory, progress: { share(0.5 * $0) })
      scoring += clock.now - before
      let curve = try sweep.curve(
        of: scores, by: CircuitSelection(selection, steps: steps, of: scores),
        method: method.description(of: prompts.train, in: loaded.model),
        progress: { share(0.5 + 0.5 * $0) })
      result.passes = result.passes + curve.scorePasses + curve.curvePasses
      result.passes.forward -= sweep.sharedPasses
      curves.append(curve)
    }
    result.curves = curves
    if sweep.range == nil {
      result.warnings.append(
        "With every unit replaced the metric is \(shown(sweep.empty)), and \(shown(sweep.full)) with none: "
          + "too near each other for a share of the way between them.")
    }
    if prompts.task == nil {
      result.warnings.append(
        "Scores and circuits are of the same prompt, so that the curves flatter the scores; use a task."
      )
    }
    result.timingsMs = [
      "scores": scoring / .milliseconds(1), "total": (clock.now - start) / .milliseconds(1),
    ]
    return result
  }

  /// Each node's value in the run of a person's own text.
  private func addValues(
    to result: inout CircuitResult, of prompts: PromptSet, in model: any LanguageModel
  ) throws {
    guard prompts.task == nil, kind != .head, !sumsPositions, let pair = prompts.train.first else {
      return
    }
    let sites = Set(result.nodes.map { kind.site($0.layer) })
    let seen = try withRecording(false) {
      try model.run([pair.clean], capturing: sites).activations
    }
    result.passes.forward += 1
    let values = try Dictionary(uniqueKeysWithValues: sites.map { ($0, try seen[$0].floats()) })
    let units = kind.count(in: model.shape)
    for (index, node) in result.nodes.enumerated() {
      guard let position = node.position, let values = values[kind.site(node.layer)] else {
        continue
      }
      result.nodes[index].value = Double(values[position * units + node.unit])
    }
  }

  /// A result with all but what was found.
  func start(
    _ scoring: NodeScoring, _ prompts: PromptSet, _ loaded: LoadedModel
  ) throws -> CircuitResult {
    try loaded.requireHead()
    guard let first = prompts.train.first else { throw CircuitError.noPrompts }
    func mean(_ ids: (PromptPair) -> [Int]?) throws -> Double? {
      let pairs = prompts.train.compactMap { pair in
        ids(pair).map { PromptPair(clean: $0, answer: pair.answer, versus: pair.versus) }
      }
      guard pairs.count == prompts.train.count else { return nil }
      var sum = 0.0
      for batch in try PairBatch.batches(
        of: pairs, tokensAtOnce: loaded.model.tokensAtOnce(4096, within: memory))
      {
        let run = try withRecording(false) { try loaded.model.run(batch.clean) }
        sum += try withEngineErrors {
          try batch.metric(run.residual, in: loaded.model).reduce(0, +)
        }
      }
      return sum / Double(pairs.count)
    }
    let value = try mean(\.clean) ?? 0
    let start = try mean(\.patch)
    return CircuitResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription,
      device: loaded.model.device.name, task: prompts.task, text: prompts.text,
      tokens: first.clean.map(loaded.describe),
      metric: MetricDescription(
        name: first.versus == nil ? "logit" : "logit-diff", token: loaded.describe(first.answer),
        versus: first.versus.map(loaded.describe), position: first.clean.count - 1, value: value,
        start: start),
      method: try scoring.description(of: prompts.train, in: loaded.model), unit: kind.rawValue,
      unitCount: 0,
      nodes: [], passes: PassCount(forward: start == nil ? 1 : 2, backward: 0))
  }

  private func shown(_ number: Double) -> String {
    let thousandths = (number * 1000).rounded() / 1000
    return abs(number) < 1e6 ? "\(thousandths)" : "\(number)"
  }
}

extension PromptSet {
  /// Whether every prompt to score on has a changed one.
  public var hasPatches: Bool { train.allSatisfy { $0.patch != nil } }
}
