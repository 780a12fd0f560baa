import Foundation
import Reports
import Results
import Testing

@Suite("The report of circuits")
struct CircuitReportTests {
  private func text(
    _ result: CircuitResult, _ width: Int, color: Bool = false, unicode: Bool = true, top: Int = 12
  ) -> String {
    CircuitReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: top)
  }

  // MARK: The terminal

  @Test("Nodes, where they are, and edges at 100 columns")
  func edgesAt100() { #expect(text(CircuitSamples.edges, 100) == CircuitGolden.edgesAt100) }

  @Test("The same at 60 columns in ASCII")
  func edgesAt60() {
    #expect(text(CircuitSamples.edges, 60, unicode: false) == CircuitGolden.edgesAt60InASCII)
  }

  @Test("Nodes of summed positions have no token and no grid")
  func summed() { #expect(text(CircuitSamples.summed, 80) == CircuitGolden.summedAt80) }

  @Test("An evaluation without nodes: a line for each method, then the points of each")
  func evaluation() {
    #expect(text(CircuitSamples.evaluation, 100) == CircuitGolden.evaluationAt100)
  }

  @Test("A metric that all nodes and none share has no ratios, and that is said")
  func undefined() { #expect(text(CircuitSamples.undefined, 80) == CircuitGolden.undefinedAt80) }

  @Test("Nodes and edges beyond those asked for are one line, and the strongest edges come first")
  func top() {
    let report = text(CircuitSamples.edges, 100, top: 1)
    #expect(report.contains("\n  3 others"))
    #expect(report.contains("−0.5000\n"))
    #expect(report.contains("3 n101 at 2 ␣東京 → metric"))
    #expect(!report.contains("1 n7 at 1 ␣keys → 3 n101"))
  }

  @Test("Colour changes nothing but colour")
  func colour() {
    for result in [CircuitSamples.edges, CircuitSamples.evaluation] {
      let colored = text(result, 80, color: true)
      #expect(colored.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text(result, 80))
      #expect(colored.contains("\u{1B}[38;5;208m"))
    }
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [20, 32, 44, 60, 80, 200])
  func widths(_ width: Int) {
    let results = [
      CircuitSamples.edges, CircuitSamples.trace, CircuitSamples.summed,
      CircuitSamples.evaluation, CircuitSamples.undefined, CircuitSamples.hostile,
    ]
    for unicode in [true, false] {
      for result in results {
        for line in text(result, width, unicode: unicode).split(separator: "\n") {
          #expect(DisplayText.columns(String(line)) <= width, "\(line)")
          let controls = line.unicodeScalars.filter {
            [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
          }
          #expect(controls.isEmpty, "\(line)")
          if !unicode { #expect(line.utf8.allSatisfy { $0 < 0x80 }, "\(line)") }
        }
      }
    }
  }

  @Test("A circuit without nodes or curves says so; one whose lists do not fit names the first")
  func nothing() {
    var result = CircuitSamples.trace
    result.nodes = []
    #expect(text(result, 80).hasSuffix("\nno nodes: no score passes the selection\n"))
    result = CircuitSamples.edges
    result.nodes[1].tokens = [1]
    #expect(
      text(result, 200).contains(
        "\n'nodes[1].tokens' of this result has 1 entries, and 'tokens' has 3. "
          + "It is damaged or not from Telescope; write it again.\n"))
  }

  // MARK: The table

  @Test("Every node, edge and point is one row")
  func csv() {
    var result = CircuitSamples.edges
    result.curves = CircuitSamples.evaluation.curves
    #expect(CircuitReport.csv(for: result) == CircuitGolden.csv)
  }

  // MARK: The page

  private func embedded(_ page: String) throws -> String {
    let start = try #require(
      page.range(of: "<script type=\"application/json\" id=\"result\">"))
    let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
    return String(page[start.upperBound..<end.lowerBound])
  }

  @Test("The JSON in the page decodes to the result, hostile text included")
  func data() throws {
    for result in [
      CircuitSamples.edges, CircuitSamples.summed, CircuitSamples.evaluation,
      CircuitSamples.hostile,
    ] {
      let json = try embedded(CircuitReport.html(for: result))
      #expect(try CircuitResult.decoded(from: Data(json.utf8)) == result)
      for mark in ["<", ">", "&", "\u{2028}", "\n"] { #expect(!json.contains(mark), "\(mark)") }
    }
  }

  @Test("Hostile text opens no element: the page has the scripts it was built with and no other")
  func hostile() throws {
    func count(_ text: String, in page: String) -> Int {
      page.components(separatedBy: text).count - 1
    }
    let plain = try CircuitReport.html(for: CircuitSamples.edges)
    let page = try CircuitReport.html(for: CircuitSamples.hostile)
    for mark in ["<script", "</script", "<style", "</title", "<!--", "<b>", "<img", "<i>", "<u>"] {
      #expect(count(mark, in: page) == count(mark, in: plain), "\(mark)")
    }
    #expect(count("<script", in: page) == 2)
    #expect(
      !page.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
  }

  @Test("The template is filled completely, asks nothing of a network, and is the same each time")
  func template() throws {
    let page = try CircuitReport.html(for: CircuitSamples.evaluation)
    #expect(!page.contains("{{"))
    #expect(page.contains("<title>sva-simple · circuit</title>"))
    #expect(try CircuitReport.html(for: CircuitSamples.evaluation) == page)
    let addresses = page.matches(of: /[a-z]+:\/\/[^"'\s]*/).map { String($0.output) }
    #expect(addresses == ["http://www.w3.org/2000/svg"])
    for mark in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval("] {
      #expect(!page.contains(mark), "\(mark)")
    }
  }
}
