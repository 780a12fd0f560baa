import Foundation
import Results
import TestSupport
import Testing

@Suite("The JSON of flows")
struct FlowResultTests {
  // MARK: A sample with every field

  /// Three tokens, of which two receive, and heads 0 and 3: no two axes have one meaning, and every
  /// number says where it stands.
  static let result = FlowResult(
    toolVersion: "0.2.0", id: "a", model: SchemaDocumentTests.model, device: "cpu", text: "The",
    tokens: SchemaDocumentTests.tokens,
    parameters: FlowParameters(
      granularity: ["attention", "feed-forward", "layer"],
      baseline: FlowBaselineNames(
        attention: "itb-zero-ratio", feedForward: "att-itb", layer: "zero"),
      boundary: "strict", scalarisation: "length", quadrature: "gauss-legendre", tolerance: 0.001,
      steps: nil, targets: [2, 0], heads: [0, 3]),
    layers: [layer(0), layer(4)],
    agreement: [
      FlowAgreement(
        routes: ["layer", "product"], layer: nil, columns: 4, topCount: 3, published: published,
        withSelf: scores, withoutSelf: scores,
        nulls: [
          NullAgreement(
            name: "zero", published: published, withSelf: scores, withoutSelf: scores)
        ])
    ], warnings: ["careful"], timingsMs: ["flow": 1.5])

  private static let published = PublishedAgreement(
    l2Mean: 0.5, l2Deviation: 0.25, correlationMean: -0.125, correlationDeviation: 0.0625)
  private static let scores = AgreementScores(
    relativeL2: 0.5, shareL2: 0.25, scaledResidual: nil, cosine: 0.75, pearson: -0.5,
    spearman: 0.125, topOverlap: 1, undefined: ["scaled_residual": 4])

  private static func layer(_ layer: Int) -> FlowLayer {
    let start = Double(1000 * (layer + 1))
    return FlowLayer(
      layer: layer,
      baseline: FlowBaselineNames(
        attention: "itb-zero-ratio", feedForward: "att-itb", layer: "zero"),
      layerFlow: map(array(["source", "target"], start), totals: ["target"], start + 0.25),
      attentionFlow: map(
        array(["source", "target", "head"], start + 100), totals: ["target", "head"],
        start + 100.25, share: start + 100.75),
      feedForwardFlow: map(
        array(["target", "head"], start + 200), totals: ["target"], start + 200.25),
      heads: FlowHeads(
        conductance: array(["source", "target", "head"], start + 300),
        residual: array(["target"], start + 400)),
      composed: [
        "product": array(["source", "target"], start + 500),
        "conserving": array(["source", "target"], start + 600),
      ])
  }

  private static func map(
    _ array: AxisArray, totals: [String], _ start: Double, share: Double? = nil
  ) -> FlowMap {
    FlowMap(
      array: array, totals: Self.array(totals, start),
      completenessError: Self.array(totals, start + 0.125), nodes: [16, 32], unconverged: [0],
      selfShare: share.map { Self.array(totals, $0) })
  }

  /// Numbers that count upwards from `start`, so that any two that change places show.
  static func array(_ axes: [String], _ start: Double) -> AxisArray {
    let shape = axes.map { $0 == "source" ? 3 : 2 }
    return AxisArray(
      axes: axes, shape: shape, values: (0..<shape.reduce(1, *)).map { start + Double($0) })
  }

  private func text(_ result: FlowResult, indented: Bool = false) throws -> String {
    String(decoding: try result.encoded(indented: indented), as: UTF8.self)
  }

