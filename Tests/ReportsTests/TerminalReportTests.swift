import Foundation
import Reports
import Results
import Testing

@Suite("The terminal report")
struct TerminalReportTests {
  private func text(
    _ result: ExplainResult, _ width: Int, color: Bool = false, unicode: Bool = true
  ) -> String {
    TerminalReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode))
  }

  @Test("One token at 60 columns")
  func oneAt60() {
    #expect(text(Samples.one, 60) == Golden.oneAt60)
  }

  @Test("Three tokens at 100 columns, with their table")
  func threeAt100() {
    #expect(text(Samples.three, 100) == Golden.threeAt100)
  }

  @Test("Colour at 60 and 100 columns adds emphasis and changes no character")
  func colour() {
    #expect(text(Samples.one, 60, color: true) == Golden.oneAt60InColour)
    for (result, width) in [(Samples.one, 60), (Samples.three, 100)] {
      let colored = text(result, width, color: true)
      #expect(colored.contains("\u{1B}[38;5;33m+"))
      #expect(colored.contains("\u{1B}[38;5;208m−"))
      #expect(plain(colored) == text(result, width))
    }
  }

  @Test("Without Unicode the report is ASCII")
  func ascii() {
    #expect(text(Samples.one, 60, unicode: false) == Golden.oneInASCII)
    for result in [Samples.hostile, Samples.many, TreeSample.full] + Samples.kinds {
      #expect(text(result, 90, unicode: false).allSatisfy { $0.isASCII })
    }
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [true, false])
  func width(unicode: Bool) {
    for result in [Samples.one, Samples.three, Samples.hostile, Samples.many, TreeSample.small]
      + Samples.kinds
    {
      // The large results have no text of their own: some widths are enough.
      let step = result == Samples.many || result == TreeSample.small ? 17 : 1
      for width in stride(from: 20, through: 200, by: step) {
        let lines = text(result, width, unicode: unicode).split(separator: "\n")
        for line in lines {
          #expect(DisplayText.columns(String(line)) <= width, "\(line)")
          let raw = line.unicodeScalars.contains {
            $0.properties.generalCategory == .control || (0x202A...0x202E).contains($0.value)
              || (0x2066...0x2069).contains($0.value) || $0.value == 0x2028
          }
          #expect(!raw, "\(line.debugDescription)")
        }
      }
    }
  }

  @Test("The changes shown add up to the sum shown, to the last digit")
  func sums() throws {
    for result in [Samples.one, Samples.three, Samples.many] + Samples.kinds {
      let blocks = text(result, 80).components(separatedBy: "\nThe capital").dropFirst()
      for block in blocks {
        let lines = block.components(separatedBy: "\n")
        let rows = try #require(lines.firstIndex { $0.contains("baseline") })
        let model = try #require(lines.firstIndex { $0.contains("model") })
        let changes = lines[rows + 1..<model].compactMap { line in
          line.split(separator: " ").compactMap { word -> Decimal? in
            let isSigned = word.hasPrefix("+") || word.hasPrefix("−")
            return isSigned || word == "0.00000" || word == "0.0000" ? number(word) : nil
          }.first
        }
        #expect(changes.count == model - rows - 1)
        let sum = try #require(lines.first { $0.contains(" = ") && $0.contains("certificate") })
        let parts = sum.components(separatedBy: " · ")[0].split(separator: " ")
        let start = number(parts[0])
        let change = number(parts[2]) * (parts[1] == "−" ? -1 : 1)
        #expect(changes.reduce(0, +) == change)
        #expect(start + change == number(parts[4]))
      }
    }
  }

  @Test("The table's rows add up to the model's value, to the last digit")
  func tableSums() throws {
    for width in [60, 100, 200] {
      let table = try #require(
        text(Samples.three, width).components(separatedBy: "by layer and token\n").last)
      let rows = table.split(separator: "\n").map { $0.split(separator: " ") }
      let cells = rows.dropFirst().dropLast().map { row in
        row.dropFirst().map { $0 == "·" ? 0 : number($0) }
      }
      for token in 0..<3 {
        let sum = cells.dropLast().map { $0[token] }.reduce(0, +)
        #expect(sum == cells[cells.count - 1][token])
      }
    }
    // Where tokens are rows: baseline, layers, model.
    let table = try #require(
      text(Samples.many, 100).components(separatedBy: "by layer and token\n").last)
    for row in table.split(separator: "\n").dropFirst() {
      let cells = row.split(separator: " ").dropFirst(2).map { $0 == "·" ? 0 : number($0) }
      #expect(cells.dropLast().reduce(0, +) == cells[cells.count - 1])
    }
  }

  @Test("Layers of no weight share a row that says so; the heaviest and the onset never fold")
  func folding() {
    var values = [Double](repeating: 0.0019, count: 27)
    values += [0.01, 0.06, 0.7]
    let report = text(
      Samples.result([Samples.explanation(0, " Paris", base: 0, values: values)]), 100)
    #expect(report.contains("0–26"))
    #expect(report.contains("27 layers, each below 0.002"))
    #expect(report.contains("+0.05130"))
    for row in ["27", "28", "▸ 29"] { #expect(report.contains("  \(row)  ")) }
    #expect(
      LayerGroups.split(weights: [5, 0, 0, 0, 0, 9], limit: 20) == (0..<6).map { $0..<$0 + 1 })
    let weights = [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0.0, 5]
    #expect(LayerGroups.split(weights: weights, limit: 20) == [0..<4, 4..<5, 5..<13, 13..<14])
    #expect(
      LayerGroups.split(weights: weights, limit: 20, alone: [6])
        == [0..<4, 4..<5, 5..<6, 6..<7, 7..<13, 13..<14])
    #expect(LayerGroups.split(weights: weights, limit: 2) == [0..<5, 5..<14])
    #expect(LayerGroups.split(weights: [], limit: 2).isEmpty)
  }

  @Test("What did not converge is named, and a token that is no text is given in bytes")
  func notes() {
    var result = Samples.one
    result.explanations[0].attributions[3].converged = false
    result.explanations[0].attributions[8].converged = false
    result.explanations[0].target.text = "\u{FFFD}"
    result.explanations[0].target.bytes = "e282"
    let report = text(result, 80)
    #expect(report.contains("  not converged to the tolerance: layers 3, 8\n"))
    #expect(report.contains("The capital of France is → ‹E2 82›"))
  }

  @Test("Text for display: widths, escapes and cuts")
  func display() {
    #expect(DisplayText.columns("abc") == 3)
    #expect(DisplayText.columns("東京") == 4)
    #expect(DisplayText.columns("e\u{301}") == 1)
    #expect(DisplayText.columns("🚀") == 2)
    #expect(DisplayText.visible(" a\nb\u{1B} ") == "␣a↵b␛␣")
    #expect(DisplayText.visible("   ") == "␣␣␣")
    #expect(DisplayText.visible("\u{301}x") == "\u{25CC}\u{301}x")
    #expect(DisplayText.visible("\u{202E}") == "⟨U+202E⟩")
    #expect(DisplayText.visible("\u{A0}") == "⟨U+A0⟩")
    #expect(DisplayText.visible("é\n", ascii: true) == "\\u{E9}\\n")
    #expect(DisplayText.cut("東京タワー", to: 6) == "東京…")
    #expect(DisplayText.tail("東京タワー", to: 6) == "…ワー")
    #expect(DisplayText.tail("ae\u{301}b", to: 2) == "…b")
    #expect(DisplayText.wrapped("one two three", to: 7, indent: "  ") == ["one two", "  three"])
    #expect(DisplayText.wrapped("abcdefgh", to: 3) == ["abc", "def", "gh"])
    #expect(DisplayText.padded("東", to: 4, right: true) == "  東")
  }

  @Test("An empty result, or one without layers, is a report all the same")
  func empty() {
    var result = Samples.one
    result.explanations[0].attributions = []
    result.explanations[0].onsetLayer = nil
    #expect(text(result, 60).contains("0.00002 + 0.00000 = 0.00002"))
    result.explanations = []
    #expect(
      text(result, 60) == """
        tiny.gguf · 10 layers · float32 on cpu
        target prob · path chain · baseline mean
          estimator observed

        """)
  }

  private func number(_ text: some StringProtocol) -> Decimal {
    Decimal(string: text.replacingOccurrences(of: "−", with: "-")) ?? .nan
  }

  private func plain(_ text: String) -> String {
    text.replacing(/\u{1B}\[[0-9;]*m/, with: "")
  }
}
