public import Results

extension LensReport {
  /// The grid as one HTML page that needs nothing else: no network, no other file.
  ///
  /// The result is inside the page as JSON, in `<script type="application/json" id="result">`. The
  /// page's policy forbids every connection.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func page(for result: LensResult) throws -> String {
    let text = DisplayText.visible(result.text, spaces: false)
    let kind = DisplayText.visible(result.lens.kind, spaces: false)
    return ReportPage.text(
      body: PackageResources.lens_html, name: "lenspage", styles: [PackageResources.lens_css],
      scripts: [PackageResources.lensgrid_js, PackageResources.lens_js],
      title: DisplayText.tail(text, to: 60) + " · " + kind + " lens",
      json: try result.encoded(indented: false))
  }
}
