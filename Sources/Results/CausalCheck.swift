// Beside an attribution, what happens in the model when the part is replaced: predicted
// Δ = score(c) − ⟨ḡ, c′⟩, actual Δ = F(model) − F(ablated), and their gap.

/// One prediction's parts, each replaced in the model.
public struct CausalCheck: Codable, Sendable, Equatable {
  /// What a part was replaced by.
  public var replacement: Replacement
  /// Where it was replaced.
  public var scope: Scope
  /// One per part.
  public var rows: [CheckedPart]
  /// How far prediction and model agree, by kind of part.
  public var agreement: [CheckAgreement]
  /// Where a resample was taken from.
  public var source: Place?

  /// A position of the explained text, or of a reference text.
  public struct Place: Codable, Sendable, Equatable {
    /// The reference text, counted from 0; absent for the explained text itself.
    public var text: Int?
    /// The position.
    public var position: Int

    /// Names a place.
    public init(text: Int? = nil, position: Int) {
      self.text = text
      self.position = position
    }
  }

  /// What a part is replaced by.
  public enum Replacement: String, Codable, Sendable, CaseIterable {
    /// Its mean over positions or reference texts.
    case mean
    /// Nothing.
    case zero
    /// Its value at another position or in a reference text.
    case resample
  }

  /// Where a part is replaced.
  public enum Scope: String, Codable, Sendable, CaseIterable {
    /// At the explained position.
    case position
    /// At every position.
    case all
  }

  /// Gathers the values.
  public init(
    replacement: Replacement, scope: Scope, rows: [CheckedPart], agreement: [CheckAgreement],
    source: Place? = nil
  ) {
    self.replacement = replacement
    self.scope = scope
    self.rows = rows
    self.agreement = agreement
    self.source = source
  }
}

/// One part, as predicted and as found.
public struct CheckedPart: Codable, Sendable, Equatable {
  /// What was replaced.
  public var kind: Kind
  /// Its block.
  public var layer: Int
  /// Its head.
  public var head: Int?
  /// Its neurons.
  public var neurons: [Int]?
  /// The change that the attribution predicts: score(c) − ⟨ḡ, c′⟩.
  public var predicted: Double
  /// The target's value in the model less that in the changed model.
  public var actual: Double
  /// predicted − actual.
  public var gap: Double

  /// The kinds of part that can be replaced.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A block's whole update.
    case layer
    /// A block's attention.
    case attention
    /// A block's feed-forward network.
    case mlp
    /// One head.
    case head
    /// Some neurons of a block, together.
    case neurons
  }

  /// Gathers the values.
  public init(
    kind: Kind, layer: Int, head: Int? = nil, neurons: [Int]? = nil, predicted: Double,
    actual: Double, gap: Double
  ) {
    self.kind = kind
    self.layer = layer
    self.head = head
    self.neurons = neurons
    self.predicted = predicted
    self.actual = actual
    self.gap = gap
  }
}

/// How far prediction and model agree over the parts of one kind.
public struct CheckAgreement: Codable, Sendable, Equatable {
  /// The kind.
  public var kind: CheckedPart.Kind
  /// How many parts.
  public var count: Int
  /// Spearman's rank correlation of predicted and actual; absent where one has no order.
  public var spearman: Double?
  /// The share of parts whose two changes have the same sign, of those above rounding.
  public var signAgreement: Double?

  /// Gathers the values.
  public init(
    kind: CheckedPart.Kind, count: Int, spearman: Double? = nil, signAgreement: Double? = nil
  ) {
    self.kind = kind
    self.count = count
    self.spearman = spearman
    self.signAgreement = signAgreement
  }

  enum CodingKeys: String, CodingKey {
    case kind, count, spearman
    case signAgreement = "sign_agreement"
  }
}
