import Foundation
import Results
import TestSupport
import Testing

@Suite("telescope circuit")
struct CircuitCommandTests {
  private let model: TinyModel
  private let folder: Folder
  private let task: String

  init() throws {
    model = try TinyModel()
    folder = try Folder()
    var lines = ""
    for letter in "abcdefghijkl" {
      lines += """
        {"clean_prefix": "x\(letter)1q", "patch_prefix": "x\(letter)2q", "clean_answer": "A", \
        "patch_answer": "B", "case": "\(letter)"}

        """
    }
    let file = folder / "letters.jsonl"
    try Data(lines.utf8).write(to: file)
    task = file.path
  }

  private func circuit(_ words: [String], input: Data = Data()) throws -> Outcome {
    guard let command = words.first, !command.hasPrefix("-") else {
      return try Command.run(["circuit"] + words)
    }
    return try Command.run(
      ["circuit", command, "--model", model.path, "--threads", "1"] + words.dropFirst(),
      input: input)
  }

  private func result(_ words: String...) throws -> CircuitResult {
    let outcome = try circuit(words + ["--json", "-", "--reproducible", "--dtype", "float64"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    return try CircuitResult.decoded(from: outcome.output)
  }

  @Test("A trace lists the nodes that count most, by magnitude")
  func trace() throws {
    let found = try result(
      "trace", "--method", "exact", "--unit", "head", "--top", "5", "--task", task)
    #expect(found.task?.name == "letters.jsonl" && found.task?.trainPrompts == 8)
    #expect(found.task?.testPrompts == 0 && found.task?.seed == 0)
    #expect(found.unit == "head" && found.method.name == "exact")
    // Two layers, five tokens with the one that begins, four heads.
    #expect(found.tokens.count == 4 && found.unitCount == 2 * 4 * 4)
    #expect(found.metric.name == "logit-diff" && found.metric.position == 3)
    #expect(found.metric.token.text == "A" && found.metric.versus?.text == "B")
    #expect(found.metric.start != nil && found.metric.start != found.metric.value)
    #expect(found.nodes.count == 5)
    let sizes = found.nodes.map { abs($0.score) }
    #expect(sizes == sizes.sorted(by: >) && sizes[4] > 0)
    // The first two tokens are the same in both prompts.
    #expect(found.nodes.allSatisfy { ($0.position ?? 0) >= 2 })
    #expect(
      found.warnings == [
        "Task letters.jsonl has 8 prompts of one length for scores, fewer than the 100 asked for."
      ])
    #expect(found.timingsMs == nil)
  }

  @Test("What a trace keeps is by count, by share of the mass or by threshold")
  func choices() throws {
    func nodes(_ words: String...) throws -> [CircuitNode] {
      let outcome = try circuit(
        [
          "trace", "--method", "exact", "--unit", "head", "--task", task, "--json", "-", "--dtype",
          "float64",
        ] + words)
      return try CircuitResult.decoded(from: outcome.output).nodes
    }
    let all = try nodes()
    #expect(all.count == 2 * 4 * 4)
    let sum = all.reduce(0) { $0 + abs($1.score) }
    let half = try nodes("--mass", "0.5")
    let held = half.reduce(0) { $0 + abs($1.score) }
    #expect(half == Array(all.prefix(half.count)))
    #expect(held >= 0.5 * sum && held - abs(half[half.count - 1].score) < 0.5 * sum)
    let threshold = abs(all[3].score)
    #expect(try nodes("--threshold", "\(threshold)").count == 3)
    #expect(try nodes("--threshold", "0").allSatisfy { $0.score != 0 })
    let signed = try nodes("--select", "top-signed", "--top", "4")
    #expect(Set(signed.map(\.score)) == Set(all.map(\.score).sorted(by: >).prefix(4)))
    let summed = try nodes("--sum-positions")
    #expect(summed.count == 8 && summed.allSatisfy { $0.position == nil })
  }

  @Test("A text has its own answers, and each node its value")
  func text() throws {
    let found = try result(
      "trace", "--method", "exact", "--unit", "mlp", "--top", "7", "--contrast", "abZd",
      "--answer", "Q", "--versus", "R", "abcd")
    #expect(found.task == nil && found.text == "abcd")
    #expect(found.metric.token.text == "Q" && found.metric.versus?.text == "R")
    #expect(found.nodes.count == 7 && found.nodes.allSatisfy { $0.value != nil && $0.value != 0 })
    let alone = try result("trace", "--method", "exact", "--unit", "mlp", "abcd")
    #expect(alone.metric.name == "logit" && alone.metric.versus == nil && alone.metric.start == nil)
    // The answer is what the model says: no other token's logit is larger.
    let other = try result(
      "trace", "--method", "exact", "--unit", "mlp", "--answer", "Q", "abcd")
    #expect(alone.metric.value > other.metric.value)
  }

  @Test("An evaluation runs from no node to all of them, each method on one sweep")
  func evaluate() throws {
    let found = try result(
      "evaluate", "--method", "exact", "random", "--unit", "head", "--thresholds", "4", "--task",
      task, "--seed", "3")
    #expect(found.nodes.isEmpty && found.task?.testPrompts == 4 && found.task?.trainPrompts == 8)
    let curves = try #require(found.curves)
    #expect(curves.map(\.method.name) == ["exact", "random"])
    for curve in curves {
      #expect(curve.ablation == "mean" && curve.selection == "top-absolute")
      #expect(curve.points.first?.nodes == 0 && curve.points.last?.nodes == 32)
      #expect(curve.points.first?.faithfulness == 0 && curve.points.last?.faithfulness == 1)
      #expect(curve.points.first?.completeness == 1 && curve.points.last?.completeness == 0)
      #expect(curve.points.count == 6)
      #expect(curve.curvePasses == PassCount(forward: 3 + 2 * 4, backward: 0))
      #expect(curve.full == curves[0].full && curve.empty == curves[0].empty)
      #expect(curve.areas != nil)
    }
    #expect(curves[0].points[2].faithfulness != curves[1].points[2].faithfulness)
    let zero = try result(
      "evaluate", "--method", "random", "--unit", "head", "--thresholds", "4", "--answer", "Q",
      "abcd")
    #expect(zero.curves?.first?.ablation == "zero")
    #expect(
      zero.warnings == [
        "Scores and circuits are of the same prompt, so that the curves flatter the scores; use a task."
      ])
  }

