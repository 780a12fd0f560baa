import StrictJSON
import Testing

@Suite("JSON values")
struct JSONValueTests {
  private let value: JSON

  init() throws {
    value = try JSON.parse(
      #"{"n": null, "t": true, "i": 3, "r": 3.0, "s": "x", "a": [1, 2], "o": {"k": 1}}"#.utf8)
  }

  @Test("Each accessor answers for its own kind alone")
  func accessors() {
    #expect(value["n"]?.isNull == true)
    #expect(value["t"]?.boolean == true)
    #expect(value["i"]?.integer == 3)
    #expect(value["i"]?.double == 3)
    #expect(value["r"]?.integer == nil)
    #expect(value["r"]?.double == 3)
    #expect(value["s"]?.string == "x")
    #expect(value["a"]?.array?.count == 2)
    #expect(value["a"]?[1]?.integer == 2)
    #expect(value["a"]?[2] == nil)
    #expect(value["a"]?[-1] == nil)
    #expect(value["o"]?["k"]?.integer == 1)
    #expect(value["t"]?.integer == nil)
    #expect(value["s"]?["k"] == nil)
    #expect(value["absent"] == nil)
  }

  @Test("Kinds have the names that messages use")
  func kinds() {
    #expect(
      value.members?.map(\.value.kind) == [
        "null", "a boolean", "a number", "a number", "a string", "an array", "an object",
      ])
    #expect(value.kind == "an object")
  }

  @Test("Objects are equal whatever the order of their members")
  func equality() throws {
    let left = try JSON.parse(#"{"a": 1, "b": [true]}"#.utf8)
    #expect(try left == JSON.parse(#"{"b": [true], "a": 1}"#.utf8))
    #expect(try left != JSON.parse(#"{"b": [true], "a": 2}"#.utf8))
    #expect(try left != JSON.parse(#"{"b": [true]}"#.utf8))
    #expect(try JSON.parse("1".utf8) != JSON.parse("1.0".utf8))
  }

  @Test("Exact strings differ where Swift takes canonically equivalent texts for one")
  func exactStrings() {
    #expect("\u{E9}" == "e\u{301}")
    #expect(ExactString("\u{E9}") != ExactString("e\u{301}"))
    #expect(
      Set([ExactString("\u{E9}"), ExactString("e\u{301}"), ExactString("\u{E9}")]).count == 2)
  }
}
