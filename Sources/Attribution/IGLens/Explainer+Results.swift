internal import Foundation
internal import LanguageModels
internal import Results
internal import Tensors
internal import Tokenization

// From a method's numbers to the values of the JSON schema.
extension Explainer {
  func explanation(
    _ found: IGLens.Explanation, position: Int, token: Int, versus: Int?, modelValue: Double,
    _ method: IGLens, _ path: StatePath
  ) -> Explanation {
    let target = loaded.describe(token)
    return Explanation(
      position: position,
      target: TargetDescription(
        id: target.id, text: target.text, bytes: target.bytes,
        versus: method.target.isDifference ? versus.map(loaded.describe) : nil),
      modelValue: modelValue, baselineValue: found.baseline,
      attributions: path.layers.indices.map { index in
        LayerAttribution(
          layer: path.layers[index], value: found.attributions[index], lens: found.lens[index],
          rank: found.ranks[index], entropy: found.entropies[index],
          top: found.top[index].map {
            TopToken(id: $0.id, text: loaded.tokenizer.text(of: $0.id), probability: $0.probability)
          },
          nodes: found.nodes.isEmpty ? nil : found.nodes[index],
          converged: found.converged.isEmpty ? nil : found.converged[index],
          standardError: found.standardErrors?[index],
          parts: found.parts.isEmpty ? nil : found.parts[index],
          residual: found.parts.isEmpty
            ? nil
            : found.attributions[index] - found.parts[index].reduce(0) { $0 + $1.value })
      },
      sum: found.sum, certificate: found.baseline + found.sum - modelValue,
      onsetLayer: method.onset(found.attributions).map { path.layers[$0] })
  }

  /// A given answer of several tokens: Σ log p by the chain rule.
  func span(
    _ found: [IGLens.Explanation], _ trace: ResidualTrace, _ targets: [Int], _ start: PathStart,
    _ options: Options, _ method: IGLens, _ path: StatePath
  ) throws -> Explanation? {
    guard case .answer(let answer) = options.continuation, answer.count > 1,
      method.target == .probability || method.target == .logProbability
    else { return nil }
    let isOwn = method.target == .logProbability || options.path != .chain
    let logs = try logProbabilities(found, trace, targets, start, options, method, path)
    func total(_ values: (IGLens.Explanation) -> Double) -> Double {
      logs.reduce(0) { $0 + values($1) }
    }
    let attributions = path.layers.indices.map { index in
      let value = total {
        isOwn ? $0.attributions[index] : $0.logProbability.attributions[index]
      }
      let parts = AttributionNode.sum(logs.map { $0.parts.isEmpty ? [] : $0.parts[index] })
        .map { $0.listing(options.neurons) }
      return LayerAttribution(
        layer: path.layers[index], value: value,
        lens: total { $0.logProbability.lens[index] },
        nodes: logs.compactMap { $0.nodes.isEmpty ? nil : $0.nodes[index] }.max(),
        converged: logs.allSatisfy { $0.converged.isEmpty }
          ? nil : logs.allSatisfy { $0.converged[index] },
        parts: parts.isEmpty ? nil : parts,
        residual: parts.isEmpty ? nil : value - parts.reduce(0) { $0 + $1.value })
    }
    let baseline = total { $0.logProbability.baseline }
    let sum = attributions.reduce(0) { $0 + $1.value }
    let model = trace.ordinary.reduce(0) { $0 + Target.logProbability.value($1) }
    let tokens = answer.map(loaded.describe)
    return Explanation(
      position: trace.positions[0],
      target: TargetDescription(
        id: answer[0], text: loaded.tokenizer.decode(answer), span: tokens),
      modelValue: model, baselineValue: baseline, attributions: attributions, sum: sum,
      certificate: baseline + sum - model,
      onsetLayer: method.onset(attributions.map(\.value)).map { path.layers[$0] })
  }

