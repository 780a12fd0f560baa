public import Results

/// An explanation as CSV (RFC 4180) in long form: one row for each number that was found.
///
/// `kind` says what a row is. Each explanation starts with a row `baseline`, followed by one row
/// `layer` per chosen layer, ascending; `value` of these sums to `baseline_value + sum`. After each
/// layer come its parts, if it has any, every part before what it is made of: their kind is that of
/// the node (`attention`, `mlp`, `head`, `neuron`, `source`, `bias` and so on) and `place` is where
/// they stand, such as `29/attention/head 3/source 1`; what is one step below a place sums to its
/// value less its `residual`. Then come rows `alternative`, one for each other path or baseline and
/// layer, and rows `check`, one for each part that was replaced.
///
/// Text is exact: a token that begins with `=`, `+`, `-` or `@` is quoted but not altered, so a
/// spreadsheet may take it for a formula; import the text columns as text. Every text field is
/// quoted, every number is not, and a field that does not apply is empty. Lines end in CR LF.
public enum CSVReport {
  /// The names of the columns, in order.
  public static let columns =
    common + layer + [
      "model_value", "baseline_value", "sum", "certificate", "onset_layer",
    ] + part + alternative + check

  private static let common = [
    "explanation", "position", "target_id", "target_text", "versus_id", "versus_text",
    "span_tokens", "kind", "layer", "value",
  ]
  private static let layer = [
    "lens", "rank", "entropy", "top_id", "top_text", "top_probability", "nodes", "converged",
    "contrast_lens", "contrast_difference", "contrast_increment",
  ]
  private static let part = [
    "place", "head", "neuron", "source", "source_text", "residual", "low", "high",
  ]
  private static let alternative = [
    "path", "baseline", "path_baseline_value", "path_certificate", "standard_error",
  ]
  private static let check = [
    "replacement", "scope", "part", "neurons", "predicted", "actual", "gap", "resample_text",
    "resample_position",
  ]

  /// The whole file, with its header.
  public static func text(for result: ExplainResult) -> String {
    var text = columns.joined(separator: ",") + "\r\n"
    for (index, explanation) in result.explanations.enumerated() {
      text += Writer(explanation, index, of: result).text()
    }
    return text
  }

