import Foundation
import Testing
import Tokenization

@Suite("Normal forms")
struct NormalFormTests {
  /// A tokenizer of single bytes that does nothing but normalize.
  private static func normalizer(_ form: String) throws -> Tokenizer {
    let alphabet = [33...126, 161...172, 174...255].joined().map { UInt32($0) }
    let others = (0..<(256 - alphabet.count)).map { UInt32(256 + $0) }
    let vocabulary = (alphabet + others).enumerated().map { id, scalar in
      let text = String(Unicode.Scalar(scalar)!)
      return "\"\(text == "\"" || text == "\\" ? "\\" : "")\(text)\": \(id)"
    }
    let json = """
      {"normalizer": {"type": "\(form)"}, "pre_tokenizer": {"type": "ByteLevel",
       "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
       "model": {"type": "BPE", "vocab": {\(vocabulary.joined(separator: ", "))}, "merges": []}}
      """
    return try Tokenizer(json: json.utf8)
  }

  /// Foundation's form, by way of the decomposed one: it composes too little otherwise.
  private static func expected(_ text: String, _ form: String) -> String {
    switch form {
    case "NFC":
      text.decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
    case "NFD":
      text.decomposedStringWithCanonicalMapping
    case "NFKC":
      text.decomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping
    default:
      text.decomposedStringWithCompatibilityMapping
    }
  }

  @Test("Each form equals Foundation's", arguments: ["NFC", "NFD", "NFKC", "NFKD"])
  func forms(_ form: String) throws {
    let tokenizer = try Self.normalizer(form)
    var numbers = SeededNumbers(state: 53)
    let blocks: [ClosedRange<UInt32>] = [
      0x20...0x7E, 0xA0...0x24F, 0x300...0x36F, 0x370...0x3FF, 0x900...0xDFF, 0x1100...0x11A6,
      0x11A8...0x11FF, 0x1E00...0x1FFF, 0x2100...0x24FF, 0x3040...0x33FF, 0xAC00...0xD7A3,
      0xF900...0xFAD9, 0xFB00...0xFEFC, 0x1_D15E...0x1_D1C0, 0x1_D400...0x1_D7FF,
      0x2_F800...0x2_FA1D,
    ]
    for _ in 0..<6000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 1...6, using: &numbers) {
        let block = blocks.randomElement(using: &numbers)!
        if let scalar = Unicode.Scalar(UInt32.random(in: block, using: &numbers)) {
          text.append(scalar)
        }
      }
      let wanted = Self.expected(String(text), form)
      let found = tokenizer.decode(tokenizer.encode(String(text)).ids)
      #expect(
        found.utf8.elementsEqual(wanted.utf8),
        "\(text.map { String($0.value, radix: 16) }): \(found.unicodeScalars.map { String($0.value, radix: 16) })"
      )
    }
  }
}