  /// The same explanations with log p as target, where what has been found does not hold them.
  ///
  /// With log p as target the span has its tokens' parts; with p it has layers alone, for a product of
  /// probabilities has no parts that add up.
  private func logProbabilities(
    _ found: [IGLens.Explanation], _ trace: ResidualTrace, _ targets: [Int], _ start: PathStart,
    _ options: Options, _ method: IGLens, _ path: StatePath
  ) throws -> [IGLens.Explanation] {
    var settings = options
    settings.check = nil
    var logs = method
    logs.target = .logProbability
    if method.target == .logProbability {
      // Tokens' lists of neurons may differ: all are summed, and the largest listed afterwards.
      guard case .largest = options.neurons else { return found }
      settings.neurons = .all
      return try explain(trace, targets, start, settings, logs, path)
    }
    if options.path == .chain {
      return found.map { found in
        var plain = found
        plain.parts = []
        plain.nodes = []
        plain.converged = []
        return plain
      }
    }
    settings.depth = .layer
    settings.neurons = .none
    return try explain(trace, targets, start, settings, logs, path)
  }

  func certificateWarnings(
    _ explanations: [Explanation], _ method: IGLens, _ options: Options
  ) -> [String] {
    if options.compatible {
      return [
        "These are the published script's numbers: its last state is normed twice, so its final "
          + "value is not the model's; the certificate shows by how much."
      ]
    }
    var warnings: [String] = []
    let cells = explanations.flatMap(\.attributions).compactMap(\.converged)
    let open = cells.filter { !$0 }.count
    if open > 0, method.estimator == .observed {
      warnings.append(
        "\(open) of \(cells.count) layers' integrals did not meet --tol within \(IntegralRule.most) "
          + "nodes; their parts are marked, and --dtype float64 may settle them.")
    }
    let off = explanations.filter {
      abs($0.certificate) > 1e-3 * max(0.01, abs($0.modelValue))
    }
    guard let worst = off.max(by: { abs($0.certificate) < abs($1.certificate) }) else {
      return warnings
    }
    let advice =
      method.estimator == .observed
      ? "use --dtype float64 to certify it" : "use more nodes, --tol, or --estimator observed"
    return warnings + [
      "\(off.count) of \(explanations.count) explanations miss the model's value by more than 0.1 %, "
        + "the worst by \(String(format: "%.1e", worst.certificate)); \(advice)."
    ]
  }

  func describe(_ options: Options, _ method: IGLens, _ path: StatePath) -> MethodDescription {
    let integrates = options.splits || options.path == .straight || options.check != nil
    var tolerance = method.estimator.tolerance
    var nodes = method.estimator.nodes
    if integrates {
      switch options.rule {
      case .certified(let asked): tolerance = asked
      case .fixed(let count): nodes = count
      }
    }
    return MethodDescription(
      path: options.compatible ? "iglens" : options.path.name,
      baseline: options.reading?.start == nil ? options.baseline.name : "means",
      target: method.target.name,
      estimator: options.path == .straight ? "gauss" : method.estimator.name,
      nodes: nodes, tolerance: tolerance, layers: path.layers,
      onsetFraction: method.onsetFraction,
      depth: options.splits ? max(.block, options.depth).rawValue : nil,
      neurons: options.neurons == .none
        ? nil : options.neurons == .all ? -1 : options.neurons.count,
      orders: ([options.path] + options.otherPaths).compactMap(\.orders).first,
      completion: options.reading?.kind == .completion ? options.reading?.file : nil,
      lens: options.reading?.kind == .translator ? options.reading?.file : nil)
  }
}

extension Estimator {
  var nodes: Int? {
    switch self {
    case .observed, .adaptive: nil
    case .gradient(let steps): steps
    case .gauss(let nodes): nodes
    }
  }

  var tolerance: Double? {
    if case .adaptive(let tolerance) = self { tolerance } else { nil }
  }
}

extension Baseline {
  var text: String? {
    if case .finalOf(let text) = self { text } else { nil }
  }
}
