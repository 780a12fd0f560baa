import Foundation
import Reports
import Results
import Testing

@Suite("Reports of patching and steering")
struct PatchReportTests {
  // MARK: Samples

  private static let effects = [0, 0.04, -0.31, 1, 0.349, 0.951, -1.2, 0.05, 0, 0, 0.5, 2]

  /// Four layers of three tokens, and of two heads.
  private static let result: PatchResult = {
    func grid(_ unit: String, _ axis: String, _ columns: Int, _ effects: [Double]) -> PatchGrid {
      let shape = [4, columns]
      return PatchGrid(
        unit: unit, layers: [0, 1, 2, 3], window: unit == "head" ? 3 : 1, positions: [0, 1, 2],
        metric: AxisArray(
          axes: ["layer", axis], shape: shape, values: effects.map { 2 + 4 * $0 }),
        effect: AxisArray(axes: ["layer", axis], shape: shape, values: effects))
    }
    let tokens = OtherSamples.tokens
    return PatchResult(
      toolVersion: "0.1.0", model: OtherSamples.model, device: "cpu", text: "The capital of",
      tokens: Array(tokens[..<3]),
      contrast: ContrastText(text: "The town\nof", tokens: [tokens[0], tokens[4], tokens[2]]),
      metric: MetricDescription(
        name: "logit-diff", token: tokens[5], versus: tokens[3], position: 2, value: 6, start: 2),
      direction: "denoise",
      grids: [
        grid("residual", "position", 3, effects), grid("head", "head", 2, Array(effects[..<8])),
      ], passes: PassCount(forward: 9.5, backward: 0), warnings: ["careful"])
  }()

  private static let noisy: PatchResult = {
    var result = Self.result
    result.contrast = nil
    result.noise = NoiseDescription(
      scale: 3, deviation: 0.25, positions: [1, 2], samples: 5, seed: 7)
    result.grids = [result.grids[0]]
    result.grids[0].effect = nil
    result.warnings = []
    return result
  }()

  static let steered: SteerResult = {
    func reading(_ first: Int, _ second: Int, _ share: Double, _ next: [Int]) -> SteerReading {
      SteerReading(
        top: [(first, share), (second, 1 - share)].map {
          TopToken(
            id: OtherSamples.tokens[$0.0].id, text: OtherSamples.tokens[$0.0].text,
            probability: $0.1)
        }, continuation: next.map { OtherSamples.tokens[$0] }, entropy: 0.5)
    }
    return SteerResult(
      toolVersion: "0.1.0", model: OtherSamples.model, device: "cpu", text: "The capital of",
      tokens: Array(OtherSamples.tokens[..<3]),
      change: SteerChange(
        site: "residual.after.2", kind: "add", amount: 4, plus: " Paris\n", minus: " of",
        length: 3.5,
        units: [0, 2], positions: [1]), position: 2, before: reading(3, 5, 0.75, [3, 4]),
      after: reading(5, 3, 0.875, [5, 6]), divergence: 1.25,
      metric: MetricDescription(
        name: "logit", token: OtherSamples.tokens[5], position: 2, value: -3.5, start: 2))
  }()

