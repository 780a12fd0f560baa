public import LanguageModels
public import Results
internal import Tensors

// From what a model says of itself to the values of the JSON schema, with what follows from it: between
// which values flows run, and which methods work.
//
// A block's boundaries are z, u and z′: the stream that enters, the heads joined before W_O, and the stream
// that leaves. Attention is the map z → u. The map u → z′ is all that follows, with z held where it enters
// beside u; so what a head carries is told from what the stream carries by itself.

extension InspectResult {
  /// Says what an inspection found.
  public init(_ inspection: Inspection) {
    let shape = inspection.shape
    let groups = inspection.groups
    let hasAttention = groups.contains { $0.facts.attention != nil }
    self.init(
      toolVersion: telescopeVersion, name: inspection.name, architecture: shape.architecture,
      causal: inspection.isCausal,
      sizes: InspectedSizes(
        layers: shape.layers, width: shape.width, heads: hasAttention ? shape.heads : 0,
        keyValueHeads: hasAttention ? shape.keyValueHeads : 0,
        headWidth: hasAttention ? shape.headWidth : 0, hidden: shape.hidden,
        vocabulary: shape.vocabulary, contextLength: shape.contextLength),
      parameters: Self.counts(inspection.parameters),
      memory: [ScalarType.float32, .float64, .bfloat16].map {
        InspectedCount(name: $0.name, count: inspection.bytes(as: $0))
      },
      storage: inspection.storage.map(InspectedStorage.init),
      embedding: InspectedEmbedding(
        scale: inspection.embedding.scale, positions: inspection.embedding.positions,
        textType: inspection.embedding.hasTextType, width: inspection.embedding.width,
        norms: inspection.embedding.norms.map(InspectedNorm.init)),
      blocks: groups.map { InspectedBlocks($0.layers, $0.facts) },
      head: inspection.head.map(InspectedHead.init), sites: Self.sites(inspection),
      boundaries: groups.map { InspectedBoundary($0.layers, $0.facts) },
      methods: Self.methods(inspection))
  }

  private static func counts(_ parameters: Inspection.Parameters) -> [InspectedCount] {
    let parts = [
      ("embedding", parameters.embedding), ("attention", parameters.attention),
      ("feed-forward", parameters.feedForward), ("mixers", parameters.mixers),
      ("norms of blocks", parameters.norms), ("head", parameters.head),
      ("other", parameters.other),
    ]
    return [InspectedCount(name: "total", count: parameters.total)]
      + parts.filter { $0.1 > 0 }.map { InspectedCount(name: $0.0, count: $0.1) }
  }

  private static func sites(_ inspection: Inspection) -> [InspectedSite] {
    let all = inspection.sites
    return all.kindsInOrder.compactMap { kind in
      let same = all.filter { $0.kind == kind }
      guard let first = same.min(by: { ($0.layer ?? 0) < ($1.layer ?? 0) }) else { return nil }
      return InspectedSite(
        name: kind, layers: first.layer == nil ? nil : same.compactMap(\.layer).sorted(),
        axes: first.axes.map(\.rawValue),
        shape: first.axes.map { inspection.extent(of: $0, at: first) })
    }
  }

  // MARK: Methods