  @Test("What cannot be is refused, with what to do")
  func refusals() throws {
    func refusal(_ words: String...) throws -> String {
      let outcome = try circuit(words)
      #expect(outcome.code != 0 && outcome.text == "")
      return outcome.errors
    }
    let expected: [([String], String)] = [
      (
        [],
        "telescope circuit needs to know what to do: trace, evaluate or edges; see telescope circuit --help."
      ),
      (
        ["--frob"],
        "telescope circuit does not know '--frob'; it knows trace, evaluate and edges (see telescope circuit "
          + "--help)."
      ),
      (
        ["trace"],
        "There are no prompts; name a task by --task (sva-simple, sva-within-rc, sva-nounpp, ioi, capitals, "
          + "sums, or a file), or give a text in quotes."
      ),
      (["trace", "--task", "ioi", "abc"], "--task gives the prompts; leave out 'abc'."),
      (
        ["trace", "--task", "ioi", "--contrast", "x"],
        "--task and --contrast contradict each other; give one."
      ),
      (["trace", "--train", "5", "abc"], "--train goes with --task; leave it out."),
      (
        ["trace", "--seed", "5", "abc"], "--seed goes with --task or --method random; leave it out."
      ),
      (
        ["trace", "--steps", "5", "abc"],
        "--steps is of --method ig-activations, conductance, eap-ig; leave it out."
      ),
      (["trace", "--at", "patch", "abc"], "--at is of --method relp-paired, atp; leave it out."),
      (
        ["trace", "--method", "atp", "--rules", "relp", "abc"],
        "--rules is of --method relp, relp-paired; leave it out."
      ),
      (
        ["trace", "--method", "relp", "atp", "--", "abc"],
        "telescope circuit trace takes one --method; evaluate compares several."
      ),
      (
        ["evaluate", "--method", "atp,atp", "abc"],
        "--method names atp twice; name each method once."
      ),
      (
        ["trace", "--top", "3", "--mass", "0.5", "abc"],
        "--top and --mass contradict each other; give one."
      ),
      (
        ["trace", "--mass", "0.5", "--select", "top-signed", "abc"],
        "--mass goes by magnitude; leave out --select."
      ),
      (
        ["trace", "--threshold", "0.5", "--select", "top-signed", "abc"],
        "--threshold goes with --select threshold; leave one out."
      ),
      (
        ["trace", "--select", "threshold", "abc"],
        "--select threshold needs a number; give it by --threshold."
      ),
      (
        ["trace", "--ablation", "zero", "abc"],
        "Unknown option '--ablation'; telescope circuit trace --help lists the options (a prompt that "
          + "begins with a dash goes after --)."
      ),
      (
        ["trace", "--contrast", "ab", "abc"],
        "The text has 3 tokens and --contrast 2; values can only change places between texts of equal length."
      ),
      (
        ["trace", "--answer", "xy", "abc"],
        "--answer 'xy' is 2 tokens ('x', 'y'); name one, with the space before it where it begins a word."
      ),
      (
        ["trace", "--answer", "x", "--versus", "x", "abc"],
        "--versus 'x' is the answer itself; give another token, or leave it out."
      ),
      (["trace", "--answer", "", "abc"], "--answer: the text is empty; give at least one token."),
      (
        ["evaluate", "--method", "random", "--ablation", "mean", "abc"],
        "Prompt 1 has no changed prompt, which values are to be taken from; give one (--contrast), or ablate "
          + "to zero and score without pairs."
      ),
      (
        ["trace", "--graph", "-", "--json", "-", "abc"],
        "Only one of --json, --csv, --html and --graph can go to standard output."
      ),
      (
        ["trace", "--graph", "x.json", "--json", "x.json", "abc"],
        "--graph 'x.json': another output goes to the same file; name a different one."
      ),
      (
        ["trace", "--task", "nowhere", "--method", "random"],
        "'\(FileManager.default.currentDirectoryPath)/nowhere' is neither a task nor a file that can be "
          + "read; name one of sva-simple, sva-within-rc, sva-nounpp, ioi, capitals, sums, or a file of JSON "
          + "lines."
      ),
    ]
    for (words, message) in expected {
      let outcome = try circuit(words)
      #expect(outcome.code != 0 && outcome.text == "")
      #expect(outcome.errors == "telescope: \(message)\n", "\(words)")
    }
    let left = try refusal("trace", "--task", "sva-simple")
    #expect(
      left.hasPrefix(
        "telescope: Task sva-simple has no prompt left for training with the tokenizer of \(model.name): "
      ))
  }

  @Test("Encoders are refused")
  func encoder() throws {
    let encoder = try TinyModel("bert")
    let outcome = try Command.run(["circuit", "trace", "--model", encoder.path, "abc"])
    #expect(outcome.code != 0)
    #expect(
      outcome.errors
        == "telescope: telescope circuit asks for the next token, and \(encoder.name) reads both ways; use a "
        + "decoder.\n")
  }
}
