import Foundation
import Testing
import Tokenization

/// A `tokenizer.json` of three tokens with parts that can be replaced.
private func file(
  model: String = #"{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}"#,
  preTokenizer: String = #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
  normalizer: String = "null", postProcessor: String = "null", decoder: String = "null",
  added: String = "[]"
) -> String {
  """
  {"version": "1.0", "added_tokens": \(added), "normalizer": \(normalizer),
   "pre_tokenizer": \(preTokenizer), "post_processor": \(postProcessor), "decoder": \(decoder),
   "model": \(model)}
  """
}

private func model(_ more: String, vocab: String = #"{"a": 0, "b": 1, "ab": 2}"#) -> String {
  #"{"type": "BPE", "vocab": \#(vocab), "merges": ["a b"]\#(more)}"#
}

@Suite("What is wrong with a tokenizer")
struct TokenizationErrorTests {
  private func refusal(_ json: String, configuration: String? = nil) -> TokenizationError? {
    do throws(TokenizationError) {
      _ = try Tokenizer(json: json.utf8, configuration: configuration.map { Array($0.utf8) })
      return nil
    } catch {
      return error
    }
  }

  @Test("The file of three tokens is read")
  func valid() throws {
    #expect(try Tokenizer(json: file().utf8).encode("abba").ids == [2, 1, 0])
  }

