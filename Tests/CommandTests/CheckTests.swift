import Foundation
import Results
import Testing

/// `--check`: every part replaced in the model, beside what its score predicts.
@Suite("Check")
struct CheckTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func run(_ words: [String], settings: [String: String] = [:]) throws -> Outcome {
    try Command.run(
      ["explain", "--model", model.path, "--answer", "b"] + words + ["--", "Is it"],
      settings: settings)
  }

  private func explain(_ words: String...) throws -> ExplainResult {
    let outcome = try run(["--json", "-"] + words)
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }

  private func actual(
    _ check: CausalCheck, _ kind: CheckedPart.Kind, _ layer: Int
  ) throws -> Double {
    try #require(check.rows.first { $0.kind == kind && $0.layer == layer }).actual
  }

  @Test("Every part that the depth shows is checked, by each replacement, with what it predicts")
  func rows() throws {
    let result = try explain("--check", "--depth", "head", "--neurons", "2", "--seed", "4")
    let checks = try #require(result.explanations[0].checks)
    #expect(result.seed == 4 && result.warnings == [])
    #expect(checks.map(\.replacement) == [.mean, .zero, .resample])
    for check in checks {
      #expect(check.scope == .position)
      let counts = CheckedPart.Kind.allCases.map { kind in
        check.rows.filter { $0.kind == kind }.count
      }
      #expect(counts == [2, 2, 2, 8, 2])
      #expect(check.agreement.map(\.count) == counts)
      #expect(check.agreement.map(\.kind) == CheckedPart.Kind.allCases)
      #expect(check.rows.allSatisfy { abs($0.predicted - $0.actual - $0.gap) <= 1e-12 })
      // A resample is from an earlier position of the text itself.
      #expect((check.source != nil) == (check.replacement == .resample))
      if let source = check.source {
        #expect(source.text == nil && (0..<4).contains(source.position))
      }
    }
    let neurons = checks[0].rows.filter { $0.kind == .neurons }
    let listed = result.explanations[0].attributions.map { layer in
      layer.parts?.last?.children?.compactMap(\.neuron).sorted()
    }
    #expect(neurons.map(\.neurons) == listed)
    // What a part of the last layer adds is all that its absence can change, and by zero the
    // prediction is its score.
    for layer in result.explanations[0].attributions {
      let row = try #require(checks[1].rows.first { $0.kind == .layer && $0.layer == layer.layer })
      let start = layer.parts?.filter { $0.kind == .embedding }.reduce(0) { $0 + $1.value } ?? 0
      #expect(abs(row.predicted - (layer.value - start)) <= 1e-7)
    }
  }

  @Test("Without the last layer the model says what the lens reads before it")
  func lastLayer() throws {
    let result = try explain("--check", "--replace", "zero", "--dtype", "float64")
    let found = result.explanations[0]
    let checks = try #require(found.checks)
    #expect(checks.map(\.replacement) == [.zero] && result.seed == nil)
    let difference = found.attributions[1].lens - found.attributions[0].lens
    #expect(abs(try actual(checks[0], .layer, 1) - difference) <= 1e-12)
  }

  @Test("What zero at every position changes is what an edited model says")
  func editedModel() throws {
    let result = try explain(
      "--check", "--replace", "zero", "--at", "all", "--depth", "block", "--dtype", "float64")
    let found = result.explanations[0]
    let check = try #require(found.checks?.first)
    #expect(check.scope == .all)
    for (kind, tensor) in [
      (CheckedPart.Kind.attention, "self_attn.o_proj.weight"), (.mlp, "mlp.down_proj.weight"),
    ] {
      let edited = try TinyModel()
      try edited.change(zeroing: "model.layers.0.\(tensor)")
      let outcome = try Command.run([
        "explain", "--model", edited.path, "--answer", "b", "--dtype", "float64", "--json", "-",
        "Is it",
      ])
      let without = try outcome.result().explanations[0].modelValue
      let change = try actual(check, kind, 0)
      #expect(abs(change) > 1e-6)
      #expect(abs(found.modelValue - without - change) <= 1e-12)
    }
  }

  @Test("--reference takes means and resamples from other texts, one a line")
  func reference() throws {
    let folder = try Folder()
    let file = folder / "texts.txt"
    try Data("Was it\r\n\nor not\n".utf8).write(to: file)
    let own = try explain("--check", "--replace", "mean", "resample")
    let other = try explain("--check", "--replace", "mean", "resample", "--reference", file.path)
    let checks = try #require(other.explanations[0].checks)
    #expect(checks.map(\.replacement) == [.mean, .resample] && checks[0].source == nil)
    let source = try #require(checks[1].source)
    #expect(source.text.map { (0..<2).contains($0) } == true && (0..<6).contains(source.position))
    let own0 = try #require(own.explanations[0].checks?.first)
    #expect(abs(try actual(own0, .layer, 0) - actual(checks[0], .layer, 0)) > 1e-7)
    // Blank lines are no texts: the same without them.
    try Data("Was it\nor not".utf8).write(to: file)
    let plain = try explain("--check", "--replace", "mean", "resample", "--reference", file.path)
    #expect(plain.explanations == other.explanations)
  }

  @Test("A file of reference texts that cannot be read, or has none, is refused")
  func referenceRefusals() throws {
    let folder = try Folder()
    let file = folder / "texts.txt"
    func refused(_ path: String, _ code: Int32, _ message: String) throws {
      try expectFailure(
        ["explain", "--model", model.path, "--check", "--reference", path, "Is it"], code, message)
    }
    try refused(
      "/no/such.txt", 66, "/no/such.txt: there is no such file; check the path.")
    try refused(
      folder.path, 66,
      "\(folder.path): this is a folder where a file is needed; name a file in its place.")
    for text in ["", "\n\r\n"] {
      try Data(text.utf8).write(to: file)
      try refused(
        file.path, 65, "--reference '\(file.path)': the file has no text; give one text a line.")
    }
    try Data([0x61, 0xFF, 0x0A]).write(to: file)
    try refused(
      file.path, 65, "--reference '\(file.path)': the file is not UTF-8 text; convert it first.")
  }

  @Test("The first position has nothing to resample from, and the result says so")
  func firstPosition() throws {
    let outcome = try Command.run([
      "explain", "--model", model.path, "--check", "--position", "0", "--json", "-", "--", "Is it",
    ])
    let result = try outcome.result()
    #expect(result.explanations[0].checks?.map(\.replacement) == [.mean, .zero])
    #expect(
      result.warnings.contains(
        "Position 0 has no earlier position to resample from, so that check is left out there; "
          + "--reference FILE gives other texts."))
  }

  @Test("The screen has a table for each replacement, and at 40 columns every head its own name")
  func screen() throws {
    let wide = try run(["--check", "--depth", "head"]).text
    for words in ["its mean", "zero", "its value at "] {
      #expect(wide.contains("causal check: each part replaced by \(words)"))
    }
    #expect(wide.contains("at the explained position\n") && wide.contains("gap"))
    let all = try run(["--check", "--replace", "mean", "--at", "all"]).text
    #expect(all.contains("causal check: each part replaced by its mean at every position\n"))
    let narrow = try run(
      ["--check", "--replace", "zero", "--depth", "head"],
      settings: ["COLUMNS": "40", "LC_ALL": "C"])
    #expect(narrow.output.allSatisfy { $0 < 0x80 })
    let lines = narrow.text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 40 })
    for layer in 0..<2 {
      for head in 0..<4 {
        #expect(lines.filter { $0.contains("L\(layer) head \(head) ") }.count == 1)
      }
    }
  }
}
