import Foundation
import Results
import TestSupport
import Testing

@Suite("The JSON of a result")
struct ExplainResultTests {
  /// The example in `Guides/ResultSchema.md`.
  private func example() throws -> Data {
    let guide = try String(
      contentsOf: Fixtures.checkout.appending(path: "Guides/ResultSchema.md"), encoding: .utf8)
    let start = try #require(guide.range(of: "```json\n"))
    let end = try #require(guide.range(of: "\n```", range: start.upperBound..<guide.endIndex))
    return Data(guide[start.upperBound..<end.lowerBound].utf8)
  }

  /// The example with one text in it replaced.
  private func example(replacing old: String, with new: String) throws -> Data {
    let text = String(decoding: try example(), as: UTF8.self)
    try #require(text.contains(old))
    return Data(text.replacingOccurrences(of: old, with: new).utf8)
  }

  private func message(of data: Data) -> String? {
    do {
      _ = try ExplainResult.decoded(from: data)
      return nil
    } catch {
      return (error as? ResultsError)?.message ?? "not a ResultsError: \(error)"
    }
  }

  @Test("The documented example decodes, and encoding it gives the same fields and values")
  func documentedExample() throws {
    let data = try example()
    let result = try ExplainResult.decoded(from: data)
    #expect(result.explanations[0].attributions[1].contrastIncrement == 0.671875)
    #expect(result.explanations[1].target.span?[1].bytes == "e2")
    #expect(result.contrast?.tokens[3].text == " Italy")
    let written = try JSONSerialization.jsonObject(with: result.encoded()) as? NSDictionary
    let documented = try JSONSerialization.jsonObject(with: data) as? NSDictionary
    #expect(written == documented)
  }

  @Test("The documented sums hold")
  func sums() throws {
    let result = try ExplainResult.decoded(from: example())
    for explanation in result.explanations {
      #expect(explanation.attributions.map(\.value).reduce(0, +) == explanation.sum)
      let miss = explanation.baselineValue + explanation.sum - explanation.modelValue
      #expect(abs(miss - explanation.certificate) < 1e-15)
    }
  }

