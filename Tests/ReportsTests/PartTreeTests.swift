import Foundation
import Reports
import Results
import TestSupport
import Testing

@Suite("The tree in the terminal")
struct PartTreeTests {
  private func text(
    _ result: ExplainResult, _ width: Int = 80, unicode: Bool = true, top: Int = 10
  ) -> String {
    TerminalReport.text(
      for: result, style: TerminalStyle(width: width, unicode: unicode), top: top)
  }

  /// One row of a tree, as it is read: how deep, what, and how much.
  private struct Row {
    var depth: Int
    var label: String
    var value: Decimal
  }

  /// Reads the tree back from the screen, by the lines that join its rows.
  private func rows(_ report: String) throws -> [Row] {
    let lines = report.components(separatedBy: "\n")
    let head = try #require(lines.firstIndex { $0.contains("part  ") && $0.contains("change") })
    return try lines[(head + 1)...].prefix { !$0.isEmpty }.map { line in
      var rest = Substring(line)
      if lines[head].hasPrefix("  part") { rest = rest.dropFirst(2) }
      var depth = 0
      while ["├ ", "└ ", "│ ", "  ", "|-", "`-", "| "].contains(rest.prefix(2)) {
        depth += 1
        rest = rest.dropFirst(2)
      }
      let found = try #require(rest.firstMatch(of: /^(.*?) {2,}([+−-]?\d+\.\d+(e[+−-]\d+)?|0)/))
      let isTiny = found.output.3 != nil
      let number = found.output.2.replacingOccurrences(of: "−", with: "-")
      return Row(
        depth: depth, label: String(found.output.1),
        value: isTiny ? 0 : try #require(Decimal(string: number)))
    }
  }

  /// Each row with rows below it is their sum, digit for digit.
  private func expectSums(_ rows: [Row], _ comment: Comment) {
    for (index, row) in rows.enumerated() {
      let below = rows[(index + 1)...].prefix { $0.depth > row.depth }
        .filter { $0.depth == row.depth + 1 }
      guard !below.isEmpty else { continue }
      #expect(below.map(\.value).reduce(0, +) == row.value, "\(row.label) \(comment)")
    }
  }

  @Test("Three layers with everything, at 80 columns")
  func at80() { #expect(text(TreeSample.small, 80, top: 4) == TreeGolden.at80) }

  @Test("The same at 40 columns, where every sum has its residual on a line of its own")
  func at40() { #expect(text(TreeSample.small, 40, top: 4) == TreeGolden.at40) }

  @Test("The same in ASCII")
  func inASCII() {
    #expect(text(TreeSample.small, 60, unicode: false, top: 4) == TreeGolden.inASCII)
  }

  @Test("Colour changes no character of it")
  func colour() {
    for width in [40, 80, 120] {
      let colored = TerminalReport.text(
        for: TreeSample.full, style: TerminalStyle(width: width, color: true))
      #expect(colored.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text(TreeSample.full, width))
    }
  }

  @Test("At every level the digits shown add up, whatever the numbers", arguments: 1...12)
  func sums(seed: Int) throws {
    var sample = TreeSample(
      seed: UInt64(seed), layers: 3 + seed % 5, heads: 1 + seed % 12, neurons: 1 + seed % 30)
    var result = sample.result()
    // Other scales: the digits of a logit, and of a probability that is hardly there.
    let scale = [1, 37.5, 1e-6][seed % 3]
    if scale > 1 { result.method.target = "logit" }
    result.explanations[0] = result.explanations[0].scaled(by: scale)
    for width in [36, 40, 72, 100] {
      for top in [1, 4, 100] {
        let report = text(result, width, unicode: width != 72, top: top)
        let rows = try rows(report)
        #expect(rows.count > 6 || top < 100)
        expectSums(rows, "at \(width), top \(top)")
      }
    }
  }

  @Test("The layers of the tree are those of the waterfall, to the last digit")
  func layers() throws {
    let report = text(TreeSample.full, 100)
    let rows = try rows(report)
    #expect(rows[0].label == "all layers" && rows[0].value == Decimal(string: "0.75552"))
    #expect(report.contains("0.00002 + 0.75552 = 0.75554"))
    for (layer, value) in [(27, "−0.01020"), (28, "+0.05980"), (29, "+0.70210")] {
      let lines = report.split(separator: "\n").filter { $0.contains(value) }
      #expect(lines.contains { $0.contains("layer \(layer) ") })
      #expect(lines.contains { $0.contains(" \(layer)  ") && !$0.contains("layer") })
    }
    #expect(rows.last?.label == "others (27 layers)")
  }

  @Test("No list is longer than it may be, and what is left out is counted")
  func bounds() throws {
    for top in [1, 2, 5] {
      let rows = try rows(text(TreeSample.full, 100, top: top))
      for (index, row) in rows.enumerated() {
        let below = rows[(index + 1)...].prefix { $0.depth > row.depth }
          .filter { $0.depth == row.depth + 1 }
        #expect(below.count { !$0.label.hasPrefix("others") } <= top)
      }
      let others = rows.filter { $0.label.hasPrefix("others") }.map(\.label)
      // One part of the one layer is the MLP, which reads no tokens.
      #expect(others.contains("others (\(12 - top) tokens)") == (top > 1))
      #expect(others.contains("others (\(30 - min(top, 3)) layers)"))
      #expect(others.contains("others"))
    }
    #expect(text(TreeSample.full, 100, top: 2).contains("others: 28 parts"))
    #expect(text(TreeSample.full, 100, top: 2).contains("top 2 of each list"))
  }

  @Test("A sum that misses has a row that says by how much")
  func residual() throws {
    var result = TreeSample.small
    result.explanations[0].attributions[2].parts?[1].value -= 0.0125
    for width in [40, 80] {
      let rows = try rows(text(result, width))
      expectSums(rows, "at \(width)")
      let missing = rows.filter { $0.label == "residual" && $0.value != 0 }
      #expect(missing.map(\.value) == ["-0.0125", "0.0125"].compactMap { Decimal(string: $0) })
    }
  }

  @Test("Layers whose integral did not converge are marked, counted, and shown however small")
  func doubt() throws {
    var result = TreeSample.full
    for layer in [3, 28] {
      result.explanations[0].attributions[layer].converged = false
      result.explanations[0].attributions[layer].nodes = 1024
    }
    let report = text(result, 100)
    let labels = try rows(report).map(\.label)
    for label in ["layer 3 (not converged)", "layer 28 (not converged)", "layer 29"] {
      #expect(labels.contains(label))
    }
    #expect(report.contains("integrals 16–1024 nodes, 2 of 30 layers did not converge"))
    #expect(report.contains("  not converged to the tolerance: layers 3, 28\n"))
    #expect(text(TreeSample.full, 100).contains("integrals 16–32 nodes, all converged to 1e-4"))
  }

  @Test("Where no layer was split the nodes stand beside the certificate")
  func nodesAlone() {
    var result = TreeSample.small
    for layer in result.explanations[0].attributions.indices {
      result.explanations[0].attributions[layer].parts = nil
      result.explanations[0].attributions[layer].nodes = 16
    }
    let report = text(result, 160)
    #expect(!report.contains("parts of the change"))
    #expect(report.contains(" · integrals 16 nodes, all converged to 1e-4\n"))
  }

  @Test("A layer that another path credits has a row of its own in the waterfall")
  func ranges() {
    var result = TreeSample.full
    for layer in 0..<27 {
      result.explanations[0].attributions[layer].low = -0.0001
      result.explanations[0].attributions[layer].high = layer == 12 ? 0.4 : 0.0001
    }
    let report = text(result, 80)
    #expect(report.contains("\n      0–11  "))
    let row = report.split(separator: "\n").first { $0.hasPrefix("        12  ") }
    #expect(row?.contains("0.000 … +0.400") == true)
    #expect(report.contains("\n     13–26  "))
  }

  @Test("The way shown above is named as the correlations name it")
  func mainPath() {
    var result = TreeSample.small
    result.explanations[0].rankCorrelations = [
      RankCorrelation(first: "chain/means", second: "chain/zero", spearman: 0.25)
    ]
    let report = text(result, 80)
    #expect(report.contains("  chain/means             1.00      100 %     −3.0e-09   ≤ 32\n"))
    #expect(report.contains("  chain/zero              0.25      100 %     +1.2e-06   ≤ 64\n"))
    #expect(report.contains("  straight/mean              ·       33 %     +1.2e-06   ≤ 64\n"))
  }

  @Test("The heading names the files and the tolerance behind the numbers")
  func heading() {
    var result = TreeSample.small
    result.method.estimator = "observed"
    result.method.completion = "means.safetensors"
    result.method.lens = "tuned\u{1B}.safetensors"
    #expect(
      text(result, 60).hasPrefix(
        """
        SmolLM2-135M-Instruct.Q4_1.gguf · 3 layers · float32 on cpu
        target prob · path chain · baseline mean
          estimator observed · integrals to 0.0001
          completion means.safetensors · lens tuned␛.safetensors

        """))
  }

  @Test("Parts of a segment of several blocks name their block")
  func blocks() throws {
    var result = TreeSample.small
    let parts = (0..<3).flatMap { layer in
      [
        AttributionNode(kind: .attention, layer: layer, value: 0.01),
        AttributionNode(kind: .mlp, layer: layer, value: 0.2),
      ]
    }
    let extra = [
      AttributionNode(kind: .embedding, layer: -1, value: 0.05),
      AttributionNode(kind: .mean, layer: 2, value: 0.02),
      AttributionNode(kind: .translator, layer: 2, value: 0.0021),
    ]
    result.explanations[0].attributions[2].parts = extra + parts
    let labels = try rows(text(result, 100)).map(\.label)
    #expect(
      labels.filter { !$0.contains("head") && !$0.contains("neuron") }.prefix { $0 != "others" }
        .contains("all layers"))
    for label in [
      "embedding − baseline", "layer 2 mean update, taken back", "layer 2 translator",
      "layer 0 attention", "layer 1 MLP",
    ] {
      #expect(labels.contains(label), "\(label)")
    }
  }

  @Test("Hostile text of a source reaches neither terminal nor page, at any width")
  func hostile() throws {
    var result = TreeSample(seed: 11, layers: 3, heads: 2, tokens: Samples.hostileTexts).made()
    result.tokens[2].bytes = "e2809f"
    for unicode in [true, false] {
      for width in stride(from: 20, through: 140, by: 3) {
        for line in text(result, width, unicode: unicode, top: 50).split(separator: "\n") {
          #expect(DisplayText.columns(String(line)) <= width, "\(line)")
          let raw = line.unicodeScalars.contains {
            $0.properties.generalCategory == .control || (0x202A...0x202E).contains($0.value)
              || (0x2066...0x2069).contains($0.value) || $0.value == 0x2028
              || (!unicode && !$0.isASCII)
          }
          #expect(!raw, "\(line.debugDescription)")
        }
      }
    }
    let page = try HTMLReport.page(for: result)
    #expect(page.components(separatedBy: "<script").count == 3)
    #expect(!page.contains("alert(1)</script>"))
  }

  @Test("Numbers that no digits can show are shown all the same")
  func extremes() {
    for value in [Double.nan, .infinity, -.infinity, 1e308, -1e308, .leastNonzeroMagnitude] {
      var result = TreeSample.small
      result.explanations[0].attributions[2].value = value
      result.explanations[0].attributions[2].parts?[0].value = value
      result.explanations[0].attributions[2].parts?[1].children?[0].value = -value
      result.explanations[0].attributions[1].low = value
      result.explanations[0].checks?[0].rows[0].predicted = value
      result.explanations[0].checks?[0].rows[1].actual = -value
      result.explanations[0].alternatives?[0].values[1] = value
      for width in [20, 80] { #expect(text(result, width).contains("all l")) }
    }
  }

  @Test("100,000 parts are shown in less than a second, and on a page in less than three")
  func speed() throws {
    var sample = TreeSample(
      seed: 5, layers: 30, heads: 9, neurons: 30, tokens: (0..<370).map { " word\($0)" })
    let result = sample.result()
    let clock = ContinuousClock()
    var report = ""
    #expect(clock.measure { report = text(result, 100) } < .seconds(1))
    #expect(report.contains("others (360 tokens)"))
    var page = ""
    #expect(try clock.measure { page = try HTMLReport.page(for: result) } < .seconds(3))
    #expect(page.utf8.count < 10_000_000)
  }
}

@Suite("Digits that add up")
struct ApportionmentTests {
  @Test("Numbers within a unit of the exact ones add up to the rounded total")
  func random() throws {
    var generator = SeededGenerator(seed: 3)
    for decimals in [0, 2, 5, 9] {
      let digits = Apportionment(decimals: decimals)
      for count in 1...60 {
        let values = (0..<count).map { _ in Double.random(in: -3...3, using: &generator) }
        let total = try #require(digits.units(values.reduce(0, +)))
        let units = try #require(digits.split(total, over: values))
        #expect(units.reduce(0, +) == total)
        for (unit, value) in zip(units, values) {
          #expect(abs(unit - value * digits.scale) <= 1 + 1e-6)
        }
      }
    }
  }

  @Test("What rounding leaves goes to those that lost the most by it")
  func largestRemainder() {
    let digits = Apportionment(decimals: 1)
    #expect(digits.split(10, over: [0.34, 0.33, 0.33]) == [4, 3, 3])
    #expect(digits.split(3, over: [0.14, 0.14, 0.02]) == [2, 1, 0])
    #expect(digits.split(-3, over: [-0.14, -0.14, -0.02]) == [-2, -1, 0])
    #expect(digits.split(8, over: [0.1, 0.1, 0.1]) == [3, 3, 2])
    #expect(digits.split(0, over: []) == [])
    #expect(digits.split(1, over: []) == nil)
    #expect(digits.split(1, over: [1e300]) == nil)
    #expect(digits.split(1, over: [.nan]) == nil)
  }
}
