import Foundation
import Results
import TestSupport
import Testing

/// `--completion` and `--lens`: states read as more than they are yet.
@Suite("Lens readings")
struct LensReadingTests {
  private let model: TinyModel
  private let folder: Folder
  private let text: URL

  init() throws {
    model = try TinyModel()
    folder = try Folder()
    text = folder / "text.txt"
    var generator = SeededGenerator(seed: 2)
    let letters = (0..<300).map { _ in "abcdefgh .".randomElement(using: &generator) ?? "a" }
    try Data(String(letters).utf8).write(to: text)
  }

  private func means() throws -> String {
    let file = folder / "means.safetensors"
    let outcome = try Command.run([
      "lens", "means", "--model", model.path, "--input", text.path, "-o", file.path, "--sequence",
      "32", "--quiet",
    ])
    #expect(outcome.code == 0)
    return file.path
  }

  private func lens() throws -> String {
    let file = folder / "lens.safetensors"
    let outcome = try Command.run([
      "lens", "train", "--model", model.path, "--input", text.path, "-o", file.path, "--steps", "4",
      "--tokens-per-step", "32", "--sequence", "16", "--held-out", "0.2", "--lr", "0.05", "--quiet",
    ])
    #expect(outcome.code == 0)
    return file.path
  }

  private func explain(_ words: String...) throws -> ExplainResult {
    let outcome = try Command.run(
      ["explain", "--model", model.path, "--answer", "b", "--dtype", "float64", "--json", "-"]
        + words + ["Is it"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }

  private func parts(
    _ result: ExplainResult, _ kind: AttributionNode.Kind
  ) -> [[AttributionNode]] {
    result.explanations[0].attributions.map { ($0.parts ?? []).filter { $0.kind == kind } }
  }

  private func expectSums(_ result: ExplainResult, at place: SourceLocation = #_sourceLocation) {
    let found = result.explanations[0]
    let scale = found.attributions.reduce(0) { $0 + abs($1.value) }
    let total = found.attributions.reduce(found.baselineValue) { $0 + $1.value }
    #expect(abs(total - found.modelValue) <= 1e-4 * scale, sourceLocation: place)
    for layer in found.attributions {
      let parts = (layer.parts ?? []).reduce(0) { $0 + $1.value }
      #expect(abs(layer.value - parts) <= 1e-4 * scale, sourceLocation: place)
    }
  }

  @Test("Completed by mean updates, the chain starts at the mean state and ends at the model")
  func completion() throws {
    let file = try means()
    let result = try explain("--completion", file, "--depth", "block")
    #expect(result.method.baseline == "means")
    #expect(result.method.completion == "means.safetensors" && result.method.lens == nil)
    expectSums(result)
    // Each layer takes back the mean of the update that it brings.
    #expect(parts(result, .mean).map { $0.map(\.layer) } == [[0], [1]])
    let plain = try explain("--depth", "block")
    #expect(result.explanations[0].modelValue == plain.explanations[0].modelValue)
    let (last, lens) = (
      result.explanations[0].attributions.last?.lens, plain.explanations[0].attributions.last?.lens
    )
    #expect(last == lens)
    #expect(
      abs(result.explanations[0].attributions[0].lens - plain.explanations[0].attributions[0].lens)
        > 1e-7)

    let straight = try explain("--completion", file, "--depth", "block", "--path", "straight")
    expectSums(straight)
    #expect(straight.explanations[0].baselineValue == result.explanations[0].baselineValue)
    let all = try explain("--completion", file, "--paths", "all")
    #expect(
      all.explanations[0].alternatives?.map { $0.path + "/" + $0.baseline } == [
        "straight/means", "shapley/means",
      ])
    let screen = try Command.explain(
      "--model", model.path, "--answer", "b", "--completion", file, "--depth", "block", "Is it")
    #expect(screen.text.contains("baseline means"))
    #expect(screen.text.contains("mean update, taken back"))
    #expect(screen.text.contains("completion means.safetensors"))
  }

  @Test("Read through a tuned lens, the layers are as exact, and what no block wrote has a part")
  func tunedLens() throws {
    let file = try lens()
    let result = try explain("--lens", file, "--depth", "block")
    #expect(result.method.lens == "lens.safetensors" && result.method.completion == nil)
    #expect(result.method.baseline == "mean" && result.warnings == [])
    expectSums(result)
    let translator = parts(result, .translator)
    #expect(translator.map { $0.map(\.layer) } == [[0], [1]])
    #expect(translator.joined().allSatisfy { abs($0.value) > 1e-9 })
    // No translator stands after the last layer: its reading is the model's own.
    let found = result.explanations[0]
    #expect(abs((found.attributions.last?.lens ?? 0) - found.modelValue) <= 1e-12)
    // `lens show` reads the same states by the same lens.
    let shown = try Command.run([
      "lens", "show", "--model", model.path, "--lens", file, "--dtype", "float64", "--json", "-",
      "Is it",
    ])
    #expect(shown.code == 0)
    let zero = try explain("--lens", file, "--baseline", "zero")
    expectPlainSum(zero)
  }

  private func expectPlainSum(_ result: ExplainResult) {
    let found = result.explanations[0]
    let total = found.attributions.reduce(found.baselineValue) { $0 + $1.value }
    #expect(abs(total - found.modelValue) <= 1e-12)
  }

  @Test("A file for another model is refused unless --unverified-lens says that it fits")
  func otherModel() throws {
    let files = [("--completion", try means()), ("--lens", try lens())]
    let before = try explain().model.sha256
    try model.change(zeroing: "model.layers.0.mlp.down_proj.weight")
    let after = try explain().model.sha256
    let hashes =
      "\(model.name) with SHA-256 \(before.prefix(12))… and \(model.name) has \(after.prefix(12))…; "
    let messages = [
      "means.safetensors: the means were measured in \(hashes)use that model, or measure them for "
        + "this one with telescope lens means.",
      "lens.safetensors: the lens was trained for \(hashes)use that model, train a lens for this one "
        + "with telescope lens train, or, if you know that the lens fits, add --unverified-lens.",
    ]
    for ((option, file), message) in zip(files, messages) {
      try expectFailure(
        ["explain", "--model", model.path, option, file, "Is it"], 65, message)
      expectPlainSum(try explain(option, file, "--unverified-lens"))
    }
  }

  @Test("What is no lens or no means is refused by name")
  func wrongFiles() throws {
    func refused(_ option: String, _ path: String, _ code: Int32, _ message: String) throws {
      try expectFailure(
        ["explain", "--model", model.path, option, path, "Is it"], code, message)
    }
    for option in ["--lens", "--completion"] {
      try refused(
        option, "/no/such.safetensors", 66,
        "/no/such.safetensors: there is no such file; check the path.")
    }
    try refused(
      "--completion", model.weights.path, 65,
      "model.safetensors: this is no file of mean updates (its remarks lack 'format' "
        + "'telescope/mean-updates/1'); make one with telescope lens means.")
  }
}
