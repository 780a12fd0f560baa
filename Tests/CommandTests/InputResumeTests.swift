import Foundation
import Results
import TestSupport
import Testing

/// `explain --input --resume`: only whole lines of the same run are gone on with.
@Suite("Going on with many prompts")
struct InputResumeTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private static let four = #"""
    {"prompt": "First.", "id": "one"}
    {"answer": "no", "prompt": "Second?"}

    {"prompt": "Third, \"quoted\"", "id": "three"}
    {"prompt": "Last", "answer": "ab", "id": "4"}
    """#

  private func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: folder / name)
    return (folder / name).path
  }

  private func explain(_ words: [String], input: Data = Data()) throws -> Outcome {
    try Command.run(
      ["explain", "--model", model.path, "--threads", "1", "--max-new-tokens", "2"] + words,
      input: input)
  }

  private func lines(_ name: String) throws -> [Data] {
    let data = try Data(contentsOf: folder / name)
    #expect(data.last == UInt8(ascii: "\n"))
    return data.split(separator: UInt8(ascii: "\n")).map { Data($0) }
  }

  @Test("A run that was cut anywhere and resumed gives the bytes of one that was not")
  func resumed() throws {
    let long = String(repeating: "x", count: 70)
    let input = try file(
      "p.jsonl", Self.four + "\n{\"prompt\": \"\(long)\"}\n{\"prompt\": \"End\"}")
    let output = (folder / "r.jsonl").path
    let words = ["--input", input, "--json", output, "--reproducible", "--quiet"]
    let whole = try explain(words)
    #expect(whole.code == 65)
    let bytes = try Data(contentsOf: folder / "r.jsonl")
    let ends = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
    #expect(ends.count == 6)
    for length in [
      0, 1, ends[0], ends[0] + 1, ends[1] + 90, ends[4] + 1, bytes.count - 1, bytes.count,
    ] {
      try bytes.prefix(length).write(to: folder / "r.jsonl")
      let again = try explain(words + ["--resume"])
      #expect(try Data(contentsOf: folder / "r.jsonl") == bytes, "cut at \(length)")
      #expect(again.text == whole.text && again.code == 65)
    }
    try FileManager.default.removeItem(at: folder / "r.jsonl")
    #expect(try explain(words + ["--resume"]).text == whole.text)
    #expect(try Data(contentsOf: folder / "r.jsonl") == bytes)
  }

  @Test("Lines of another model, prompt, answer or method are not gone on with: 65")
  func otherRun() throws {
    let (input, output) = (try file("p.jsonl", Self.four), (folder / "r.jsonl").path)
    _ = try explain(["--input", input, "--json", output, "--reproducible"])
    let bytes = try Data(contentsOf: folder / "r.jsonl")
    let other = try TinyModel("qwen2")
    let name = "or name another file."
    func refused(
      _ message: String, prompts: String = Self.four, model: String? = nil, _ words: String...,
      at place: SourceLocation = #_sourceLocation
    ) throws {
      let input = try file("q.jsonl", prompts)
      let outcome = try Command.run(
        [
          "explain", "--model", model ?? self.model.path, "--threads", "1", "--input", input,
          "--json", output, "--resume",
        ] + (words.isEmpty ? ["--max-new-tokens", "2", "--reproducible"] : words))
      #expect(
        outcome.errors == "telescope: --resume '\(output)': \(message)\n", sourceLocation: place)
      #expect(outcome.code == 65 && outcome.text == "", sourceLocation: place)
      #expect(try Data(contentsOf: folder / "r.jsonl") == bytes, sourceLocation: place)
    }
    let lines = Self.four.components(separatedBy: "\n")
    try refused(
      "line 1 is of 'one', and line 1 of the input is 'eins'; name another file.",
      prompts: Self.four.replacing("one", with: "eins"))
    try refused(
      "line 3 has another prompt or answer than line 4 of the input; name another file.",
      prompts: Self.four.replacing("quoted", with: "other"))
    try refused(
      "line 2 has another prompt or answer than line 2 of the input; name another file.",
      prompts: Self.four.replacing("\"no\"", with: "\"on\""))
    try refused(
      "it has more lines than the input has prompts, 1; give the input that it was made from, "
        + name, prompts: lines[0])
    let advice = "; give the options that it was made with, " + name
    try refused(
      "line 4, made again, does not fit: its target is logprob, and prob in the results before it"
        + advice, "--target", "logprob", "--reproducible")
    try refused(
      "line 4, made again, has other tokens, lists, checks or timings" + advice, "--top", "3",
      "--reproducible")
    try refused(
      "line 4, made again, has other tokens, lists, checks or timings" + advice,
      "--max-new-tokens", "2")
    let hash = try ExplainResult.decoded(from: self.lines("r.jsonl")[0]).model.sha256
    let theirs = try Command.result("--model", other.path, "--answer", "a", "x").model.sha256
    try refused(
      "line 4, made again, does not fit: its model hash is \(theirs), and \(hash) in the results "
        + "before it" + advice, model: other.path)
  }

  @Test("A file of something else is not gone on with, and one that is there is not replaced")
  func otherFile() throws {
    let input = try file("p.jsonl", Self.four)
    let output = try file("r.jsonl", "{}\nnotes")
    let base = ["explain", "--model", "/no/such/model", "--input", input, "--json", output]
    try expectFailure(
      base + ["--resume"], 65,
      "--resume '\(output)': line 1: This JSON is not a Telescope result: it has no text field "
        + "'schema'. Give a file that 'telescope explain --json' wrote; name another file.")
    try expectFailure(
      base, 74, "--json '\(output)': the file is there; go on with it by --resume, or name another."
    )
    #expect(try Data(contentsOf: folder / "r.jsonl") == Data("{}\nnotes".utf8))
    try expectFailure(
      ["explain", "--input", input, "--json", "/dev/null", "--resume"], 64,
      "--resume goes on with a file, and '/dev/null' is none; leave it out.")
  }

  @Test("Ctrl-C leaves whole lines and says how many; --resume makes the rest")
  func interruption() throws {
    let prompts = (0..<800).map { "{\"prompt\": \"Number \($0) of many.\"}" }.joined(
      separator: "\n")
    let (input, output) = (try file("p.jsonl", prompts), (folder / "r.jsonl").path)
    let words = [
      "--input", input, "--json", output, "--reproducible", "--estimator", "gradient", "--nodes",
      "4096",
    ]
    let terminal = try PseudoTerminal(columns: 100)
    let process = Command.process(
      ["explain", "--model", model.path, "--threads", "1", "--max-new-tokens", "2"] + words)
    try terminal.start(process)
    #expect(terminal.wait(for: " s left"))
    #expect(terminal.text.contains(/Prompt \d+ of 800, \d+ s left/))
    kill(process.processIdentifier, SIGINT)
    let shown = terminal.finish(process)
    #expect(process.terminationStatus == 130)
    let count = try lines("r.jsonl").count
    #expect(count > 0 && count < 800)
    #expect(
      shown.hasSuffix(
        "telescope: Interrupted; \(output) has \(count) of 800 prompts, and --resume goes on with the "
          + "rest.\n"))
    // Few prompts more are enough to see that it goes on where it stopped.
    let some = prompts.components(separatedBy: "\n").prefix(count + 2).joined(separator: "\n")
    _ = try file("p.jsonl", some)
    #expect(try explain(words + ["--resume"]).code == 0)
    let resumed = try Data(contentsOf: folder / "r.jsonl")
    try FileManager.default.removeItem(at: folder / "r.jsonl")
    #expect(try explain(words).code == 0)
    #expect(try Data(contentsOf: folder / "r.jsonl") == resumed)
  }

  #if os(Linux)
    @Test("Two runs do not write to one file: 69")
    func locked() throws {
      let (input, output) = (try file("p.txt", "Hi\n"), try file("r.jsonl", ""))
      let descriptor = open(output, O_RDWR)
      defer { close(descriptor) }
      #expect(flock(descriptor, LOCK_EX) == 0)
      try expectFailure(
        ["explain", "--model", model.path, "--input", input, "--json", output], 69,
        "--json '\(output)': another run is writing to this file; wait for its end.")
    }
  #endif
}
