internal import Attribution

// A task is templates and word lists; a seed divides the words into those of training and those of testing,
// and puts the prompts in an order. Prompts of the two parts share no content word, so that a circuit that is
// found on one cannot have learnt the words of the other. Published test files do share them: of one, 96 % of
// the lines are in its training file too.

/// A way to make prompts that have a right answer and a wrong one.
public struct PromptTask: Sendable {
  /// The name in commands: `sva-simple`.
  public var name: String
  /// Whether an answer of several tokens stands for its first: the sums of models that write digit by digit.
  public var cutsAnswers: Bool
  private let make: @Sendable (inout SeededRandom) -> PromptSplit

  init(
    _ name: String, cutsAnswers: Bool = false,
    make: @escaping @Sendable (inout SeededRandom) -> PromptSplit
  ) {
    self.name = name
    self.cutsAnswers = cutsAnswers
    self.make = make
  }

  /// All examples in a random order; the same seed gives the same.
  public func examples(seed: Int) -> PromptSplit {
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    var split = make(&random)
    split.train.shuffle(using: &random)
    split.test.shuffle(using: &random)
    return split
  }

  /// The tasks that come with Telescope.
  public static let all: [PromptTask] = [
    .agreement, .agreementWithinClause, .agreementAcrossPhrase, .indirectObject, .capitals, .sums,
  ]

  /// The task of a name in `all`.
  public static func named(_ name: String) -> PromptTask? { all.first { $0.name == name } }
}

extension Array {
  /// Two thirds and one third, in a random order.
  func divided(using random: inout SeededRandom) -> (train: [Element], test: [Element]) {
    let mixed = shuffled(using: &random)
    let count = (2 * mixed.count + 1) / 3
    return (Array(mixed[..<count]), Array(mixed[count...]))
  }
}

extension PromptSplit {
  /// Makes both parts from words of their own.
  static func of<Word>(
    _ words: [Word], _ random: inout SeededRandom,
    make: ([Word], inout SeededRandom) -> [PromptExample]
  ) -> PromptSplit {
    let parts = words.divided(using: &random)
    return PromptSplit(train: make(parts.train, &random), test: make(parts.test, &random))
  }
}
