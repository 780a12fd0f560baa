import Foundation

/// A page from a template, with everything that it needs inside it.
enum ReportPage {
  /// The frame that all pages share, with a page's own body, styles and scripts in it.
  ///
  /// The result and the title go in last: nothing in them can be taken for a mark of the template.
  /// `data` is whole elements that stand after the result.
  static func text(
    body: [UInt8], name: String, styles: [[UInt8]], scripts: [[UInt8]], title: String, json: Data,
    data: String = ""
  ) -> String {
    func joined(_ parts: [[UInt8]]) -> String { parts.map(text).joined(separator: "\n") }
    let page = text(PackageResources.page_html).replacing("{{name}}", with: name)
      .replacing("{{body}}", with: text(body))
      .replacing("{{style}}", with: joined([PackageResources.viewer_css] + styles))
      .replacing("{{script}}", with: joined([PackageResources.format_js] + scripts))
    let parts = page.split(separator: "{{result}}", maxSplits: 1, omittingEmptySubsequences: false)
    let escaped = title.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing(">", with: "&gt;")
    return String(parts[0]).replacing("{{title}}", with: escaped) + embedded(json)
      + (parts.count > 1 ? parts[1].replacing("{{data}}", with: data, maxReplacements: 1) : "")
  }

  /// JSON that cannot end its `script` element or break a line of script.
  static func embedded(_ json: Data) -> String {
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

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
