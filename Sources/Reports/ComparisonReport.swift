public import Results

/// Several methods on one prediction, layer by layer, for a terminal or a table.
public enum ComparisonReport {
  /// Layers down, methods across, each with its unit, its sum and its certificate; then how far the
  /// methods agree on the order of layers.
  ///
  /// Each method's digits add up exactly from its start to its sum.
  public static func text(for result: CompareResult, style: TerminalStyle) -> String {
    let frame = ReportFrame(style: style)
    var lines = frame.heading(
      result.model, device: result.device,
      ["comparison of methods", "target " + result.target, "baseline " + result.baseline].map {
        TerminalReport.shown($0, style: style)
      })
    for explanation in result.explanations {
      lines.append(TerminalLine())
      lines += ComparisonTable(explanation, in: result, style: style).lines()
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  /// One row for each method's start and each of its layers, in CSV (RFC 4180).
  ///
  /// `value` of a method's rows sums to what its values come to. Text is exact, as in ``CSVReport``.
  public static func csv(for result: CompareResult) -> String {
    let columns = [
      "explanation", "position", "target_id", "target_text", "versus_id", "versus_text", "method",
      "unit", "kind", "layer", "value", "model_value", "certificate",
    ]
    var rows: [[String]] = []
    for (index, explanation) in result.explanations.enumerated() {
      let target = explanation.target
      for method in explanation.methods {
        let start = [
          String(index), String(explanation.position), String(target.id),
          CSVFields.quoted(target.text), CSVFields.number(target.versus?.id),
          CSVFields.quoted(target.versus?.text), CSVFields.quoted(method.name),
          CSVFields.quoted(method.unit),
        ]
        let end = [
          CSVFields.number(explanation.modelValue), CSVFields.number(method.certificate),
        ]
        let first = [CSVFields.quoted("start"), "", CSVFields.number(method.start)]
        rows.append(start + first + end)
        for (layer, value) in zip(result.layers, method.values) {
          let fields = [CSVFields.quoted("layer"), String(layer), CSVFields.number(value)]
          rows.append(start + fields + end)
        }
      }
    }
    return CSVFields.table(columns, rows)
  }
}
