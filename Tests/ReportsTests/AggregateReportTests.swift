import Foundation
import Reports
import Results
import Testing

@Suite("The report of an aggregate")
struct AggregateReportTests {
  private func text(
    _ result: AggregateResult, _ width: Int, color: Bool = false, unicode: Bool = true
  ) -> String {
    AggregateReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode))
  }

  @Test("Everything at 80 columns")
  func at80() {
    #expect(
      text(OtherSamples.aggregate, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        target prob · path chain · baseline mean · estimator observed
        100 prompts · 812 predictions
          95 % intervals from 1000 resamples over prompts, seed 7
        bars: █ up to the interval, ▓ to the mean, ░ to its far end

        mean share of each layer's value
            layer     mean                95 %
                0   0.0001  −0.0010 to  0.0012    ▏
                1  −0.0313  −0.0400 to −0.0200  ▓▒
                2   0.2300   0.1900 to  0.2600    █████████▓▓░
                3   0.8011   0.7500 to  0.8412    ██████████████████████████████████▓▓░░

        share of predictions whose onset is here, at 0.5 of Σ|A|
            layer   mean            95 %
                0  0.000  0.000 to 0.000  ▏
                1  0.020  0.010 to 0.050  █░░
                2  0.180  0.120 to 0.250  ███████▓▓▓░░░░
                3  0.800  0.720 to 0.860  ███████████████████████████████████████▓▓▓▓░░░

        agreement of attributions with causal checks
        replaced    part       measure      mean            95 %
        mean        attention  spearman     0.71    0.65 to 0.77
        zero        neurons    sign         0.91    0.85 to 0.97

        99.87 % of certified segments met their tolerance

        """)
  }

  @Test("At 40 columns in ASCII the bars stay and the intervals are their shades")
  func at40() {
    #expect(
      text(OtherSamples.aggregate, 40, unicode: false) == """
        tiny.gguf, 4 layers, float32 on cpu
        target prob, path chain, baseline mean
          estimator observed
        100 prompts, 812 predictions
        95 % intervals from 1000 resamples over
          prompts, seed 7
        bars: # up to the interval, + to the
          mean, - to its far end

        mean share of each layer's value
            layer     mean
                0   0.0001   |
                1  -0.0313  =
                2   0.2300   #####-
                3   0.8011   #################+-

        share of predictions whose onset is
        here, at 0.5 of sum|A|
            layer   mean
                0  0.000  |
                1  0.020  #-
                2  0.180  ###++--
                3  0.800  ###################++-

        agreement of attributions with causal
        checks
        replaced part      measure    mean
        mean     attention spearman   0.71
        zero     neurons   sign       0.91

        99.87 % of certified segments met their
          tolerance

        """)
  }

  @Test("What was not computed is left out")
  func absent() {
    var result = OtherSamples.aggregate
    result.agreement = []
    result.converged = nil
    result.prompts = 1
    result.tokens = 1
    let report = text(result, 80)
    #expect(report.contains("\n1 prompt · 1 prediction\n"))
    #expect(!report.contains("agreement") && !report.contains("certified"))
    result.profile = []
    result.onset = []
    #expect(text(result, 80).hasSuffix("░ to its far end\n"))
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [true, false])
  func width(unicode: Bool) {
    for width in 20...160 {
      for result in [OtherSamples.aggregate, OtherSamples.hostileAggregate] {
        expectSafe(text(result, width, unicode: unicode), width: width, unicode: unicode)
      }
    }
  }

  @Test("Colour changes no character")
  func colour() {
    let colored = text(OtherSamples.aggregate, 80, color: true)
    #expect(colored.contains("\u{1B}[38;5;208m  −0.0313\u{1B}[0m"))
    #expect(plain(colored) == text(OtherSamples.aggregate, 80))
  }

  @Test("The whole table")
  func csv() {
    #expect(
      AggregateReport.csv(for: OtherSamples.aggregate).components(separatedBy: "\r\n") == [
        "kind,layer,replacement,part,measure,mean,low,high",
        "\"profile\",0,,,,0.00012,-0.001,0.0012", "\"profile\",1,,,,-0.03125,-0.04,-0.02",
        "\"profile\",2,,,,0.23,0.19,0.26", "\"profile\",3,,,,0.80113,0.75,0.8412",
        "\"onset\",0,,,,0.0,0.0,0.0", "\"onset\",1,,,,0.02,0.01,0.05",
        "\"onset\",2,,,,0.18,0.12,0.25", "\"onset\",3,,,,0.8,0.72,0.86",
        "\"agreement\",,\"mean\",\"attention\",\"spearman\",0.71,0.65,0.77",
        "\"agreement\",,\"zero\",\"neurons\",\"sign\",0.912,0.85,0.97",
        "\"converged\",,,,,0.9987,,", "",
      ])
  }
}
