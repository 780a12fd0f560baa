internal import Attribution
public import LanguageModels
public import Results
internal import Tokenization

// A template's examples become token ids here, and what the tokenizer in use cannot write as the metric needs it
// is left out: an answer must be the one token that follows its prompt, and a pair must be of one length, as
// values change places position by position. Where positions are told apart all prompts must be of one length
// too: of the lengths that there are, the one that gives the most.

/// Prompts as a model reads them: some to score units on, and others to evaluate circuits on.
public struct PromptSet: Sendable, Equatable {
  /// Examples that a tokenizer makes useless.
  public struct LeftOut: Sendable, Equatable {
    /// Those whose answers are not one token each, or the same.
    public var answers = 0
    /// Those that differ in length from their changed prompts.
    public var lengths = 0
  }

  /// Where the prompts are from; nil for a text of a person's own.
  public var task: CircuitTask?
  /// Prompts that scores are means over.
  public var train: [PromptPair]
  /// Prompts that circuits are evaluated on.
  public var test: [PromptPair]
  /// The first prompt's text.
  public var text: String
  /// Examples that were left out.
  public var leftOut = LeftOut()

  /// One pair, to score and to evaluate on.
  public init(_ pair: PromptPair, text: String) {
    train = [pair]
    test = [pair]
    self.text = text
  }

  /// A task's prompts for a model.
  ///
  /// - Parameters:
  ///   - task: the task.
  ///   - train: the most prompts to score on.
  ///   - test: the most prompts to evaluate on; 0 for none.
  ///   - seed: what divides the words and orders the prompts.
  ///   - summingPositions: whether prompts may differ in length, as positions are not told apart.
  ///   - loaded: the model.
  ///   - beginning: ids that every text begins with.
  /// - Throws: `CircuitError` where no prompt is left, and for a model that reads both ways.
  public init(
    _ task: PromptTask, train: Int, test: Int, seed: Int, summingPositions: Bool = false,
    in loaded: LoadedModel, beginning: [Int] = []
  ) throws {
    guard loaded.model.isCausal else {
      throw CircuitError(
        .usage,
        "Task \(task.name) asks for the next token, and \(loaded.name) reads both ways; use a decoder."
      )
    }
    let examples = task.examples(seed: seed)
    var reading = Reading(loaded: loaded, beginning: beginning, cutsAnswers: task.cutsAnswers)
    var forTrain = reading.pairs(of: examples.train)
    let left = reading.leftOut
    reading.leftOut = LeftOut()
    var forTest = test == 0 ? [] : reading.pairs(of: examples.test)
    guard !forTrain.isEmpty else {
      throw CircuitError.noneLeft(task.name, loaded.name, "training", left)
    }
    guard test == 0 || !forTest.isEmpty else {
      throw CircuitError.noneLeft(task.name, loaded.name, "testing", reading.leftOut)
    }
    leftOut = LeftOut(
      answers: left.answers + reading.leftOut.answers,
      lengths: left.lengths + reading.leftOut.lengths)
    if !summingPositions {
      guard
        let length = Self.commonest(
          forTrain.map(\.pair.clean.count), forTest.map(\.pair.clean.count), train, test)
      else {
        throw CircuitError(
          .usage,
          "Task \(task.name) has no length of \(loaded.name)'s tokens that prompts for training and for "
            + "testing share; sum the positions.")
      }
      forTrain.removeAll { $0.pair.clean.count != length }
      forTest.removeAll { $0.pair.clean.count != length }
    }
    self.train = forTrain.prefix(max(1, train)).map(\.pair)
    self.test = forTest.prefix(test).map(\.pair)
    text = forTrain[0].text
    self.task = CircuitTask(
      name: task.name, trainPrompts: self.train.count, testPrompts: self.test.count, seed: seed)
  }

  /// The length that gives the most of what was asked for; of equal ones that with more prompts, then the
  /// shorter.
  private static func commonest(
    _ train: [Int], _ test: [Int], _ trainCount: Int, _ testCount: Int
  ) -> Int? {
    func counts(_ lengths: [Int]) -> [Int: Int] {
      Dictionary(lengths.map { ($0, 1) }, uniquingKeysWith: +)
    }
    let (inTrain, inTest) = (counts(train), counts(test))
    return inTrain.keys.filter { testCount == 0 || inTest[$0] != nil }.max {
      func rank(_ length: Int) -> (Int, Int, Int) {
        let (a, b) = (inTrain[length] ?? 0, inTest[length] ?? 0)
        return (min(a, trainCount) + min(b, testCount), a + b, -length)
      }
      return rank($0) < rank($1)
    }
  }
}

/// Examples as ids, with a count of those that cannot be.
private struct Reading {
  let loaded: LoadedModel
  let beginning: [Int]
  let cutsAnswers: Bool
  var leftOut = PromptSet.LeftOut()

  /// The pairs that can be used, each prompt once for each answer.
  mutating func pairs(of examples: [PromptExample]) -> [(pair: PromptPair, text: String)] {
    var seen: Set<[Int]> = []
    return examples.compactMap { example in
      guard let pair = pair(example), seen.insert(pair.clean + [pair.answer]).inserted else {
        return nil
      }
      return (pair, example.clean)
    }
  }

  private mutating func pair(_ example: PromptExample) -> PromptPair? {
    guard let (clean, answer) = ids(example.clean, example.answer),
      let (patch, versus) = ids(example.patch, example.versus), answer != versus
    else {
      leftOut.answers += 1
      return nil
    }
    guard clean.count == patch.count else {
      leftOut.lengths += 1
      return nil
    }
    return PromptPair(clean: clean, patch: patch, answer: answer, versus: versus)
  }

  /// A prompt's ids and its answer's one token, where the answer is one and leaves the prompt's as they are.
  private func ids(_ prompt: String, _ answer: String) -> ([Int], Int)? {
    let before = loaded.tokenizer.encode(prompt).ids
    let joined = loaded.tokenizer.encode(prompt + answer).ids
    guard joined.count > before.count, Array(joined[..<before.count]) == before,
      cutsAnswers || joined.count == before.count + 1
    else { return nil }
    return (beginning + before, joined[before.count])
  }
}
