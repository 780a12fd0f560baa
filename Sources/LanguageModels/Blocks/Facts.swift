internal import Tensors

// What a model is made of, said by its blocks themselves: each value that decides what a block computes,
// without its weights. A block that is added says its own; nothing here knows a family.

/// A weight: which, and how many numbers it has.
///
/// Blocks may share weights, and a head the embedding's; one that several name is one.
public struct WeightFact: Hashable, Sendable {
  let identity: ObjectIdentifier
  /// How many numbers.
  public let count: Int

  init(_ tensor: Tensor) {
    identity = tensor.identity
    count = tensor.count
  }
}

/// A norm.
public struct NormFacts: Hashable, Sendable {
  /// What is normalised.
  public enum Place: String, Hashable, Sendable {
    /// What attention reads.
    case beforeAttention
    /// What attention adds.
    case afterAttention
    /// What the feed-forward network reads.
    case beforeFeedForward
    /// What the feed-forward network adds.
    case afterFeedForward
    /// What both branches read.
    case beforeBoth
    /// What a mixer reads.
    case beforeMixer
    /// The stream with what attention added.
    case streamAfterAttention
    /// The stream with what the feed-forward network added.
    case streamAfterFeedForward
    /// The sum that the first block receives.
    case embedding
    /// The embedding once it has the stream's width.
    case projectedEmbedding
    /// What the head reads.
    case head
    /// The final norm before a head that transforms the stream.
    case beforeTransform
    /// Each head's query and key.
    case heads
    /// The queries of all heads joined, and the keys.
    case joinedHeads
    /// The block's result with a convolution of its input.
    case convolved
  }

  /// What is normalised.
  public var place: Place
  /// RMSNorm or LayerNorm.
  public var kind: Norm.Kind
  /// ε.
  public var epsilon: Double
  /// Whether it has β.
  public var hasBias: Bool
  /// Whether files hold w of γ = 1 + w.
  public var addsOne: Bool

  init(_ place: Place, _ norm: Norm) {
    self.place = place
    kind = norm.kind
    epsilon = norm.epsilon
    hasBias = norm.bias != nil
    addsOne = norm.added == 1
  }
}

/// A block: how its branches meet the residual stream, and what they are.
public struct BlockFacts: Hashable, Sendable {
  /// How branches meet the stream.
  public enum Wiring: String, Hashable, Sendable {
    /// x ← x + attention(N₁ x); x ← x + feedForward(N₂ x).
    case preNorm
    /// The same with norms at the branches' ends too.
    case sandwich
    /// Norms at the branches' ends only.
    case branchNorm
    /// x ← x + attention(N₁ x) + feedForward(N₂ x).
    case parallel
    /// x ← N₁(x + attention x); x ← N₂(x + feedForward x).
    case postNorm
    /// x ← x + mixer(N x).
    case stateSpace
    /// Of its own kind.
    case other
  }

  /// How its branches meet the stream.
  public var wiring: Wiring
  /// Its norms, in the order that they are passed.
  public var norms: [NormFacts] = []
  /// Its attention, where it has any.
  public var attention: AttentionFacts?
  /// Its feed-forward network, where it has one.
  public var feedForward: FeedForwardFacts?
  /// What mixes positions in a block without attention.
  public var mixer: MixerFacts?
  /// What else is peculiar, in words.
  public var note: String?
  /// Weights beside those of its branches.
  var weights: [WeightFact] = []

  /// A block of this wiring.
  init(
    _ wiring: Wiring, _ norms: [(NormFacts.Place, Norm?)] = [], attention: AttentionFacts? = nil,
    feedForward: FeedForwardFacts? = nil, mixer: MixerFacts? = nil, note: String? = nil
  ) {
    self.wiring = wiring
    self.norms = norms.compactMap { place, norm in norm.map { NormFacts(place, $0) } }
    self.attention = attention
    self.feedForward = feedForward
    self.mixer = mixer
    self.note = note
    weights = norms.flatMap { $0.1?.facts ?? [] }
  }

