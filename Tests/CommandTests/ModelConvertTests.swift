import Foundation
import Results
import TestSupport
import Testing

/// `telescope model convert`, and models whose weights torch.save wrote.
@Suite("Converted models")
struct ModelConvertTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws { (model, folder) = (try TinyModel(), try Folder()) }

  /// Puts the same weights there as torch.save has them, in place of safetensors.
  private func pickle() throws {
    try FileManager.default.removeItem(at: model.weights)
    try FileManager.default.copyItem(
      at: Fixtures.url("checkpoints/torch-archive/llama-tied.bin"),
      to: model.folder / "pytorch_model.bin")
  }

  private func values(_ path: String) throws -> [Double] {
    let result = try Command.result("--model", path, "--answer", "lo", "Hel")
    return result.explanations.flatMap { [$0.modelValue] + $0.attributions.map(\.value) }
  }

  @Test("A model of torch.save is explained and converted to the same numbers")
  func torch() throws {
    let expected = try values(model.path)
    try pickle()
    #expect(try values(model.path) == expected)
    let out = (folder / "out").path
    let outcome = try Command.run(["model", "convert", model.path, out])
    #expect(outcome.code == 0)
    #expect(outcome.text == "\(model.name) · 20 tensors · 44 kB in 1 file\n")
    #expect(
      outcome.errors
        == "Tied weights are written once, without lm_head.weight\nWrote \(out)\n")
    #expect(try values(out) == expected)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: out).sorted() == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
      ])
  }

  @Test("--shard-size and --dtype make parts of another type")
  func parts() throws {
    let expected = try values(model.path)
    let out = (folder / "out").path
    let outcome = try Command.run([
      "model", "convert", "--quiet", "--dtype", "bfloat16", "--shard-size", "10k", model.path, out,
    ])
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text == "\(model.name) · 20 tensors · 22 kB in 3 files\n")
    let found = try values(out)
    // Eight bits of fraction: close, and not the same.
    #expect(found != expected && distance(found, expected).error < 0.02)
    let config = try String(contentsOfFile: out + "/config.json", encoding: .utf8)
    #expect(config.contains("bfloat16") && !config.contains("float32"))
  }

  @Test("What cannot be converted is said, and nothing is left")
  func refusals() throws {
    let out = (folder / "out").path
    let gguf = Fixtures.url("checkpoints/version3.gguf").path
    let unknown = try Command.run(["model", "convert", gguf, out])
    #expect(unknown.code == 65)
    #expect(
      unknown.errors.contains("the architecture 'fixture' is not one that Telescope runs"))
    try model.change(poisoning: "model.norm.weight")
    try expectFailure(
      ["model", "convert", model.path, model.path], 74,
      "\(model.path): this is there already; name a new folder, or an empty one.")
    try expectFailure(
      ["model", "convert", model.path], 64,
      "telescope model convert takes a model and a folder to write; there are 1 words.")
    try expectFailure(
      ["model", "convert", "--dtype", "float64", model.path, out], 64,
      "--dtype 'float64': choose one of float32, bfloat16, float16.")
    try expectFailure(
      ["model", "convert", "--shard-size", "big", model.path, out], 64,
      "--shard-size 'big': give a size such as 500M or 2G.")
    #expect(try folder.names() == [])
  }
}
