import Foundation
public import Results

/// A circuit with its edges and with how well it carries the metric, for a terminal, a page, a table or
/// the front end of circuit-tracer.
public enum CircuitReport {
  /// The strongest nodes, where they are, the strongest edges, and the curves.
  ///
  /// Nothing from a token reaches the terminal raw.
  ///
  /// - Parameters:
  ///   - result: The circuit.
  ///   - style: What the terminal can show.
  ///   - top: The nodes and the edges that a list shows, at most.
  /// - Returns: The whole report, ending in a line break.
  public static func text(
    for result: CircuitResult, style: TerminalStyle, top: Int = 12
  ) -> String {
    let frame = ReportFrame(style: style)
    var lines = frame.heading(
      result.model, device: result.device,
      phrases(of: result).map { TerminalReport.shown($0, style: style) })
    lines.append(TerminalLine())
    do {
      try result.checkRanges()
      lines += frame.metric(result.metric, in: result.tokens)
      if result.task != nil {
        lines += frame.note(
          "The first prompt of the task; the metric is the mean over its prompts.")
      }
      lines += CircuitTable(result, style: style, top: max(0, top)).lines()
      lines += CircuitCurveTable(result, style: style).lines()
      if result.nodes.isEmpty, (result.curves ?? []).isEmpty {
        lines += [TerminalLine(), TerminalLine("no nodes: no score passes the selection")]
      }
    } catch {
      lines += frame.note(String(describing: error), .loss)
    }
    return frame.text(lines + frame.warnings(result.warnings))
  }

  private static func phrases(of result: CircuitResult) -> [String] {
    var phrases = MethodWords.phrases(result.method)
    if let task = result.task {
      phrases.append("task \(task.name)")
      phrases.append(
        "\(task.trainPrompts) prompt\(task.trainPrompts == 1 ? "" : "s") for scores")
      if task.testPrompts > 0 { phrases.append("\(task.testPrompts) for circuits") }
      phrases.append("seed \(task.seed)")
    }
    return phrases + [MethodWords.passes(result.passes)]
  }

  /// Nodes, edges and points of curves, a row each, in CSV (RFC 4180).
  ///
  /// `kind` is `node`, `edge` or `point`. `source` and `target` are the ends of an edge as the JSON names
  /// them, where `node 0` is the first row of nodes. A field that does not apply is empty. Text is exact,
  /// as in ``CSVReport``.
  public static func csv(for result: CircuitResult) -> String {
    let columns = [
      "kind", "layer", "position", "token", "unit", "score", "value", "source", "target", "weight",
      "attribution", "method", "ablation", "selection", "nodes", "share", "threshold", "circuit",
      "complement", "faithfulness", "completeness",
    ]
    var rows: [[String]] = []
    func row(_ fields: [String: String]) { rows.append(columns.map { fields[$0] ?? "" }) }
    for node in result.nodes {
      let token = node.position.flatMap {
        result.tokens.indices.contains($0) ? result.tokens[$0].text : nil
      }
      row([
        "kind": CSVFields.quoted("node"), "layer": CSVFields.number(node.layer),
        "position": CSVFields.number(node.position), "token": CSVFields.quoted(token),
        "unit": CSVFields.number(node.unit), "score": CSVFields.number(node.score),
        "value": CSVFields.number(node.value),
      ])
    }
    for edge in result.edges ?? [] {
      row([
        "kind": CSVFields.quoted("edge"), "source": CSVFields.quoted(edge.source.name),
        "target": CSVFields.quoted(edge.target.name), "value": CSVFields.number(edge.value),
        "weight": CSVFields.number(edge.weight), "attribution": CSVFields.number(edge.attribution),
      ])
    }
    for curve in result.curves ?? [] {
      for point in curve.points {
        row([
          "kind": CSVFields.quoted("point"),
          "method": CSVFields.quoted(MethodWords.phrases(curve.method).joined(separator: ", ")),
          "ablation": CSVFields.quoted(curve.ablation),
          "selection": CSVFields.quoted(curve.selection),
          "nodes": CSVFields.number(point.nodes), "share": CSVFields.number(point.share),
          "threshold": CSVFields.number(point.threshold),
          "circuit": CSVFields.number(point.circuit),
          "complement": CSVFields.number(point.complement),
          "faithfulness": CSVFields.number(point.faithfulness),
          "completeness": CSVFields.number(point.completeness),
        ])
      }
    }
    return CSVFields.table(columns, rows)
  }

  /// The circuit as one HTML page that needs nothing else: no network, no other file.
  ///
  /// The result is inside the page as JSON, in `<script type="application/json" id="result">`. The
  /// page's policy forbids every connection.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func html(for result: CircuitResult) throws -> String {
    let text = DisplayText.visible(result.task?.name ?? result.text, spaces: false)
    return ReportPage.text(
      body: PackageResources.circuit_html, name: "scored circuitpage",
      styles: [PackageResources.scores_css, PackageResources.circuit_css],
      scripts: [
        PackageResources.scores_js, PackageResources.methods_js, PackageResources.circuitdata_js,
        PackageResources.circuitgraph_js, PackageResources.circuitcurves_js,
        PackageResources.circuit_js,
      ],
      title: DisplayText.tail(text, to: 60) + " · circuit",
      json: try result.encoded(indented: false))
  }
}

extension CircuitEdge.End {
  /// As the JSON names it.
  var name: String {
    switch self {
    case .node(let place): "node \(place)"
    case .token(let position): "token \(position)"
    case .metric: "metric"
    }
  }
}
