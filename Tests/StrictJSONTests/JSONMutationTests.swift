import Foundation
import StrictJSON
import Testing

@Suite("JSON under mutation")
struct JSONMutationTests {
  @Test("A damaged text is refused or read, and what is read Foundation reads too")
  func mutations() throws {
    let text = Array(
      #"{"a": [1, -2.5e3, true, false, null], "b\n\u00e9\ud83d\ude00": {"c": "x漢"}, "d": ""}"#.utf8)
    var generator = SplitMix(state: 0x7E1E_5C09)
    var accepted = 0
    for _ in 0..<20_000 {
      var damaged = text
      for _ in 0...generator.below(2) {
        let place = generator.below(damaged.count)
        switch generator.below(4) {
        case 0: damaged[place] = UInt8(truncatingIfNeeded: generator.next())
        case 1: damaged[place] ^= 1 << UInt8(generator.below(8))
        case 2: damaged.remove(at: place)
        default: damaged.insert(text[generator.below(text.count)], at: place)
        }
      }
      guard (try? JSON.parse(damaged)) != nil else { continue }
      accepted += 1
      #expect(throws: Never.self, "\(String(decoding: damaged, as: UTF8.self))") {
        try JSONSerialization.jsonObject(with: Data(damaged), options: .fragmentsAllowed)
      }
    }
    // Some mutations hit the inside of strings and digits and leave valid texts.
    #expect(accepted > 1000)
  }

  @Test("Every beginning of a text is refused")
  func truncations() {
    let text = Array(#"{"a": [1, {"b": "\ud83d\ude00é"}, -2.5e3], "c": null}"#.utf8)
    for length in 0..<text.count {
      #expect(throws: JSONError.self) { try JSON.parse(text.prefix(length)) }
    }
  }
}

/// A small generator with a seed, so that a failure comes back.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