  static let malformed: [(String, String)] = [
    ("", "byte 0: the text ends where a value should stand"),
    ("[]", "the text is an array, not an object"),
    ("{}", "'model' is missing"),
    (file(model: #"{"type": "BPE", "merges": []}"#), "'model.vocab' is missing or not an object"),
    (
      file(model: #"{"type": "BPE", "vocab": {"a": 0}}"#),
      "'model.merges' is missing or not an array"
    ),
    (
      file(model: model("", vocab: #"{"a": 0, "b": 1, "ab": 70000}"#)),
      "the id of the token 'ab' is not a whole number below 65542"
    ),
    (
      file(model: model("", vocab: #"{"a": 0, "b": -1}"#)),
      "the id of the token 'b' is not a whole number below 65540"
    ),
    (
      file(model: model("", vocab: #"{"a": 0, "b": 0, "ab": 2}"#)),
      "the tokens 'a' and 'b' have the same id 0"
    ),
    (
      file(model: #"{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}"#),
      "merge 0 is not two tokens"
    ),
    (
      file(model: #"{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b", 1]}"#),
      "merge 1 is a number"
    ),
    (
      file(model: model(#", "unk_token": "<unk>""#)),
      "the unknown token 'unk_token' is not in the vocabulary"
    ),
    (
      file(model: model(#", "ignore_merges": 1"#)), "'ignore_merges' is a number, not true or false"
    ),
    (file(added: "{}"), "'added_tokens' is an object"),
    (file(added: #"[{"id": 3}]"#), "added token 0 has no 'content' or no 'id' below 65542"),
    (
      file(added: #"[{"id": 99999, "content": "x"}]"#),
      "added token 0 has no 'content' or no 'id' below 65542"
    ),
    (file(preTokenizer: "{}"), "a 'pre_tokenizer' has no 'type'"),
    (
      file(
        postProcessor: """
          {"type": "TemplateProcessing", "special_tokens": {}, "single":
           [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}
          """),
      "the 'post_processor' does not say the id of '<s>'"
    ),
    (
      file(
        postProcessor: """
          {"type": "TemplateProcessing", "special_tokens": {"<s>": {"id": "<s>", "ids": [9]}},
           "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}
          """),
      "the 'post_processor' has the token 9, which there is not"
    ),
  ]

  @Test("A damaged tokenizer.json is refused, with the place", arguments: malformed)
  func malformedRefused(_ json: String, _ what: String) {
    let error = refusal(json)
    let ending = "; the file is damaged or not a tokenizer."
    #expect(error?.message == "tokenizer.json: " + what + ending)
    #expect(error?.code == .malformed)
  }

  static let merges: [(String, String)] = [
    (
      #"["ab"]"#,
      "merge 0 'ab' is not two tokens with a space between; the file is damaged."
    ),
    (
      #"["a b c"]"#,
      "merge 0 'a b c' is not two tokens with a space between; the file is damaged."
    ),
    (
      #"["a b", "c b"]"#,
      "the left part of merge 1 'c b' is not in the vocabulary; the merges and the vocabulary are "
        + "from different tokenizers."
    ),
    (
      #"[["a", "c"]]"#,
      "the right part of merge 0 'a c' is not in the vocabulary; the merges and the vocabulary are "
        + "from different tokenizers."
    ),
    (
      #"[["b", "a"]]"#,
      "the result of merge 0 'b a' is not in the vocabulary; the merges and the vocabulary are from "
        + "different tokenizers."
    ),
  ]

  @Test("Merges that do not fit the vocabulary are refused", arguments: merges)
  func mergesRefused(_ merges: String, _ what: String) {
    let json = file(
      model: #"{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": \#(merges)}"#)
    #expect(refusal(json) == TokenizationError(.malformed, "tokenizer.json: " + what))
  }

  private static let preTokenizers =
    "it reads BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, "
    + "Sequence, Split, Whitespace and WhitespaceSplit."

  static let unsupported: [(String, String)] = [
    (
      file(model: #"{"type": "WordLevel", "vocab": {}}"#),
      "the model 'WordLevel' is not one Telescope knows; it reads BPE, Unigram and WordPiece."
    ),
    (
      file(model: #"{"type": "WordPiece", "vocab": {}}"#),
      "the pre_tokenizer 'ByteLevel before WordPiece' is not one Telescope knows; it reads it before "
        + "BPE."
    ),
    (
      file(model: model(#", "byte_fallback": true"#)),
      "the model 'BPE with 'byte_fallback'' is not one Telescope knows; it reads BPE without it."
    ),
    (
      file(model: model(#", "end_of_word_suffix": "</w>""#)),
      "the model 'BPE with 'end_of_word_suffix'' is not one Telescope knows; it reads BPE without "
        + "it."
    ),
    (
      file(preTokenizer: #"{"type": "UnicodeScripts"}"#),
      "the pre_tokenizer 'UnicodeScripts' is not one Telescope knows; " + preTokenizers
    ),
    (
      file(
        preTokenizer: """
          {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Punctuation"}]}
          """),
      "the pre_tokenizer 'Punctuation after ByteLevel' is not one Telescope knows; it reads Digits "
        + "and Split by [0-9][0-9][0-9] there."
    ),
    (
      file(
        preTokenizer: #"{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#),
      #"the pre_tokenizer's pattern '\w+' is not one Telescope knows; it knows texts, sets of "#
        + "characters with repeats, and those that GPT-2, Llama 3 and Qwen 2 split by."
    ),
    (
      file(
        preTokenizer: #"{"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Dropped"}"#),
      "the pre_tokenizer 'Split Dropped' is not one Telescope knows; it reads Removed, Isolated, "
        + "MergedWithPrevious, MergedWithNext and Contiguous."
    ),
    (
      file(preTokenizer: #"{"type": "Metaspace", "prepend_scheme": "last"}"#),
      "the pre_tokenizer 'Metaspace last' is not one Telescope knows; it reads always, first and "
        + "never."
    ),
    (
      file(
        normalizer: """
          {"type": "Replace", "pattern": {"Regex": "(a|b)+"}, "content": ""}
          """),
      "the normalizer's pattern '(a|b)+' is not one Telescope knows; it knows texts, sets of "
        + "characters with repeats, and those that GPT-2, Llama 3 and Qwen 2 split by."
    ),
    (
      file(normalizer: #"{"type": "Sequence", "normalizers": [{"type": "ByteLevel"}]}"#),
      "the normalizer 'ByteLevel' is not one Telescope knows; it reads BertNormalizer, Lowercase, "
        + "NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip and StripAccents."
    ),
    (
      file(postProcessor: #"{"type": "PairProcessing"}"#),
      "the post_processor 'PairProcessing' is not one Telescope knows; it reads BertProcessing, "
        + "ByteLevel, RobertaProcessing, Sequence and TemplateProcessing."
    ),
    (
      file(
        postProcessor: """
          {"type": "TemplateProcessing", "single": [{"Sequence": {}}, {"Sequence": {}}]}
          """),
      "the post_processor 'TemplateProcessing with a text twice' is not one Telescope knows; it "
        + "reads one text."
    ),
    (
      file(decoder: #"{"type": "CTC"}"#),
      "the decoder 'CTC' is not one Telescope knows; it reads BPEDecoder, ByteFallback, ByteLevel, "
        + "Fuse, Metaspace, Replace, Sequence, Strip and WordPiece."
    ),
    (
      file(decoder: #"{"type": "Fuse"}"#),
      "the decoder 'other than ByteLevel' is not one Telescope knows; it reads ByteLevel where the "
        + "pre_tokenizer has it."
    ),
  ]

  @Test("A part Telescope does not know is refused by its name", arguments: unsupported)
  func unsupportedRefused(_ json: String, _ what: String) {
    #expect(refusal(json) == TokenizationError(.unsupported, "tokenizer.json: " + what))
  }

  @Test("A configuration that is none is refused")
  func configuration() {
    #expect(
      refusal(file(), configuration: #"{"eos_token": 7}"#)?.message
        == "tokenizer_config.json: 'eos_token' is a number, not a token; the file is damaged.")
    #expect(
      refusal(file(), configuration: #"{"chat_template": {}}"#)?.message
        == "tokenizer_config.json: 'chat_template' is neither a text nor a list with one named "
        + "'default'; the file is damaged.")
    #expect(
      refusal(file(), configuration: "{")?.message
        == "tokenizer_config.json: byte 1: the text ends where a key or '}' should stand; the file "
        + "is damaged or not a tokenizer.")
  }

  @Test("A folder without tokenizer is refused")
  func missing() {
    #expect(
      throws: TokenizationError(
        .unreadable,
        "/nowhere/tokenizer.json: the file cannot be read; check that it is there and may be opened."
      )
    ) {
      try Tokenizer(contentsOf: URL(fileURLWithPath: "/nowhere"))
    }
  }

  static let vocabularies: [(BytePairVocabulary, TokenizationError.Code, String)] = [
    (
      BytePairVocabulary(tokens: ["a"], merges: [], preTokenizer: "tekken"), .unsupported,
      "the pre-tokenizer 'tekken' is not one Telescope knows; it knows command-r, dbrx, "
        + "deepseek-r1-qwen, default, falcon, falcon3, gpt-2, gpt2, llama-bpe, llama-v3, llama3, "
        + "modern-bert, mpt, olmo, phi-2, qwen2, refact, roberta-bpe, smaug-bpe, smollm, stablelm2, "
        + "starcoder."
    ),
    (
      BytePairVocabulary(tokens: ["a", "b"], merges: [], tokenTypes: [1]), .malformed,
      "there are 2 tokens but 1 token types; the file is damaged."
    ),
    (
      BytePairVocabulary(tokens: ["a"], merges: [], tokenTypes: [9]), .malformed,
      "token 0 has the type 9, which GGUF does not have; the file is damaged."
    ),
    (
      BytePairVocabulary(tokens: ["a"], merges: [], eos: 1), .malformed,
      "the end-of-text token is 1, but the vocabulary has 1 tokens; the file is damaged."
    ),
    (
      BytePairVocabulary(tokens: ["a"], merges: ["a a"]), .malformed,
      "the result of merge 0 'a a' is not in the vocabulary; the merges and the vocabulary are from "
        + "different tokenizers."
    ),
  ]

  @Test("A vocabulary that contradicts itself is refused", arguments: vocabularies)
  func vocabulariesRefused(
    _ vocabulary: BytePairVocabulary, _ code: TokenizationError.Code, _ what: String
  ) {
    #expect(throws: TokenizationError(code, "model.gguf: " + what)) {
      try Tokenizer(vocabulary: vocabulary, file: "model.gguf")
    }
  }
}
