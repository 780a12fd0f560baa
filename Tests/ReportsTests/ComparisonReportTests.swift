import Foundation
import Reports
import Results
import Testing

@Suite("The report of several methods")
struct ComparisonReportTests {
  private func text(
    _ result: CompareResult, _ width: Int, color: Bool = false, unicode: Bool = true
  ) -> String {
    ComparisonReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode))
  }

  @Test("Four methods at 80 columns")
  func at80() {
    #expect(
      text(OtherSamples.comparison, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        comparison of methods · target prob · baseline mean

        The capital of France is → " Paris"                                model 0.77256
             method  ig-lens          straight         dla              logit-lens
               unit  prob             prob             logit            logit
              start   0.00002          0.00002           0.3123          −4.0000
                  0  +0.00010  ▏      −0.00235 ▕        +0.9558  ▌       +0.5000  ▏
                  1  −0.00406 ▕       +0.00040  ▏       −0.1703 ▕        +1.2500  ▌
                  2  +0.06030  ▌      +0.10030  ▌       +1.1232  ▌       −0.3334 ▕
                  3  +0.71620  █████  +0.67419  ████▌   +4.0021  █▌     +12.0042  █████
                sum   0.77256          0.77256           6.2231           9.4208
        certificate  −3.0e-09         −3.0e-09         −3.0e-09         −3.0e-09

        agreement on the order of layers (Spearman)
                           ig-lens      straight           dla
            straight         +0.80
                 dla         +1.00         +0.80
          logit-lens         −0.20          0.00             ·

        """)
  }

  @Test("Four methods at 40 columns in ASCII: two at a time")
  func at40() {
    #expect(
      text(OtherSamples.comparison, 40, unicode: false) == """
        tiny.gguf, 4 layers, float32 on cpu
        comparison of methods, target prob
          baseline mean

        The capital of France is -> " Paris"
        model 0.77256
             method  ig-lens       straight
               unit  prob          prob
              start   0.00002       0.00002
                  0  +0.00010  |   -0.00235 |
                  1  -0.00406 |    +0.00040  |
                  2  +0.06030  |   +0.10030  #
                  3  +0.71620  ##  +0.67419  ##
                sum   0.77256       0.77256
        certificate  -3.0e-09      -3.0e-09

             method  dla           logit-lens
               unit  logit         logit
              start    0.3123       -4.0000
                  0   +0.9558  |    +0.5000  |
                  1   -0.1703 |     +1.2500  |
                  2   +1.1232  |    -0.3334 |
                  3   +4.0021  #   +12.0042  ##
                sum    6.2231        9.4208
        certificate  -3.0e-09      -3.0e-09

        agreement on the order of layers
        (Spearman)
                      ig-lens  stra...      dla
            straight    +0.80
                 dla    +1.00    +0.80
          logit-lens    -0.20     0.00        .

        """)
  }

  @Test("Each method's start and values add up to its sum, to the last digit")
  func addUp() throws {
    for width in [40, 60, 80, 120] {
      let report = text(OtherSamples.comparison, width).components(separatedBy: "agreement")[0]
      let lines = report.split(separator: "\n")
      func numbers(_ line: Substring) -> [Decimal] {
        line.split(separator: " ").filter { $0.contains(".") }.compactMap(shownNumber)
      }
      var methods = 0
      for start in lines.indices where lines[start].hasPrefix("      start") {
        let rows = lines[start...].prefix { !$0.hasPrefix("        sum") }.map(numbers)
        #expect(rows.count == 5)
        let sums = numbers(lines[start + rows.count])
        methods += sums.count
        for column in sums.indices {
          #expect(rows.map { $0[column] }.reduce(0, +) == sums[column])
        }
      }
      #expect(methods == 4)
    }
  }

  @Test("Agreement that no square can show, or of other names, is listed pair by pair")
  func pairs() {
    var result = OtherSamples.comparison
    let names = (0..<12).map { "chain/baseline-\($0)" }
    result.explanations[0].correlations = (1..<12).map {
      RankCorrelation(first: names[0], second: names[$0], spearman: Double($0) / 12)
    }
    let report = text(result, 60)
    #expect(report.contains(/\n  chain\/baseline-0, chain\/baseline-1 +\+0\.08\n/))
    #expect(report.components(separatedBy: "chain/baseline-0, ").count == 12)
    expectSafe(report, width: 60, unicode: true)
    result.explanations[0].correlations = []
    #expect(!text(result, 60).contains("agreement"))
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [true, false])
  func width(unicode: Bool) {
    for width in stride(from: 20, through: 160, by: 3) {
      for result in [OtherSamples.comparison, OtherSamples.hostileComparison] {
        expectSafe(text(result, width, unicode: unicode), width: width, unicode: unicode)
      }
    }
  }

  @Test("Colour changes no character")
  func colour() {
    let colored = text(OtherSamples.comparison, 80, color: true)
    #expect(colored.contains("\u{1B}[38;5;208m  −0.00406\u{1B}[0m"))
    #expect(plain(colored) == text(OtherSamples.comparison, 80))
  }

  @Test("The table has each method's start and layers")
  func csv() {
    let lines = ComparisonReport.csv(for: OtherSamples.comparison).components(separatedBy: "\r\n")
    #expect(lines.count == 1 + 4 * 5 + 1)
    #expect(
      Array(lines[0..<3]) == [
        "explanation,position,target_id,target_text,versus_id,versus_text,method,unit,kind,layer,"
          + "value,model_value,certificate",
        "0,4,15,\" Paris\",,,\"ig-lens\",\"prob\",\"start\",,2e-05,0.772564,-3e-09",
        "0,4,15,\" Paris\",,,\"ig-lens\",\"prob\",\"layer\",0,0.0001,0.772564,-3e-09",
      ])
  }
}
