internal import LanguageModels
internal import Results

// The path and the baseline are choices: completeness holds for every one and says nothing about the
// split. So other choices are computed from the same forward pass, and each layer gets its range.

extension Explainer {
  /// Computes the other paths and baselines asked for, each layer's range over all of them, and how
  /// far they agree on the order of layers.
  func addAlternatives(
    to explanations: inout [Explanation], _ trace: ResidualTrace, _ targets: [Int],
    _ options: Options, _ method: IGLens, _ path: StatePath
  ) throws {
    var choices: [(path: PathChoice, baseline: Baseline)] = options.otherPaths
      .filter { $0.name != options.path.name }.map { ($0, options.baseline) }
    if options.reading?.start == nil {
      choices += options.otherBaselines.filter { $0 != options.baseline }
        .map { (options.path, $0) }
    }
    guard !choices.isEmpty else { return }
    for choice in choices {
      var settings = options
      settings.path = choice.path
      settings.baseline = choice.baseline
      settings.depth = .layer
      settings.neurons = .none
      settings.check = nil
      let start = try start(trace, choice.baseline, settings, path)
      var plain = method
      if choice.path != .chain { plain.estimator = .observed }
      let found = try explain(trace, targets, start, settings, plain, path)
      for (index, found) in found.enumerated() {
        explanations[index].alternatives =
          (explanations[index].alternatives ?? []) + [
            Alternative(
              path: choice.path.name,
              baseline: options.reading?.start == nil ? choice.baseline.name : "means",
              baselineValue: found.baseline, values: found.attributions,
              standardErrors: found.standardErrors,
              nodes: found.nodes.isEmpty ? nil : found.nodes,
              converged: found.converged.isEmpty ? nil : found.converged,
              certificate: found.baseline + found.sum - explanations[index].modelValue)
          ]
      }
    }
    let main =
      options.path.name + "/"
      + (options.reading?.start == nil ? options.baseline.name : "means")
    for index in explanations.indices { explanations[index].compareAlternatives(main) }
  }
}

extension Explanation {
  /// Sets each layer's range, and the rank correlations of all ways of splitting.
  fileprivate mutating func compareAlternatives(_ main: String) {
    guard let alternatives else { return }
    for layer in attributions.indices {
      let values = [attributions[layer].value] + alternatives.map { $0.values[layer] }
      attributions[layer].low = values.min()
      attributions[layer].high = values.max()
    }
    let ways =
      [(main, attributions.map(\.value))]
      + alternatives.map { ($0.path + "/" + $0.baseline, $0.values) }
    rankCorrelations = ways.indices.flatMap { first in
      ways.indices.filter { $0 > first }.map { second in
        RankCorrelation(
          first: ways[first].0, second: ways[second].0,
          spearman: RankAgreement.spearman(ways[first].1, ways[second].1))
      }
    }
  }
}
