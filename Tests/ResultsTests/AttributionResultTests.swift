import Foundation
import Results
import Testing

@Suite("The JSON of attributions")
struct AttributionResultTests {
  // MARK: A sample with every field

  /// Three tokens, two layers and two heads: no two axes have one length, and no number stands twice.
  static let result = AttributionResult(
    toolVersion: "0.3.0", model: model, device: "cpu", text: "The",
    tokens: SchemaDocumentTests.tokens,
    contrast: ContrastText(text: "An", tokens: [TokenDescription(id: 9, text: "An")]),
    metric: MetricDescription(
      name: "logit-diff", token: TokenDescription(id: 3, text: " a"),
      versus: TokenDescription(id: 4, text: " b"), position: 2, value: 1.5, start: -0.25),
    method: AttributionMethod(
      name: "ig", path: "input", quadrature: "adaptive", steps: 32, tolerance: 0.001,
      estimator: "stieltjes", rules: "gradient", linearisedAt: "clean", baseline: "zero", seed: 7),
    scores: [
      AttributionScores(
        unit: "token",
        array: AxisArray(axes: ["position"], shape: [3], values: [0.5, -0.125, 1.25]),
        certificates: [SumCertificate(sum: 1.625, constants: 0.0625, expected: 1.75)]),
      AttributionScores(
        unit: "neuron",
        array: AxisArray(
          axes: ["layer", "position"], shape: [2, 3], values: [10, 11, 12, 13, 14, 15]),
        layers: [-1, 4],
        top: [
          ScoredUnit(layer: 4, position: 2, unit: 7, score: 3.5, value: -2.5),
          ScoredUnit(layer: -1, position: 0, unit: nil, score: -3.25),
        ], reason: "no cut"),
      AttributionScores(
        unit: "head",
        array: AxisArray(
          axes: ["layer", "position", "head"], shape: [1, 3, 2],
          values: [20, 21, 22, 23, 24, 25]), layers: [0]),
    ], passes: PassCount(forward: 32, backward: 31.5), warnings: ["careful"],
    timingsMs: ["path": 1.5])

  static let model: ModelDescription = {
    var model = SchemaDocumentTests.model
    model.layers = 6
    return model
  }()

  private func text(_ result: AttributionResult, indented: Bool = false) throws -> String {
    String(decoding: try result.encoded(indented: indented), as: UTF8.self)
  }

  /// What reading a changed text says.
  private func message(_ old: String, _ new: String) throws -> String? {
    let text = try text(Self.result)
    let place = try #require(text.range(of: old), "\(old) in \(text)")
    let changed = text.replacingCharacters(in: place, with: new)
    do {
      _ = try AttributionResult.decoded(from: Data(changed.utf8))
      return nil
    } catch {
      return (error as? ResultsError)?.message ?? "not a ResultsError: \(error)"
    }
  }

  private func malformed(_ what: String) -> String {
    what + ". It is damaged or not from Telescope; write it again."
  }

  // MARK: Writing and reading

  @Test("A result reads back as it was, in the same bytes each time")
  func roundTrip() throws {
    for indented in [true, false] {
      let first = try Self.result.encoded(indented: indented)
      let read = try AttributionResult.decoded(from: first)
      #expect(read == Self.result)
      #expect(try read.encoded(indented: indented) == first)
    }
    let timeless = String(decoding: try Self.result.encoded(reproducible: true), as: UTF8.self)
    #expect(!timeless.contains("timings"))
  }

