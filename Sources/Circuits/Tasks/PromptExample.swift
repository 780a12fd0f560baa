/// A prompt, its changed twin, and the answers of both, as text.
public struct PromptExample: Sendable, Hashable {
  /// The prompt.
  public var clean: String
  /// The changed prompt.
  public var patch: String
  /// The prompt's answer, with the space before it where it has one.
  public var answer: String
  /// The changed prompt's answer.
  public var versus: String
  /// Which case of the task this is, such as `plural`; nil where cases have no names.
  public var name: String?

  /// Gathers the texts.
  public init(
    clean: String, patch: String, answer: String, versus: String, name: String? = nil
  ) {
    self.clean = clean
    self.patch = patch
    self.answer = answer
    self.versus = versus
    self.name = name
  }
}

/// Examples in two parts that share no prompt.
public struct PromptSplit: Sendable, Equatable {
  /// Examples that scores are means over.
  public var train: [PromptExample]
  /// Examples that circuits are evaluated on.
  public var test: [PromptExample]

  /// Gathers the parts.
  public init(train: [PromptExample], test: [PromptExample]) {
    self.train = train
    self.test = test
  }
}
