import Foundation
import Results
import Testing

@Suite("The JSON of lens, attribution, comparison and aggregate")
struct SchemaDocumentTests {
  // MARK: Samples with every field

  static let model = ModelDescription(
    name: "tiny.gguf", sha256: "ab", architecture: "llama", layers: 2, dtype: "float32")
  static let tokens = [
    TokenDescription(id: 504, text: "The"), TokenDescription(id: 9, text: "\u{FFFD}", bytes: "e2"),
    TokenDescription(id: 7042, text: " Paris"),
  ]
  static let target = TargetDescription(
    id: 7042, text: " Paris", versus: TokenDescription(id: 3, text: " Rome"))

  static let lens: LensResult = {
    let cell = LensCell(
      top: [TopToken(id: 7042, text: " Paris", probability: 0.1)], probability: 0.1, logit: -1 / 3,
      rank: 1, entropy: 2.5, divergence: .leastNonzeroMagnitude)
    return LensResult(
      toolVersion: "0.1.0", model: model, device: "cpu", text: "The", tokens: tokens,
      lens: LensDescription(kind: "tuned", file: "lens.safetensors", sha256: "cd"),
      moment: "before", positions: [0, 1], targets: [tokens[1], tokens[2]],
      layers: [
        LensLayer(layer: -1, cells: [cell, cell]), LensLayer(layer: 1, cells: [cell, cell]),
      ],
      warnings: ["careful"], timingsMs: ["forward": 1.5])
  }()

  static let logit: DirectLogitResult = {
    let source = AttributionNode(kind: .source, layer: 1, source: 0, value: 0.25)
    let head = AttributionNode(
      kind: .head, layer: 1, head: 3, value: 0.5, residual: 0.25, children: [source])
    let neuron = AttributionNode(kind: .neuron, layer: 0, neuron: 1535, value: -0.125)
    return DirectLogitResult(
      toolVersion: "0.1.0", model: model, device: "cpu", prompt: "The", promptTokens: 2,
      tokens: tokens, centred: true,
      explanations: [
        DirectLogitExplanation(
          position: 1, target: target, modelLogit: 0.375, parts: [head, neuron], sum: 0.375,
          certificate: 0)
      ], warnings: [], timingsMs: ["forward": 1.5])
  }()

  static let comparison = CompareResult(
    toolVersion: "0.1.0", model: model, device: "cpu", prompt: "The", promptTokens: 2,
    tokens: tokens, baseline: "mean", target: "prob", layers: [0, 1],
    explanations: [
      Comparison(
        position: 1, target: target, modelValue: 0.75,
        methods: [
          ComparedMethod(
            name: "dla", unit: "logit", start: 0.5, values: [0.125, 0.125], certificate: 0)
        ],
        correlations: [RankCorrelation(first: "dla", second: "ig-lens", spearman: nil)])
    ], timingsMs: ["forward": 1.5])

  static let aggregate = AggregateResult(
    toolVersion: "0.1.0", model: model, device: "cpu", prompts: 3, tokens: 5,
    method: MethodDescription(
      path: "chain", baseline: "mean", target: "prob", estimator: "gauss", layers: [0, 1],
      onsetFraction: 0.5), resamples: 1000, seed: 7,
    profile: [LayerInterval(layer: 0, mean: 0.1, low: 0, high: 0.2)],
    onset: [LayerInterval(layer: 1, mean: 1, low: 1, high: 1)],
    agreement: [
      AgreementInterval(
        replacement: .resample, kind: .mlp, measure: "sign", mean: 0.5, low: 0.25, high: 0.75)
    ], converged: 1, timingsMs: ["forward": 1.5])

  private func message<Document: SchemaDocument>(_ type: Document.Type, _ data: Data) -> String? {
    do {
      _ = try type.decoded(from: data)
      return nil
    } catch {
      return (error as? ResultsError)?.message ?? "not a ResultsError: \(error)"
    }
  }

  private func replacing(_ data: Data, _ old: String, _ new: String) throws -> Data {
    let text = String(decoding: data, as: UTF8.self)
    try #require(text.contains(old), "\(text)")
    return Data(text.replacingOccurrences(of: old, with: new).utf8)
  }

  // MARK: Reading back

  private func expectRoundTrip<Document: SchemaDocument & Equatable>(
    _ document: Document, _ name: String
  ) throws {
    let first = try document.encoded()
    #expect(try Document.decoded(from: first) == document)
    #expect(try Document.decoded(from: first).encoded() == first)
    let line = try document.encoded(indented: false)
    #expect(line.count { $0 == UInt8(ascii: "\n") } == 1 && line.last == UInt8(ascii: "\n"))
    #expect(try Document.decoded(from: line) == document)
    #expect(Document.schemaName == name)
    #expect(String(decoding: line, as: UTF8.self).contains("\"schema\":\"\(name)\""))
    let reproducible = try document.encoded(reproducible: true)
    #expect(!String(decoding: reproducible, as: UTF8.self).contains("timings_ms"))
    var untimed = document
    untimed.timingsMs = nil
    #expect(try Document.decoded(from: reproducible) == untimed)
    // Fields that a later version adds are ignored.
    let later = try replacing(first, "\"schema\" :", "\"later\" : {\"a\" : [1]}, \"schema\" :")
    #expect(try Document.decoded(from: later) == document)
  }

