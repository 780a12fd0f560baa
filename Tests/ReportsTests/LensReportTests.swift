import Foundation
import Reports
import Results
import Testing

@Suite("The lens report")
struct LensReportTests {
  private func text(
    _ result: LensResult, _ width: Int, color: Bool = false, unicode: Bool = true, top: Int = 10
  ) -> String {
    LensReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: top)
  }

  @Test("Five positions at 80 columns")
  func gridAt80() {
    #expect(
      text(OtherSamples.lens, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        logit lens · states after each block · 5 positions

           pos 0             1             2             3             4
        target ␣capital      ␣of           ␣France       ␣is           ␣Paris
             3 ␣capital █.90•␣of      ▓.78•␣France  ▓.65•␣is      ▒.53•␣Paris   ▒.40•
             2 ␣capital ▒.51•␣of      ▒.44•␣France  ░.37•␣is      ░.30•␣Paris   ░.23•
             1 ↵        ░.19 ↵        ░.20 ↵        ░.21 ↵        ░.22 ↵        ░.23
             0 ↵        ░.24 ↵        ░.24 ↵        ░.24 ↵        ░.24 ↵        ░.24
         token The           ␣capital      ␣of           ␣France       ␣is

        Each cell: the most probable token and its probability; • where it is the
        target. The first layer is at the bottom.

        """)
  }

  @Test("Too narrow for all positions: pages of columns, in ASCII")
  func pagesAt40() {
    #expect(
      text(OtherSamples.lens, 40, unicode: false) == """
        tiny.gguf, 4 layers, float32 on cpu
        logit lens, states after each block
          5 positions

           pos 0               1
        target _capital        _of
             3 _capital   @.90*_of        #.78*
             2 _capital   +.51*_of        +.44*
             1 \\n          .19 \\n         :.20
             0 \\n         :.24 \\n         :.24
         token The             _capital

           pos 2               3
        target _France         _is
             3 _France    #.65*_is        +.53*
             2 _France    :.37*_is        :.30*
             1 \\n         :.21 \\n         :.22
             0 \\n         :.24 \\n         :.24
         token _of             _France

           pos 4
        target _Paris
             3 _Paris     +.40*
             2 _Paris     :.23*
             1 \\n         :.23
             0 \\n         :.24
         token _is

        Each cell: the most probable token and
        its probability; * where it is the
        target. The first layer is at the
        bottom.

        """)
  }

  @Test("One position at 100 and at 40 columns: every number, then what fits")
  func onePosition() {
    #expect(
      text(OtherSamples.position, 100) == """
        tiny.gguf · 4 layers · float32 on cpu
        tuned lens lens.safetensors · states after each block · position 4

        The capital of France is → " Paris"                                                      p = 0.40000
         layer        p  rank     KL  entropy   logit  most probable
             3  0.40000     1  0.000    0.500   8.000  ␣Paris       .40  ↵            .15
             2  0.22500     1  1.000    2.000   5.000  ␣Paris       .23  ↵            .19
             1  0.10000   200  2.000    3.500   2.000  ↵            .23  ␣Paris       .10
             0  0.02500   400  3.000    5.000  −1.000  ↵            .24  ␣Paris       .03

        the model's most probable tokens
          ␣Paris  0.40000
          ↵       0.15000

        """)
    #expect(
      text(OtherSamples.position, 40) == """
        tiny.gguf · 4 layers · float32 on cpu
        tuned lens lens.safetensors
          states after each block · position 4

        The capital of France is → " Paris"
        p = 0.40000
         layer        p  rank  most probable
             3  0.40000     1  ␣Paris       .40
             2  0.22500     1  ␣Paris       .23
             1  0.10000   200  ↵            .23
             0  0.02500   400  ↵            .24

        the model's most probable tokens
          ␣Paris  0.40000
          ↵       0.15000

        """)
  }

  @Test("Each position is shown once, whatever the width")
  func everyPosition() {
    let positions = Array(0..<6)
    for width in [20, 40, 80, 120, 200] {
      let report = text(OtherSamples.lens(positions: positions, layers: 3), width)
      let shown = report.split(separator: "\n").filter { $0.hasPrefix("   pos ") }
        .flatMap { $0.split(separator: " ").dropFirst().compactMap { Int($0) } }
      #expect(shown == positions)
    }
  }

  @Test("Colour replaces the shades and changes nothing else")
  func colour() {
    for width in [40, 80, 120] {
      for result in [OtherSamples.lens, OtherSamples.position] {
        let colored = text(result, width, color: true)
        let shades = text(result, width).replacing(/[░▒▓█]/, with: " ")
        #expect(plain(colored) == shades)
      }
    }
    let colored = text(OtherSamples.lens, 80, color: true)
    // 0.90 is in the darkest step with light ink, 0.24 in the second with dark ink.
    #expect(colored.contains("\u{1B}[38;5;231;48;5;18m␣capital  .90\u{1B}[0m•"))
    #expect(colored.contains("\u{1B}[38;5;16;48;5;153m↵         .24\u{1B}[0m"))
  }

  @Test("A list holds as many tokens as asked, and none where none is wanted")
  func top() {
    #expect(text(OtherSamples.position, 100, top: 1).components(separatedBy: "␣Paris").count == 4)
    #expect(!text(OtherSamples.position, 100, top: 1).contains("  ↵       0.15000"))
    let none = text(OtherSamples.position, 100, top: 0)
    #expect(!none.contains("probable"))
    #expect(none.contains("     3  0.40000     1  0.000    0.500   8.000\n"))
  }

  @Test("Without any list of tokens a cell has the target's probability")
  func noLists() {
    var result = OtherSamples.lens
    for row in result.layers.indices {
      for cell in result.layers[row].cells.indices { result.layers[row].cells[cell].top = [] }
    }
    let report = text(result, 80)
    #expect(report.contains("     3          █.90•         ▓.78•         ▓.65•         ▒.53•"))
    #expect(report.contains("Each cell: the target's probability; • where its rank is 1. The"))
    #expect(text(result, 80, color: true).contains("48;5;18m          .90\u{1B}[0m•"))
  }

  @Test("The last row is named for the model where it is no block's state")
  func modelRow() {
    func label(_ change: (inout LensResult) -> Void) -> [String] {
      var result = OtherSamples.lens
      change(&result)
      return text(result, 80).split(separator: "\n").dropFirst(4).prefix(2)
        .map { String($0.split(separator: " ")[0]) }
    }
    #expect(label { _ in } == ["3", "2"])
    #expect(label { $0.moment = "before" } == ["model", "2"])
    #expect(label { $0.moment = "middle" } == ["model", "2"])
    #expect(label { $0.layers[3].layer = 4 } == ["model", "2"])
    #expect(label { $0.layers[2].layer = 3 } == ["model", "3"])
    #expect(label { $0.layers.removeLast() } == ["2", "1"])
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [true, false])
  func width(unicode: Bool) {
    var single = OtherSamples.hostileLens
    single.positions = [0]
    single.targets = [single.targets[0]]
    for row in single.layers.indices { single.layers[row].cells = [single.layers[row].cells[0]] }
    for result in [OtherSamples.lens, OtherSamples.position, OtherSamples.hostileLens, single] {
      for width in 20...160 {
        let report = text(result, width, unicode: unicode)
        expectSafe(report, width: width, unicode: unicode)
      }
    }
  }

  @Test("A result of nothing says so")
  func empty() {
    var result = OtherSamples.lens
    result.positions = []
    result.targets = []
    result.layers = []
    #expect(
      text(result, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        logit lens · states after each block · 0 positions

        nothing was read

        """)
    #expect(LensReport.csv(for: result).components(separatedBy: "\r\n").count == 2)
  }

  @Test("A result whose lists do not match is named as damaged and not drawn")
  func damaged() {
    var result = OtherSamples.lens
    result.layers[2].cells.removeLast()
    #expect(
      text(result, 100) == """
        tiny.gguf · 4 layers · float32 on cpu
        logit lens · states after each block · 5 positions

        'layers[2].cells' of this result has 4 entries, and 'positions' has 5. It is damaged or not from
          Telescope; write it again.

        """)
  }

  @Test("The table has a row for each position and layer")
  func csv() {
    let lines = LensReport.csv(for: OtherSamples.position).components(separatedBy: "\r\n")
    #expect(
      lines == [
        "position,token_id,token_text,target_id,target_text,layer,is_model,probability,logit,rank,"
          + "entropy,kl,top_id,top_text,top_probability",
        "4,14,\" is\",15,\" Paris\",0,false,0.025,-1.0,400,5.0,3.0,1,\"\n\",0.24375",
        "4,14,\" is\",15,\" Paris\",1,false,0.1,2.0,200,3.5,2.0,1,\"\n\",0.225",
        "4,14,\" is\",15,\" Paris\",2,false,0.225,5.0,1,2.0,1.0,15,\" Paris\",0.225",
        "4,14,\" is\",15,\" Paris\",3,false,0.4,8.0,1,0.5,0.0,15,\" Paris\",0.4", "",
      ])
    #expect(LensReport.csv(for: OtherSamples.hostileLens).contains(",\"=1+1\","))
    #expect(LensReport.csv(for: OtherSamples.hostileLens).contains("\"\"\"quoted\"\", twice\""))
  }

  // MARK: The page

  private func embedded(_ page: String) throws -> String {
    let start = try #require(page.range(of: "<script type=\"application/json\" id=\"result\">"))
    let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
    return String(page[start.upperBound..<end.lowerBound])
  }

  @Test("The JSON in the page decodes to the result, hostile text included")
  func pageData() throws {
    for result in [OtherSamples.lens, OtherSamples.position, OtherSamples.hostileLens] {
      let json = try embedded(LensReport.page(for: result))
      #expect(try LensResult.decoded(from: Data(json.utf8)) == result)
      for mark in ["<", ">", "&", "\u{2028}", "\u{2029}", "\n", "\0"] {
        #expect(!json.unicodeScalars.contains { String($0) == mark })
      }
    }
  }

  @Test("Hostile text opens no element of the page, and the template is filled")
  func pageHostile() throws {
    func count(_ text: String, in page: String) -> Int {
      page.components(separatedBy: text).count - 1
    }
    let plain = try LensReport.page(for: OtherSamples.lens)
    let page = try LensReport.page(for: OtherSamples.hostileLens)
    for mark in ["<script", "</script", "<style", "</title", "<!--", "<b>", "<img"] {
      #expect(count(mark, in: page) == count(mark, in: plain), "\(mark)")
    }
    #expect(count("<script", in: page) == 2)
    #expect(page.contains("<title>A␛]0;title␇ &lt;b&gt;東京&lt;/b&gt; · tuned lens</title>"))
    #expect(!plain.contains("{{"))
    #expect(plain.hasPrefix("<!doctype html>\n") && plain.hasSuffix("</html>\n"))
    let controls = page.unicodeScalars.filter {
      $0.properties.generalCategory == .control && $0 != "\n"
    }
    #expect(controls.isEmpty)
  }

  @Test("The page asks nothing of a network and its policy forbids it")
  func pageNetwork() throws {
    let page = try LensReport.page(for: OtherSamples.lens)
    let addresses = page.matches(of: /[a-z]+:\/\/[^"'\s]*/).map { String($0.output) }
    #expect(addresses == ["http://www.w3.org/2000/svg"])
    for mark in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval("] {
      #expect(!page.contains(mark), "\(mark)")
    }
    #expect(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; "))
  }

  @Test("A number that is not finite is refused")
  func pageFinite() {
    var result = OtherSamples.lens
    result.layers[1].cells[2].divergence = .infinity
    #expect(
      throws: ResultsError(
        code: .notFinite,
        message: "'layers[1].cells[2].kl' is not a finite number, so the result cannot be written. "
          + "The model's numbers overflowed; compute in a wider dtype.")
    ) { try LensReport.page(for: result) }
  }
}

/// Checks that text fits its terminal and holds nothing that would steer it.
func expectSafe(_ report: String, width: Int, unicode: Bool) {
  for line in report.split(separator: "\n") {
    #expect(DisplayText.columns(String(line)) <= width, "\(line)")
    let isRaw = line.unicodeScalars.contains {
      $0.properties.generalCategory == .control || (0x202A...0x202E).contains($0.value)
        || (0x2066...0x2069).contains($0.value) || $0.value == 0x2028
    }
    #expect(!isRaw, "\(line.debugDescription)")
    if !unicode { #expect(line.allSatisfy { $0.isASCII }, "\(line)") }
  }
}

/// Text without its colours.
func plain(_ text: String) -> String { text.replacing(/\u{1B}\[[0-9;]*m/, with: "") }

/// A number as a report shows it.
func shownNumber(_ text: some StringProtocol) -> Decimal? {
  Decimal(string: text.replacingOccurrences(of: "−", with: "-"))
}