  /// The same without its weights, by which blocks that compute alike are alike.
  var outline: BlockFacts {
    var copy = self
    copy.weights = []
    copy.attention?.weights = []
    copy.feedForward?.weights = []
    copy.mixer?.weights = []
    return copy
  }
}

/// A block's attention.
public struct AttentionFacts: Hashable, Sendable {
  /// Query heads.
  public var heads = 0
  /// Key-value heads.
  public var keyValueHeads = 0
  /// The width of a head.
  public var headWidth = 0
  /// How queries and keys are turned by position; nil where they are not.
  public var rotary: RotaryEmbedding?
  /// How far a query sees, itself included; nil for all the way.
  public var window: Int?
  /// What scores are multiplied by.
  public var scale = 1.0
  /// κ of κ·tanh(score/κ); nil for none.
  public var softCap: Double?
  /// The norms of queries and keys.
  public var norms: [NormFacts] = []
  /// What is added to scores by how far key and query lie apart, in words; nil for nothing.
  public var relative: String?
  /// Whether queries, keys and values have biases.
  public var hasInputBias = false
  /// Whether W_O has one.
  public var hasOutputBias = false
  var weights: [WeightFact] = []

  init() {}
}

/// A block's feed-forward network.
public struct FeedForwardFacts: Hashable, Sendable {
  /// φ; nil where experts have their own.
  public var activation: Activation?
  /// Whether hidden = φ(gate) · up.
  public var isGated = false
  /// Neurons, of one expert in a mixture.
  public var hidden = 0
  /// How many experts there are; nil for a single network.
  public var experts: Int?
  /// How many of them a token uses.
  public var chosen: Int?
  /// The neurons of the expert that all tokens share, where there is one.
  public var sharedHidden: Int?
  /// Whether its maps have biases.
  public var hasBias = false
  var weights: [WeightFact] = []

  init() {}
}

/// What mixes positions in a block without attention.
public struct MixerFacts: Hashable, Sendable {
  /// φ, of what the convolution leaves and of the gate.
  public var activation: Activation?
  /// Channels.
  public var channels = 0
  /// Numbers of state per channel.
  public var states = 0
  /// Positions that the convolution sees.
  public var kernel = 0
  var weights: [WeightFact] = []

  init() {}
}

extension Norm {
  /// γ and β.
  var facts: [WeightFact] { [weight, bias].compactMap { $0.map(WeightFact.init) } }
}

extension Linear {
  /// W and b.
  var facts: [WeightFact] { [weight, bias].compactMap { $0.map(WeightFact.init) } }
}

// MARK: - What blocks say

extension Block {
  /// A block that says nothing of itself.
  package var facts: BlockFacts { BlockFacts(.other) }
}

extension AttentionBranch {
  /// Of attention that says nothing of itself: its output.
  package var facts: AttentionFacts {
    var facts = AttentionFacts()
    facts.hasOutputBias = output.bias != nil
    facts.weights = output.facts
    return facts
  }
}

extension FeedForwardBranch {
  /// Of a network that says nothing of itself.
  package var facts: FeedForwardFacts { FeedForwardFacts() }
}

extension PreNormBlock {
  package var facts: BlockFacts {
    let ends = attention.outputNorm != nil || feedForward.outputNorm != nil
    let starts = attentionNorm != nil || feedForwardNorm != nil
    return BlockFacts(
      ends ? (starts ? .sandwich : .branchNorm) : .preNorm,
      [
        (.beforeAttention, attentionNorm), (.afterAttention, attention.outputNorm),
        (.beforeFeedForward, feedForwardNorm), (.afterFeedForward, feedForward.outputNorm),
      ], attention: attention.facts, feedForward: feedForward.facts)
  }
}

extension ParallelBlock {
  package var facts: BlockFacts {
    BlockFacts(
      .parallel,
      [
        (feedForwardNorm == nil ? .beforeBoth : .beforeAttention, attentionNorm),
        (.beforeFeedForward, feedForwardNorm), (.afterAttention, attention.outputNorm),
        (.afterFeedForward, feedForward.outputNorm),
      ], attention: attention.facts, feedForward: feedForward.facts)
  }
}

