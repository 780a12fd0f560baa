public import LanguageModels
internal import Tensors

// m is a function of one position's logits. Only the row that is asked for passes through the final norm, and of
// logits only those that m needs are formed: one or two rows of U for a logit or a difference.

/// The number that gradient methods attribute, of each sequence of a batch.
public struct Metric: Sendable, Equatable {
  /// What of the logits.
  public enum Kind: String, Sendable, CaseIterable {
    /// z_y, or z_y − z_x where there is a second token.
    case logit
    /// p_y, or p_y − p_x.
    case probability = "prob"
    /// log p_y, or log p_y − log p_x.
    case logProbability = "logprob"
  }

  /// What of the logits.
  public var kind: Kind
  /// y of each sequence; one for all.
  public var tokens: [Int]
  /// x of each sequence, one for all, or none.
  public var versus: [Int]
  /// Where it is predicted.
  public var position: Int

  /// A metric of one sequence, or the same of all.
  public init(_ kind: Kind = .logit, token: Int, versus: Int? = nil, position: Int) {
    self.init(kind, tokens: [token], versus: versus.map { [$0] } ?? [], position: position)
  }

  /// A metric of each sequence of a batch.
  public init(_ kind: Kind = .logit, tokens: [Int], versus: [Int], position: Int) {
    self.kind = kind
    self.tokens = tokens
    self.versus = versus
    self.position = position
  }

  /// The name in results: `logit`, `logit-diff`, `prob`.
  public var name: String { kind.rawValue + (versus.isEmpty ? "" : "-diff") }
}
