import Foundation
import Reports
import Results
import Testing

@Suite("The page of flows")
struct FlowPageTests {
  /// The text of an element, from its opening tag to the end of the script.
  private func element(_ tag: String, of page: String) throws -> String {
    let start = try #require(page.range(of: tag), "\(tag)")
    let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
    return String(page[start.upperBound..<end.lowerBound])
  }

  private func json(_ page: String) throws -> String {
    try element("<script type=\"application/json\" id=\"result\">", of: page)
  }

  /// The numbers of an array as the page holds them.
  private func numbers(_ name: String, of page: String) throws -> [Float] {
    let text = try element(
      "<script type=\"application/base64\" data-name=\"\(name)\">", of: page)
    let bytes = Array(try #require(Data(base64Encoded: text)))
    #expect(bytes.count % 4 == 0)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
    }
  }

  @Test("The JSON and the numbers in the page are the result, each map in the order of its axes")
  func data() throws {
    for result in [FlowSamples.one, FlowSamples.many] {
      let page = try FlowReport.html(for: result)
      let light = try FlowResult.decoded(from: Data(json(page).utf8))
      var read = try light.filled { name in try numbers(name, of: page).map(Double.init) }
      // Float32 is what the page holds: seven digits of each number.
      for (found, wanted) in zip(read.flowArrays, result.flowArrays) {
        #expect(found.name == wanted.name && found.shape == wanted.shape)
        #expect(found.values == wanted.values.map { Double(Float($0)) })
      }
      read.layers = result.layers
      #expect(read == result)
    }
  }

  @Test("Hostile text opens no element: the page has the scripts it was built with and no other")
  func hostile() throws {
    func count(_ text: String, in page: String) -> Int {
      page.components(separatedBy: text).count - 1
    }
    let plain = try FlowReport.html(for: FlowSamples.many)
    let page = try FlowReport.html(for: FlowSamples.hostile)
    for mark in ["<script", "</script", "<style", "</title", "<!--", "<b>", "<img", "<i>", "<u>"] {
      #expect(count(mark, in: page) == count(mark, in: plain), "\(mark)")
    }
    // The result, the program, and six maps of each of three layers.
    #expect(count("<script", in: page) == 2 + 3 * 6)
    let controls = page.unicodeScalars.filter {
      $0.properties.generalCategory == .control && $0 != "\n"
    }
    #expect(controls.isEmpty)
    let json = try json(page)
    #expect(json.contains("{{script}}"))
    for mark in ["<", ">", "&", "\u{2028}", "\n"] { #expect(!json.contains(mark), "\(mark)") }
    #expect(try FlowResult.decoded(from: Data(json.utf8)).tokens == FlowSamples.hostile.tokens)
  }

  @Test("The page asks nothing of a network and its policy forbids it")
  func network() throws {
    let page = try FlowReport.html(for: FlowSamples.many)
    // The name of the SVG namespace is the one address in the page, and nothing fetches it.
    let addresses = page.matches(of: /[a-z]+:\/\/[^"'\s]*/).map { String($0.output) }
    #expect(addresses == ["http://www.w3.org/2000/svg"])
    for mark in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval("] {
      #expect(!page.contains(mark), "\(mark)")
    }
    #expect(
      page.contains(
        "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
          + "base-uri 'none'; form-action 'none'\""))
  }

  @Test("The template is filled completely, and the same result gives the same page")
  func template() throws {
    let page = try FlowReport.html(for: FlowSamples.one)
    #expect(!page.contains("{{"))
    #expect(!page.contains("<!--numbers-->"))
    #expect(page.hasPrefix("<!doctype html>\n"))
    #expect(page.hasSuffix("</html>\n"))
    #expect(page.contains("<title>cat sat · flows</title>"))
    #expect(try FlowReport.html(for: FlowSamples.one) == page)
  }
}