extension PostNormBlock {
  package var facts: BlockFacts {
    BlockFacts(
      .postNorm,
      [(.streamAfterAttention, attentionNorm), (.streamAfterFeedForward, feedForwardNorm)],
      attention: attention.facts, feedForward: feedForward.facts)
  }
}

extension Attention {
  package var facts: AttentionFacts {
    var facts = AttentionFacts()
    facts.heads = heads
    facts.keyValueHeads = keyValueHeads
    facts.headWidth = headWidth
    facts.rotary = rotary
    facts.window = window
    facts.scale = scale ?? 1 / Double(headWidth).squareRoot()
    facts.softCap = softCap
    if let headNorms {
      let place = headNorms.query.span == .all ? NormFacts.Place.joinedHeads : .heads
      facts.norms = [NormFacts(place, headNorms.query.norm)]
      // Where each head has a scale of its own, the norm's weight is ones that no file holds.
      facts.weights += [headNorms.query, headNorms.key].flatMap { norm in
        norm.scale.map { [WeightFact($0)] } ?? norm.norm.facts
      }
    }
    if let bias {
      facts.relative = "\(bias.table.size(0)) buckets of distance, up to \(bias.farthest)"
      facts.weights.append(WeightFact(bias.table))
    }
    facts.hasInputBias = input.bias != nil
    facts.hasOutputBias = output.bias != nil
    facts.weights += input.facts + output.facts
    return facts
  }
}

extension FeedForward {
  package var facts: FeedForwardFacts {
    var facts = FeedForwardFacts()
    facts.activation = activation
    facts.hidden = hidden
    let entering: Linear
    switch input {
    case .plain(let up): entering = up
    case .gated(let both):
      entering = both
      facts.isGated = true
    }
    facts.hasBias = entering.bias != nil || output.bias != nil
    facts.weights = entering.facts + output.facts
    return facts
  }
}

extension MambaBlock {
  package var facts: BlockFacts {
    BlockFacts(.stateSpace, [(.beforeMixer, norm)], mixer: mixer.facts)
  }
}

extension SelectiveStateSpace {
  var facts: MixerFacts {
    var facts = MixerFacts()
    facts.activation = activation
    facts.channels = decay.size(0)
    facts.states = decay.size(1)
    facts.kernel = kernel.size(0)
    facts.weights =
      input.facts + selection.facts + step.facts + output.facts
      + [kernel, kernelBias, decay, skip].compactMap { $0.map(WeightFact.init) }
    return facts
  }
}

extension ConvolvedBlock {
  package var facts: BlockFacts {
    var facts = block.facts
    facts.norms.append(NormFacts(.convolved, norm))
    facts.weights += convolution.facts + norm.facts
    facts.note =
      "a convolution of the block's input over \(reach) positions is added to what the block makes, "
      + "and the sum is normalised: x ← N(block(x) + \(activation.rawValue)(convolution(x)))"
    return facts
  }
}

extension DisentangledAttention {
  package var facts: AttentionFacts {
    var facts = AttentionFacts()
    facts.heads = heads
    facts.keyValueHeads = heads
    facts.headWidth = headWidth
    facts.scale = scale
    let terms = [
      keys.map { _ in "of content to position" }, queries.map { _ in "of position to content" },
    ]
    .compactMap(\.self)
    if !terms.isEmpty {
      facts.relative =
        "terms \(terms.joined(separator: " and ")), from \(2 * distances.span) vectors of distance"
    }
    facts.hasInputBias = input.bias != nil
    facts.hasOutputBias = output.bias != nil
    // What projections make of the table of distances is no weight of its own.
    facts.weights = input.facts + output.facts
    return facts
  }
}

extension MixtureOfExperts {
  package var facts: FeedForwardFacts {
    var facts = experts.first?.facts ?? FeedForwardFacts()
    facts.experts = experts.count
    facts.chosen = chosen
    facts.sharedHidden = shared?.expert.hidden
    facts.weights = router.facts + experts.flatMap(\.facts.weights)
    if let shared { facts.weights += shared.expert.facts.weights + shared.gate.facts }
    return facts
  }
}
