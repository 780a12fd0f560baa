/// A part of an attribution: what one component of a block adds, and what that is made of.
///
/// value = Σ of the children's values + residual, where there are children.
public struct AttributionNode: Codable, Sendable, Equatable {
  /// What it is.
  public var kind: Kind
  /// The block it belongs to; −1 for what no block made.
  public var layer: Int
  /// The head, counted from 0.
  public var head: Int?
  /// The neuron, counted from 0.
  public var neuron: Int?
  /// The expert, counted from 0.
  public var expert: Int?
  /// The position whose values the head carried here, counted from 0.
  public var source: Int?
  /// What it adds to the target.
  public var value: Double
  /// value − Σ children; 0 without children.
  public var residual: Double
  /// What it is made of, where that was asked for.
  public var children: [AttributionNode]?

  /// The kinds of part.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// What a block's attention adds.
    case attention
    /// What a block's feed-forward network adds.
    case mlp
    /// One head's share of attention.
    case head
    /// One neuron's share of a feed-forward network.
    case neuron
    /// What a head carried from one position.
    case source
    /// An output projection's bias.
    case bias
    /// The token's embedding less the baseline.
    case embedding
    /// The mean update that a mean completion takes back.
    case mean
    /// What a lens's translators add and no block produced.
    case translator
    /// What a block that does not add up leaves.
    case residual
    /// One expert's share of a mixture.
    case expert
    /// What a state-space mixer adds.
    case mixer
    /// All that is not listed.
    case others
  }

  /// Gathers the values.
  public init(
    kind: Kind, layer: Int, head: Int? = nil, neuron: Int? = nil, expert: Int? = nil,
    source: Int? = nil, value: Double, residual: Double = 0, children: [AttributionNode]? = nil
  ) {
    self.kind = kind
    self.layer = layer
    self.head = head
    self.neuron = neuron
    self.expert = expert
    self.source = source
    self.value = value
    self.residual = residual
    self.children = children
  }
}

extension AttributionNode.Kind {
  /// Reads a kind by its name.
  ///
  /// - Throws: ``ResultsError`` that names a kind which this version does not know.
  public init(from decoder: any Decoder) throws { self = try known(by: decoder) }
}