  private static func methods(_ inspection: Inspection) -> [InspectedMethod] {
    let noHead =
      inspection.head == nil
      ? "there is no language-model head, so no token has a probability" : nil
    let nonlinear = inspection.head?.transform.map { _ in
      "the head has a nonlinear layer before its norm"
    }
    let without = inspection.layersWithoutRule
    let named = without.map(String.init).joined(separator: ", ")
    let whole = without.count == inspection.shape.layers
    let noRule: String? =
      without.isEmpty
      ? nil
      : (whole ? "no block has a" : "block \(named) has no") + " rule that splits what it adds"
    let noHeads =
      inspection.blocks.contains { $0.attention != nil } ? nil : "no block has attention heads"
    let bothWays =
      inspection.isCausal
      ? nil : "every position sees every other, so none can be changed alone"
    let continues = inspection.isCausal ? nil : "it fills in masks and continues no text"
    let noRelevance = inspection.withoutRelevance.map {
      "layer \($0.layer) has \($0.part), which no relevance rule knows"
    }
    let noNeurons =
      inspection.sites.contains { if case .feedForward(_, .hidden) = $0 { true } else { false } }
      ? nil : "no block shows its neurons"
    let reasons: [(name: String, reason: String?)] = [
      ("explain", noHead), ("explain --depth block", noHead ?? noRule),
      ("explain --depth head, token", noHead ?? noRule ?? noHeads),
      ("explain --check", noHead ?? bothWays), ("explain --contrast", noHead ?? continues),
      ("dla", noHead ?? nonlinear ?? noRule), ("compare", noHead ?? nonlinear ?? noRule),
      ("lens show", noHead), ("lens train", noHead), ("flow", nil),
      ("flow --granularity all", noHeads), ("attribute", noHead),
      ("attribute relp", noHead ?? noRelevance), ("attribute rollout", noHead ?? noHeads),
      ("circuit", noHead ?? noNeurons ?? noRelevance), ("patch", noHead), ("steer", noHead),
      ("capture", nil), ("verify", nil),
    ]
    return reasons.map {
      InspectedMethod(name: $0.name, supported: $0.reason == nil, reason: $0.reason)
    }
  }
}

extension InspectedStorage {
  init(_ storage: Inspection.Storage) {
    self.init(
      format: storage.format, files: storage.files,
      types: storage.shares.map {
        InspectedType(
          type: $0.type, tensors: $0.tensors, parameters: $0.parameters, bytes: $0.bytes)
      })
  }
}

extension InspectedNorm {
  init(_ norm: NormFacts) {
    let place =
      switch norm.place {
      case .beforeAttention: "before attention"
      case .afterAttention: "after attention"
      case .beforeFeedForward: "before feed-forward"
      case .afterFeedForward: "after feed-forward"
      case .beforeBoth: "before both branches"
      case .beforeMixer: "before the mixer"
      case .streamAfterAttention: "stream after attention"
      case .streamAfterFeedForward: "stream after feed-forward"
      case .embedding: "embedding"
      case .head: "before the head"
      case .beforeTransform: "before the head's dense layer"
      case .heads: "each head's query and key"
      case .joinedHeads: "all heads' queries joined, and keys"
      case .projectedEmbedding: "projected embedding"
      case .convolved: "block and convolution together"
      }
    self.init(
      place: place, kind: norm.kind == .rms ? "rms" : "layer", epsilon: norm.epsilon,
      bias: norm.hasBias, onePlusWeight: norm.addsOne)
  }
}

extension InspectedHead {
  init(_ head: Inspection.HeadFacts) {
    self.init(
      kind: head.isTied ? "tied" : "own", norms: head.norms.map(InspectedNorm.init),
      transform: head.transform?.spelling, bias: head.hasBias, softCap: head.softCap)
  }
}

extension Activation {
  /// The name in results.
  fileprivate var spelling: String { self == .geluTanh ? "gelu-tanh" : rawValue }
}

extension InspectedBlocks {
  init(_ layers: [Int], _ facts: BlockFacts) {
    let (wiring, formula) =
      switch facts.wiring {
      case .preNorm:
        ("pre-norm", "x ← x + attention(N x);  x ← x + feed-forward(N x)")
      case .sandwich:
        ("sandwich", "x ← x + N attention(N x);  x ← x + N feed-forward(N x)")
      case .branchNorm:
        ("branch-norm", "x ← x + N attention(x);  x ← x + N feed-forward(x)")
      case .parallel:
        ("parallel", "x ← x + attention(N x) + feed-forward(N x)")
      case .postNorm:
        ("post-norm", "x ← N(x + attention(x));  x ← N(x + feed-forward(x))")
      case .stateSpace: ("state-space", "x ← x + mixer(N x)")
      case .other: ("other", "of its own kind")
      }
    self.init(
      layers: layers, wiring: wiring, formula: formula,
      norms: facts.norms.map(InspectedNorm.init),
      attention: facts.attention.map(InspectedAttention.init),
      feedForward: facts.feedForward.map(InspectedFeedForward.init),
      mixer: facts.mixer.map {
        InspectedMixer(
          activation: $0.activation?.spelling, channels: $0.channels, states: $0.states,
          kernel: $0.kernel)
      }, note: facts.note)
  }
}

