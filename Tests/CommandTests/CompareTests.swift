import Foundation
import Results
import Testing

/// `telescope compare`: several methods side by side.
@Suite("Compare")
struct CompareTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func run(_ words: String..., settings: [String: String] = [:]) throws -> Outcome {
    try Command.run(
      ["compare", "--model", model.path, "--answer", "b"] + words + ["Is it"], settings: settings)
  }

  private func result(_ words: String...) throws -> CompareResult {
    let outcome = try Command.run(
      ["compare", "--model", model.path, "--answer", "b", "--json", "-", "--reproducible"] + words
        + ["Is it"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try CompareResult.decoded(from: outcome.output)
  }

  @Test("Each method's layers add up to what it measures, and are what its own command says")
  func methods() throws {
    let result = try result("--tol", "1e-6")
    let found = result.explanations[0]
    #expect(result.layers == [0, 1] && result.baseline == "mean" && result.target == "prob")
    #expect(result.timingsMs == nil)
    #expect(found.methods.map(\.name) == ["ig-lens", "straight", "dla", "logit-lens"])
    #expect(found.methods.map(\.unit) == ["prob", "prob", "logit", "logit"])
    let model = ["--model", self.model.path, "--answer", "b", "Is it"]
    func values(_ words: [String]) throws -> (start: Double, values: [Double]) {
      let explained = try Command.run(["explain", "--json", "-"] + words + model).result()
        .explanations[0]
      return (explained.baselineValue, explained.attributions.map(\.value))
    }
    let chain = try values([])
    let straight = try values(["--path", "straight", "--tol", "1e-6"])
    let lens = try values(["--target", "logit", "--baseline", "embedding"])
    let direct = try DirectLogitResult.decoded(
      from: Command.run(["dla", "--json", "-"] + model).output
    ).explanations[0]
    let parts = direct.parts.map(\.value)
    let expected = [
      chain, straight, (parts[0], [parts[1] + parts[2], parts[3] + parts[4]]), lens,
    ]
    for (method, (start, values)) in zip(found.methods, expected) {
      #expect(abs(method.start - start) <= 1e-6)
      #expect(zip(method.values, values).allSatisfy { abs($0 - $1) <= 1e-6 })
      let whole = method.unit == "prob" ? found.modelValue : direct.modelLogit
      let total = method.values.reduce(method.start, +)
      #expect(abs(total - whole) <= 1e-5)
      #expect(abs(method.certificate - (total - whole)) <= 1e-6)
    }
    #expect(abs(found.methods[1].certificate) <= 1e-6)
  }

  @Test("Every two methods have their rank correlation")
  func correlations() throws {
    try model.repeatLayers(to: 6)
    let found = try result().explanations[0]
    let names = found.methods.map(\.name)
    #expect(
      found.correlations.map { [$0.first, $0.second] }
        == names.indices.flatMap { first in
          names.indices.filter { $0 > first }.map { [names[first], names[$0]] }
        })
    func ranks(_ values: [Double]) -> [Double] {
      values.map { value in Double(values.filter { $0 < value }.count) }
    }
    for pair in found.correlations {
      let both = [pair.first, pair.second].compactMap { name in
        found.methods.first { $0.name == name }.map { ranks($0.values) }
      }
      // No two of 6 layers tie: ρ = 1 − 6 Σ d² / (n (n² − 1)).
      let squares = zip(both[0], both[1]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      #expect(abs(try #require(pair.spearman) - (1 - 6 * squares / 210)) <= 1e-12)
    }
  }

  @Test("A difference of tokens is one of logits for the methods that split logits")
  func targets() throws {
    let difference = try result("--target", "logit-diff:a").explanations[0]
    #expect(difference.target.versus?.text == "a")
    #expect(difference.methods.allSatisfy { $0.unit == "logit-diff" })
    for method in difference.methods {
      let total = method.values.reduce(method.start, +)
      #expect(abs(total - difference.modelValue) <= 1e-4)
    }
    let divergence = try result("--target", "kl", "--baseline", "zero")
    #expect(divergence.baseline == "zero")
    #expect(divergence.explanations[0].methods.map(\.unit) == ["kl", "kl", "logit", "logit"])
    #expect(abs(divergence.explanations[0].modelValue) <= 1e-9)
  }

  @Test("Screen, CSV, narrow and ASCII")
  func outputs() throws {
    let folder = try Folder()
    let csv = folder / "a.csv"
    let wide = try run("--csv", csv.path)
    #expect(wide.code == 0 && wide.errors == "Wrote \(csv.path)\n")
    #expect(wide.text.contains("comparison of methods · target prob · baseline mean\n"))
    // A small probability keeps the digits that its parts have.
    #expect(wide.text.contains("model 0.00012791\n"))
    #expect(wide.text.contains("agreement on the order of layers (Spearman)\n"))
    let rows = try String(contentsOf: csv, encoding: .utf8).split(separator: "\r\n")
    #expect(rows.count == 1 + 4 * 3)
    #expect(rows[1].contains("\"ig-lens\",\"prob\",\"start\",,"))
    let narrow = try run("--quiet", settings: ["COLUMNS": "40", "LC_ALL": "C"])
    #expect(narrow.code == 0 && narrow.errors == "")
    #expect(narrow.output.allSatisfy { $0 < 0x80 })
    #expect(narrow.text.split(separator: "\n").allSatisfy { $0.count <= 40 })
    #expect(narrow.text.contains("logit-lens"))
  }
}
