import Foundation
import Results
import TestSupport
import Testing

/// `telescope lens train` and `telescope lens means`.
@Suite("Lens train and means")
struct LensTrainTests {
  private let model: TinyModel
  private let folder: Folder
  private let input: URL

  init() throws {
    model = try TinyModel()
    folder = try Folder()
    input = folder / "text.txt"
    var generator = SeededGenerator(seed: 1)
    let letters = (0..<400).map { _ in "abcdefgh .".randomElement(using: &generator) ?? "a" }
    try Data(String(letters).utf8).write(to: input)
  }

  private func words(_ output: URL, _ more: [String] = []) -> [String] {
    [
      "lens", "train", "--model", model.path, "--input", input.path, "-o", output.path, "--steps",
      "8", "--tokens-per-step", "32", "--sequence", "16", "--held-out", "0.2", "--threads", "1",
    ] + more
  }

  @Test("It trains, reports what is left of the divergence, and the lens can be shown")
  func training() throws {
    let lens = folder / "lens.safetensors"
    let outcome = try Command.run(words(lens, ["--lr", "0.02"]))
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(lens.path)\n")
    let lines = outcome.text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0] == "\(model.name) · 2 translators · 8 steps of 32 tokens · seed 0")
    #expect(lines[1] == "KL(model | lens) in bits per token, over 80 held-out tokens")
    #expect(lines[3] == "input of layer  logit lens  tuned lens")
    for (layer, line) in lines[4...5].enumerated() {
      let numbers = line.split(separator: " ").compactMap { Double($0) }
      #expect(numbers.count == 3 && numbers[0] == Double(layer))
      #expect(numbers[2] < numbers[1], "training made it worse: \(line)")
    }
    #expect(try folder.names() == ["lens.safetensors", "text.txt"])

    let shown = try Command.run([
      "lens", "show", "--model", model.path, "--lens", lens.path, "--json", "-", "ab.",
    ])
    #expect(shown.code == 0 && shown.errors == "")
    let result = try LensResult.decoded(from: shown.output)
    #expect(result.lens.kind == "tuned" && result.lens.file == "lens.safetensors")
    #expect(result.lens.sha256?.count == 64 && result.warnings == [])

    let other = try TinyModel("llama-biases")
    let refused = try Command.run([
      "lens", "show", "--model", other.path, "--lens", lens.path, "ab.",
    ])
    #expect(refused.code == 65 && refused.output.isEmpty)
    #expect(
      refused.errors.hasPrefix(
        "telescope: lens.safetensors: the lens was trained for \(model.name) with SHA-256 "))
    #expect(
      refused.errors.hasSuffix("or, if you know that the lens fits, add --unverified-lens.\n"))
  }

  @Test("An interrupted training leaves a checkpoint; resumed, it ends in the same bytes")
  func resuming() throws {
    let (whole, resumed) = (folder / "whole.safetensors", folder / "resumed.safetensors")
    let more = ["--steps", "400", "--checkpoint-every", "1", "--quiet"]
    func long(_ output: URL) -> [String] {
      words(output, more).enumerated().filter { ![8, 9].contains($0.offset) }.map(\.element)
    }
    let process = Command.process(long(resumed))
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let checkpoint = resumed.path + ".checkpoint"
    while process.isRunning && !FileManager.default.fileExists(atPath: checkpoint) { usleep(1000) }
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    #expect(try folder.names() == ["resumed.safetensors.checkpoint", "text.txt"])

    try expectFailure(
      long(resumed), 64,
      "\(checkpoint) is the checkpoint of an unfinished training; go on from it with --resume, or "
        + "remove it.")
    let end = try Command.run(long(resumed) + ["--resume"])
    let plain = try Command.run(long(whole))
    #expect(end.code == 0 && plain.code == 0 && end.text == plain.text)
    #expect(try Data(contentsOf: resumed) == Data(contentsOf: whole))
    #expect(
      try folder.names() == ["resumed.safetensors", "text.txt", "whole.safetensors"])
  }

  @Test("Means are written, and the same command gives the same bytes")
  func means() throws {
    let (first, second) = (folder / "a.safetensors", folder / "b.safetensors")
    func run(_ output: URL) throws -> Outcome {
      try Command.run([
        "lens", "means", "--model", model.path, "--input", input.path, "--output", output.path,
        "--sequence", "32",
      ])
    }
    let outcome = try run(first)
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(first.path)\n")
    #expect(
      outcome.text
        == "\(model.name) · the mean embedding and the mean updates of 2 layers over 384 tokens\n")
    #expect(try run(second).code == 0)
    #expect(try Data(contentsOf: first) == Data(contentsOf: second))
  }

  @Test("What is missing, wrong or too much is refused in words")
  func refusals() throws {
    let lens = folder / "lens.safetensors"
    func train(_ words: [String], _ code: Int32, _ message: String) throws {
      try expectFailure(["lens", "train", "--model", model.path] + words, code, message)
    }
    try train(["-o", lens.path], 64, "--input is missing; name a text file.")
    try train(
      ["--input", input.path], 64,
      "-o is missing; name the file to write, such as lens.safetensors.")
    try train(
      ["--input", "/no/such.txt", "-o", lens.path], 66,
      "/no/such.txt: there is no such file; check the path.")
    try train(
      ["--input", input.path, "-o", lens.path, "--held-out", "1"], 64,
      "--held-out '1': give a share above 0 and below 1.")
    try train(
      ["--input", input.path, "-o", lens.path, "--steps", "4", "--warm-up", "5"], 64,
      "--warm-up '5': give a whole number from 0 to 4.")
    try train(
      ["--input", input.path, "-o", lens.path, "--sequence", "65"], 64,
      "--sequence 65 is more than \(model.name)'s context holds, 64 tokens; choose fewer.")
    try train(
      ["--input", input.path, "-o", lens.path, "a"], 64,
      "telescope lens train reads its text from --input; leave out 'a'.")
    try train(
      ["--input", input.path, "-o", "/no/such/folder/lens.safetensors"], 74,
      "-o '/no/such/folder/lens.safetensors': the folder /no/such/folder does not exist; make it "
        + "first.")
    let empty = folder / "empty.txt"
    try Data().write(to: empty)
    try train(
      ["--input", empty.path, "-o", lens.path], 65,
      "--input '\(empty.path)': the file is empty; give a text.")
    try Data([0x61, 0xFF]).write(to: empty)
    try train(
      ["--input", empty.path, "-o", lens.path], 65,
      "--input '\(empty.path)': the file is not UTF-8 text; convert it first.")
    try Data("short".utf8).write(to: empty)
    try train(
      ["--input", empty.path, "-o", lens.path, "--sequence", "16"], 64,
      "The text is 5 tokens long, which is one sequence of 5; training needs one and another to hold "
        + "out: give a longer text, or a shorter --sequence.")
  }
}