extension InspectedAttention {
  init(_ facts: AttentionFacts) {
    self.init(
      heads: facts.heads, keyValueHeads: facts.keyValueHeads, headWidth: facts.headWidth,
      scale: facts.scale, softCap: facts.softCap, window: facts.window,
      rope: facts.rotary.map {
        InspectedRope(
          base: $0.base, width: $0.width, scaling: $0.scalingText,
          amplitude: $0.amplitude == 1 ? nil : $0.amplitude)
      }, norms: facts.norms.map(InspectedNorm.init), relative: facts.relative,
      inputBias: facts.hasInputBias, outputBias: facts.hasOutputBias)
  }
}

extension InspectedFeedForward {
  init(_ facts: FeedForwardFacts) {
    self.init(
      activation: facts.activation?.spelling, gated: facts.isGated, hidden: facts.hidden,
      experts: facts.experts, chosen: facts.chosen, sharedHidden: facts.sharedHidden,
      bias: facts.hasBias)
  }
}

extension RotaryEmbedding {
  private static func range(_ factors: [Double]) -> String {
    "\(factors.min() ?? 1) to \(factors.max() ?? 1)"
  }

  /// How the frequencies are changed, in words.
  var scalingText: String {
    switch scaling {
    case .none: "none"
    case .linear(let factor): "linear, factor \(factor)"
    case .llama3(let factor, let low, let high, let context):
      "llama3, factor \(factor), from wavelengths of \(context / high) to \(context / low)"
    case .dynamic(let factor, let context):
      "dynamic, factor \(factor) in texts of over \(Int(context)) tokens"
    case .yarn(let yarn):
      "yarn, factor \(yarn.factor) of an original \(Int(yarn.originalContext)) tokens"
    case .longRoPE(let short, let long, let context):
      short == long
        ? "each frequency by a factor of its own, \(Self.range(short))"
        : "longrope, factors \(Self.range(short)) up to \(Int(context)) tokens and "
          + "\(Self.range(long)) beyond"
    }
  }
}

extension InspectedBoundary {
  init(_ layers: [Int], _ facts: BlockFacts) {
    let follows = "output projection, residual, feed-forward network"
    var u: String? = "attention.heads"
    var attention: String? = "z → N → query, key, value → u"
    var mlp: String
    var note: String?
    switch facts.wiring {
    case .preNorm: mlp = "\(follows); z held where it is added"
    case .sandwich:
      mlp = "\(follows), each branch's own norm; z held where it is added"
    case .branchNorm:
      attention = "z → query, key, value → u"
      mlp = "\(follows), each branch's own norm; z held where it is added"
    case .postNorm:
      attention = "z → query, key, value → u"
      mlp = "\(follows), the norms over stream and branch; z held where it is added"
    case .parallel:
      mlp = "output projection alone; z and what the feed-forward network reads of it held"
      note =
        "the feed-forward network reads z and not u: what it adds goes from z to z′ beside the heads"
    case .stateSpace:
      (u, attention) = (nil, nil)
      mlp = "norm, mixer, residual: z → z′ in one"
      note = "there are no heads and no network apart from them: flows run between blocks only"
    case .other:
      (u, attention) = (nil, nil)
      mlp = "the whole block: z → z′ in one"
    }
    if facts.attention == nil { (u, attention) = (nil, nil) }
    self.init(
      layers: layers, z: "residual.before", u: u, next: "residual.after", attention: attention,
      mlp: mlp, note: note)
  }
}
