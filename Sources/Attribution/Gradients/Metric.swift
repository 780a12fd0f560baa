public import LanguageModels
public import Tensors

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

  /// The metric of some sequences of the batch.
  public func rows(_ rows: Range<Int>) -> Metric {
    var some = self
    if tokens.count > 1 { some.tokens = Array(tokens[rows]) }
    if versus.count > 1 { some.versus = Array(versus[rows]) }
    return some
  }

  /// The metric of all sequences, so many times over: `[a, b]` becomes `[a, b, a, b]`.
  func tiled(_ times: Int) -> Metric {
    var more = self
    if tokens.count > 1 { more.tokens = (0..<times).flatMap { _ in tokens } }
    if versus.count > 1 { more.versus = (0..<times).flatMap { _ in versus } }
    return more
  }

  /// m of what the blocks leave, [batch, position, width]: [batch].
  ///
  /// - Complexity: one row of the head for each sequence: of a logit one or two products of width, otherwise the
  ///   vocabulary's.
  public func callAsFunction(
    _ residual: Tensor, in model: any LanguageModel, pass: Pass = .plain
  ) -> Tensor {
    let batch = residual.size(0)
    let last = residual.slice(position..<position + 1, along: 1)
    let asked = Array(Set(tokens + versus)).sorted()
    let head = kind == .logit ? model.unembedding.restricted(to: asked) : model.unembedding
    var logits = head.logits(last, pass: pass).reshaped([batch, -1])
    switch kind {
    case .logit: break
    case .probability: logits = logits.softmax(along: -1)
    case .logProbability: logits = logits.logSoftmax(along: -1)
    }
    // Which column is whose token's.
    func weights() -> Tensor {
      let columns = logits.size(1)
      var numbers = [Double](repeating: 0, count: batch * columns)
      func add(_ tokens: [Int], _ sign: Double) {
        guard !tokens.isEmpty else { return }
        for row in 0..<batch {
          let token = tokens[tokens.count == 1 ? 0 : row]
          let column = kind == .logit ? asked.firstIndex(of: token) ?? 0 : token
          numbers[row * columns + column] += sign
        }
      }
      add(tokens, 1)
      add(versus, -1)
      return Tensor(numbers, [batch, columns], logits.type, on: logits.device)
    }
    return (logits * weights()).sum(along: -1)
  }
}