  /// What reading a changed text says.
  private func message(
    _ old: String, _ new: String, of result: FlowResult = Self.result
  ) throws -> String? {
    let text = try text(result)
    let place = try #require(text.range(of: old), "\(old) in \(text)")
    let changed = text.replacingCharacters(in: place, with: new)
    do {
      _ = try FlowResult.decoded(from: Data(changed.utf8))
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
      let read = try FlowResult.decoded(from: first)
      #expect(read == Self.result)
      #expect(try read.encoded(indented: indented) == first)
    }
    #expect(!(try text(Self.result)).dropLast().contains("\n"))
    #expect(
      !String(decoding: try Self.result.encoded(reproducible: true), as: UTF8.self)
        .contains("timings_ms"))
  }

  @Test("Lists nest in the order of the axes, and a map's fields stand beside its values")
  func layerBytes() throws {
    #expect(
      try text(Self.result).contains(
        "\"attention_flow\":{\"axes\":[\"source\",\"target\",\"head\"],"
          + "\"completeness_error\":[[1100.375,1101.375],[1102.375,1103.375]],"
          + "\"nodes\":[16,32],\"self_share\":[[1100.75,1101.75],[1102.75,1103.75]],"
          + "\"totals\":[[1100.25,1101.25],[1102.25,1103.25]],\"unconverged\":[0],"
          + "\"values\":[[[1100,1101],[1102,1103]],[[1104,1105],[1106,1107]],"
          + "[[1108,1109],[1110,1111]]]}"))
    #expect(
      try text(Self.result).contains(
        "\"feed_forward_flow\":{\"axes\":[\"target\",\"head\"],"
          + "\"completeness_error\":[1200.375,1201.375],\"nodes\":[16,32],"
          + "\"totals\":[1200.25,1201.25],\"unconverged\":[0],\"values\":[[1200,1201],[1202,1203]]}"
      ))
    let array = try #require(Self.result.layers[0].attentionFlow?.array)
    #expect(array[2, 0, 1] == 1109)
    #expect(array[0, 1, 0] == 1102)
  }

  @Test("For people, each source has a line of its own")
  func layout() throws {
    let text = try text(Self.result, indented: true)
    #expect(
      text.contains(
        """
              "layer_flow" : {
                "axes" : ["source","target"],
                "completeness_error" : [1000.375,1001.375],
                "nodes" : [16,32],
                "totals" : [1000.25,1001.25],
                "unconverged" : [0],
                "values" : [
                  [1000,1001],
                  [1002,1003],
                  [1004,1005]
                ]
              }
        """))
    #expect(text.contains("    \"targets\" : [2,0],\n"))
  }

  @Test("Numbers read back to the bit")
  func numbers() throws {
    var result = Self.result
    let numbers = [
      0.1, 1 / 3.0, -2.8e-9, 1.797_693_134_862_315_7e308, .leastNonzeroMagnitude, -0.0,
    ]
    result.layers[1].composed?["product"]?.values = numbers
    let read = try FlowResult.decoded(from: result.encoded())
    #expect(
      read.layers[1].composed?["product"]?.values.map(\.bitPattern) == numbers.map(\.bitPattern))
  }

  @Test("A number that is NaN or infinite is refused by name")
  func notFinite() {
    var result = Self.result
    result.layers[1].attentionFlow?.array.values[5] = .nan
    let error = ResultsError(
      code: .notFinite,
      message: "'layers[1].attention_flow.values[1][0][1]' is not a finite number, so the result "
        + "cannot be written. The model's numbers overflowed; compute in a wider dtype.")
    #expect(throws: error) { try result.encoded() }
  }

  @Test("A result without tokens, targets or heads reads back")
  func nothing() throws {
    var result = Self.result
    result.parameters.targets = []
    result.layers = [
      FlowLayer(
        layer: 0, baseline: result.layers[0].baseline,
        attentionFlow: FlowMap(
          array: AxisArray(axes: ["source", "target", "head"], shape: [3, 0, 0], values: []),
          totals: AxisArray(axes: ["target", "head"], shape: [0, 0], values: []),
          completenessError: AxisArray(axes: ["target", "head"], shape: [0, 0], values: []),
          nodes: [], unconverged: []))
    ]
    #expect(try FlowResult.decoded(from: result.encoded()) == result)
  }

  // MARK: Refusals

  @Test("Ragged lists and lists of another depth are refused by name")
  func depths() throws {
    func type(_ path: String) -> String {
      malformed("'\(path)' of this result is not of the type that the schema says")
    }
    #expect(
      try message("[[1000,1001],[1002,1003],", "[[1000,1001],[1002],")
        == type("layers[0].layer_flow.values[1]"))
    #expect(
      try message("[[1100,1101],[1102,1103]]", "[[1100,1101],[1102]]")
        == type("layers[0].attention_flow.values[0][1]"))
    #expect(
      try message("[[1000,1001],[1002,1003],[1004,1005]]", "[1000,1001]")
        == type("layers[0].layer_flow.values[0]"))
    #expect(
      try message("[[1000,1001],[1002,1003],", "[[[1000],1001],[1002,1003],")
        == type("layers[0].layer_flow.values[0][0]"))
    #expect(
      try message("\"totals\":[1000.25,1001.25]", "\"totals\":[[1000.25],[1001.25]]")
        == type("layers[0].layer_flow.totals[0]"))
    #expect(
      try message("\"values\":[1400,1401]", "\"values\":1400")
        == type("layers[0].heads.residual.values"))
  }

  @Test("Every missing field is named")
  func missing() throws {
    #expect(
      try message("\"totals\":[1000.25,1001.25],", "")
        == malformed("This result has no 'layers[0].layer_flow.totals'"))
    #expect(
      try message(",\"values\":[1400,1401]", "")
        == malformed("This result has no 'layers[0].heads.residual.values'"))
  }

  @Test("Lists of another length than their axis are refused by name")
  func extents() throws {
    func count(_ path: String, _ count: Int, _ other: String, _ wanted: Int) -> String {
      malformed("'\(path)' of this result has \(count) entries, and '\(other)' has \(wanted)")
    }
    #expect(
      try message("[[1000,1001],[1002,1003],[1004,1005]]", "[[1000,1001],[1002,1003]]")
        == count("layers[0].layer_flow.values", 2, "tokens", 3))
    #expect(
      try message("[[1000,1001],[1002,1003],[1004,1005]]", "[[1000],[1002],[1004]]")
        == count("layers[0].layer_flow.values", 1, "parameters.targets", 2))
    #expect(
      try message("[[1200,1201],[1202,1203]]", "[[1200,1201,7],[1202,1203,7]]")
        == count("layers[0].feed_forward_flow.values", 3, "parameters.heads", 2))
    #expect(
      try message("[[1000,1001],[1002,1003],[1004,1005]]", "[[],[],[]]")
        == count("layers[0].layer_flow.values", 0, "parameters.targets", 2))
    #expect(
      try message("[[1000,1001],[1002,1003],[1004,1005]]", "[]")
        == count("layers[0].layer_flow.values", 0, "tokens", 3))
    #expect(
      try message("\"totals\":[5000.25,5001.25]", "\"totals\":[5000.25]")
        == count("layers[1].layer_flow.totals", 1, "parameters.targets", 2))
    #expect(
      try message(
        "\"self_share\":[[1100.75,1101.75],[1102.75,1103.75]]", "\"self_share\":[[1],[2]]")
        == count("layers[0].attention_flow.self_share", 1, "parameters.heads", 2))
    #expect(
      try message("\"nodes\":[16,32]", "\"nodes\":[16]")
        == count("layers[0].attention_flow.nodes", 1, "parameters.targets", 2))
    #expect(
      try message("[[1600,1601],[1602,1603],[1604,1605]]", "[[1],[2],[3]]")
        == count("layers[0].composed.conserving.values", 1, "parameters.targets", 2))
  }

  @Test("A map on other axes is refused: a transposed one would read as if it were not")
  func axes() throws {
    #expect(
      try message(
        "\"axes\":[\"source\",\"target\"],\"completeness",
        "\"axes\":[\"target\",\"source\"],\"completeness")
        == malformed(
          "'layers[0].layer_flow.axes' of this result is 'target, source', where 'source, target' is "
            + "wanted"))
    #expect(
      try message("\"axes\":[\"target\"]", "\"axes\":[\"\\u001b[31m\"]")
        == malformed(
          "'layers[0].heads.residual.axes' of this result is '\u{FFFD}[31m', where 'target' is wanted"
        ))
  }

  @Test("Positions that do not exist are refused by name")
  func positions() throws {
    #expect(
      try message("\"targets\":[2,0]", "\"targets\":[2,3]")
        == malformed(
          "'parameters.targets[1]' of this result is 3, which is not a position of 'tokens'"))
    #expect(
      try message("\"unconverged\":[0]", "\"unconverged\":[-1]")
        == malformed(
          "'layers[0].attention_flow.unconverged[0]' of this result is -1, which is not a position "
            + "of 'tokens'"))
    #expect(
      try message("\"layer\":4", "\"layer\":-1")
        == malformed("'layers[1].layer' of this result is -1, which is not 0 or more"))
    #expect(
      try message("\"heads\":[0,3]", "\"heads\":[0,-3]")
        == malformed("'parameters.heads[1]' of this result is -3, which is not 0 or more"))
  }

  @Test("Another schema is refused in words")
  func schema() throws {
    #expect(
      try message("telescope/flow/1", "telescope/lens/1")
        == "This result's schema is 'telescope/lens/1', and 'telescope/flow/1' is wanted. "
        + "Give a file that 'telescope flow --json' wrote.")
  }

  // MARK: The file of arrays

  /// 48 numbers a layer: 6 + 12 + 4 + 12 + 2 + 6 + 6, in two layers.
  private static let size = 8 * 2 * 48

  @Test("Every map has a name of its own, with the number of its block")
  func names() {
    #expect(
      Self.result.flowArrays.map(\.name) == [
        "layers.0.layer_flow", "layers.0.attention_flow", "layers.0.feed_forward_flow",
        "layers.0.heads.conductance", "layers.0.heads.residual", "layers.0.composed.conserving",
        "layers.0.composed.product", "layers.4.layer_flow", "layers.4.attention_flow",
        "layers.4.feed_forward_flow", "layers.4.heads.conductance", "layers.4.heads.residual",
        "layers.4.composed.conserving", "layers.4.composed.product",
      ])
    let array = Self.result.flowArrays[8]
    #expect(array.shape == [3, 2, 2])
    #expect(array.values == (0..<12).map { 5100 + Double($0) })
  }

  @Test("Maps stay in the JSON up to the limit, and above it all of them go")
  func limit() {
    let stays = Self.result.movingArrays(over: Self.size, to: "flow.safetensors")
    #expect(stays.result == Self.result)
    #expect(stays.arrays.isEmpty)
    let goes = Self.result.movingArrays(over: Self.size - 1, to: "flow.safetensors")
    #expect(goes.arrays == Self.result.flowArrays)
    #expect(goes.result.arrays == "flow.safetensors")
    #expect(goes.result.flowArrays.map(\.name) == Self.result.flowArrays.map(\.name))
    #expect(goes.result.flowArrays.allSatisfy { $0.values.isEmpty })
    #expect(goes.result.layers[1].layerFlow?.totals.values == [5000.25, 5001.25])
  }

  @Test("A result whose maps stand in a file says where, and is whole again with the file")
  func moved() throws {
    let (light, arrays) = Self.result.movingArrays(over: 0, to: "flow.safetensors")
    let text = try text(light)
    #expect(
      text.contains(
        "\"feed_forward_flow\":{\"axes\":[\"target\",\"head\"],"
          + "\"completeness_error\":[1200.375,1201.375],\"nodes\":[16,32],\"shape\":[2,2],"
          + "\"tensor\":\"layers.0.feed_forward_flow\",\"totals\":[1200.25,1201.25],"
          + "\"unconverged\":[0]}"))
    #expect(text.contains("\"arrays\":\"flow.safetensors\""))
    #expect(!text.contains("\"values\""))
    let read = try FlowResult.decoded(from: Data(text.utf8))
    #expect(read == light)
    let file = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.values) })
    #expect(try read.filled { file[$0] } == Self.result)
    // What has its numbers is left alone.
    #expect(try Self.result.filled { _ in nil } == Self.result)
  }

  @Test("An array that the file does not have, or has of another size, is refused by name")
  func unfilled() throws {
    let light = Self.result.movingArrays(over: 0, to: "flow.safetensors").result
    let gone = ResultsError(
      code: .malformed,
      message:
        "The file of arrays has no 'layers.0.layer_flow', which 'layers[0].layer_flow' of this "
        + "result names. Keep both files of one run together, or write them again.")
    #expect(throws: gone) { try light.filled { _ in nil } }
    let short = ResultsError(
      code: .malformed,
      message:
        "'layers.0.layer_flow' in the file of arrays has 5 numbers, and 'layers[0].layer_flow' "
        + "of this result wants 3 × 2. Keep both files of one run together, or write them again.")
    #expect(throws: short) { try light.filled { _ in [1, 2, 3, 4, 5] } }
  }

  @Test("A shape that does not fit the result, or that no memory could hold, is refused")
  func shapes() throws {
    let light = Self.result.movingArrays(over: 0, to: "flow.safetensors").result
    #expect(
      try message("\"shape\":[3,2,2]", "\"shape\":[3,2,4000000000]", of: light)
        == malformed(
          "'layers[0].attention_flow.shape' of this result has 4000000000 entries, and "
            + "'parameters.heads' has 2"))
    #expect(
      try message("\"shape\":[3,2,2]", "\"shape\":[3,-2,2]", of: light)
        == malformed(
          "'layers[0].attention_flow.axes' of this result is not of the type that the schema says"))
    #expect(
      try message(",\"arrays\":\"flow.safetensors\"", "", of: light)
        == malformed("This result has no 'arrays'"))
    var huge = light
    huge.layers[0].layerFlow?.array.shape = [1 << 40, 1 << 40]
    #expect(throws: ResultsError.self) { try huge.filled { _ in [] } }
  }
}
