import Foundation
import Reports
import Results
import Testing

@Suite("The page")
struct HTMLReportTests {
  private func embedded(_ page: String) throws -> String {
    let start = try #require(
      page.range(of: "<script type=\"application/json\" id=\"result\">"))
    let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
    return String(page[start.upperBound..<end.lowerBound])
  }

  @Test("The JSON in the page decodes to the result, hostile text included")
  func data() throws {
    for result in [Samples.one, Samples.three, Samples.hostile, TreeSample.small] + Samples.kinds {
      let json = try embedded(HTMLReport.page(for: result))
      #expect(try ExplainResult.decoded(from: Data(json.utf8)) == result)
      for mark in ["<", ">", "&", "\u{2028}", "\u{2029}", "\n", "\0"] {
        #expect(!json.unicodeScalars.contains { String($0) == mark })
      }
    }
  }

  @Test("Hostile text opens no element: the page has the scripts it was built with and no other")
  func hostile() throws {
    func count(_ text: String, in page: String) -> Int {
      page.components(separatedBy: text).count - 1
    }
    let plain = try HTMLReport.page(for: Samples.one)
    let page = try HTMLReport.page(for: Samples.hostile)
    for mark in ["<script", "</script", "<style", "</title", "<!--", "<b>", "<img"] {
      #expect(count(mark, in: page) == count(mark, in: plain), "\(mark)")
    }
    #expect(count("<script", in: page) == 2)
    #expect(page.contains("<title>A␛]0;title␇ &lt;b&gt;東京&lt;/b&gt; → ␛[31mred</title>"))
    let controls = page.unicodeScalars.filter {
      $0.properties.generalCategory == .control && $0 != "\n"
    }
    #expect(controls.isEmpty)
  }

  @Test("The page asks nothing of a network and its policy forbids it")
  func network() throws {
    let page = try HTMLReport.page(for: Samples.three)
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

  @Test("The template is filled completely, and a token that looks like a mark of it is only text")
  func template() throws {
    let page = try HTMLReport.page(for: Samples.one)
    #expect(!page.contains("{{"))
    #expect(page.hasPrefix("<!doctype html>\n"))
    #expect(page.hasSuffix("</html>\n"))
    #expect(try embedded(HTMLReport.page(for: Samples.hostile)).contains("{{script}}{{result}}"))
  }

  @Test("A number that is not finite is refused")
  func finite() {
    var result = Samples.one
    result.explanations[0].attributions[2].lens = .nan
    #expect(throws: ResultsError.self) { try HTMLReport.page(for: result) }
  }

  @Test("The same result gives the same page")
  func stable() throws {
    #expect(try HTMLReport.page(for: Samples.three) == HTMLReport.page(for: Samples.three))
  }
}
