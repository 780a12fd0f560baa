public import Results

/// An explanation as CSV (RFC 4180) in long form: one row for each explanation and layer.
///
/// Each explanation starts with a row of kind `baseline`, followed by one row of kind `layer` per
/// chosen layer, ascending; `value` of these rows sums to `baseline_value + sum`. Text is exact: a
/// token that begins with `=`, `+`, `-` or `@` is quoted but not altered, so a spreadsheet may take
/// it for a formula; import the text columns as text. Every text field is quoted, every number is
/// not, and a field that does not apply is empty. Lines end in CR LF.
public enum CSVReport {
  /// The names of the columns, in order.
  public static let columns = [
    "explanation", "position", "target_id", "target_text", "versus_id", "versus_text",
    "span_tokens", "kind", "layer", "value", "lens", "rank", "entropy", "top_id", "top_text",
    "top_probability", "nodes", "converged", "contrast_lens", "contrast_difference",
    "contrast_increment", "model_value", "baseline_value", "sum", "certificate", "onset_layer",
  ]

  /// The whole file, with its header.
  public static func text(for result: ExplainResult) -> String {
    var text = columns.joined(separator: ",") + "\r\n"
    for (index, explanation) in result.explanations.enumerated() {
      let target = explanation.target
      let start = [
        String(index), String(explanation.position), String(target.id), quoted(target.text),
        target.versus.map { String($0.id) } ?? "", quoted(target.versus?.text),
        target.span.map { String($0.count) } ?? "",
      ]
      let end = [
        number(explanation.modelValue), number(explanation.baselineValue),
        number(explanation.sum), number(explanation.certificate),
        explanation.onsetLayer.map(String.init) ?? "",
      ]
      let baseline = [quoted("baseline"), "", number(explanation.baselineValue)]
      let none = [String](repeating: "", count: columns.count - 10 - end.count)
      text += (start + baseline + none + end).joined(separator: ",") + "\r\n"
      for layer in explanation.attributions {
        text += (start + row(layer) + end).joined(separator: ",") + "\r\n"
      }
    }
    return text
  }

  private static func row(_ layer: LayerAttribution) -> [String] {
    let top = layer.top?.first
    return [
      quoted("layer"), String(layer.layer), number(layer.value), number(layer.lens),
      layer.rank.map(String.init) ?? "", number(layer.entropy),
      top.map { String($0.id) } ?? "", quoted(top?.text), number(top?.probability),
      layer.nodes.map(String.init) ?? "", layer.converged.map(String.init) ?? "",
      number(layer.contrastLens), number(layer.contrastDifference),
      number(layer.contrastIncrement),
    ]
  }

  /// The shortest decimal that reads back exactly; nothing where JSON would have no number either.
  private static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "" }
    return "\(value)"
  }

  private static func quoted(_ text: String?) -> String {
    guard let text else { return "" }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      quoted += scalar == "\"" ? "\"\"" : String(scalar)
    }
    return quoted + "\""
  }
}