  @Test("The documented parts add up, level by level")
  func treeSums() throws {
    func check(_ value: Double, _ residual: Double?, _ parts: [AttributionNode]) throws {
      #expect(parts.reduce(0) { $0 + $1.value } + (try #require(residual)) == value)
      for part in parts {
        if let children = part.children { try check(part.value, part.residual, children) }
      }
    }
    for layer in try ExplainResult.decoded(from: example()).explanations[0].attributions {
      try check(layer.value, layer.residual, try #require(layer.parts))
    }
  }

  @Test("Every key that the code writes is in the guide")
  func documentedKeys() throws {
    let guide = try String(
      contentsOf: Fixtures.checkout.appending(path: "Guides/ResultSchema.md"), encoding: .utf8)
    func keys(_ value: Any) -> [String] {
      if let object = value as? [String: Any] {
        return object.keys + object.values.flatMap(keys)
      }
      return (value as? [Any])?.flatMap(keys) ?? []
    }
    let result = try ExplainResult.decoded(from: example())
    let prose = try #require(guide.components(separatedBy: "## Example").first)
    for key in try Set(keys(JSONSerialization.jsonObject(with: result.encoded(reproducible: true))))
    {
      #expect(prose.contains(key), "\(key)")
    }
  }

  @Test("The same result gives the same bytes, and reading them back gives the same result")
  func stableBytes() throws {
    let result = try ExplainResult.decoded(from: example())
    let first = try result.encoded()
    #expect(try ExplainResult.decoded(from: first) == result)
    #expect(try ExplainResult.decoded(from: first).encoded() == first)
    let compact = try result.encoded(indented: false)
    #expect(try ExplainResult.decoded(from: compact) == result)
    #expect(
      first.last == UInt8(ascii: "\n") && compact.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    #expect(String(decoding: compact, as: UTF8.self).hasPrefix("{\"baseline_text\":\"The capital"))
  }

  @Test("A part is one line, with what it is made of below it; a list of numbers is one line")
  func lines() throws {
    let result = try ExplainResult.decoded(from: example())
    let text = String(decoding: try result.encoded(), as: UTF8.self)
    let start = try #require(text.range(of: "          \"lens\" : 0.75,\n"))
    let end = try #require(
      text.range(of: "          \"top\" : [", range: start.upperBound..<text.endIndex))
    #expect(
      text[start.lowerBound..<end.lowerBound] == """
                  "lens" : 0.75,
                  "low" : 0.6875,
                  "nodes" : 1024,
                  "parts" : [
                    {"children":[
                      {"children":[
                        {"head":3,"kind":"source","layer":29,"residual":0,"source":3,"value":0.1875},
                        {"head":3,"kind":"source","layer":29,"residual":0,"source":4,"value":-0.03125}
                      ],"head":3,"kind":"head","layer":29,"residual":0,"value":0.15625},
                      {"kind":"bias","layer":29,"residual":0,"value":-0.03125}
                    ],"kind":"attention","layer":29,"residual":0,"value":0.125},
                    {"children":[
                      {"kind":"neuron","layer":29,"neuron":1204,"residual":0,"value":0.5},
                      {"kind":"others","layer":29,"residual":0,"value":0.060546875}
                    ],"kind":"mlp","layer":29,"residual":0.0009765625,"value":0.5615234375}
                  ],
                  "rank" : 1,
                  "residual" : 0.0009765625,

        """)
    #expect(text.contains("          \"converged\" : [true,false],\n"))
    #expect(text.contains("\"layer\":29,\"neurons\":[7,1204],\"predicted\":0.5}\n"))
    // Brackets and quotation marks in text are no structure.
    var awkward = result
    awkward.prompt = "[{\"parts\":[\\\"}]}],\n\\"
    awkward.warnings = []
    #expect(try ExplainResult.decoded(from: awkward.encoded()) == awkward)
  }

  @Test("Awkward numbers read back exactly")
  func numbers() throws {
    var result = try ExplainResult.decoded(from: example())
    let values = [
      0.1, 1 / 3.0, Double.leastNonzeroMagnitude, 1.797_693_134_862_315_7e308, -2.8e-9,
      123_456_789.123_456_78,
    ]
    for value in values {
      result.explanations[0].modelValue = value
      let read = try ExplainResult.decoded(from: result.encoded())
      #expect(read.explanations[0].modelValue.bitPattern == value.bitPattern)
    }
  }

  @Test("A reproducible result has no timings and keeps everything else")
  func reproducible() throws {
    var result = try ExplainResult.decoded(from: example())
    let data = try result.encoded(reproducible: true)
    #expect(!String(decoding: data, as: UTF8.self).contains("timings_ms"))
    result.timingsMs = nil
    #expect(try ExplainResult.decoded(from: data) == result)
  }

  @Test("Fields that a later version adds are ignored, and null is the same as absent")
  func laterFields() throws {
    let data = try example(
      replacing: "\"seed\": 7,", with: "\"seed\": null, \"later\": {\"a\": [1]},")
    var expected = try ExplainResult.decoded(from: example())
    expected.seed = nil
    #expect(try ExplainResult.decoded(from: data) == expected)
  }

  @Test("A number that is NaN or infinite is refused by name, in every field")
  func notFinite() throws {
    var result = try ExplainResult.decoded(from: example())
    result.explanations[1].attributions[0].lens = .nan
    #expect(
      throws: ResultsError(
        code: .notFinite,
        message: "'explanations[1].attributions[0].lens' is not a finite number, so the result "
          + "cannot be written. The model's numbers overflowed; compute in a wider dtype.")
    ) { try result.encoded() }
    result.explanations[1].attributions[0].lens = 0
    result.method.tolerance = .infinity
    #expect(throws: ResultsError.self) { try result.encoded() }
    result.method.tolerance = nil
    result.timingsMs = ["load": .nan]
    #expect(throws: ResultsError.self) { try result.encoded() }
    #expect(throws: Never.self) { try result.encoded(reproducible: true) }
  }

  @Test("A part's number that is not finite is named with the way to it")
  func notFiniteParts() throws {
    let result = try ExplainResult.decoded(from: example())
    func message(_ change: (inout Explanation) -> Void) -> String? {
      var changed = result
      change(&changed.explanations[0])
      do {
        _ = try changed.encoded()
        return nil
      } catch {
        return (error as? ResultsError)?.message
      }
    }
    func sentence(_ path: String) -> String {
      "'explanations[0].\(path)' is not a finite number, so the result cannot be written. "
        + "The model's numbers overflowed; compute in a wider dtype."
    }
    #expect(
      message { $0.attributions[1].parts?[0].children?[0].children?[1].value = .infinity }
        == sentence("attributions[1].parts[0].children[0].children[1].value"))
    #expect(
      message { $0.attributions[0].residual = .nan } == sentence("attributions[0].residual"))
    #expect(message { $0.attributions[0].high = .nan } == sentence("attributions[0].high"))
    #expect(
      message { $0.alternatives?[1].standardErrors?[1] = .nan }
        == sentence("alternatives[1].standard_errors[1]"))
    #expect(
      message { $0.rankCorrelations?[0].spearman = .nan }
        == sentence("rank_correlations[0].spearman"))
    #expect(message { $0.checks?[0].rows[2].gap = .nan } == sentence("checks[0].rows[2].gap"))
  }

  @Test("What a part, an alternative or a check may not say is refused in words")
  func malformedParts() throws {
    let remedy = "It is damaged or not from Telescope; write it again."
    func expect(_ old: String, _ new: String, _ sentence: String) throws {
      #expect(message(of: try example(replacing: old, with: new)) == sentence)
    }
    func wrong(_ path: String, _ value: String, _ range: String) -> String {
      "'explanations[0].\(path)' of this result is \(value), which is not \(range). " + remedy
    }
    let unknown =
      "which this version of Telescope does not know. Use the version that wrote it, "
      + "or write it again."
    try expect(
      "{\"kind\": \"bias\"", "{\"kind\": \"router\\u001b[1m\"",
      "'explanations[0].attributions[1].parts[0].children[1].kind' of this result is "
        + "'router\u{FFFD}[1m', " + unknown)
    try expect(
      "\"replacement\": \"resample\"", "\"replacement\": \"noise\"",
      "'explanations[0].checks[0].replacement' of this result is 'noise', " + unknown)
    try expect(
      "\"scope\": \"position\"", "\"scope\": \"half\"",
      "'explanations[0].checks[0].scope' of this result is 'half', " + unknown)
    try expect(
      "\"kind\": \"neurons\", \"sign", "\"kind\": \"cells\", \"sign",
      "'explanations[0].checks[0].agreement[2].kind' of this result is 'cells', " + unknown)
    try expect(
      "\"source\": 3, \"value\"", "\"source\": 7, \"value\"",
      wrong(
        "attributions[1].parts[0].children[0].children[0].source", "7", "a position of 'tokens'"))
    try expect(
      "\"source\": 3, \"value\"", "\"value\"",
      "This result has no 'explanations[0].attributions[1].parts[0].children[0].children[0].source'"
        + ". "
        + remedy)
    try expect(
      "{\"head\": 3, \"kind\": \"head\"", "{\"head\": -3, \"kind\": \"head\"",
      wrong("attributions[1].parts[0].children[0].head", "-3", "0 or more"))
    try expect(
      "\"neuron\": 1204, \"residual\"", "\"neuron\": -1, \"residual\"",
      wrong("attributions[1].parts[1].children[0].neuron", "-1", "0 or more"))
    try expect(
      "\"kind\": \"embedding\", \"layer\": -1", "\"kind\": \"embedding\", \"layer\": -2",
      wrong("attributions[0].parts[0].layer", "-2", "-1 or more"))
    try expect(
      "\"low\": 0.6875", "\"low\": 0.75",
      wrong("attributions[1].low", "0.75", "at most 'high', 0.703125"))
    try expect(
      "\"converged\": [true, false]", "\"converged\": [true]",
      "'explanations[0].alternatives[0].converged' of this result has 1 entries, and "
        + "'explanations[0].attributions' has 2. " + remedy)
    try expect(
      "\"straight/zero\", \"spearman\": 1", "\"straight/zero\", \"spearman\": -1.5",
      wrong("rank_correlations[0].spearman", "-1.5", "from -1 to 1"))
    try expect(
      "\"sign_agreement\": 0.5", "\"sign_agreement\": 50",
      wrong("checks[0].agreement[1].sign_agreement", "50.0", "from 0 to 1"))
    try expect(
      "\"count\": 2", "\"count\": -2", wrong("checks[0].agreement[1].count", "-2", "0 or more"))
    try expect(
      "\"neurons\": [7, 1204], ", "",
      "This result has no 'explanations[0].checks[0].rows[3].neurons'. " + remedy)
    try expect(
      "\"neurons\": [7, 1204]", "\"neurons\": [7, -4]",
      wrong("checks[0].rows[3].neurons[1]", "-4", "0 or more"))
    try expect(
      "{\"position\": 2, \"text\": 0}", "{\"position\": 7}",
      wrong("checks[0].source.position", "7", "a position of 'tokens'"))
    try expect(
      "\"neurons\": 1,", "\"neurons\": -2,",
      "'method.neurons' of this result is -2, which is not -1 or more. " + remedy)
  }

  @Test("A result without parts, paths and checks has none of their fields")
  func absent() throws {
    var result = try ExplainResult.decoded(from: example())
    result.method.depth = nil
    result.method.neurons = nil
    result.method.completion = nil
    result.method.lens = nil
    for index in result.explanations.indices {
      result.explanations[index].alternatives = nil
      result.explanations[index].rankCorrelations = nil
      result.explanations[index].checks = nil
      for layer in result.explanations[index].attributions.indices {
        result.explanations[index].attributions[layer].parts = nil
        result.explanations[index].attributions[layer].residual = nil
        result.explanations[index].attributions[layer].low = nil
        result.explanations[index].attributions[layer].high = nil
      }
    }
    let data = try result.encoded()
    #expect(try ExplainResult.decoded(from: data) == result)
    let text = String(decoding: data, as: UTF8.self)
    for key in [
      "depth", "neurons", "completion", "\"lens\" : \"", "alternatives", "rank_correlations",
      "checks", "parts", "residual", "low", "high",
    ] {
      #expect(!text.contains(key), "\(key)")
    }
  }

  @Test("100,000 parts take seconds at most to write and read, and little more space for people")
  func many() throws {
    var result = try ExplainResult.decoded(from: example())
    let heads = (0..<100).map { head in
      AttributionNode(
        kind: .head, layer: 29, head: head, value: 1 / Double(head + 3),
        children: (0..<1000).map {
          AttributionNode(
            kind: .source, layer: 29, head: head, source: $0 % 7, value: 1 / Double($0 + 7))
        })
    }
    result.explanations[0].attributions[1].parts = heads
    let clock = ContinuousClock()
    var compact = Data()
    var indented = Data()
    let time = try clock.measure {
      compact = try result.encoded(indented: false)
      indented = try result.encoded()
    }
    #expect(time < .seconds(10))
    #expect(compact.count < 100_000 * 100)
    #expect(Double(indented.count) < 1.25 * Double(compact.count))
    var read: ExplainResult?
    #expect(try clock.measure { read = try ExplainResult.decoded(from: indented) } < .seconds(10))
    #expect(read == result)
  }

  @Test("Another schema, or another major version, is refused in words")
  func otherSchemas() throws {
    let schema = "\"schema\": \"telescope/explain/1\""
    #expect(
      message(of: try example(replacing: schema, with: "\"schema\": \"telescope/explain/2\""))
        == "This result's schema is 'telescope/explain/2', and this version of Telescope reads "
        + "'telescope/explain/1'. Use the version that wrote it, or write it again.")
    #expect(
      message(of: try example(replacing: schema, with: "\"schema\": \"telescope/flow/1\""))
        == "This result's schema is 'telescope/flow/1', and 'telescope/explain/1' is wanted. "
        + "Give a file that 'telescope explain --json' wrote.")
    #expect(
      message(of: try example(replacing: schema, with: "\"schema\": \"other\\u001b[31m\""))
        == "This JSON is not a Telescope result: its schema is 'other\u{FFFD}[31m', "
        + "not 'telescope/explain/1'. Give a file that 'telescope explain --json' wrote.")
    let none =
      "This JSON is not a Telescope result: it has no text field 'schema'. "
      + "Give a file that 'telescope explain --json' wrote."
    for other in ["{}", "{\"schema\": 1}", "{\"schema\": null}"] {
      #expect(message(of: Data(other.utf8)) == none)
    }
  }

  @Test("What is not JSON, or is cut short anywhere, is refused in words")
  func notJSON() throws {
    let sentence =
      "This is not a Telescope result: it is not a complete JSON object. "
      + "Give a file that 'telescope explain --json' wrote."
    for other in ["", "model", "[1]", "null", "7", String(repeating: "[", count: 100_000)] {
      #expect(message(of: Data(other.utf8)) == sentence, "\(other.prefix(20))")
    }
    let data = try example()
    for count in stride(from: 0, to: data.count - 2, by: 97) {
      #expect(message(of: data.prefix(count)) == sentence)
    }
  }

  @Test("A missing field, a wrong type and a count out of range are named")
  func malformed() throws {
    let remedy = "It is damaged or not from Telescope; write it again."
    #expect(
      message(of: try example(replacing: "\"lens\": 0.75,", with: ""))
        == "This result has no 'explanations[0].attributions[1].lens'. " + remedy)
    #expect(
      message(of: try example(replacing: "\"lens\": 0.75,", with: "\"lens\": \"0.75\","))
        == "'explanations[0].attributions[1].lens' of this result is not of the type that the "
        + "schema says. " + remedy)
    #expect(
      message(of: try example(replacing: "\"lens\": 0.75,", with: "\"lens\": null,"))
        == "'explanations[0].attributions[1].lens' of this result is not of the type that the "
        + "schema says. " + remedy)
    #expect(
      message(
        of: try example(
          replacing: "\"prompt_tokens\": 5,\n  \"schema\"",
          with: "\"prompt_tokens\": 8,\n  \"schema\""))
        == "'prompt_tokens' of this result is 8, which is not from 0 to 7. " + remedy)
    #expect(
      message(
        of: try example(
          replacing: "\"position\": 4,\n      \"sum\": 5.25",
          with: "\"position\": -1,\n      \"sum\": 5.25"))
        == "'explanations[1].position' of this result is -1, which is not a position of 'tokens'. "
        + remedy)
    #expect(
      message(of: try example(replacing: "\"layers\": 30,", with: "\"layers\": 1e99,")) != nil)
    #expect(
      message(of: try example(replacing: "\"lens\": 0.75,", with: "\"lens\": 1e999,")) != nil)
  }

  @Test("A character that spans tokens is whole when their bytes are joined")
  func joined() {
    let tokens = [
      TokenDescription(id: 0, text: "a "),
      TokenDescription(id: 1, text: "\u{FFFD}", bytes: "f09f"),
      TokenDescription(id: 2, text: "\u{FFFD}", bytes: "918d"), TokenDescription(id: 3, text: "!"),
    ]
    #expect(tokens.joinedText == "a 👍!")
    #expect(tokens.prefix(2).joinedText == "a \u{FFFD}")
  }
}