  /// The shortest decimal that reads back exactly; nothing where JSON would have no number either.
  fileprivate static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "" }
    return "\(value)"
  }

  fileprivate static func number(_ value: Int?) -> String { value.map(String.init) ?? "" }

  fileprivate static func quoted(_ text: String?) -> String {
    guard let text else { return "" }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      quoted += scalar == "\"" ? "\"\"" : String(scalar)
    }
    return quoted + "\""
  }

  fileprivate static func empty(_ columns: [String]) -> String {
    String(repeating: ",", count: columns.count - 1)
  }

  /// The rows of one explanation.
  private struct Writer {
    let explanation: Explanation
    /// What every row of the explanation starts with, and what it has in the middle.
    let start: String
    let middle: String
    let sources: [String]

    init(_ explanation: Explanation, _ index: Int, of result: ExplainResult) {
      self.explanation = explanation
      let target = explanation.target
      start = [
        number(index), number(explanation.position), number(target.id), quoted(target.text),
        number(target.versus?.id), quoted(target.versus?.text), number(target.span?.count), "",
      ].joined(separator: ",")
      middle = [
        "", number(explanation.modelValue), number(explanation.baselineValue),
        number(explanation.sum), number(explanation.certificate), number(explanation.onsetLayer),
        "",
      ].joined(separator: ",")
      sources = result.tokens.map { quoted($0.text) }
    }

    func text() -> String {
      var text = ""
      func row(
        _ kind: String, _ number: String, _ value: String, layer: String? = nil,
        part: String? = nil, alternative: String? = nil, check: String? = nil
      ) {
        text += start + quoted(kind) + "," + number + "," + value + ","
        text += (layer ?? empty(CSVReport.layer)) + middle
        text += (part ?? empty(CSVReport.part)) + ","
        text += (alternative ?? empty(CSVReport.alternative)) + ","
        text += (check ?? empty(CSVReport.check)) + "\r\n"
      }
      func add(_ nodes: [AttributionNode], below place: String, of layer: Int) {
        for node in nodes {
          let here = place + "/" + step(node, of: layer)
          row(
            node.kind.rawValue, number(node.layer), number(node.value),
            part: self.part(node, here))
          if let children = node.children { add(children, below: here, of: node.layer) }
        }
      }
      row("baseline", "", number(explanation.baselineValue))
      for layer in explanation.attributions {
        let place = number(layer.layer)
        let hasPart = layer.residual != nil || layer.low != nil || layer.parts != nil
        let part =
          [quoted(place), "", "", "", ""]
          + [layer.residual, layer.low, layer.high].map { number($0) }
        row(
          "layer", place, number(layer.value), layer: cells(layer),
          part: hasPart ? part.joined(separator: ",") : nil)
        add(layer.parts ?? [], below: place, of: layer.layer)
      }
      for other in explanation.alternatives ?? [] {
        for (index, value) in other.values.enumerated() {
          guard explanation.attributions.indices.contains(index) else { break }
          row(
            "alternative", number(explanation.attributions[index].layer), number(value),
            layer: integral(other, index), alternative: cells(other, index))
        }
      }
      for check in explanation.checks ?? [] {
        for part in check.rows {
          row(
            "check", number(part.layer), "",
            part: ["", number(part.head), "", "", "", "", "", ""].joined(separator: ","),
            check: cells(check, part))
        }
      }
      return text
    }

    private func cells(_ layer: LayerAttribution) -> String {
      let top = layer.top?.first
      return [
        number(layer.lens), number(layer.rank), number(layer.entropy), number(top?.id),
        quoted(top?.text), number(top?.probability), number(layer.nodes),
        layer.converged.map(String.init) ?? "", number(layer.contrastLens),
        number(layer.contrastDifference), number(layer.contrastIncrement),
      ].joined(separator: ",")
    }

    private func part(_ node: AttributionNode, _ place: String) -> String {
      let source = node.source.flatMap { sources.indices.contains($0) ? sources[$0] : nil }
      return [
        quoted(place), number(node.head), number(node.neuron), number(node.source), source ?? "",
        number(node.residual), "", "",
      ].joined(separator: ",")
    }

    /// One step of a place: the kind and its index, and the block where it is another.
    private func step(_ node: AttributionNode, of layer: Int) -> String {
      let index =
        switch node.kind {
        case .head: node.head
        case .neuron: node.neuron
        case .expert: node.expert
        case .source: node.source
        default: Int?.none
        }
      let block = node.layer >= 0 && node.layer != layer ? " of \(node.layer)" : ""
      return node.kind.rawValue + (index.map { " \($0)" } ?? "") + block
    }

    private func integral(_ other: Alternative, _ index: Int) -> String {
      func at<Value>(_ list: [Value]?) -> Value? {
        list.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      }
      return [
        "", "", "", "", "", "", number(at(other.nodes)),
        at(other.converged).map(String.init) ?? "", "", "", "",
      ].joined(separator: ",")
    }

    private func cells(_ other: Alternative, _ index: Int) -> String {
      let errors = other.standardErrors
      let error = errors.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      return [
        quoted(other.path), quoted(other.baseline), number(other.baselineValue),
        number(other.certificate), number(error),
      ].joined(separator: ",")
    }

    private func cells(_ check: CausalCheck, _ part: CheckedPart) -> String {
      let neurons = part.neurons.map { $0.map(String.init).joined(separator: " ") }
      return [
        quoted(check.replacement.rawValue), quoted(check.scope.rawValue),
        quoted(part.kind.rawValue), quoted(neurons), number(part.predicted), number(part.actual),
        number(part.gap), number(check.source?.text), number(check.source?.position),
      ].joined(separator: ",")
    }
  }
}
