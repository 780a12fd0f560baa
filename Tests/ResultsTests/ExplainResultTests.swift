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
