public import Results

/// An explanation as one HTML page that needs nothing else: no network, no other file.
///
/// The result is inside the page as JSON, in `<script type="application/json" id="result">`, and is
/// what the viewer draws. The page's policy forbids every connection.
public enum HTMLReport {
  /// The page.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func page(for result: ExplainResult) throws -> String {
    ReportPage.text(
      body: PackageResources.index_html, name: "explainpage", styles: [PackageResources.parts_css],
      scripts: [
        PackageResources.waterfall_js, PackageResources.heatmap_js, PackageResources.panels_js,
        PackageResources.parts_js, PackageResources.checks_js, PackageResources.viewer_js,
      ],
      title: title(of: result), json: try result.encoded(indented: false))
  }

  /// The prompt's end and what follows it, for the window and its tab.
  private static func title(of result: ExplainResult) -> String {
    let prompt = DisplayText.tail(
      DisplayText.visible(result.prompt, spaces: false), to: 60)
    let target = result.explanations.first.map {
      " → " + DisplayText.visible($0.target.text, spaces: false)
    }
    return prompt + (target ?? "")
  }
}
