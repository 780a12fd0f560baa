import Foundation
import StrictJSON
import Testing

@Suite("JSON parsing")
struct JSONParsingTests {
  @Test(
    "Every kind of value is read",
    arguments: [
      ("null", .null), (" true ", .boolean(true)), ("false", .boolean(false)),
      ("0", .number(.integer(0))), ("-12", .number(.integer(-12))),
      ("\"\"", .string("")), ("\t\r\n []", .array([])),
      (
        "[1, [2], \"x\"]",
        .array([
          .number(.integer(1)), .array([.number(.integer(2))]), .string("x"),
        ])
      ),
    ] as [(String, JSON)])
  func values(text: String, expected: JSON) throws {
    #expect(try JSON.parse(text.utf8) == expected)
  }

  @Test(
    "Integers within Int are exact and all else is the nearest double",
    arguments: [
      ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9007199254740993", .integer(9_007_199_254_740_993)),
      ("9223372036854775808", .real(0x1p63)), ("1000000000000000019884624838656", .real(1e30)),
      ("-0", .real(-0.0)), ("1.0", .real(1)), ("1e2", .real(100)), ("1E+2", .real(100)),
      ("25e-1", .real(2.5)), ("0.1", .real(0.1)), ("5e-324", .real(.leastNonzeroMagnitude)),
      ("1e-400", .real(0)), ("1.7976931348623157e308", .real(.greatestFiniteMagnitude)),
    ] as [(String, JSONNumber)])
  func numbers(text: String, expected: JSONNumber) throws {
    #expect(try JSON.parse(text.utf8) == .number(expected))
    if text == "-0" { #expect(try JSON.parse(text.utf8).double?.sign == .minus) }
  }

  @Test(
    "Escapes become the characters they name",
    arguments: [
      (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u6F22""#, "Aé漢"),
      (#""\ud83d\ude00!""#, "😀!"), (#""a\u0000b""#, "a\0b"), (#""é\u0301""#, "é\u{301}"),
      ("\"\u{10FFFF}\u{E000}\u{FFFF}\"", "\u{10FFFF}\u{E000}\u{FFFF}"),
    ])
  func escapes(text: String, expected: String) throws {
    let read = try #require(try JSON.parse(text.utf8).string)
    #expect(Array(read.utf8) == Array(expected.utf8))
  }

  @Test("Members keep the order of the text")
  func order() throws {
    let value = try JSON.parse(#"{"z": 1, "a": {"y": 2, "b": 3}, "m": []}"#.utf8)
    #expect(value.members?.map(\.key) == ["z", "a", "m"])
    #expect(value["a"]?.members?.map(\.key) == ["y", "b"])
  }

  @Test("Canonically equivalent keys are different keys")
  func equivalentKeys() throws {
    let value = try JSON.parse(#"{"caf\u00e9": 1, "cafe\u0301": 2}"#.utf8)
    #expect(value["caf\u{E9}"]?.integer == 1)
    #expect(value["cafe\u{301}"]?.integer == 2)
    #expect(try JSON.parse("\"\u{E9}\"".utf8) != JSON.parse("\"e\u{301}\"".utf8))
  }

  @Test("A key that stands twice is refused, however it is written and however many there are")
  func duplicateKeys() {
    expect(
      #"{"a":1,"b":2,"\u0061":3}"#, .duplicateKey, 13, "the key 'a' stands twice in one object")
    let many = (0..<1000).map { "\"k\($0)\":0" }.joined(separator: ",")
    expect(
      "{\(many),\"k0\":1}", .duplicateKey, many.utf8.count + 2,
      "the key 'k0' stands twice in one object")
    #expect(throws: Never.self) { try JSON.parse(#"[{"a":{"a":1}},{"a":2}]"#.utf8) }
  }

  @Test(
    "What is not JSON is refused with the byte at fault",
    arguments: [
      ("", .unexpectedEnd, 0, "the text ends where a value should stand"),
      ("  ", .unexpectedEnd, 2, "the text ends where a value should stand"),
      ("[1,", .unexpectedEnd, 3, "the text ends where a value should stand"),
      ("[1", .unexpectedEnd, 2, "the text ends where ',' or ']' should stand"),
      ("{\"a\"", .unexpectedEnd, 4, "the text ends where ':' should stand"),
      ("\"abc", .unexpectedEnd, 0, "the string that begins here has no end"),
      ("\"a\\", .unexpectedEnd, 3, "the text ends where the rest of an escape should stand"),
      ("tru", .unexpectedEnd, 3, "the text ends inside 'true'"),
      ("trve", .syntax, 0, "expected 'true'"),
      ("[1,]", .syntax, 3, "expected a value, found ']'"),
      ("[1 2]", .syntax, 3, "expected ',' or ']', found '2'"),
      ("{\"a\":1,}", .syntax, 7, "expected a key, found '}'"),
      ("{a:1}", .syntax, 1, "expected a key, found 'a'"),
      ("{\"a\" 1}", .syntax, 5, "expected ':', found '1'"),
      ("{\"a\":1 \"b\":2}", .syntax, 7, "expected ',' or '}', found '\"'"),
      ("'a'", .syntax, 0, "expected a value, found '''"),
      ("\u{FEFF}1", .syntax, 0, "expected a value, found 0xEF"),
      ("\"a\nb\"", .syntax, 2, "the control character 0x0A in a string must be escaped"),
      ("NaN", .syntax, 0, "expected a value, found 'N'"),
      ("Infinity", .syntax, 0, "expected a value, found 'I'"),
      ("-Infinity", .invalidNumber, 0, "a number lacks a digit at byte 1"),
      ("+1", .syntax, 0, "expected a value, found '+'"),
      ("01", .invalidNumber, 0, "a number may not begin with a needless 0"),
      ("[-]", .invalidNumber, 1, "a number lacks a digit at byte 2"),
      ("[1.]", .invalidNumber, 1, "a number lacks a digit at byte 3"),
      ("[1e+]", .invalidNumber, 1, "a number lacks a digit at byte 4"),
      ("1e400", .invalidNumber, 0, "the number is beyond the range of a double"),
      ("1 2", .trailingBytes, 2, "bytes follow the end of the value"),
      ("{}\0", .trailingBytes, 2, "bytes follow the end of the value"),
      (#""\x""#, .invalidEscape, 1, "JSON has no escape '\\' + 'x'"),
      (#""\u12G4""#, .invalidEscape, 1, "'\\u' needs four hexadecimal digits"),
      (#""\ud800""#, .invalidEscape, 1, "the escape is half of a surrogate pair"),
      (#""\ud800\u0041""#, .invalidEscape, 1, "the escape is half of a surrogate pair"),
      (#""\udc00""#, .invalidEscape, 1, "the escape is half of a surrogate pair"),
    ] as [(String, JSONError.Code, Int, String)])
  func faults(text: String, code: JSONError.Code, offset: Int, what: String) {
    expect(text, code, offset, what)
  }

  @Test(
    "Bytes that are not well-formed UTF-8 are refused",
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0xBF], [0xE2, 0x82],
      [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
      [0xF5, 0x80, 0x80, 0x80], [0xFF],
    ] as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    let text: [UInt8] = [0x22, 0x61] + bytes + [0x22]
    #expect {
      try JSON.parse(text)
    } throws: { error in
      (error as? JSONError)?.message == "byte 2: not valid UTF-8"
        && (error as? JSONError)?.code == .invalidUTF8
    }
  }

  @Test("Nesting is limited, by the caller and in the end by the parser")
  func depth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSON.parse(nested(128).utf8)
    expect(nested(129), .tooDeep, 128, "arrays and objects nest deeper than 128")
    #expect(
      throws: JSONError.self, performing: { try JSON.parse(nested(3).utf8, maximumDepth: 2) })
    _ = try JSON.parse(nested(JSON.deepestNesting).utf8, maximumDepth: .max)
    #expect {
      try JSON.parse(nested(100_000).utf8, maximumDepth: .max)
    } throws: { error in
      (error as? JSONError)?.message == "byte 512: arrays and objects nest deeper than 512"
    }
  }

  @Test("Numbers that are not finite are read where they are asked for")
  func nonFinite() throws {
    let value = try JSON.parse("[NaN, Infinity, -Infinity, -1]".utf8, allowNonFinite: true)
    #expect(value[0]?.double?.isNaN == true)
    #expect(value[1]?.double == .infinity)
    #expect(value[2]?.double == -.infinity)
    #expect(value[3]?.integer == -1)
  }

  @Test("A hundred thousand keys take no longer than their bytes deserve")
  func manyKeys() throws {
    let members = (0..<100_000).map { "\"token\($0)\":\($0)" }.joined(separator: ",")
    let start = ContinuousClock.now
    let value = try JSON.parse("{\(members)}".utf8)
    // Comparing every pair of keys would take minutes.
    #expect(ContinuousClock.now - start < .seconds(5))
    #expect(value.object?.count == 100_000)
    #expect(value.members?.last?.value.integer == 99_999)
  }

  private func expect(
    _ text: String, _ code: JSONError.Code, _ offset: Int, _ what: String,
    at location: SourceLocation = #_sourceLocation
  ) {
    #expect(sourceLocation: location) {
      try JSON.parse(text.utf8)
    } throws: { error in
      guard let error = error as? JSONError else { return false }
      #expect(error.message == "byte \(offset): \(what)", sourceLocation: location)
      #expect(error.code == code, sourceLocation: location)
      return error.offset == offset
    }
  }
}
