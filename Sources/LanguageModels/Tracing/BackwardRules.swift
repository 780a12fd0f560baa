// A gradient says how a number moves when a value moves a little. A relevance rule asks another question:
// which share of the number a value makes up. It leaves every value of the forward pass as it is, bit by bit,
// and on the way back takes each nonlinearity for a coefficient times its input, the coefficient held at what
// the run had. With
//
//     RMS and layer norm    y = γ ⊙ (x − μ)/σ + β      σ held                     (`norm`)
//     attention             u = A v                     A held                     (`pattern`)
//     activation            f(x) = (f(x)/x) · x         f(x)/x held, closed forms  (`activation`)
//     product of two        y = a ⊙ b                   half to each, or all to b  (`product`)
//
// what follows any cut of the network is affine in the cut's values, m = ⟨c, z⟩ + biases, and value times
// coefficient sums to m up to what biases hold (RelP: Jafari and others 2025; the rules of Transluce 2025).

/// What stands for the derivative of each nonlinearity on the way back.
public struct BackwardRules: Hashable, Sendable {
  /// How norms are passed.
  public enum NormRule: String, Sendable, CaseIterable {
    /// By their derivative.
    case exact = "true"
    /// With their scale held; the mean of a layer norm is still taken off.
    case frozen
  }

  /// How attention's pattern is passed.
  public enum PatternRule: String, Sendable, CaseIterable {
    /// By the derivative of the softmax, into queries and keys.
    case exact = "true"
    /// Held: nothing reaches queries and keys, and values get all of Aᵀg.
    case frozen
  }

  /// How a product of two activations is passed.
  public enum ProductRule: String, Sendable, CaseIterable {
    /// By its derivative: g·b to a and g·a to b.
    case exact = "true"
    /// Half of that to each.
    case half
    /// Nothing to the gate.
    case stopGate = "stop-gate"
  }

  /// How an activation is passed.
  public enum ActivationRule: String, Sendable, CaseIterable {
    /// By its derivative.
    case exact = "true"
    /// By f(x)/x.
    case ratio
  }

  /// Whether feed-forward networks are passed at all.
  public enum FeedForwardRule: String, Sendable, CaseIterable {
    /// They are.
    case flow
    /// Nothing reaches what they read: only direct effects remain.
    case stop
  }

  /// Norms, the final one and those of heads among them.
  public var norm: NormRule
  /// Attention's pattern, and a mixture's weights of experts.
  public var pattern: PatternRule
  /// Gate times up.
  public var product: ProductRule
  /// Activations and the soft-caps of logits.
  public var activation: ActivationRule
  /// Feed-forward networks.
  public var feedForward: FeedForwardRule

  /// Gathers rules.
  public init(
    norm: NormRule = .exact, pattern: PatternRule = .exact, product: ProductRule = .exact,
    activation: ActivationRule = .exact, feedForward: FeedForwardRule = .flow
  ) {
    self.norm = norm
    self.pattern = pattern
    self.product = product
    self.activation = activation
    self.feedForward = feedForward
  }

  /// The derivative.
  public static let gradient = BackwardRules()
  /// RelP with the attention rule (Transluce 2025).
  public static let relp = BackwardRules(
    norm: .frozen, pattern: .frozen, product: .half, activation: .ratio)
  /// RelP as its paper ran it: the pattern's true derivative (Jafari and others 2025).
  public static let relpJafari = BackwardRules(
    norm: .frozen, product: .half, activation: .ratio)
  /// CP-LRP: queries, keys and gates are held (Ali and others 2022).
  public static let cpLRP = BackwardRules(
    norm: .frozen, pattern: .frozen, product: .stopGate, activation: .ratio)

  /// The named sets, as commands call them.
  public static let named: [(name: String, rules: BackwardRules)] = [
    ("gradient", .gradient), ("relp", .relp), ("relp-jafari", .relpJafari), ("cp-lrp", .cpLRP),
  ]

  /// The name of a named set; nil for another.
  public var name: String? { Self.named.first { $0.rules == self }?.name }

  /// The rules of a spelling: a named set, or changes to the gradient, `norm=frozen,pattern=frozen`.
  public init?(_ spelling: String) {
    if let named = Self.named.first(where: { $0.name == spelling }) {
      self = named.rules
      return
    }
    self.init()
    for change in spelling.split(separator: ",", omittingEmptySubsequences: false) {
      let words = change.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2 else { return nil }
      func set<Rule: RawRepresentable<String>>(_ path: WritableKeyPath<Self, Rule>) -> Bool {
        guard let rule = Rule(rawValue: words[1]) else { return false }
        self[keyPath: path] = rule
        return true
      }
      let isKnown =
        switch words[0] {
        case "norm": set(\.norm)
        case "pattern": set(\.pattern)
        case "product": set(\.product)
        case "activation": set(\.activation)
        case "feed-forward": set(\.feedForward)
        default: false
        }
      guard isKnown else { return nil }
    }
  }

  /// How they are spelt: by name, or as what differs from the gradient.
  public var spelling: String {
    name
      ?? [
        norm == .exact ? nil : "norm=\(norm.rawValue)",
        pattern == .exact ? nil : "pattern=\(pattern.rawValue)",
        product == .exact ? nil : "product=\(product.rawValue)",
        activation == .exact ? nil : "activation=\(activation.rawValue)",
        feedForward == .flow ? nil : "feed-forward=\(feedForward.rawValue)",
      ].compactMap(\.self).joined(separator: ",")
  }

  /// Whether every cut's relevances and the biases after it sum to the metric.
  public var conserves: Bool {
    norm == .frozen && pattern == .frozen && product != .exact && activation == .ratio
      && feedForward == .flow
  }
}
