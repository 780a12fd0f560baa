import Testing
import Tokenization

@Suite("What is wrong with a tokenizer of another kind")
struct KindErrorTests {
  private static func file(
    _ model: String, normalizer: String = "null", preTokenizer: String = "null",
    decoder: String = "null", added: String = "[]"
  ) -> String {
    """
    {"normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer), "decoder": \(decoder),
     "added_tokens": \(added), "model": \(model)}
    """
  }

  private static let pairs = #"{"type": "BPE", "vocab": {"a": 0}, "merges": []}"#

  private func refusal(_ json: String) -> TokenizationError? {
    do throws(TokenizationError) {
      _ = try Tokenizer(json: json.utf8)
      return nil
    } catch {
      return error
    }
  }

  static let malformed: [(String, String)] = [
    (
      file(#"{"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "?"}"#),
      "the unknown token 'unk_token' is not in the vocabulary"
    ),
    (
      file(#"{"type": "WordPiece", "vocab": {"?": 0}, "max_input_chars_per_word": "9"}"#),
      "'model.max_input_chars_per_word' is not a whole number"
    ),
    (
      file(#"{"type": "WordPiece", "vocab": {"?": 0}, "continuing_subword_prefix": 2}"#),
      "a 'model' has no text 'continuing_subword_prefix'"
    ),
    (
      file(#"{"type": "Unigram", "vocab": {"a": 0}}"#),
      "'model.vocab' is not a list of tokens with scores"
    ),
    (
      file(#"{"type": "Unigram", "vocab": [["a", -1], ["b"]]}"#),
      "entry 1 of 'model.vocab' is not a token and its score"
    ),
    (
      file(#"{"type": "Unigram", "vocab": [["a", -1]], "unk_id": 1}"#),
      "'model.unk_id' is not the id of a token"
    ),
    (
      file(#"{"type": "BPE", "vocab": [["a", -1]], "merges": []}"#),
      "'model.vocab' is missing or not an object"
    ),
    (
      file(pairs, normalizer: #"{"type": "Precompiled", "precompiled_charsmap": "*"}"#),
      "the 'precompiled_charsmap' is not base64"
    ),
    (
      file(pairs, normalizer: #"{"type": "Replace", "content": "x"}"#),
      "a 'normalizer' has no 'pattern'"
    ),
    (
      file(pairs, normalizer: #"{"type": "Replace", "pattern": {"String": ""}, "content": "x"}"#),
      "a 'normalizer' looks for an empty text"
    ),
    (file(pairs, normalizer: #"{"type": "Prepend"}"#), "a 'normalizer' has no text 'prepend'"),
    (
      file(pairs, normalizer: #"{"type": "Sequence"}"#),
      "a 'normalizer' of the type Sequence has no list 'normalizers'"
    ),
    (
      file(pairs, preTokenizer: #"{"type": "CharDelimiterSplit", "delimiter": "ab"}"#),
      "the 'delimiter' of a 'pre_tokenizer' is not one character"
    ),
    (
      file(pairs, preTokenizer: #"{"type": "Metaspace", "replacement": ""}"#),
      "the 'replacement' of a 'pre_tokenizer' is not one character"
    ),
    (
      file(pairs, decoder: #"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"#),
      "a 'decoder' of the type Strip has no 'start' and 'stop'"
    ),
    (
      file(pairs, decoder: #"{"type": "Strip", "content": "", "start": 1, "stop": 0}"#),
      "a 'decoder' strips an empty text"
    ),
    (file(pairs, decoder: #"{"type": "WordPiece"}"#), "a 'decoder' has no text 'prefix'"),
  ]

  @Test("A damaged file is refused, with the place", arguments: malformed)
  func malformedRefused(_ json: String, _ what: String) {
    let ending = "; the file is damaged or not a tokenizer."
    #expect(refusal(json) == TokenizationError(.malformed, "tokenizer.json: " + what + ending))
  }

  @Test(
    "A table of replaced characters that is cut short is refused",
    arguments: ["AAA=", "CAAAAAAAAAA="])
  func characterMaps(_ table: String) {
    let normalizer = #"{"type": "Precompiled", "precompiled_charsmap": "\#(table)"}"#
    #expect(
      refusal(Self.file(Self.pairs, normalizer: normalizer))?.message
        == "tokenizer.json: the table of replaced characters (precompiled_charsmap) is cut short; "
        + "the file is damaged.")
  }

  @Test("A table that would put half a character into a text is refused")
  func halfCharacters() {
    let normalizer = #"{"type": "Precompiled", "precompiled_charsmap": "BAAAAP///3/DAA=="}"#
    #expect(
      refusal(Self.file(Self.pairs, normalizer: normalizer))?.message
        == "tokenizer.json: the table of replaced characters (precompiled_charsmap) replaces them by "
        + "what is no UTF-8; the file is damaged.")
  }

  @Test("A table whose trie leads out of it replaces nothing")
  func wildTable() throws {
    // One unit, whose offset points far beyond the table.
    let normalizer = #"{"type": "Precompiled", "precompiled_charsmap": "BAAAAP///38="}"#
    let tokenizer = try Tokenizer(json: Self.file(Self.pairs, normalizer: normalizer).utf8)
    #expect(tokenizer.encode("aa").ids == [0, 0])
  }

  @Test("Scores that are not one number for each token are refused")
  func scores() {
    func message(_ make: () throws(TokenizationError) -> Tokenizer) -> String? {
      do throws(TokenizationError) {
        _ = try make()
        return nil
      } catch {
        return error.message
      }
    }
    for (scores, what) in [
      ([0.0], "there are 2 tokens but 1 scores; the file is damaged."),
      ([0, .nan], "the score of token 1 is no number; the file is damaged."),
    ] {
      #expect(
        message { () throws(TokenizationError) in
          try Tokenizer(vocabulary: UnigramVocabulary(tokens: ["a", "b"], scores: scores))
        } == "vocabulary: " + what)
      #expect(
        message { () throws(TokenizationError) in
          try Tokenizer(vocabulary: ScoredPairVocabulary(tokens: ["a", "b"], scores: scores))
        } == "vocabulary: " + what)
    }
    #expect(
      message { () throws(TokenizationError) in
        try Tokenizer(vocabulary: WordPieceVocabulary(tokens: ["a"]), file: "model.gguf")
      }
        == "model.gguf: a WordPiece vocabulary needs an unknown token and none is named; the file is "
        + "damaged.")
    #expect(
      message { () throws(TokenizationError) in
        try Tokenizer(
          vocabulary: UnigramVocabulary(
            tokens: ["a"], scores: [0], roles: TokenRoles(mask: 4)))
      } == "vocabulary: the mask token is 4, but the vocabulary has 1 tokens; the file is damaged.")
  }
}
