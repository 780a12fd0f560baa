import Foundation
import Results
import Testing

@Suite("Lines of many results")
struct ExplainLineTests {
  private let failure = ExplainFailure(
    id: "a/b", line: 7, prompt: "Two\nlines \u{1F600}", message: "Too long; shorten it.")

  @Test("A failure is one line, with sorted keys, and reads back the same")
  func failureLine() throws {
    let data = try ExplainLine.failure(failure).encoded()
    #expect(
      String(decoding: data, as: UTF8.self)
        == "{\"id\":\"a/b\",\"line\":7,\"message\":\"Too long; shorten it.\","
        + "\"prompt\":\"Two\\nlines \u{1F600}\",\"schema\":\"telescope/error/1\"}\n")
    let read = try ExplainLine.decoded(from: data)
    #expect(read == .failure(failure) && read.id == "a/b" && read.prompt == failure.prompt)
  }

  @Test("A result is one line too, with the id that its prompt had")
  func resultLine() throws {
    var result = ExplainResult(
      toolVersion: "0",
      model: .init(name: "m", sha256: "aa", architecture: "llama", layers: 1, dtype: "float32"),
      device: "cpu", id: "first", prompt: "a\nb", promptTokens: 0, tokens: [],
      method: .init(
        path: "chain", baseline: "mean", target: "prob", estimator: "observed", layers: [0],
        onsetFraction: 0.5),
      explanations: [])
    for id in ["first", nil] {
      result.id = id
      let data = try ExplainLine.result(result).encoded()
      #expect(data.count { $0 == UInt8(ascii: "\n") } == 1 && data.last == UInt8(ascii: "\n"))
      #expect(String(decoding: data, as: UTF8.self).contains("\"id\":") == (id != nil))
      let read = try ExplainLine.decoded(from: data)
      #expect(read == .result(result) && read.id == id && read.prompt == "a\nb")
    }
  }

  @Test("Failures with missing or wrong fields are refused by name")
  func damaged() throws {
    let cases = [
      (
        #"{"schema":"telescope/error/1","line":1,"prompt":"p"}"#,
        "This result has no 'message'. It is damaged or not from Telescope; write it again."
      ),
      (
        #"{"schema":"telescope/error/1","line":"1","prompt":"p","message":"m"}"#,
        "'line' of this result is not of the type that the schema says. It is damaged or not from "
          + "Telescope; write it again."
      ),
      (
        #"{"schema":"telescope/error/1","line":1.5,"prompt":"p","message":"m"}"#,
        "'line' of this result is not of the type that the schema says. It is damaged or not from "
          + "Telescope; write it again."
      ),
      (
        #"{"schema":"telescope/error/2","line":1,"prompt":"p","message":"m"}"#,
        "This result's schema is 'telescope/error/2', and 'telescope/explain/1' is wanted. Give a file "
          + "that 'telescope explain --json' wrote."
      ),
    ]
    for (text, message) in cases {
      let error = #expect(throws: ResultsError.self) {
        try ExplainLine.decoded(from: Data(text.utf8))
      }
      #expect(error?.message == message)
    }
  }
}