  private func text(
    _ result: PatchResult, _ width: Int, color: Bool = false, unicode: Bool = true
  ) -> String {
    PatchReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: 3)
  }

  // MARK: The terminal

  @Test("A pair of texts at 80 columns: a grid for each unit, then its largest cells")
  func pair() {
    #expect(
      text(Self.result, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        activation patching · clean values into the corrupted run

        "The capital of"
        against "The town↵of"
        logit-diff of ␣Paris less that of ␣France: 6.0000 clean, 2.0000 corrupted

        What enters a block
          layer        0
            0 The      · █−█ ·
            1 ␣capital · 3 1 5
            2 ␣of     −3 █ · █
        Cells: tenths of the way from the corrupted value to the clean one, █ from 0.95
          on; − where it leads away.

          token             effect  metric
          layer 3    2 ␣of   2.000  10.000
          layer 2    0 The  −1.200  −2.800
          layer 1    0 The   1.000   6.000

        Heads' mixes of values, at 3 tokens at once, 3 blocks at once
          layer  0
          head 0 ·−3 3−█
          head 1 · █ █ 1
        Cells: tenths of the way from the corrupted value to the clean one, █ from 0.95
          on; − where it leads away.

          head             effect   metric
          layer 3  head 0  −1.200  −2.8000
          layer 1  head 1   1.000   6.0000
          layer 2  head 1   0.951   5.8040

        warning: careful

        """)
  }

  @Test("Noise without a share of the difference, in ASCII")
  func noise() {
    #expect(
      text(Self.noisy, 60, unicode: false) == """
        tiny.gguf, 4 layers, float32 on cpu
        causal tracing, noise of 3.0 standard deviations
          5 draws from seed 7

        "The capital of"
        noise on _capital _of
        logit-diff of _Paris less that of _France: 6.0000 clean,
        2.0000 corrupted

        What enters a block
          layer        0
            0 The      . 5-6 .
            1 _capital . 2 . 3
            2 _of     -2 5 . #
        Cells: the metric's change in tenths of the largest, # from
          0.95 on.

          token             metric
          layer 3    2 _of  10.000
          layer 2    0 The  -2.800
          layer 1    0 The   6.000

        """)
  }

  @Test(
    "Colour changes nothing but colour, and no line is wider than the terminal",
    arguments: [20, 32, 44, 80, 120])
  func widths(width: Int) {
    for result in [Self.result, Self.noisy] {
      let colored = text(result, width, color: true)
      #expect(colored.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text(result, width))
      for unicode in [true, false] {
        for line in text(result, width, unicode: unicode).split(separator: "\n") {
          #expect(line.unicodeScalars.count <= width)
          #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
        }
      }
    }
  }

  @Test("A run that is steered, and in ASCII")
  func steering() {
    #expect(
      SteerReport.text(for: Self.steered, style: TerminalStyle(width: 80)) == """
        tiny.gguf · 4 layers · float32 on cpu
        residual.after.2 plus 4.0 times " Paris↵" less " of" · length 3.500 · units 0, 2
          positions 1

        "The capital of"
        before " France is"
        after " Paris."

          next token  before   after
          ␣France     0.7500  0.1250
          ␣Paris      0.2500  0.8750

        KL 1.2500 nats · entropy 0.500 → 0.500 · logit of ␣Paris 2.0000 → −3.5000

        """)
    let plain = SteerReport.text(
      for: Self.steered, style: TerminalStyle(width: 80, unicode: false))
    #expect(plain.allSatisfy { $0.isASCII })
  }

  // MARK: Tables and pages

  @Test("CSV has a line for each cell, with what does not apply left empty")
  func csv() {
    let lines = PatchReport.csv(for: Self.result).components(separatedBy: "\r\n")
    #expect(lines[0] == "unit,layer,window,position,token,head,metric,effect")
    #expect(lines.count == 1 + 12 + 8 + 1)
    #expect(lines[3] == "\"residual\",0,1,2,\" of\",,0.76,-0.31")
    #expect(lines[13] == "\"head\",0,3,,,0,2.0,0.0")
    #expect(lines[20] == "\"head\",3,3,,,1,2.2,0.05")
    let noisy = PatchReport.csv(for: Self.noisy).components(separatedBy: "\r\n")
    #expect(noisy[4] == "\"residual\",1,1,0,\"The\",,6.0,")
  }

  @Test("The page holds the result as it is, connects to nothing, and no text can end its data")
  func page() throws {
    var result = Self.result
    result.text = "</script><script>alert(1)</script>"
    let page = try PatchReport.page(for: result)
    #expect(page.contains("default-src 'none'"))
    #expect(!page.contains("<script>alert"))
    let data = try #require(page.components(separatedBy: "id=\"result\">").last)
    let json = try #require(data.components(separatedBy: "</script>").first)
    #expect(try PatchResult.decoded(from: Data(json.utf8)) == result)
    #expect(
      page.contains(
        "<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; · patching</title>"))
  }
}
