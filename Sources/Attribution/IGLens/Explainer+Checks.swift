internal import LanguageModels
public import Results

// The causal check of an explanation's own parts: whatever its depth shows, replaced in the model.

/// How an explanation's parts are checked in the model.
public struct CheckOptions: Sendable, Equatable {
  /// What parts are replaced by, one check for each.
  public var replacements: [CausalCheck.Replacement]
  /// Where parts are replaced.
  public var scope: CausalCheck.Scope
  /// Texts whose positions give means and resamples; none for the text's own.
  public var reference: [[Int]]

  /// Describes a check.
  public init(
    replacements: [CausalCheck.Replacement] = CausalCheck.Replacement.allCases,
    scope: CausalCheck.Scope = .position, reference: [[Int]] = []
  ) {
    self.replacements = replacements
    self.scope = scope
    self.reference = reference
  }
}

extension Explainer {
  /// Checks every layer, and as far down as the explanation goes: attention and MLP, heads, and each
  /// layer's listed neurons together.
  func addChecks(
    to explanations: inout [Explanation], _ found: [IGLens.Explanation], _ trace: ResidualTrace,
    _ targets: [Int], _ options: Options, _ method: IGLens, _ path: StatePath
  ) throws {
    guard let check = options.check else { return }
    let study = AblationStudy(
      target: method.target, replacements: check.replacements, scope: check.scope,
      reference: check.reference, seed: options.seed, rowsAtOnce: method.rowsPerSweep,
      rowsPerSweep: method.rowsPerSweep)
    let subjects = found.indices.map { index in
      AblationStudy.Subject(
        position: trace.positions[index], token: targets[index], versus: options.versus,
        // Each block has the gradient of the segment that its update belongs to.
        gradients: zip(path.updates, found[index].gradients).flatMap { blocks, gradient in
          blocks.map { _ in gradient }
        },
        parts: parts(of: explanations[index], options))
    }
    let text = Array(trace.text[0...(trace.positions.max() ?? 0)])
    let checks = try study.check(subjects, of: text, in: loaded.model, with: readout)
    for (index, checks) in checks.enumerated() { explanations[index].checks = checks }
  }

  private func parts(of explanation: Explanation, _ options: Options) -> [Replacement.Part] {
    let shape = loaded.model.shape
    let layers = 0..<shape.layers
    var parts = layers.map(Replacement.Part.layer)
    if options.depth != .layer {
      parts += layers.map(Replacement.Part.attention) + layers.map(Replacement.Part.mlp)
    }
    if options.depth == .head || options.depth == .token {
      parts += layers.flatMap { layer in
        (0..<shape.heads).map { Replacement.Part.head(layer, $0) }
      }
    }
    let blocks = explanation.attributions.flatMap { $0.parts ?? [] }
    for block in blocks where block.kind == .mlp {
      let neurons = (block.children ?? []).compactMap(\.neuron).sorted()
      if !neurons.isEmpty { parts.append(.neurons(block.layer, neurons)) }
    }
    return parts
  }

  func checkWarnings(_ explanations: [Explanation], _ options: Options) -> [String] {
    guard let check = options.check, check.replacements.contains(.resample),
      explanations.contains(where: { explanation in
        explanation.checks.map { !$0.contains { $0.replacement == .resample } } ?? false
      })
    else { return [] }
    return [
      "Position 0 has no earlier position to resample from, so that check is left out there; "
        + "--reference FILE gives other texts."
    ]
  }
}
