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
}
