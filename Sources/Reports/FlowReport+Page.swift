import Foundation
public import Results

extension FlowReport {
  /// The flows as one HTML page that needs nothing else: no network, no other file.
  ///
  /// The result is inside the page as JSON, in `<script type="application/json" id="result">`; its
  /// maps stand after it as little-endian float32 in base64, one element each, named as in
  /// `FlowResult.flowArrays`, and are read when they are looked at. The page's policy
  /// forbids every connection.
  ///
  /// - Throws: `ResultsError` where a number is NaN or infinite.
  public static func html(for result: FlowResult) throws -> String {
    let (light, arrays) = result.movingArrays(over: -1, to: "this page")
    let text = DisplayText.visible(result.text, spaces: false)
    // Base64 holds nothing that could be taken for markup.
    var data = ""
    for array in arrays {
      data += "<script type=\"application/base64\" data-name=\"" + attribute(array.name)
      data += "\">" + (try numbers(array)) + "</script>\n"
    }
    return ReportPage.text(
      body: PackageResources.flow_html, name: "scored flowpage",
      styles: [PackageResources.scores_css, PackageResources.flow_css],
      scripts: [
        PackageResources.heatmap_js, PackageResources.scores_js, PackageResources.flowdata_js,
        PackageResources.flowmaps_js, PackageResources.flowpanels_js, PackageResources.flow_js,
        PackageResources.flowhands_js,
      ],
      title: DisplayText.tail(text, to: 60) + " · flows", json: try light.encoded(indented: false),
      data: data)
  }

  /// A name as an attribute can hold it: whatever is no letter, digit, dot or dash, by its code.
  private static func attribute(_ name: String) -> String {
    name.unicodeScalars.map { scalar in
      let isPlain =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains(scalar))
      return isPlain ? String(scalar) : "&#\(scalar.value);"
    }.joined()
  }

  private static func numbers(_ array: FlowArray) throws -> String {
    var bytes = Data(capacity: 4 * array.values.count)
    for value in array.values {
      guard Float(value).isFinite else { throw notFinite(array) }
      withUnsafeBytes(of: Float(value).bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes.base64EncodedString()
  }
}
