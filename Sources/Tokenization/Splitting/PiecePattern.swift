/// The patterns that split a text into pieces before merging, each written out as a scanner.
///
/// A general regular-expression engine would be many times slower and could take exponential time on
/// a pattern from a file; these few patterns are what published tokenizers use.
enum PiecePattern: Sendable, Equatable {
  /// GPT-2: contractions, words, numbers and signs, each with the space before it.
  case words
  /// Llama 3 and Qwen 2: any one sign may precede a word, line breaks end a piece, numbers come in
  /// groups of at most so many digits.
  case lines(maximumDigits: Int)
  /// Runs of number characters, up to so many in each; what lies between is no match.
  case numbers(maximumDigits: Int)

  /// The pattern that a tokenizer file writes as this regular expression.
  init?(regex: String) {
    let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    let tails = [#"\s*[\r\n]+|\s+(?!\S)|\s+"#, #"\s*[\r\n]|\s+(?!\S)|\s+"#]
    let heads = [
      contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"#,
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|"#,
    ]
    let signs = [#"| ?[^\s\p{L}\p{N}]+[\r\n]*|"#, #"| ?[^\s\p{L}\p{N}]++[\r\n]*|"#]
    let digits = [#"\p{N}"#: 1, #"\p{N}{1}"#: 1, #"\p{N}{1,2}"#: 2, #"\p{N}{1,3}"#: 3]
    for (digit, maximum) in digits {
      for head in heads {
        for sign in signs {
          for tail in tails where regex == head + digit + sign + tail {
            self = .lines(maximumDigits: maximum)
            return
          }
        }
      }
      if regex == digit {
        self = .numbers(maximumDigits: maximum)
        return
      }
    }
    switch regex {
    case #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
      #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#:
      self = .words
    default:
      return nil
    }
  }

  /// Whether the pieces fill the text.
  var fillsText: Bool {
    if case .numbers = self { false } else { true }
  }

  /// Calls `found` with every match in a part of a text, from left to right.
  @inline(__always)
  func matches(
    _ text: UnsafeBufferPointer<UInt8>, _ part: Range<Int>, _ found: (Range<Int>) -> Void
  ) {
    let scanner = PieceScanner(text: text, end: part.upperBound)
    var index = part.lowerBound
    while index < part.upperBound {
      let end: Int
      switch self {
      case .words: end = scanner.wordPiece(index)
      case .lines(let maximumDigits): end = scanner.linePiece(index, maximumDigits)
      case .numbers(let maximumDigits):
        guard let start = scanner.number(from: index) else { return }
        index = start
        end = scanner.numbers(start, maximumDigits)
      }
      found(index..<end)
      index = end
    }
  }
}
