import Foundation
import Results
import TestSupport
import Testing

/// `explain --input`: many prompts into JSON lines, and what they have in common.
@Suite("Many prompts")
struct InputTests {
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

  @Test("Each line's result is what the prompt gives alone, in order, with its id")
  func lines() throws {
    let (input, output) = (try file("p.jsonl", Self.four), (folder / "r.jsonl").path)
    let outcome = try explain(["--input", input, "--json", output, "--reproducible"])
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(output)\n")
    let found = try lines("r.jsonl").map { try ExplainResult.decoded(from: $0) }
    #expect(found.map(\.id) == ["one", nil, "three", "4"])
    let alone: [(String, String?)] = [
      ("First.", nil), ("Second?", "no"), ("Third, \"quoted\"", nil), ("Last", "ab"),
    ]
    for (result, (prompt, answer)) in zip(found, alone) {
      let words = answer.map { ["--answer", $0] } ?? ["--max-new-tokens", "2"]
      let single = try Command.run(
        ["explain", "--model", model.path, "--threads", "1", "--json", "-", "--reproducible"]
          + words + [prompt]
      ).result()
      var same = result
      same.id = nil
      #expect(same == single)
    }
    let report = try Command.run(["aggregate", output])
    #expect(report.code == 0 && report.text == outcome.text && report.errors == "")
    #expect(
      outcome.text.contains(
        "\n4 prompts · 8 predictions · 95 % intervals from 1000 resamples over prompts, seed 0\n"))
  }

  @Test("Text files, standard input, line ends of either kind, and no output but the report")
  func sources() throws {
    let text = try file("p.TXT", "First.\r\n\n  \nSecond {\n")
    let objects = #"{"prompt": "First."}"# + "\r\n" + #"{"prompt":"Second {"}"#
    let first = try explain(["--input", text, "--json", "-", "--reproducible"])
    let second = try explain(
      ["--input", "-", "--json", "-", "--reproducible"], input: Data(objects.utf8))
    #expect(first.code == 0 && first.errors == "" && first.output == second.output)
    let results = try first.output.split(separator: UInt8(ascii: "\n")).map {
      try ExplainResult.decoded(from: Data($0))
    }
    #expect(results.map(\.prompt) == ["First.", "Second {"])
    let report = try explain(["--input", text, "--reproducible"])
    let piped = try Command.run(["aggregate", "-"], input: first.output)
    #expect(report.errors == "" && report.text == piped.text && piped.code == 0)
  }

  @Test("--aggregate and telescope aggregate say the same, as JSON, and as CSV")
  func aggregate() throws {
    let (input, output) = (try file("p.jsonl", Self.four), (folder / "r.jsonl").path)
    let (one, two, csv) = (folder / "a.json", folder / "b.json", folder / "c.csv")
    let settings = ["--resamples", "300", "--seed", "9", "--reproducible"]
    let outcome = try explain(
      ["--input", input, "--json", output, "--aggregate", one.path] + settings)
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(output)\nWrote \(one.path)\n")
    let later = try Command.run(
      ["aggregate", output, "--json", two.path, "--csv", csv.path] + settings)
    #expect(later.code == 0 && later.text == outcome.text)
    #expect(later.errors == "Wrote \(two.path)\nWrote \(csv.path)\n")
    let bytes = try Data(contentsOf: one)
    #expect(try Data(contentsOf: two) == bytes)
    let result = try AggregateResult.decoded(from: bytes)
    #expect(result.resamples == 300 && result.seed == 9 && result.prompts == 4)
    #expect(result.timingsMs == nil && result.profile.map(\.layer) == [0, 1])
    // By hand from the lines.
    let shares = try lines("r.jsonl").flatMap { line in
      try ExplainResult.decoded(from: line).explanations.filter { $0.target.span == nil }.map {
        let total = $0.attributions.reduce(0) { $0 + abs($1.value) }
        return $0.attributions[1].value / total
      }
    }
    #expect(shares.count == 8)
    #expect(abs(result.profile[1].mean - shares.reduce(0, +) / 8) <= 1e-12)
    let screen = try explain(
      ["--input", input, "--aggregate", "-", "--quiet"] + settings)
    #expect(screen.output == bytes && screen.errors == "")
    let table = try String(contentsOf: csv, encoding: .utf8)
    #expect(table.hasPrefix("kind,layer,") && table.contains("\"profile\",1,"))
  }

  @Test("Checks pass through, and their agreement is in the aggregate")
  func checks() throws {
    let input = try file("p.jsonl", Self.four)
    let outcome = try explain(
      ["--input", input, "--check", "--replace", "zero", "--aggregate", "-"])
    let result = try AggregateResult.decoded(from: outcome.output)
    #expect(outcome.code == 0 && result.timingsMs?["total"] != nil)
    let kinds = Set(result.agreement.map { "\($0.replacement) \($0.kind)" })
    #expect(kinds == ["zero layer"])
    #expect(result.agreement.contains { $0.measure == "sign" })
  }

  // MARK: - Failing prompts

  @Test("A prompt that fails alone has a line that says why, and the others are explained: 65")
  func failing() throws {
    let long = String(repeating: "x", count: 70)
    let text =
      "{\"prompt\": \"Hi\"}\n{\"prompt\": \"\(long)\", \"id\": \"long\"}\n{\"prompt\": \"Ho\"}\n"
    let (input, output) = (try file("p.jsonl", text), (folder / "r.jsonl").path)
    let outcome = try explain(["--input", input, "--json", output])
    let reason =
      "The text is 71 tokens long and the model's context holds 64; shorten the prompt or generate "
      + "fewer tokens."
    let end =
      "telescope: 1 of 3 prompts failed, the first in line 2 of the input; their lines in the output "
      + "say why.\n"
    #expect(
      outcome.errors
        == "telescope: --input '\(input)', line 2: \(reason)\nWrote \(output)\n" + end)
    #expect(outcome.code == 65)
    #expect(outcome.text.contains("\n2 prompts · 4 predictions · "))
    let line = try String(decoding: lines("r.jsonl")[1], as: UTF8.self)
    #expect(
      line == "{\"id\":\"long\",\"line\":2,\"message\":\"\(reason)\",\"prompt\":\"\(long)\","
        + "\"schema\":\"telescope/error/1\"}")
    let later = try Command.run(["aggregate", output])
    #expect(later.code == 0 && later.text == outcome.text)
    #expect(later.text.contains("warning: Left out: 1 of 3 prompts, which failed.\n"))
    // Going on with what is complete changes nothing, and fails again.
    let bytes = try Data(contentsOf: folder / "r.jsonl")
    let again = try explain(["--input", input, "--json", output, "--resume", "--quiet"])
    #expect(again.errors == end && again.code == 65)
    #expect(try Data(contentsOf: folder / "r.jsonl") == bytes)
  }

  @Test("Where every prompt fails there is no aggregate: 65")
  func allFail() throws {
    let long = String(repeating: "x", count: 70)
    let input = try file("p.txt", long + "\n" + long + "\n")
    let outcome = try explain(["--input", input, "--aggregate", (folder / "a.json").path, "-q"])
    #expect(outcome.code == 65 && outcome.text == "")
    #expect(
      outcome.errors.hasSuffix(
        "\ntelescope: 2 of 2 prompts failed, the first in line 1 of the input; the reasons are "
          + "above.\n"))
    #expect(try folder.names() == ["p.txt"])
  }

  @Test("What would fail for every prompt ends the run before the first: 64")
  func failsForAll() throws {
    let input = try file("p.jsonl", Self.four)
    for (words, message) in [
      (
        ["--layers", "7"],
        "Layer 7 is out of range; this model has layers 0 to 1, and 'embedding' for what enters layer "
          + "0."
      ),
      (
        ["--target", "prob-diff:ab"],
        "--target 'prob-diff:ab': the text is 2 tokens; give exactly one (with its leading space, if "
          + "it has one)."
      ),
      (
        ["--chat"],
        "\(model.name) has no chat template, so --chat cannot wrap the prompt; leave --chat out."
      ),
    ] as [([String], String)] {
      try expectFailure(
        ["explain", "--model", model.path, "--input", input, "--json", (folder / "r.jsonl").path]
          + words, 64, message)
    }
    #expect(try folder.names() == ["p.jsonl"])
  }

  // MARK: - Going on

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
    let prompts = (0..<400).map { "{\"prompt\": \"Number \($0) of many.\"}" }.joined(
      separator: "\n")
    let (input, output) = (try file("p.jsonl", prompts), (folder / "r.jsonl").path)
    let words = [
      "--input", input, "--json", output, "--reproducible", "--estimator", "gradient", "--nodes",
      "512",
    ]
    let terminal = try PseudoTerminal(columns: 100)
    let process = Command.process(
      ["explain", "--model", model.path, "--threads", "1", "--max-new-tokens", "2"] + words)
    try terminal.start(process)
    #expect(terminal.wait(for: " s left"))
    #expect(terminal.text.contains(/Prompt \d+ of 400, \d+ s left/))
    kill(process.processIdentifier, SIGINT)
    let shown = terminal.finish(process)
    #expect(process.terminationStatus == 130)
    let count = try lines("r.jsonl").count
    #expect(count > 0 && count < 400)
    #expect(
      shown.hasSuffix(
        "telescope: Interrupted; \(output) has \(count) of 400 prompts, and --resume goes on with the "
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

  // MARK: - What is refused

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
