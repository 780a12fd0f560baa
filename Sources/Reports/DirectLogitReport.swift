public import Results

/// A logit split over everything that wrote to the residual stream, for a terminal or a table.
public enum DirectLogitReport {
  /// Each explained logit by layer, then its largest parts with what they are made of.
  ///
  /// The digits shown add up exactly at every level: each value is the difference of the rounded
  /// levels around it, so it may differ from the rounded value by one in its last digit.
  ///
  /// - Parameters:
  ///   - result: The split.
  ///   - style: What the terminal can show.
  ///   - top: The parts of each list that are shown, at most; one line holds all others.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: DirectLogitResult, style: TerminalStyle, top: Int = 10
  ) -> String {
    let frame = ReportFrame(style: style)
    let norm =
      result.finalNorm == "frozen"
      ? "final norm frozen at its scale in this run" : "final norm " + result.finalNorm
    var lines = frame.heading(
      result.model, device: result.device,
      [
        "direct logit attribution", TerminalReport.shown(norm, style: style),
        result.centred ? "logits less their mean over the vocabulary" : "logits not centred",
      ])
    for explanation in result.explanations {
      lines.append(TerminalLine())
      lines += DirectLogitTable(explanation, in: result, style: style, top: top).lines()
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// One row for each part of each explanation, in CSV (RFC 4180).
  ///
  /// `part` counts the rows of an explanation and `parent` is the row that a part belongs to; parts
  /// without a parent add up to `sum`. Text is exact, as in ``CSVReport``.
  public static func csv(for result: DirectLogitResult) -> String {
    let columns = [
      "explanation", "position", "target_id", "target_text", "versus_id", "versus_text", "part",
      "parent", "kind", "layer", "head", "neuron", "source", "value", "residual", "model_logit",
      "sum", "certificate", "final_norm", "centred",
    ]
    var rows: [[String]] = []
    for (index, explanation) in result.explanations.enumerated() {
      let target = explanation.target
      let start = [
        String(index), String(explanation.position), String(target.id),
        CSVFields.quoted(target.text), CSVFields.number(target.versus?.id),
        CSVFields.quoted(target.versus?.text),
      ]
      let end = [
        CSVFields.number(explanation.modelLogit), CSVFields.number(explanation.sum),
        CSVFields.number(explanation.certificate), CSVFields.quoted(result.finalNorm),
        String(result.centred),
      ]
      var count = 0
      func add(_ nodes: [AttributionNode], parent: Int?) {
        for node in nodes {
          let part = count
          count += 1
          let fields = [
            String(part), CSVFields.number(parent), CSVFields.quoted(node.kind.rawValue),
            String(node.layer), CSVFields.number(node.head), CSVFields.number(node.neuron),
            CSVFields.number(node.source), CSVFields.number(node.value),
            CSVFields.number(node.residual),
          ]
          rows.append(start + fields + end)
          add(node.children ?? [], parent: part)
        }
      }
      add(explanation.parts, parent: nil)
    }
    return CSVFields.table(columns, rows)
  }
}
