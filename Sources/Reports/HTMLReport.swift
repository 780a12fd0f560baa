import Foundation
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
    let json = try result.encoded(indented: false)
    var page = text(PackageResources.index_html)
    // The result goes in last: nothing that it contains can be taken for a mark of the template.
    let styles = [PackageResources.viewer_css, PackageResources.parts_css].map(text)
    page = page.replacing("{{style}}", with: styles.joined())
    let scripts = [
      PackageResources.format_js, PackageResources.waterfall_js, PackageResources.heatmap_js,
      PackageResources.panels_js, PackageResources.parts_js, PackageResources.checks_js,
      PackageResources.viewer_js,
    ].map(text).joined(separator: "\n")
    page = page.replacing("{{script}}", with: scripts)
    let parts = page.split(separator: "{{result}}", maxSplits: 1, omittingEmptySubsequences: false)
    let title = String(parts[0]).replacing("{{title}}", with: title(of: result))
    return title + embedded(json) + (parts.count > 1 ? String(parts[1]) : "")
  }

  /// JSON that cannot end its `script` element or break a line of script.
  private static func embedded(_ json: Data) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(json.count + json.count / 16)
    for byte in json {
      switch byte {
      case UInt8(ascii: "<"): bytes += Array("\\u003c".utf8)
      case UInt8(ascii: ">"): bytes += Array("\\u003e".utf8)
      case UInt8(ascii: "&"): bytes += Array("\\u0026".utf8)
      case UInt8(ascii: "\n"): continue
      case 0x7F: bytes += Array("\\u007f".utf8)
      // The controls above U+007F end in these bytes after C2.
      case 0x80...0x9F where bytes.last == 0xC2:
        bytes.removeLast()
        bytes += Array(("\\u00" + String(byte, radix: 16)).utf8)
      // U+2028 and U+2029 end in these bytes after E2 80.
      case 0xA8 where bytes.suffix(2) == [0xE2, 0x80]:
        bytes.replaceSubrange(bytes.count - 2..<bytes.count, with: Array("\\u2028".utf8))
      case 0xA9 where bytes.suffix(2) == [0xE2, 0x80]:
        bytes.replaceSubrange(bytes.count - 2..<bytes.count, with: Array("\\u2029".utf8))
      default: bytes.append(byte)
      }
    }
    return text(bytes)
  }

  /// The prompt's end and what follows it, for the window and its tab.
  private static func title(of result: ExplainResult) -> String {
    let prompt = DisplayText.tail(
      DisplayText.visible(result.prompt, spaces: false), to: 60)
    let target = result.explanations.first.map {
      " → " + DisplayText.visible($0.target.text, spaces: false)
    }
    return (prompt + (target ?? "")).replacing("&", with: "&amp;")
      .replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
