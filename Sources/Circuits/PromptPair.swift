/// A prompt with the answer that is right, and the same prompt changed so that another is.
public struct PromptPair: Sendable, Equatable {
  /// The prompt.
  public var clean: [Int]
  /// The changed prompt, of as many tokens; nil where there is none.
  public var patch: [Int]?
  /// The right answer's one token.
  public var answer: Int
  /// The changed prompt's; nil without one, or where the answer's logit alone is the metric.
  public var versus: Int?

  /// Gathers the values.
  public init(clean: [Int], patch: [Int]? = nil, answer: Int, versus: Int? = nil) {
    self.clean = clean
    self.patch = patch
    self.answer = answer
    self.versus = versus
  }
}
