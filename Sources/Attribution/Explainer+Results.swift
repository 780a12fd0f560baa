internal import Foundation
internal import LanguageModels
internal import Results
internal import Tokenization

// From a method's numbers to the values of the JSON schema.
extension Explainer {
  func explanation(
    _ found: IGLens.Explanation, position: Int, token: Int, versus: Int?, modelValue: Double,
    _ method: IGLens, _ path: StatePath
  ) -> Explanation {
    let target = describe(token)
    return Explanation(
      position: position,
      target: TargetDescription(
        id: target.id, text: target.text, bytes: target.bytes,
        versus: method.target.isDifference ? versus.map(describe) : nil),
      modelValue: modelValue, baselineValue: found.baseline,
      attributions: path.layers.indices.map { index in
        LayerAttribution(
          layer: path.layers[index], value: found.attributions[index], lens: found.lens[index],
          rank: found.ranks[index], entropy: found.entropies[index],
          top: found.top[index].map {
            TopToken(id: $0.id, text: loaded.tokenizer.text(of: $0.id), probability: $0.probability)
          },
          nodes: found.nodes.isEmpty ? nil : found.nodes[index],
          converged: found.converged.isEmpty ? nil : found.converged[index])
      },
      sum: found.sum, certificate: found.baseline + found.sum - modelValue,
      onsetLayer: method.onset(found.attributions).map { path.layers[$0] })
  }

  /// A given answer of several tokens: Σ log p by the chain rule.
  func span(
    _ found: [IGLens.Explanation], _ trace: ResidualTrace, _ targets: [Int], _ options: Options,
    _ method: IGLens, _ path: StatePath
  ) -> Explanation? {
    guard case .answer(let answer) = options.continuation, answer.count > 1,
      method.target == .probability || method.target == .logProbability
    else { return nil }
    func total(_ values: (IGLens.Explanation) -> Double) -> Double {
      found.reduce(0) { $0 + values($1) }
    }
    let attributions = path.layers.indices.map { index in
      LayerAttribution(
        layer: path.layers[index], value: total { $0.logProbability.attributions[index] },
        lens: total { $0.logProbability.lens[index] })
    }
    let baseline = total { $0.logProbability.baseline }
    let sum = attributions.reduce(0) { $0 + $1.value }
    let model = trace.ordinary.reduce(0) { $0 + Target.logProbability.value($1) }
    let tokens = answer.map(describe)
    return Explanation(
      position: trace.positions[0],
      target: TargetDescription(
        id: answer[0], text: loaded.tokenizer.decode(answer), span: tokens),
      modelValue: model, baselineValue: baseline, attributions: attributions, sum: sum,
      certificate: baseline + sum - model,
      onsetLayer: method.onset(attributions.map(\.value)).map { path.layers[$0] })
  }

  func certificateWarnings(
    _ explanations: [Explanation], _ method: IGLens, _ compatible: Bool
  ) -> [String] {
    if compatible {
      return [
        "These are the published script's numbers: its last state is normed twice, so its final "
          + "value is not the model's; the certificate shows by how much."
      ]
    }
    let off = explanations.filter {
      abs($0.certificate) > 1e-3 * max(0.01, abs($0.modelValue))
    }
    guard let worst = off.max(by: { abs($0.certificate) < abs($1.certificate) }) else { return [] }
    let advice =
      method.estimator == .observed
      ? "use --dtype float64 to certify it" : "use more nodes, --tol, or --estimator observed"
    return [
      "\(off.count) of \(explanations.count) explanations miss the model's value by more than 0.1 %, "
        + "the worst by \(String(format: "%.1e", worst.certificate)); \(advice)."
    ]
  }

  func describe(_ id: Int) -> TokenDescription {
    let bytes = loaded.tokenizer.bytes(of: id)
    let isText = String(validating: bytes, as: UTF8.self) != nil
    return TokenDescription(
      id: id, text: loaded.tokenizer.text(of: id),
      bytes: isText ? nil : bytes.map { hexadecimal($0) }.joined())
  }
}

private func hexadecimal(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.count == 1 ? "0" + digits : digits
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
