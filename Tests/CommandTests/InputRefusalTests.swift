import Foundation
import Results
import TestSupport
import Testing

/// Prompts, options and results that `explain --input` and `aggregate` refuse.
@Suite("Many prompts, refused")
struct InputRefusalTests {
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

  @Test("Every line is checked before any model is read: 65")
  func hostileLines() throws {
    let shape = #"give {"prompt": "…"}, with "answer" and "id" if wanted."#
    let good = Data(#"{"prompt": "Hi", "id": "a"}"#.utf8) + Data("\n".utf8)
    let deep = String(repeating: "[", count: 100_000)
    let cases: [(Data, String)] = [
      (Data("\"text\"".utf8), "this is a string; " + shape),
      (Data("[1]".utf8), "this is an array; " + shape),
      (Data("{}".utf8), "there is no 'prompt'; " + shape),
      (Data(#"{"prompt": 3}"#.utf8), "'prompt' is a number; give a string in quotes."),
      (Data(#"{"prompt": null}"#.utf8), "'prompt' is null; give a string in quotes."),
      (Data(#"{"prompt": ""}"#.utf8), "'prompt' is empty; give at least one character."),
      (
        Data(#"{"prompt": "a", "answer": ""}"#.utf8),
        "'answer' is empty; give at least one character."
      ),
      (Data(#"{"prompt": "a", "id": 7}"#.utf8), "'id' is a number; give a string in quotes."),
      (Data(#"{"prompt": "a", "id": "a"}"#.utf8), "the id 'a' is line 1's too; ids must differ."),
      (
        Data(#"{"promt": "a"}"#.utf8),
        "unknown key 'promt'; a line has 'prompt', and may have 'answer' and 'id'."
      ),
      (
        Data(#"{"prompt": "a", "\u001b[31m": 1}"#.utf8),
        "unknown key '\u{FFFD}[31m'; a line has 'prompt', and may have 'answer' and 'id'."
      ),
      (Data(#"{"prompt": "a", "prompt": "b"}"#.utf8), "JSON"),
      (Data(#"{"prompt": "a""#.utf8), "JSON"),
      (Data(#"{"prompt": "a"} x"#.utf8), "JSON"),
      (Data(#"{"prompt": "\ud800"}"#.utf8), "JSON"),
      (Data(#"{"prompt": "a"#.utf8) + [0xFF] + Data(#""}"#.utf8), "JSON"),
      (Data([0xEF, 0xBB, 0xBF]) + Data(#"{"prompt": "a"}"#.utf8), "JSON"),
      (Data(deep.utf8), "JSON"),
      (Data(count: 40), "JSON"),
    ]
    for (line, message) in cases {
      try (good + line + Data("\n".utf8) + good).write(to: folder / "p.jsonl")
      let path = (folder / "p.jsonl").path
      let outcome = try Command.run(
        ["explain", "--model", "/no/such/model", "--input", path, "--json", path + ".out"])
      let prefix = "telescope: --input '\(path)', line 2: "
      if message == "JSON" {
        #expect(outcome.errors.hasPrefix(prefix + "this is not JSON (byte "), "\(outcome.errors)")
        #expect(outcome.errors.hasSuffix("); " + shape + "\n"))
      } else {
        #expect(outcome.errors == prefix + message + "\n")
      }
      #expect(outcome.code == 65 && outcome.text == "")
    }
    #expect(try folder.names() == ["p.jsonl"])
  }

  @Test("A line that does not end is refused, not held: 65")
  func endless() throws {
    try Data(repeating: 0x20, count: 20 << 20).write(to: folder / "p.jsonl")
    let path = (folder / "p.jsonl").path
    try expectFailure(
      ["explain", "--model", "/no/such/model", "--input", path], 65,
      "--input '\(path)', line 1: it is longer than 16 MiB; give one prompt a line.")
  }

  @Test("Files of prompts that are none are refused")
  func noPrompts() throws {
    let base = ["explain", "--model", "/no/such/model", "--input"]
    for text in ["", "\n \n"] {
      let path = try file("p.jsonl", text)
      try expectFailure(
        base + [path], 65,
        "--input '\(path)' has no prompts; give one line {\"prompt\": \"…\"} for each.")
    }
    try expectFailure(
      base + ["-"], 65, "Standard input has no prompts; give one line {\"prompt\": \"…\"} for each."
    )
    try expectFailure(
      base + [folder.path], 66, "--input '\(folder.path)': this is a folder; name a file in it.")
    let missing = folder.path + "/none"
    try expectFailure(
      base + [missing], 66, "--input '\(missing)': no such file or directory; check the name.")
    try Data([0x66, 0x0A, 0xFF]).write(to: folder / "p.txt")
    try expectFailure(
      base + [folder.path + "/p.txt"], 65,
      "--input '\(folder.path)/p.txt', line 2: this is not UTF-8 text; convert the file first.")
  }

  @Test("Words that do not go together are refused before anything is read: 64")
  func usage() throws {
    let input = try file("p.jsonl", Self.four)
    let cases: [([String], String)] = [
      (["--input", input, "hi"], "--input gives the prompts; leave out 'hi'."),
      (["--resume", "hi"], "--resume goes with --input; leave it out."),
      (["--aggregate", "a.json", "hi"], "--aggregate goes with --input; leave it out."),
      (["--resamples", "500", "hi"], "--resamples goes with --input; leave it out."),
      (
        ["--input", input, "--resamples", "9"],
        "--resamples '9': give a whole number from 100 to 1000000."
      ),
      (
        ["--input", input, "--resume"],
        "--resume goes on with the file of --json; name that file, or leave --resume out."
      ),
      (
        ["--input", input, "--json", "-", "--aggregate", "-"],
        "Only one of --json and --aggregate can go to standard output."
      ),
      (
        ["--input", input, "--json", "a", "--aggregate", "./a"],
        "--aggregate './a': another output goes to the same file; name a different one."
      ),
      (
        ["--input", input, "--json", input, "--resume"],
        "--json '\(input)': these are the prompts; name a different file."
      ),
      (
        ["--input", input, "--answer", "x"],
        "--answer and the answer in line 2 of the input contradict each other; give one."
      ),
      (
        ["--input", input, "--every-token"],
        "--every-token and the answer in line 2 of the input contradict each other; give one."
      ),
    ]
    for (words, message) in cases {
      try expectFailure(
        ["explain"] + words, 64, message, settings: ["TELESCOPE_MODEL": "/no/such/model"])
    }
    for option in ["--csv", "--html", "--ids"] {
      try expectFailure(
        ["explain", "--input", input, option, "1"], 64,
        "--input and \(option) contradict each other; give one.")
    }
    try expectFailure(
      ["explain", "--input", input, "--loop"], 64,
      "--input and --loop contradict each other; give one.")
  }

  @Test("telescope aggregate refuses what are no results of one run")
  func aggregateRefusals() throws {
    let input = try file("p.txt", "Hi\n")
    for (name, target) in [("a.jsonl", "prob"), ("b.jsonl", "logit")] {
      _ = try explain(["--input", input, "--json", (folder / name).path, "--target", target])
    }
    let (a, b) = ((folder / "a.jsonl").path, (folder / "b.jsonl").path)
    try expectFailure(
      ["aggregate"], 64,
      "There are no results; name files that 'telescope explain --input --json' wrote.")
    try expectFailure(
      ["aggregate", a, b], 65,
      "'\(b)', line 1: this does not belong: its target is logit, and prob in the results before it; "
        + "aggregate them apart.")
    try expectFailure(
      ["aggregate", a, a], 64, "A file of results is named twice; name each once.")
    try expectFailure(
      ["aggregate", a, "--json", a], 64,
      "--json '\(a)': these are results, or another output; name a different file.")
    let empty = try file("e.jsonl", "")
    try expectFailure(["aggregate", empty], 65, "'\(empty)' has no results; it is empty.")
    let bytes = try Data(contentsOf: folder / "a.jsonl")
    try (bytes + bytes.dropLast(9)).write(to: folder / "e.jsonl")
    try expectFailure(
      ["aggregate", empty], 65,
      "'\(empty)', line 2: this last line is cut off; finish the run with --resume, or remove it.")
    try (bytes + Data("[]\n".utf8)).write(to: folder / "e.jsonl")
    try expectFailure(
      ["aggregate", empty], 65,
      "'\(empty)', line 2: This is not a Telescope result: it is not a complete JSON object. Give a "
        + "file that 'telescope explain --json' wrote.")
    let failure = #"{"line":1,"message":"m","prompt":"p","schema":"telescope/error/1"}"# + "\n"
    try Data(failure.utf8).write(to: folder / "e.jsonl")
    try expectFailure(
      ["aggregate", empty], 65,
      "Every line is of a prompt that failed; there is nothing to aggregate.")
    try expectFailure(
      ["aggregate", "--model", "x", a], 64,
      "Unknown option '--model'; telescope aggregate --help lists the options (a prompt that begins "
        + "with a dash goes after --).")
    let help = try Command.run(["aggregate", "--help"])
    #expect(help.code == 0 && help.text.hasPrefix("usage: telescope aggregate [options] results"))
  }
}
