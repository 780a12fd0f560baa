import Foundation
import Reports
import Results
import Testing

@Suite("The report of attributions")
struct AttributionReportTests {
  private func text(
    _ result: AttributionResult, _ width: Int, color: Bool = false, unicode: Bool = true,
    top: Int = 12
  ) -> String {
    AttributionReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: top)
  }

  // MARK: The terminal

  @Test("Tokens at 80 columns: bars, their sum, and the certificate")
  func tokensAt80() { #expect(text(AttributionSamples.tokens, 80) == AttributionGolden.tokensAt80) }

  @Test("Tokens at 44 columns in ASCII")
  func tokensAt44() {
    #expect(
      text(AttributionSamples.tokens, 44, unicode: false) == AttributionGolden.tokensAt44InASCII)
  }

  @Test("Layers at 100 columns: grids, strongest units, certificates or why there is none")
  func layersAt100() {
    #expect(text(AttributionSamples.layers, 100) == AttributionGolden.layersAt100)
  }

  @Test("The same at 60 columns")
  func layersAt60() {
    #expect(text(AttributionSamples.layers, 60) == AttributionGolden.layersAt60)
  }

  @Test("Of 200 tokens the strongest are shown, in the text's order, and the rest is one line")
  func long() {
    #expect(text(AttributionSamples.long(200), 80, top: 5) == AttributionGolden.longAt80)
  }

  @Test("One token is a report")
  func one() { #expect(text(AttributionSamples.long(1), 60) == AttributionGolden.oneAt60) }

  @Test("Colour changes nothing but colour")
  func colour() {
    for result in [AttributionSamples.tokens, AttributionSamples.layers] {
      let colored = text(result, 80, color: true)
      #expect(colored.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text(result, 80))
      #expect(colored.contains("\u{1B}[38;5;208m"))
      #expect(colored.contains("\u{1B}[38;5;33m"))
    }
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [20, 32, 44, 60, 80, 200])
  func widths(_ width: Int) {
    let results = [
      AttributionSamples.tokens, AttributionSamples.layers, AttributionSamples.hostile,
      AttributionSamples.long(1), AttributionSamples.long(40), AttributionSamples.long(200),
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

  @Test("The digits shown for tokens add up to the sum shown")
  func digits() throws {
    var result = AttributionSamples.tokens
    // Each of these rounds up alone.
    result.scores[0].array.values = [0.00005, 0.00005, 0.00005, 0.00005, 10]
    let rows = text(result, 80).split(separator: "\n").compactMap { line -> Int? in
      guard let number = line.firstMatch(of: /([+−])?(\d+)\.(\d{4})( |$)/) else { return nil }
      guard line.hasPrefix("  ") else { return nil }
      let value = Int(number.2 + number.3) ?? 0
      return number.1 == "−" ? -value : value
    }
    #expect(rows.count == 6)
    #expect(rows.dropLast().reduce(0, +) == rows.last)
    #expect(rows.last == 100_002)
  }

  @Test("A method that says nothing of sums has no line about them")
  func silent() {
    var result = AttributionSamples.tokens
    result.scores[0].certificates = nil
    let report = text(result, 80)
    #expect(!report.contains("sums to") && !report.contains("certificate"))
  }

  @Test("A result that asked for nothing says so")
  func nothing() {
    var result = AttributionSamples.tokens
    result.scores = []
    #expect(text(result, 80).hasSuffix("\nno scores: nothing was asked for\n"))
  }

  @Test("Scores that are all zero are said to be, not drawn")
  func zero() {
    var result = AttributionSamples.layers
    result.scores = [result.scores[0]]
    result.scores[0].array.values = Array(repeating: 0, count: 15)
    #expect(text(result, 80).contains("\n  residual\nevery score is zero\n"))
  }

  @Test("A result whose lists do not fit is not drawn: the first one is named")
  func damaged() {
    var result = AttributionSamples.layers
    result.scores[0].layers = [0]
    #expect(
      text(result, 200).contains(
        "\n'scores[0].array.values' of this result has 3 entries, and 'scores[0].layers' has 1. "
          + "It is damaged or not from Telescope; write it again.\n"))
  }

  // MARK: The table

  @Test("Every score, unit and certificate is one row, at its own place")
  func csv() {
    #expect(AttributionReport.csv(for: AttributionSamples.layers) == AttributionGolden.csv)
  }

  @Test("Text is quoted as every table of the package quotes it")
  func csvText() {
    let table = AttributionReport.csv(for: AttributionSamples.hostile)
    #expect(table.contains(",1,\"<b>\u{202E}東\"\"\","))
    #expect(table.contains(",3,\"=1+1,\r\n\","))
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
      AttributionSamples.tokens, AttributionSamples.layers, AttributionSamples.hostile,
    ] {
      let json = try embedded(AttributionReport.html(for: result))
      #expect(try AttributionResult.decoded(from: Data(json.utf8)) == result)
      for mark in ["<", ">", "&", "\u{2028}", "\n"] { #expect(!json.contains(mark), "\(mark)") }
    }
  }

  @Test("Hostile text opens no element: the page has the scripts it was built with and no other")
  func hostile() throws {
    func count(_ text: String, in page: String) -> Int {
      page.components(separatedBy: text).count - 1
    }
    let plain = try AttributionReport.html(for: AttributionSamples.layers)
    let page = try AttributionReport.html(for: AttributionSamples.hostile)
    for mark in ["<script", "</script", "<style", "</title", "<!--", "<b>", "<img", "<i>", "<u>"] {
      #expect(count(mark, in: page) == count(mark, in: plain), "\(mark)")
    }
    #expect(count("<script", in: page) == 2)
    let controls = page.unicodeScalars.filter {
      $0.properties.generalCategory == .control && $0 != "\n"
    }
    #expect(controls.isEmpty)
  }

  @Test("The template is filled completely, asks nothing of a network, and is the same each time")
  func template() throws {
    let page = try AttributionReport.html(for: AttributionSamples.layers)
    #expect(!page.contains("{{"))
    #expect(page.hasPrefix("<!doctype html>\n") && page.hasSuffix("</html>\n"))
    #expect(page.contains("<title>The keys to 東京 cabinet · relp</title>"))
    #expect(try AttributionReport.html(for: AttributionSamples.layers) == page)
    let addresses = page.matches(of: /[a-z]+:\/\/[^"'\s]*/).map { String($0.output) }
    #expect(addresses == ["http://www.w3.org/2000/svg"])
    for mark in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval("] {
      #expect(!page.contains(mark), "\(mark)")
    }
  }

  @Test("A page of a number that is NaN is refused by name")
  func notFinite() {
    var result = AttributionSamples.tokens
    result.scores[0].array.values[2] = .nan
    #expect(throws: ResultsError.self) { try AttributionReport.html(for: result) }
    // A terminal still shows the rest.
    #expect(text(result, 80).contains("+2.4000"))
  }
}
