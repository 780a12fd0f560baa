import StrictJSON
import Testing
import Tokenization

@Suite("Tokenizers made from plain vocabularies")
struct VocabularyTests {
  @Test("Scored pairs merge by the definition: the highest score first, of equal ones the leftmost")
  func scoredPairs() throws {
    var numbers = SeededNumbers(state: 41)
    let letters = ["\u{2581}", "a", "b", "c", "é"]
    for round in 0..<40 {
      var tokens = letters
      for _ in 0..<30 {
        let token = tokens.randomElement(using: &numbers)! + tokens.randomElement(using: &numbers)!
        if !tokens.contains(token) { tokens.append(token) }
      }
      // Few different scores, so that many are equal; é is no token by itself in every other round.
      let scores = tokens.map { _ in -Double(Int.random(in: 0..<6, using: &numbers)) }
      if round % 2 == 1 { tokens[4] = "<unused>" }
      let tokenizer = try Tokenizer(
        vocabulary: ScoredPairVocabulary(
          tokens: tokens + ["<unk>"], scores: scores + [0],
          tokenTypes: tokens.map { _ in 1 } + [2], text: SentencePieceText(prefix: .never),
          usesByteFallback: false, fusesUnknown: false, roles: TokenRoles(unknown: tokens.count)))
      for length in [5, 20, 120] {
        let text = String(
          (0..<length).map { _ in Character(letters.randomElement(using: &numbers)!) })
        #expect(tokenizer.encode(text).ids == Self.slowMerge(text, tokens, scores))
      }
    }
  }

  private static func slowMerge(_ text: String, _ tokens: [String], _ scores: [Double]) -> [Int] {
    var parts = text.map { String($0) }
    while true {
      var best: (score: Double, place: Int)?
      for place in 0..<(parts.count - 1) {
        guard let id = tokens.firstIndex(of: parts[place] + parts[place + 1]) else { continue }
        if best.map({ scores[id] > $0.score }) ?? true { best = (scores[id], place) }
      }
      guard let best else { break }
      parts[best.place] += parts.remove(at: best.place + 1)
    }
    return parts.map { tokens.firstIndex(of: $0) ?? tokens.count }
  }

  @Test("Unigram takes the division of the greatest sum among all divisions")
  func unigram() throws {
    var numbers = SeededNumbers(state: 43)
    let letters = ["a", "b", "c"]
    for _ in 0..<60 {
      var tokens = ["<unk>", "a", "b"]
      for _ in 0..<10 {
        let token = (0..<Int.random(in: 2...4, using: &numbers))
          .map { _ in letters.randomElement(using: &numbers)! }.joined()
        if !tokens.contains(token) { tokens.append(token) }
      }
      let scores = tokens.map { _ in Double.random(in: -9 ..< -1, using: &numbers) }
      let tokenizer = try Tokenizer(
        vocabulary: UnigramVocabulary(
          tokens: tokens, scores: scores, tokenTypes: [2] + tokens.dropFirst().map { _ in 1 },
          text: SentencePieceText(prefix: .never), roles: TokenRoles(unknown: 0)))
      let text = (0..<9).map { _ in letters.randomElement(using: &numbers)! }.joined()
      let all = Self.divisions(Array(text), tokens, scores)
      let best = all.max { $0.score < $1.score }!
      #expect(tokenizer.encode(text).ids == best.ids)
    }
  }

  /// Every division with its score; unknown characters beside each other are one token.
  private static func divisions(
    _ text: [Character], _ tokens: [String], _ scores: [Double]
  ) -> [(ids: [Int], score: Double)] {
    guard let first = text.first else { return [([], 0)] }
    var all: [(ids: [Int], score: Double)] = []
    for length in 1...min(4, text.count) {
      guard let id = tokens.firstIndex(of: String(text[..<length])) else { continue }
      for rest in divisions(Array(text[length...]), tokens, scores) {
        all.append(([id] + rest.ids, scores[id] + rest.score))
      }
    }
    if !tokens.contains(String(first)) {
      for rest in divisions(Array(text.dropFirst()), tokens, scores) {
        let ids = rest.ids.first == 0 ? rest.ids : [0] + rest.ids
        all.append((ids, scores.min()! - 10 + rest.score))
      }
    }
    return all
  }

  @Test("A WordPiece vocabulary gives what its tokenizer.json gives")
  func wordPieces() throws {
    let file = Corpus.load("bert-cased.tokenizer.json")
    let members = file["model"]!["vocab"]!.members!.sorted { $0.value.integer! < $1.value.integer! }
    let tokenizer = try Tokenizer(
      vocabulary: WordPieceVocabulary(
        tokens: members.map(\.key), tokenTypes: [2, 3, 3, 3] + members.dropFirst(4).map { _ in 1 },
        text: .init(lowercases: false),
        roles: TokenRoles(unknown: 0, padding: 1, beginning: [2], ending: [3])))
    let reference = KindReference("bert-cased")
    for (line, ids) in zip(Corpus.lines, reference.plain) {
      #expect(tokenizer.encode(line).ids == ids)
    }
    #expect(tokenizer.beginning == [2] && tokenizer.ending == [3] && tokenizer.unknown == 0)
  }

  @Test("The ways to put a space before a text, and to drop extra ones")
  func spaces() throws {
    func ids(_ text: SentencePieceText, _ source: String) throws -> [Int] {
      let vocabulary = ScoredPairVocabulary(
        tokens: ["\u{2581}", "a", "<s>"], scores: [0, 0, 0], tokenTypes: [1, 1, 3], text: text)
      return try Tokenizer(vocabulary: vocabulary).encode(source, specialTokens: true).ids
    }
    #expect(try ids(SentencePieceText(prefix: .always), "a<s>a") == [0, 1, 2, 0, 1])
    #expect(try ids(SentencePieceText(prefix: .first), "a<s>a") == [0, 1, 2, 1])
    #expect(try ids(SentencePieceText(prefix: .never), "a<s>a") == [1, 2, 1])
    let trims = SentencePieceText(prefix: .always, removesExtraSpaces: true)
    #expect(try ids(trims, "  a  a ") == [0, 1, 0, 1])
    // The space put before a text comes on top of its own.
    #expect(try ids(SentencePieceText(prefix: .always), " a  a") == [0, 0, 1, 0, 0, 1])
  }

  @Test("The mask is found by its name, or as the configuration says")
  func mask() throws {
    #expect(try TokenizerTests.tokenizer("bert").mask == 4)
    let roberta = try TokenizerTests.tokenizer("roberta")
    #expect(roberta.mask == roberta.id(of: "<mask>") && roberta.mask != nil)
    #expect(try TokenizerTests.tokenizer("llama2").mask == nil)
    let named = try Tokenizer(
      json: Corpus.bytes("bert.tokenizer.json"),
      configuration: Array(#"{"mask_token": "[PAD]"}"#.utf8),
      specialTokens: Array(#"{"mask_token": "[SEP]", "cls_token": "[CLS]"}"#.utf8))
    #expect(named.mask == 1)
  }

  @Test("A token is found by the text it stands for")
  func tokensByText() throws {
    let llama = try TokenizerTests.tokenizer("llama2")
    let word = try #require(llama.id(of: " the"))
    #expect(llama.text(of: word) == " the" && llama.encode("the").ids == [word])
    let line = try #require(llama.encode("a\n").ids.last)
    #expect(llama.bytes(of: line) == [10])
    let bert = try TokenizerTests.tokenizer("bert")
    let piece = try #require(bert.id(of: "##e"))
    #expect(bert.text(of: piece) == "##e" && bert.id(of: " the") == nil)
  }
}
