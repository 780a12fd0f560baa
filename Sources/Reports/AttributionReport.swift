public import Results

/// What tokens or units inside the model give to one number, for a terminal, a page or a table.
public enum AttributionReport {
  /// The metric, the scores of each kind of unit with what they sum to, and how they were made.
  ///
  /// Up to 40 tokens each have a line; of more, the strongest. The scores shown for tokens add up to the
  /// sum shown. Nothing from a token reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: The scores.
  ///   - style: What the terminal can show.
  ///   - top: The units that a list shows, at most, and the tokens of a text of more than 40.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: AttributionResult, style: TerminalStyle, top: Int = 12
  ) -> String {
    let frame = ReportFrame(style: style)
    var phrases = MethodWords.phrases(result.method)
    phrases.append(MethodWords.passes(result.passes))
    var lines = frame.heading(
      result.model, device: result.device,
      phrases.map { TerminalReport.shown($0, style: style) })
    if let contrast = result.contrast {
      lines += frame.note("against " + TerminalReport.quoted(contrast.text, style: style), .quiet)
    }
    lines.append(TerminalLine())
    if let damage = damage(of: result) {
      return frame.text(lines + frame.note(damage, .loss) + frame.warnings(result.warnings))
    }
    lines += frame.metric(result.metric, in: result.tokens)
    for scores in result.scores {
      lines += [TerminalLine()]
      lines += AttributionTable(scores, in: result, style: style, top: max(0, top)).lines()
    }
    if result.scores.isEmpty {
      lines += [TerminalLine(), TerminalLine("no scores: nothing was asked for")]
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// What keeps a result from being drawn: its lists do not fit one another.
  private static func damage(of result: AttributionResult) -> String? {
    do {
      try result.checkRanges()
      return nil
    } catch {
      return String(describing: error)
    }
  }

  /// One row for each score, in CSV (RFC 4180).
  ///
  /// `quantity` is `score` for a number of the array, `top` for a single unit, and `sum`, `constants`,
  /// `expected` or `residual` for a certificate, whose number stands in `score` as well. `index` is the
  /// head, neuron or coordinate. A field that does not apply is empty. Text is exact, as in
  /// ``CSVReport``.
  public static func csv(for result: AttributionResult) -> String {
    var rows: [[String]] = []
    for scores in result.scores {
      let unit = CSVFields.quoted(scores.unit)
      func row(
        _ quantity: String, layer: Int? = nil, position: Int? = nil, index: Int? = nil,
        _ score: Double, value: Double? = nil
      ) {
        let token = position.flatMap {
          result.tokens.indices.contains($0) ? result.tokens[$0].text : nil
        }
        rows.append([
          unit, CSVFields.quoted(quantity), CSVFields.number(layer), CSVFields.number(position),
          CSVFields.quoted(token), CSVFields.number(index), CSVFields.number(score),
          CSVFields.number(value),
        ])
      }
      let shape = scores.array.shape
      for (place, score) in scores.array.values.enumerated() {
        var rest = place
        var places: [String: Int] = [:]
        for (axis, extent) in zip(scores.array.axes, shape).reversed() {
          places[axis] = rest % extent
          rest /= extent
        }
        let layer = places["layer"].flatMap { place in
          scores.layers.flatMap { $0.indices.contains(place) ? $0[place] : nil }
        }
        row("score", layer: layer, position: places["position"], index: places["head"], score)
      }
      for unit in scores.top ?? [] {
        row(
          "top", layer: unit.layer, position: unit.position, index: unit.unit, unit.score,
          value: unit.value)
      }
      for (index, certificate) in (scores.certificates ?? []).enumerated() {
        let layer = scores.layers.flatMap { $0.indices.contains(index) ? $0[index] : nil }
        row("sum", layer: layer, certificate.sum)
        if let constants = certificate.constants { row("constants", layer: layer, constants) }
        row("expected", layer: layer, certificate.expected)
        row("residual", layer: layer, certificate.residual)
      }
    }
    return CSVFields.table(
      ["unit", "quantity", "layer", "position", "token", "index", "score", "value"], rows)
  }

  /// The scores as one HTML page that needs nothing else: no network, no other file.
  ///
  /// The result is inside the page as JSON, in `<script type="application/json" id="result">`. The
  /// page's policy forbids every connection.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func html(for result: AttributionResult) throws -> String {
    let text = DisplayText.visible(result.text, spaces: false)
    let method = DisplayText.visible(result.method.name, spaces: false)
    return ReportPage.text(
      body: PackageResources.attribution_html, name: "scored attributionpage",
      styles: [PackageResources.scores_css, PackageResources.attribution_css],
      scripts: [
        PackageResources.heatmap_js, PackageResources.scores_js, PackageResources.methods_js,
        PackageResources.attributiongrid_js, PackageResources.attribution_js,
      ],
      title: DisplayText.tail(text, to: 60) + " · " + method,
      json: try result.encoded(indented: false))
  }
}