  @Test("Every result reads back as it was, in the same bytes each time")
  func roundTrips() throws {
    try expectRoundTrip(Self.lens, "telescope/lens/1")
    try expectRoundTrip(Self.logit, "telescope/dla/1")
    try expectRoundTrip(Self.comparison, "telescope/compare/1")
    try expectRoundTrip(Self.aggregate, "telescope/aggregate/1")
  }

  @Test("The bytes of a small result, whole")
  func bytes() throws {
    var result = Self.lens
    result.positions = [1]
    result.targets = [Self.tokens[2]]
    result.layers = [LensLayer(layer: 1, cells: [Self.lens.layers[1].cells[0]])]
    let line = String(
      decoding: try result.encoded(reproducible: true, indented: false), as: UTF8.self)
    #expect(
      line == "{\"device\":\"cpu\",\"layers\":[{\"cells\":[{\"entropy\":2.5,\"kl\":5e-324,"
        + "\"logit\":-0.3333333333333333,\"probability\":0.1,\"rank\":1,\"top\":[{\"id\":7042,"
        + "\"probability\":0.1,\"text\":\" Paris\"}]}],\"layer\":1}],\"lens\":"
        + "{\"file\":\"lens.safetensors\",\"kind\":\"tuned\",\"sha256\":\"cd\"},\"model\":"
        + "{\"architecture\":\"llama\",\"dtype\":\"float32\",\"layers\":2,\"name\":\"tiny.gguf\","
        + "\"sha256\":\"ab\"},\"moment\":\"before\",\"positions\":[1],\"schema\":"
        + "\"telescope/lens/1\",\"targets\":[{\"id\":7042,\"text\":\" Paris\"}],\"text\":\"The\","
        + "\"tokens\":[{\"id\":504,\"text\":\"The\"},{\"bytes\":\"e2\",\"id\":9,"
        + "\"text\":\"\u{FFFD}\"},{\"id\":7042,\"text\":\" Paris\"}],\"tool_version\":\"0.1.0\","
        + "\"warnings\":[\"careful\"]}\n")
  }

  @Test("Awkward numbers read back to the bit")
  func numbers() throws {
    var result = Self.aggregate
    for value in [0.1, 1 / 3.0, 1.797_693_134_862_315_7e308, -2.8e-9, -0.0] {
      result.profile[0].mean = value
      let read = try AggregateResult.decoded(from: result.encoded())
      #expect(read.profile[0].mean.bitPattern == value.bitPattern)
    }
  }

  @Test("A number that is NaN or infinite is refused by name")
  func notFinite() {
    func sentence(_ path: String) -> ResultsError {
      ResultsError(
        code: .notFinite,
        message: "'\(path)' is not a finite number, so the result cannot be written. "
          + "The model's numbers overflowed; compute in a wider dtype.")
    }
    var lens = Self.lens
    lens.layers[1].cells[0].divergence = .nan
    #expect(throws: sentence("layers[1].cells[0].kl")) { try lens.encoded() }
    var logit = Self.logit
    logit.explanations[0].parts[0].children?[0].value = .infinity
    #expect(throws: sentence("explanations[0].parts[0].children[0].value")) { try logit.encoded() }
    var comparison = Self.comparison
    comparison.explanations[0].methods[0].values[1] = -.infinity
    #expect(throws: sentence("explanations[0].methods[0].values[1]")) { try comparison.encoded() }
    var aggregate = Self.aggregate
    aggregate.timingsMs = ["forward": .nan]
    #expect(throws: sentence("timings_ms.forward")) { try aggregate.encoded() }
    #expect(throws: Never.self) { try aggregate.encoded(reproducible: true) }
  }

  // MARK: Refusals

  @Test("Another kind, another major version and what is no result are refused in words")
  func schemas() throws {
    let data = try Self.lens.encoded()
    #expect(
      message(LensResult.self, try replacing(data, "telescope/lens/1", "telescope/lens/2"))
        == "This result's schema is 'telescope/lens/2', and this version of Telescope reads "
        + "'telescope/lens/1'. Use the version that wrote it, or write it again.")
    #expect(
      message(DirectLogitResult.self, data)
        == "This result's schema is 'telescope/lens/1', and 'telescope/dla/1' is wanted. "
        + "Give a file that 'telescope dla --json' wrote.")
    #expect(
      message(CompareResult.self, data)
        == "This result's schema is 'telescope/lens/1', and 'telescope/compare/1' is wanted. "
        + "Give a file that 'telescope compare --json' wrote.")
    #expect(
      message(AggregateResult.self, data)
        == "This result's schema is 'telescope/lens/1', and 'telescope/aggregate/1' is wanted. "
        + "Give a file that 'telescope explain --input --json' wrote.")
    #expect(
      message(LensResult.self, try replacing(data, "telescope/lens/1", "other\\u001b[31m"))
        == "This JSON is not a Telescope result: its schema is 'other\u{FFFD}[31m', not "
        + "'telescope/lens/1'. Give a file that 'telescope lens show --json' wrote.")
    for none in ["{}", "{\"schema\": 1}", "{\"schema\": null}"] {
      #expect(
        message(LensResult.self, Data(none.utf8))
          == "This JSON is not a Telescope result: it has no text field 'schema'. "
          + "Give a file that 'telescope lens show --json' wrote.")
    }
    #expect(throws: ResultsError.self) { try ExplainResult.decoded(from: data) }
  }

  @Test("What is cut short anywhere, or nests without end, is refused in words")
  func notJSON() throws {
    let sentence =
      "This is not a Telescope result: it is not a complete JSON object. "
      + "Give a file that 'telescope dla --json' wrote."
    let data = try Self.logit.encoded()
    for count in stride(from: 0, to: data.count - 2, by: 37) {
      #expect(message(DirectLogitResult.self, data.prefix(count)) == sentence)
    }
    let deep = 100_000
    #expect(
      message(DirectLogitResult.self, Data(String(repeating: "[", count: deep).utf8)) == sentence)
    let nested = String(repeating: "{\"children\":[", count: 10_000)
    #expect(message(DirectLogitResult.self, Data(nested.utf8)) == sentence)
  }

  @Test("A missing field and a wrong type are named")
  func malformed() throws {
    let remedy = "It is damaged or not from Telescope; write it again."
    let data = try Self.logit.encoded(indented: false)
    #expect(
      message(DirectLogitResult.self, try replacing(data, "\"residual\":0.25,", ""))
        == "This result has no 'explanations[0].parts[0].residual'. " + remedy)
    #expect(
      message(DirectLogitResult.self, try replacing(data, "\"value\":0.5", "\"value\":\"0.5\""))
        == "'explanations[0].parts[0].value' of this result is not of the type that the schema "
        + "says. " + remedy)
    #expect(
      message(DirectLogitResult.self, try replacing(data, "\"centred\":true", "\"centred\":null"))
        == "'centred' of this result is not of the type that the schema says. " + remedy)
  }

  @Test("Lists of the wrong length and positions that do not exist are named")
  func ranges() {
    let remedy = " It is damaged or not from Telescope; write it again."
    func expect<Document: SchemaDocument>(
      _ document: Document, _ what: String, _ change: (inout Document) -> Void
    ) throws {
      var document = document
      change(&document)
      #expect(message(Document.self, try document.encoded()) == what + remedy)
    }
    #expect(throws: Never.self) {
      try expect(
        Self.lens, "'positions[1]' of this result is 3, which is not a position of 'tokens'."
      ) { $0.positions[1] = 3 }
      try expect(
        Self.lens, "'positions[1]' of this result is 0, which is not after the position before it."
      ) { $0.positions[1] = 0 }
      try expect(
        Self.lens, "'targets' of this result has 1 entries, and 'positions' has 2."
      ) { $0.targets.removeLast() }
      try expect(
        Self.lens, "'layers[1].cells' of this result has 1 entries, and 'positions' has 2."
      ) { $0.layers[1].cells.removeLast() }
      try expect(
        Self.lens, "'layers[0].layer' of this result is -2, which is not a layer or -1."
      ) { $0.layers[0].layer = -2 }
      try expect(
        Self.lens, "'layers[0].cells[1].rank' of this result is 0, which is not 1 or more."
      ) { $0.layers[0].cells[1].rank = 0 }
      try expect(
        Self.logit, "'prompt_tokens' of this result is 4, which is not from 0 to 3."
      ) { $0.promptTokens = 4 }
      try expect(
        Self.logit,
        "'explanations[0].position' of this result is -1, which is not a position of 'tokens'."
      ) { $0.explanations[0].position = -1 }
      try expect(
        Self.logit,
        "'explanations[0].parts[0].children[0].layer' of this result is -9, which is not a layer "
          + "or -1."
      ) { $0.explanations[0].parts[0].children?[0].layer = -9 }
      try expect(
        Self.comparison,
        "'explanations[0].methods[0].values' of this result has 1 entries, and 'layers' has 2."
      ) { $0.explanations[0].methods[0].values.removeLast() }
      try expect(
        Self.comparison,
        "'explanations[0].position' of this result is 3, which is not a position of 'tokens'."
      ) { $0.explanations[0].position = 3 }
      try expect(
        Self.aggregate, "'prompts' of this result is -1, which is not 0 or more."
      ) { $0.prompts = -1 }
      try expect(
        Self.aggregate, "'onset[0].layer' of this result is -2, which is not a layer or -1."
      ) { $0.onset[0].layer = -2 }
    }
  }
}
