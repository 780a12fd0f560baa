import Foundation
import StrictJSON
import TestSupport
import Testing
import Tokenization

/// The texts of `Tests/Fixtures/tokenization`, and what the reference implementation makes of them.
enum Corpus {
  static let lines: [String] = load("corpus.json").array!.map { $0.string! }

  static func load(_ name: String) -> JSON {
    guard let json = try? JSON.parse(bytes(name)) else { fatalError("\(name) is not JSON") }
    return json
  }

  static func bytes(_ name: String) -> [UInt8] {
    let path = Fixtures.url("tokenization/" + name).path
    guard let data = FileManager.default.contents(atPath: path) else {
      fatalError("\(path) cannot be read")
    }
    return Array(data)
  }

  /// Reference ids with special tokens as text, and for lines where it differs with them found.
  struct Reference {
    let plain: [[Int]]
    let special: [Int: [Int]]

    init(_ name: String) {
      let file = load(name + ".ids.json")
      func ids(_ value: JSON) -> [Int] { value.array!.map { $0.integer! } }
      plain = file["ids"]!.array!.map(ids)
      special = Dictionary(
        uniqueKeysWithValues: file["special"]!.members!.map { (Int($0.key)!, ids($0.value)) })
    }
  }

  /// Holds every line against the reference, both ways of treating special tokens.
  static func compare(
    _ tokenizer: Tokenizer, _ name: String, _ location: SourceLocation = #_sourceLocation
  ) {
    let reference = Reference(name)
    #expect(reference.plain.count == lines.count, sourceLocation: location)
    var wrong = 0
    for (index, line) in lines.enumerated() {
      for special in [false, true] {
        let wanted =
          special ? reference.special[index] ?? reference.plain[index] : reference.plain[index]
        let found = tokenizer.encode(line, specialTokens: special).ids
        if found != wanted, wrong < 5 {
          wrong += 1
          Issue.record(
            "line \(index) \(line.debugDescription), special \(special): \(found), not \(wanted)",
            sourceLocation: location)
        }
      }
    }
  }
}
