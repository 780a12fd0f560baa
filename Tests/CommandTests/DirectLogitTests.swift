import Foundation
import Results
import Testing

/// `telescope dla`: a logit, split over everything that wrote it.
@Suite("Direct logits")
struct DirectLogitTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func run(_ words: String..., settings: [String: String] = [:]) throws -> Outcome {
    try Command.run(["dla", "--model", model.path] + words + ["Is it"], settings: settings)
  }

  private func result(_ words: String...) throws -> DirectLogitResult {
    let outcome = try Command.run(
      ["dla", "--model", model.path, "--json", "-"] + words + ["Is it"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try DirectLogitResult.decoded(from: outcome.output)
  }

  @Test("The parts sum to the model's logit, and each part's own parts to it")
  func sums() throws {
    let result = try result(
      "--answer", "bc", "--depth", "head", "--neurons", "all", "--reproducible")
    #expect(result.finalNorm == "frozen" && !result.centred && result.timingsMs == nil)
    #expect(result.explanations.map(\.target.text) == ["b", "c"])
    for found in result.explanations {
      #expect(found.parts.map(\.kind) == [.embedding, .attention, .mlp, .attention, .mlp])
      #expect(found.parts.map(\.layer) == [-1, 0, 0, 1, 1])
      let sum = found.parts.reduce(0) { $0 + $1.value }
      #expect(abs(sum - found.modelLogit) <= 1e-5)
      #expect(abs(sum - found.sum) <= 1e-12)
      #expect(abs(found.certificate - (found.sum - found.modelLogit)) <= 1e-12)
      for part in found.parts.dropFirst() {
        let children = try #require(part.children)
        #expect(children.count == (part.kind == .attention ? 4 : 36))
        let left = children.reduce(part.value) { $0 - $1.value }
        #expect(abs(left - part.residual) <= 1e-12 && abs(left) <= 1e-5)
      }
    }
    // The same logit by another way.
    let logit = try Command.result(
      "--model", model.path, "--target", "logit", "--answer", "bc", "Is it")
    for (one, other) in zip(result.explanations, logit.explanations) {
      #expect(abs(one.modelLogit - other.modelValue) <= 1e-5)
    }
  }

  @Test("A difference of two logits is split as the difference of their parts")
  func difference() throws {
    let (b, a) = (try result("--answer", "b"), try result("--answer", "a"))
    let both = try result("--answer", "b", "--target", "logit-diff:a").explanations[0]
    #expect(both.target.versus?.text == "a")
    for (index, part) in both.parts.enumerated() {
      let expected = b.explanations[0].parts[index].value - a.explanations[0].parts[index].value
      #expect(abs(part.value - expected) <= 1e-5)
    }
    #expect(
      abs(both.modelLogit - (b.explanations[0].modelLogit - a.explanations[0].modelLogit)) <= 1e-5)
  }

  @Test("--centred takes the mean over the vocabulary off every part, so that all logits sum to 0")
  func centred() throws {
    // One run over the whole of the vocabulary but its two special tokens would need as many
    // answers; a difference of two tokens has no mean in it and must stay.
    let plain = [try result("--answer", "b"), try result("--answer", "a")]
    let centred = [
      try result("--answer", "b", "--centred"), try result("--answer", "a", "--centred"),
    ]
    #expect(centred.map(\.centred) == [true, true])
    for index in plain[0].explanations[0].parts.indices {
      func value(_ result: DirectLogitResult) -> Double {
        result.explanations[0].parts[index].value
      }
      let shift = value(plain[0]) - value(centred[0])
      #expect(abs(value(plain[1]) - value(centred[1]) - shift) <= 1e-5)
      #expect(abs(shift) > 1e-4)
    }
    let found = centred[0].explanations[0]
    #expect(abs(found.parts.reduce(0) { $0 + $1.value } - found.modelLogit) <= 1e-5)
  }

  @Test("CSV has every part under its parent; --top bounds the screen; narrow terminals keep it")
  func outputs() throws {
    let folder = try Folder()
    let csv = folder / "a.csv"
    let outcome = try run(
      "--answer", "b", "--depth", "head", "--neurons", "2", "--csv", csv.path)
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(csv.path)\n")
    #expect(
      outcome.text.contains(
        "direct logit attribution · final norm frozen at its scale in this run · logits not centred"
      ))
    let rows = try String(contentsOf: csv, encoding: .utf8).split(separator: "\r\n")
    // Embedding, and in each layer 2 blocks, 4 heads, 2 neurons and the others.
    #expect(rows.count == 1 + 1 + 2 * (2 + 4 + 3))
    let cells = rows.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let columns = rows[0].split(separator: ",")
    let part = try #require(columns.firstIndex(of: "part"))
    let parent = try #require(columns.firstIndex(of: "parent"))
    let value = try #require(columns.firstIndex(of: "value"))
    let logit = try #require(columns.firstIndex(of: "model_logit"))
    #expect(cells.map { Int($0[part]) } == Array(0..<19).map(Optional.some))
    let top = cells.filter { $0[parent].isEmpty }.compactMap { Double($0[value]) }
    #expect(abs(top.reduce(0, +) - (Double(cells[0][logit]) ?? 0)) <= 1e-5)

    let narrow = try run(
      "--answer", "b", "--depth", "head", "--top", "2", "--quiet",
      settings: ["COLUMNS": "40", "LC_ALL": "C"])
    #expect(narrow.code == 0 && narrow.errors == "")
    #expect(narrow.output.allSatisfy { $0 < 0x80 })
    #expect(narrow.text.split(separator: "\n").allSatisfy { $0.count <= 40 })
    #expect(narrow.text.contains("  sum of 5 parts -2.3306\n"))
  }

  @Test("Token, device and model are asked of dla as of explain")
  func refusals() throws {
    try expectFailure(
      ["dla", "--model", model.path, "--target", "logit-diff:ab", "Is it"], 64,
      "--target 'logit-diff:ab': the text is 2 tokens; give exactly one (with its leading space, if "
        + "it has one).")
    try expectFailure(
      ["dla", "--model", "/no/such/model", "Is it"], 66,
      "/no/such/model: there is no such file; check the path.")
    try expectFailure(
      ["dla", "--model", model.path, "--position", "9", "--", "Is it"], 64,
      "--position 9 is out of range; the prompt has positions 0 to 4.")
  }
}
