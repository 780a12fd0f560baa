import Testing
import Tokenization

/// Numbers that are the same in every run (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

@Suite("Random texts and damaged files")
struct FuzzTests {
  @Test("Decoding gives back any text", arguments: TokenizerTests.exact)
  func roundTrip(_ name: String) throws {
    let tokenizer = try TokenizerTests.tokenizer(name)
    var numbers = SeededNumbers(state: 7)
    for round in 0..<4000 {
      let text = round % 2 == 0 ? Self.scalars(&numbers) : Self.bytes(&numbers)
      for special in [false, true] {
        let encoded = tokenizer.encode(text, specialTokens: special)
        #expect(tokenizer.decode(encoded.ids).utf8.elementsEqual(text.utf8))
        #expect(encoded.ranges.reduce(0) { $0 + $1.count } == text.utf8.count)
      }
    }
  }

  static func scalars(_ numbers: inout SeededNumbers) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0..<40, using: &numbers) {
      let limit: UInt32 = [0x80, 0x100, 0x3000, 0x1_0000, 0x11_0000].randomElement(using: &numbers)!
      if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &numbers)) {
        for _ in 0..<Int.random(in: 1...3, using: &numbers) { text.append(scalar) }
      }
    }
    return String(text)
  }

  static func bytes(_ numbers: inout SeededNumbers) -> String {
    let count = Int.random(in: 0..<60, using: &numbers)
    return String(
      decoding: (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }, as: UTF8.self)
  }

  @Test("The heap for long pieces and the search for short ones merge alike")
  func longPieces() throws {
    let tokenizer = try TokenizerTests.tokenizer("gpt2")
    var numbers = SeededNumbers(state: 11)
    // In a word of so many letters, the tokens of a part with fixed borders must not depend on what
    // is far away: compare with merging by the definition.
    for _ in 0..<60 {
      let count = Int.random(in: 40..<200, using: &numbers)
      let word = String((0..<count).map { _ in "etaoinshr".randomElement(using: &numbers)! })
      #expect(tokenizer.encode(word).ids == slowMerge(word, tokenizer))
    }
  }

  /// Merges by the definition: again and again the pair of lowest rank, here the pair whose result
  /// has the lowest id, as the training of these tokenizers numbers results by rank.
  private func slowMerge(_ word: String, _ tokenizer: Tokenizer) -> [Int] {
    var parts = word.map { String($0) }
    while true {
      var best: (id: Int, place: Int)?
      for place in 0..<(parts.count - 1) {
        guard let id = tokenizer.id(of: parts[place] + parts[place + 1]) else { continue }
        if best.map({ id < $0.id }) ?? true { best = (id, place) }
      }
      guard let best else { break }
      parts[best.place] += parts.remove(at: best.place + 1)
    }
    return parts.map { tokenizer.id(of: $0)! }
  }

  /// A file with a few bytes changed, cut out, put in or cut off.
  static func damaged(_ original: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
    var damaged = original
    for _ in 0..<Int.random(in: 1...3, using: &numbers) {
      let place = Int.random(in: 0..<damaged.count, using: &numbers)
      switch Int.random(in: 0..<4, using: &numbers) {
      case 0: damaged[place] = UInt8.random(in: 0x20..<0x7F, using: &numbers)
      case 1: damaged.removeSubrange(place..<min(place + 9, damaged.count))
      case 2: damaged.insert(contentsOf: "99".utf8, at: place)
      default: damaged.removeSubrange(place...)
      }
      if damaged.isEmpty { damaged = original }
    }
    return damaged
  }

  @Test("A damaged file is refused or read, never more")
  func damagedFiles() throws {
    let refused = Self.refusals(
      of: "prefix.tokenizer.json", seed: 3, rounds: 400, text: "Hello <mask> 123")
    #expect(refused > 200)
  }

  /// How many of so many damaged copies of a tokenizer's file are refused, each by its name; the others
  /// write a text and read it back.
  static func refusals(of name: String, seed: UInt64, rounds: Int, text: String) -> Int {
    let original = Corpus.bytes(name)
    var numbers = SeededNumbers(state: seed)
    var refused = 0
    for _ in 0..<rounds {
      let damaged = Self.damaged(original, &numbers)
      do {
        let tokenizer = try Tokenizer(json: damaged)
        _ = tokenizer.decode(tokenizer.encode(text, specialTokens: true).ids)
      } catch {
        refused += 1
        #expect(error.message.hasPrefix("tokenizer.json: "))
      }
    }
    return refused
  }

  @Test("A damaged template is refused or rendered, never more")
  func damagedTemplates() throws {
    var numbers = SeededNumbers(state: 5)
    var refused = 0
    for name in ChatTemplateTests.names {
      let original = Corpus.bytes("templates/" + name + ".jinja")
      for _ in 0..<150 {
        var damaged = original
        for _ in 0..<Int.random(in: 1...4, using: &numbers) {
          let place = Int.random(in: 0..<damaged.count, using: &numbers)
          switch Int.random(in: 0..<3, using: &numbers) {
          case 0:
            damaged[place] = "{}%|()[]'\"+-*/~.,:= \n0xa#_<>!".utf8.randomElement(using: &numbers)!
          case 1: damaged.removeSubrange(place..<min(place + 5, damaged.count))
          default:
            let end = min(place + 20, damaged.count)
            damaged.insert(contentsOf: damaged[place..<end], at: place)
          }
          if damaged.isEmpty { damaged = original }
        }
        let conversation = TemplateCase.all[Int.random(in: 0..<9, using: &numbers)]
        if let message = refusal(damaged, conversation) {
          refused += 1
          #expect(message.hasPrefix("chat template, line "))
        }
      }
    }
    #expect(refused > 300)
  }

  /// Why a template cannot be read or rendered, if it cannot.
  private func refusal(_ source: [UInt8], _ conversation: TemplateCase) -> String? {
    do throws(TokenizationError) {
      let template = try ChatTemplate(String(decoding: source, as: UTF8.self))
      _ = try conversation.render(template)
      return nil
    } catch {
      return error.message
    }
  }
}