  @Test("Scores are nested lists in the order of their axes")
  func lists() throws {
    let text = try text(Self.result)
    #expect(
      text.contains(
        "\"array\":{\"axes\":[\"layer\",\"position\",\"head\"],"
          + "\"values\":[[[20,21],[22,23],[24,25]]]}"))
    #expect(text.contains("\"values\":[[10,11,12],[13,14,15]]"))
    #expect(text.contains("\"linearised_at\":\"clean\""))
  }

  @Test("For people, each layer and each unit has a line of its own")
  func layout() throws {
    let text = try text(Self.result, indented: true)
    #expect(text.contains("          [10,11,12],\n          [13,14,15]\n"))
    #expect(
      text.contains(
        "        {\"layer\":4,\"position\":2,\"score\":3.5,\"unit\":7,\"value\":-2.5},\n"))
    #expect(
      text.contains(
        "        {\"constants\":0.0625,\"expected\":1.75,\"residual\":0.0625,\"sum\":1.625}\n"))
  }

  @Test("A certificate's residual is what the sum and the constants miss, whichever is larger")
  func residual() {
    #expect(SumCertificate(sum: 1.625, constants: 0.0625, expected: 1.75).residual == 0.0625)
    #expect(SumCertificate(sum: 2, expected: 1.75).residual == 0.25)
    #expect(SumCertificate(sum: -2, constants: 0.5, expected: -1.75).residual == 0.25)
  }

  @Test("Passes add up, each kind on its own")
  func passes() {
    let sum = PassCount(forward: 2, backward: 0.5) + PassCount(forward: 3, backward: 1)
    #expect(sum == PassCount(forward: 5, backward: 1.5))
  }

  @Test("A number that is NaN or infinite is refused by name")
  func notFinite() {
    var result = Self.result
    result.scores[1].array.values[4] = .infinity
    let error = ResultsError(
      code: .notFinite,
      message: "'scores[1].array.values[1][1]' is not a finite number, so the result "
        + "cannot be written. The model's numbers overflowed; compute in a wider dtype.")
    #expect(throws: error) { try result.encoded() }
  }

  @Test("A result without scores or layers reads back")
  func nothing() throws {
    var result = Self.result
    result.contrast = nil
    result.scores = [
      AttributionScores(
        unit: "residual",
        array: AxisArray(axes: ["layer", "position"], shape: [0, 0], values: []), layers: [],
        top: [], certificates: [])
    ]
    #expect(try AttributionResult.decoded(from: result.encoded()) == result)
    result.scores = []
    #expect(try AttributionResult.decoded(from: result.encoded()) == result)
  }

  // MARK: Refusals

  @Test("Another schema is refused, with the command that writes this one")
  func schema() throws {
    #expect(
      try message("telescope/attribution/1", "telescope/attribution/2")
        == "This result's schema is 'telescope/attribution/2', and this version of Telescope reads "
        + "'telescope/attribution/1'. Use the version that wrote it, or write it again.")
    #expect(
      try message("telescope/attribution/1", "telescope/circuit/1")
        == "This result's schema is 'telescope/circuit/1', and 'telescope/attribution/1' is wanted. "
        + "Give a file that 'telescope attribute --json' wrote.")
  }

  @Test("Axes that a unit does not have are refused by name")
  func axes() throws {
    #expect(
      try message("\"unit\":\"neuron\"", "\"unit\":\"head\"")
        == malformed(
          "'scores[1].array.axes' of this result is 'layer, position', where "
            + "'layer, position, head' is wanted"))
    #expect(
      try message("\"axes\":[\"position\"]", "\"axes\":[\"layer\"]")
        == malformed(
          "'scores[0].array.axes' of this result is 'layer', where 'position' is wanted"))
  }

  @Test("Lists of another length than their axis are refused by name")
  func extents() throws {
    func count(_ path: String, _ count: Int, _ other: String, _ wanted: Int) -> String {
      malformed("'\(path)' of this result has \(count) entries, and '\(other)' has \(wanted)")
    }
    #expect(
      try message("[0.5,-0.125,1.25]", "[0.5,-0.125]")
        == count("scores[0].array.values", 2, "tokens", 3))
    #expect(
      try message("\"layers\":[-1,4]", "\"layers\":[4]")
        == count("scores[1].array.values", 2, "scores[1].layers", 1))
    #expect(
      try message("\"layers\":[0]", "\"certificates\":[],\"layers\":[0]")
        == count("scores[2].certificates", 0, "scores[2].layers", 1))
    #expect(
      try message(",\"layers\":[0]", "") == malformed("This result has no 'scores[2].layers'"))
  }

  @Test("Numbers that stand in another file are refused: this schema has none")
  func tensor() throws {
    #expect(
      try message("\"values\":[0.5,-0.125,1.25]", "\"shape\":[3],\"tensor\":\"x\"")
        == malformed("This result has no 'scores[0].array.values'"))
  }

  @Test("Positions, layers and units that do not exist are refused by name")
  func ranges() throws {
    func range(_ path: String, _ value: String, _ range: String) -> String {
      malformed("'\(path)' of this result is \(value), which is not \(range)")
    }
    #expect(
      try message("\"position\":2,\"start\"", "\"position\":3,\"start\"")
        == range("metric.position", "3", "a position of 'tokens'"))
    #expect(
      try message("\"layers\":[-1,4]", "\"layers\":[-1,99]")
        == range("scores[1].layers[1]", "99", "a layer of the model"))
    #expect(
      try message("\"layer\":4,\"position\":2", "\"layer\":-2,\"position\":2")
        == range("scores[1].top[0].layer", "-2", "a layer of the model"))
    #expect(
      try message("\"layer\":4,\"position\":2", "\"layer\":4,\"position\":3")
        == range("scores[1].top[0].position", "3", "a position of 'tokens'"))
    #expect(
      try message("\"unit\":7", "\"unit\":-7") == range("scores[1].top[0].unit", "-7", "0 or more"))
    #expect(
      try message("\"forward\":32", "\"forward\":-1")
        == range("passes.forward", "-1.0", "0 or more"))
    #expect(
      try message("\"steps\":32", "\"steps\":-32") == range("method.steps", "-32", "0 or more"))
  }
}
