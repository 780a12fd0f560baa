public import Results

/// What flows between tokens inside layers, for a terminal, a page, a table or the published layout.
public enum FlowReport {
  /// The flows of each layer: of one, every target with its strongest sources; of several, a line each.
  ///
  /// Rows of a map are sources and columns are targets, wherever one is drawn. Nothing from a token
  /// reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: The flows, with their numbers in them.
  ///   - style: What the terminal can show.
  ///   - top: The sources that the line of a target shows, at most.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: FlowResult, style: TerminalStyle, top: Int = 6
  ) -> String {
    let frame = ReportFrame(style: style)
    var lines = frame.heading(
      result.model, device: result.device,
      phrases(of: result).map { TerminalReport.shown($0, style: style) })
    lines.append(TerminalLine())
    lines += frame.note(
      TerminalReport.quoted(result.text, style: style, to: 3 * style.width), .strong, indent: "")
    if let damage = damage(of: result) {
      lines += [TerminalLine()] + frame.note(damage, .loss)
    } else if result.layers.isEmpty || result.parameters.targets.isEmpty {
      lines += [TerminalLine(), TerminalLine("nothing flows: no layer or no target was asked for")]
    } else if result.layers.count == 1 {
      lines += FlowDetail(result, result.layers[0], style: style, top: top).lines()
    } else {
      lines += FlowOverview(result, style: style, top: top).lines()
    }
    if let agreement = result.agreement, !agreement.isEmpty {
      lines += FlowAgreementTable(agreement, style: style).lines()
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// What is said of targets whose sums miss their totals.
  static func missed(_ parameters: FlowParameters, nodes: Int? = nil) -> String {
    guard parameters.quadrature == "captum-trapezoid" else {
      return "did not reach the tolerance" + (nodes.map { " with \($0) nodes." } ?? ".")
    }
    return "miss their totals by more than 0.001; the weights of this rule sum to 1 less 3/2n."
  }

  /// How the flows were made.
  private static func phrases(of result: FlowResult) -> [String] {
    let parameters = result.parameters
    let layers = result.layers.map(\.layer)
    var phrases = ["flows between tokens"]
    if layers.count == 1 { phrases = ["flows between tokens in layer \(layers[0])"] }
    let baselines = [
      ("attention", parameters.baseline.attention),
      ("feed-forward", parameters.baseline.feedForward), ("layer", parameters.baseline.layer),
    ]
    phrases += baselines.compactMap { name, baseline in
      baseline.map { "\(name) from \($0)" }
    }
    phrases.append("\(parameters.scalarisation) of the change")
    if parameters.boundary != "strict" { phrases.append("boundary " + parameters.boundary) }
    var rule = parameters.quadrature
    if let steps = parameters.steps { rule += " \(steps)" }
    if let tolerance = parameters.tolerance { rule += " to \(tolerance)" }
    return phrases + [rule]
  }

  /// What keeps a result from being drawn: it was not read from a file, or its numbers were not.
  static func damage(of result: FlowResult) -> String? {
    do {
      try result.checkRanges()
    } catch {
      return String(describing: error)
    }
    guard let array = result.flowArrays.first(where: { $0.values.isEmpty && !$0.shape.contains(0) })
    else { return nil }
    return "The numbers of '\(array.name)' stand in the file of arrays beside this result and were "
      + "not read from it."
  }
}
