import Foundation
import Results
import TestSupport
import Testing

@Suite("telescope flow")
struct FlowCommandTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private func flow(_ words: [String], input: Data = Data()) throws -> Outcome {
    try Command.run(
      ["flow", "--model", model.path, "--threads", "1", "--bos"] + words, input: input)
  }

  private func result(_ words: String...) throws -> FlowResult {
    let outcome = try flow(["--json", "-", "--reproducible", "--dtype", "float64"] + words)
    #expect(outcome.code == 0 && outcome.errors == "")
    return try FlowResult.decoded(from: outcome.output)
  }

  @Test("Each map meets its totals, and the exact composition is the layer's map")
  func maps() throws {
    let found = try result("--granularity", "all", "--compose", "all", "abcdef")
    #expect(found.tokens.map(\.text) == ["<s>", "a", "b", "c", "d", "e", "f"])
    #expect(found.parameters.targets == Array(0..<7))
    #expect(found.layers.map(\.layer) == [0, 1])
    for layer in found.layers {
      let flow = try #require(layer.layerFlow)
      #expect(flow.array.axes == ["source", "target"])
      for target in 1..<7 {
        let sum = (0..<7).reduce(0) { $0 + flow.array[$1, target] }
        #expect(abs(sum - flow.totals[target]) < 1e-3 * flow.totals[target])
        // ITB: nothing from itself, nothing from behind the mask, something from before.
        #expect(flow.array[target, target] == 0)
        #expect((target + 1..<7).allSatisfy { flow.array[$0, target] == 0 })
        #expect(flow.array[0, target] != 0)
      }
      let exact = try #require(layer.composed?["exact"])
      #expect(zip(exact.values, flow.array.values).allSatisfy { abs($0 - $1) < 1e-12 })
      let conserving = try #require(layer.composed?["conserving"])
      let weights = try #require(layer.feedForwardFlow)
      for target in 1..<7 {
        let column = (0..<7).reduce(0) { $0 + conserving[$1, target] }
        let heads = (0..<weights.array.shape[1]).reduce(0) { $0 + weights.array[target, $1] }
        #expect(abs(column - heads) < 1e-9 * (1 + abs(heads)))
        #expect(
          abs(weights.totals[target] - flow.totals[target]) < 1e-9 * (1 + flow.totals[target]))
      }
    }
  }

  @Test("Layers, targets, heads and baselines are those asked for")
  func choices() throws {
    let all = try result("--granularity", "all", "--baseline", "zero", "abcdef")
    let some = try result(
      "--granularity", "attention,layer", "--baseline", "zero", "--baseline-layer",
      "itb-zero-ratio", "--layers", "1", "--targets", "5", "2", "--heads", "1", "--", "abcdef")
    #expect(
      all.parameters.baseline.layer == "zero" && all.parameters.baseline.feedForward == "zero")
    #expect(some.parameters.baseline.layer == "itb-zero-ratio")
    #expect(some.parameters.baseline.attention == "zero")
    #expect(some.layers.map(\.layer) == [1] && some.parameters.targets == [2, 5])
    let (whole, part) = (
      try #require(all.layers[1].attentionFlow?.array),
      try #require(some.layers[0].attentionFlow?.array)
    )
    #expect(part.shape == [7, 2, 1])
    for source in 0..<7 {
      for (column, target) in [2, 5].enumerated() {
        #expect(abs(part[source, column, 0] - whole[source, target, 1]) < 1e-9)
      }
    }
    #expect(some.layers[0].layerFlow?.selfShare != nil)
  }

  @Test("The published rule, a fixed number of nodes and a tolerance are said in the parameters")
  func quadrature() throws {
    let published = try result("--quadrature", "captum-trapezoid", "abcd").parameters
    #expect(published.quadrature == "captum-trapezoid" && published.steps == 32)
    let fixed = try result("--steps", "8", "abcd")
    #expect(fixed.parameters.steps == 8 && fixed.parameters.tolerance == nil)
    #expect(fixed.layers[0].layerFlow?.nodes == [8, 8, 8, 8, 8])
    #expect(try result("--tol", "1e-5", "abcd").parameters.tolerance == 1e-5)
    // Seven points of weights that sum to 6/7, the first without a gradient.
    let coarse = try result("--quadrature", "captum-trapezoid", "--steps", "7", "abcd")
    let errors = try #require(coarse.layers[0].layerFlow).completenessError.values.dropFirst()
    #expect(errors.allSatisfy { $0 > 0.05 })
  }

  @Test("--compare says how far two routes agree, beside predictors that know nothing")
  func compare() throws {
    let found = try result("--compare", "layer:zero", "product:zero+zero", "--", "abcdef")
    let agreement = try #require(found.agreement)
    #expect(agreement.last?.layer == nil && agreement.first?.layer == 0)
    #expect(agreement.allSatisfy { $0.routes == ["layer:zero", "product:zero+zero"] })
    #expect(Set(agreement[0].nulls.map(\.name)) == ["zero", "constant", "attention", "change"])
    #expect(agreement[0].nulls.first { $0.name == "zero" }?.withSelf.relativeL2 == 1)
    // Two ways that have heads are compared by head too.
    let heads = try result("--compare", "exact", "product", "--", "abcdef").agreement ?? []
    #expect(Set(heads.compactMap(\.head)) == [0, 1, 2, 3])
    // The maps that are shown beside are none of the comparison's business.
    let all = try result(
      "--granularity", "all", "--compare", "exact", "product", "--", "abcdef"
    ).agreement
    #expect(all == heads)
    let some = try result("--heads", "2", "--compare", "exact", "product", "--", "abcdef")
    #expect(some.agreement == heads.filter { $0.head == nil || $0.head == 2 })
  }

  @Test("Many numbers go to a file beside the JSON, and read back they are the same")
  func arrays() throws {
    try model.configure(["max_position_embeddings": 512])
    let text = String((0..<420).map { Character(UnicodeScalar(UInt8(33 + $0 * 7 % 90))) })
    let path = (folder / "run.json").path
    let words = [
      "--granularity", "all", "--baseline", "zero", "--steps", "2", "--reproducible", "--json",
    ]
    let outcome = try flow(words + [path, "--", text])
    #expect(outcome.code == 0)
    #expect(outcome.errors == "Wrote \(path)\nWrote \((folder / "run.safetensors").path)\n")
    let stored = try FlowResult.decoded(from: Data(contentsOf: folder / "run.json"))
    #expect(stored.arrays == "run.safetensors")
    let names = stored.layers[1].attentionFlow?.array.tensor
    #expect(names == "layers.1.attention_flow")
    let filled = try stored.filled { try Self.tensor($0, in: folder / "run.safetensors") }
    let whole = try FlowResult.decoded(from: flow(words + ["-", "--", text]).output)
    let (a, b) = (
      try #require(filled.layers[1].attentionFlow?.array.values),
      try #require(whole.layers[1].attentionFlow?.array.values)
    )
    #expect(a.count == 421 * 421 * 4 && zip(a, b).allSatisfy { Float($0) == Float($1) })
  }

  /// The numbers of a float32 tensor of a safetensors file.
  private static func tensor(_ name: String, in url: URL) throws -> [Double]? {
    let data = try Data(contentsOf: url)
    let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header =
      try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]]
    guard let offsets = header?[name]?["data_offsets"] as? [Int] else { return nil }
    return data[8 + length + offsets[0]..<8 + length + offsets[1]].withUnsafeBytes {
      Array($0.bindMemory(to: Float.self)).map(Double.init)
    }
  }

  @Test("Half types give the flows of single precision, to what their weights lose")
  func halfTypes() throws {
    func layer(_ type: String) throws -> FlowMap {
      let outcome = try flow(
        ["--json", "-", "--layers", "1", "--dtype", type, "--", "abcdefgh"])
      #expect(outcome.code == 0)
      return try #require(FlowResult.decoded(from: outcome.output).layers[0].layerFlow)
    }
    let (brief, single) = (try layer("bfloat16"), try layer("float32"))
    #expect(brief.unconverged.isEmpty)
    #expect(brief.completenessError.values.allSatisfy { $0 < 1e-3 })
    for target in 1..<9 {
      for source in 0..<target {
        #expect(
          abs(brief.array[source, target] - single.array[source, target])
            < 0.1 * single.totals[target])
      }
    }
  }

  @Test("--memory bounds flows, and too little of it is refused with a way out")
  func memory() throws {
    let refused = try flow(["--memory", "150k", "--", String(repeating: "a", count: 60)])
    #expect(refused.code == 69)
    #expect(
      refused.errors.hasSuffix(
        "that --memory leaves; ask for fewer --layers or --targets, or allow more.\n"))
    let bound = try flow(["--memory", "2M", "--json", "-", "--reproducible", "--", "abcdef"])
    let free = try flow(["--json", "-", "--reproducible", "--", "abcdef"])
    #expect(bound.code == 0)
    let (a, b) = (
      try FlowResult.decoded(from: bound.output), try FlowResult.decoded(from: free.output)
    )
    for (x, y) in zip(a.layers, b.layers) {
      let pairs = zip(x.layerFlow?.array.values ?? [], y.layerFlow?.array.values ?? [])
      #expect(pairs.allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test("A composition's baselines are in the parameters, and others are not resumed")
  func compositionBaselines() throws {
    let found = try result("--compose", "product", "--baseline-attention", "zero", "--", "abc")
    #expect(found.parameters.baseline.attention == "zero")
    #expect(found.parameters.baseline.feedForward == "att-itb")
    #expect(found.parameters.granularity == ["layer"])
  }

  @Test("--format lig writes the published layout, rows being sources")
  func published() throws {
    let outcome = try flow(
      ["--format", "lig", "--json", "-", "--dtype", "float64", "--granularity", "all", "abc"])
    #expect(outcome.code == 0 && outcome.errors == "")
    let whole = try result("--granularity", "all", "abc")
    let object =
      try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any] ?? [:]
    let layers = object["layers"] as? [String: [String: Any]]
    let matrix = (layers?["1"]?["z2z"] as? [String: Any])?["matrix"] as? [[Double]]
    let flow = try #require(whole.layers[1].layerFlow?.array)
    let targets = layers?["1"]?["targets"] as? [String: [String: Any]]
    let numbers = (targets?["3"]?["u2z"] as? [String: Any])?["contributions"] as? [Double] ?? []
    let scores = try #require(whole.layers[1].feedForwardFlow)
    #expect(numbers.count == 24 && scores.array.shape[1] == 4)
    for head in 0..<4 {
      let sum = numbers[head * 6..<(head + 1) * 6].reduce(0, +)
      #expect(abs(sum - scores.array[3, head]) < 1e-12 * (1 + abs(sum)))
    }
    let rows = try #require(matrix)
    try #require(rows.map(\.count) == [4, 4, 4, 4])
    // Numbers of one reader and of another may differ in the last digit.
    #expect(abs(rows[1][3] - flow[1, 3]) < 1e-12 && rows[3][1] == 0 && abs(rows[1][3]) > 1e-3)
  }

  @Test("Many texts are a line each; cut anywhere and resumed, the file has the same bytes")
  func input() throws {
    let texts = folder / "texts.jsonl"
    let lines = #"""
      {"prompt": "first", "id": "one"}
      {"prompt": "\#(String(repeating: "x", count: 80))"}
      {"prompt": "and the last", "id": "three"}
      """#
    try Data(lines.utf8).write(to: texts)
    let path = (folder / "out.jsonl").path
    let words = ["--input", texts.path, "--json", path, "--reproducible", "--quiet"]
    let whole = try flow(words)
    #expect(whole.code == 65)
    #expect(
      whole.errors.hasSuffix(
        "telescope: 1 of 3 texts failed, the first in line 2 of the input; their lines in the output "
          + "say why.\n"))
    let bytes = try Data(contentsOf: folder / "out.jsonl")
    let made = bytes.split(separator: UInt8(ascii: "\n")).map { Data($0) }
    #expect(made.count == 3)
    #expect(try FlowResult.decoded(from: made[2]).id == "three")
    for length in [0, 5, made[0].count + 1, bytes.count - 3, bytes.count] {
      try bytes.prefix(length).write(to: folder / "out.jsonl")
      #expect(try flow(words + ["--resume"]).code == 65)
      #expect(try Data(contentsOf: folder / "out.jsonl") == bytes, "cut at \(length)")
    }
    let other = try flow(words + ["--resume", "--baseline", "zero"])
    #expect(
      other.errors
        == "telescope: --resume '\(path)': line 3, made again, has another text, model or way "
        + "of being made; give the options that it was made with, or name another file.\n")
    #expect(try Data(contentsOf: folder / "out.jsonl") == bytes)
  }

  @Test("--compare over many texts ends in means with intervals, the same with --resume")
  func aggregate() throws {
    let texts = folder / "texts.txt"
    try Data("abcdef\nghijklmnop\nqrs tuv\n".utf8).write(to: texts)
    let (path, means) = ((folder / "o.jsonl").path, (folder / "means.json").path)
    let words = [
      "--input", texts.path, "--compare", "layer", "product", "--json", path, "--aggregate", means,
      "--reproducible", "--quiet", "--resamples", "100",
    ]
    let whole = try flow(words)
    #expect(whole.code == 0 && whole.errors == "")
    #expect(whole.text.contains("3 texts"))
    let data = try Data(contentsOf: folder / "means.json")
    let found = try FlowAggregateResult.decoded(from: data)
    let lines = try Data(contentsOf: folder / "o.jsonl")
    let rows = try lines.split(separator: UInt8(ascii: "\n")).map {
      try #require(FlowResult.decoded(from: Data($0)).agreement?.last)
    }
    let columns = rows.reduce(0) { $0 + $1.columns }
    #expect(found.texts == 3 && found.columns == columns)
    let wanted = rows.reduce(0) { $0 + ($1.withoutSelf.cosine ?? 0) * Double($1.columns) }
    let mean = found.scores.first {
      $0.measure == "cosine" && $0.layer == nil && !$0.withSelf && $0.null == nil
    }
    #expect(abs((mean?.mean ?? 0) - wanted / Double(columns)) < 1e-9)
    // Cut behind the first line and resumed, files and screen are the same.
    let first = try #require(lines.firstIndex(of: UInt8(ascii: "\n")))
    try lines.prefix(first + 20).write(to: folder / "o.jsonl")
    let again = try flow(words + ["--resume"])
    #expect(again.text == whole.text)
    #expect(try Data(contentsOf: folder / "means.json") == data)
  }

  @Test(
    "What cannot be meant is refused before any model is read",
    arguments: [
      (
        ["--granularity", "heads", "x"],
        "--granularity 'heads': choose among attention, feed-forward, layer, all."
      ),
      (
        ["--compare", "layer", "--", "x"],
        "--compare takes two different routes, such as layer product or layer:zero "
          + "product:itb+zero."
      ),
      (
        ["--compare", "layer", "layer:itb", "--", "x"],
        "--compare takes two different routes, such as layer product or layer:zero "
          + "product:itb+zero."
      ),
      (
        ["--steps", "8", "--tol", "1e-3", "x"],
        "--tol doubles the nodes as needed, and --steps fixes them; give one."
      ),
      (
        ["--quadrature", "captum-trapezoid", "--tol", "1e-3", "x"],
        "--tol doubles the nodes as needed, and --quadrature captum-trapezoid fixes them; give one."
      ),
      (
        ["--quadrature", "captum-trapezoid", "--steps", "1", "x"],
        "--steps '1': give a whole number from 2 to 4096."
      ),
      (
        ["--baseline-layer", "itb-map-ratio", "x"],
        "--baseline-layer 'itb-map-ratio': choose one of zero, itb, itb-zero-ratio."
      ),
      (
        ["--format", "lig", "x"],
        "--format goes with --json; name a file for it, or leave it out."
      ),
      (
        ["--input", "a.jsonl", "--html", "b.html"],
        "--input and --html contradict each other; give one."
      ),
      (
        ["--input", "a.jsonl"],
        "--input writes one result a line; say where by --json FILE (- for standard output)."
      ),
      (
        ["--input", "a.jsonl", "--aggregate", "b.json", "--json", "c.jsonl"],
        "--aggregate goes with --input and --compare; leave it out."
      ),
      (
        ["--boundary", "published", "x"],
        "--boundary is of the feed-forward map, which nothing here asks for; name it in "
          + "--granularity, or leave the option out."
      ),
      (
        ["--baseline-attention", "zero", "--compose", "exact", "x"],
        "--baseline-attention is of the attention map, which nothing here asks for; name it in "
          + "--granularity, or leave the option out."
      ),
      (
        ["--baseline", "itb-map-ratio", "x"],
        "--baseline itb-map-ratio is of the attention map, which nothing here asks for; name it in "
          + "--granularity, or choose itb."
      ),
      (["--seed", "3", "x"], "--seed goes with --input and --compare; leave it out."),
      ([], "There is no text; give one in quotes, or - to read it from standard input."),
    ] as [([String], String)])
  func refused(_ words: [String], _ message: String) throws {
    let outcome = try Command.run(["flow", "--model", "/nowhere"] + words)
    #expect(outcome.code == 64 && outcome.output.isEmpty)
    #expect(outcome.errors == "telescope: \(message)\n")
  }

  @Test(
    "What the model or the text does not have is refused",
    arguments: [
      (["--layers", "2", "--", "abc"], "Layer 2 is out of range; the model has layers 0 to 1."),
      (["--targets", "4", "--", "abc"], "Target 4 is out of range; the text has targets 0 to 3."),
      (["--heads", "9", "--", "abc"], "Head 9 is out of range; the model has heads 0 to 3."),
    ] as [([String], String)])
  func missing(_ words: [String], _ message: String) throws {
    let outcome = try flow(words)
    #expect(outcome.code == 64 && outcome.errors == "telescope: \(message)\n")
  }
}
