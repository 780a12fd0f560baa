/// A model's sizes.
public struct InspectedSizes: Codable, Sendable, Equatable {
  /// Blocks.
  public var layers: Int
  /// The width of the residual stream.
  public var width: Int
  /// Query heads per block; 0 where there is no attention.
  public var heads: Int
  /// Key-value heads per block.
  public var keyValueHeads: Int
  /// The width of a head.
  public var headWidth: Int
  /// The neurons of a feed-forward network, or of a mixer's channels.
  public var hidden: Int
  /// Tokens in the vocabulary.
  public var vocabulary: Int
  /// The longest text.
  public var contextLength: Int

  /// Gathers the values.
  public init(
    layers: Int, width: Int, heads: Int, keyValueHeads: Int, headWidth: Int, hidden: Int,
    vocabulary: Int, contextLength: Int
  ) {
    self.layers = layers
    self.width = width
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headWidth = headWidth
    self.hidden = hidden
    self.vocabulary = vocabulary
    self.contextLength = contextLength
  }

  enum CodingKeys: String, CodingKey {
    case layers, width, heads
    case keyValueHeads = "key_value_heads"
    case headWidth = "head_width"
    case hidden, vocabulary
    case contextLength = "context_length"
  }
}

/// A number of something named.
public struct InspectedCount: Codable, Sendable, Equatable {
  /// What is counted.
  public var name: String
  /// How many.
  public var count: Int

  /// Gathers the values.
  public init(
    name: String, count: Int
  ) {
    self.name = name
    self.count = count
  }
}

/// What weights are stored as.
public struct InspectedStorage: Codable, Sendable, Equatable {
  /// `gguf`, `safetensors`, `torch`.
  public var format: String
  /// The files' names.
  public var files: [String]
  /// By type, the most bytes first.
  public var types: [InspectedType]

  /// Gathers the values.
  public init(
    format: String, files: [String], types: [InspectedType]
  ) {
    self.format = format
    self.files = files
    self.types = types
  }
}

/// Tensors of one stored type.
public struct InspectedType: Codable, Sendable, Equatable {
  /// The type: `F32`, `BF16`, `Q4_1`.
  public var type: String
  /// How many tensors.
  public var tensors: Int
  /// How many numbers.
  public var parameters: Int
  /// How many bytes.
  public var bytes: Int

  /// Gathers the values.
  public init(
    type: String, tensors: Int, parameters: Int, bytes: Int
  ) {
    self.type = type
    self.tensors = tensors
    self.parameters = parameters
    self.bytes = bytes
  }
}

/// A norm.
public struct InspectedNorm: Codable, Sendable, Equatable {
  /// What is normalised, in words.
  public var place: String
  /// `rms` or `layer`.
  public var kind: String
  /// ε.
  public var epsilon: Double
  /// Whether it adds β.
  public var bias: Bool
  /// Whether files hold w of a scale 1 + w.
  public var onePlusWeight: Bool

  /// Gathers the values.
  public init(
    place: String, kind: String, epsilon: Double, bias: Bool, onePlusWeight: Bool
  ) {
    self.place = place
    self.kind = kind
    self.epsilon = epsilon
    self.bias = bias
    self.onePlusWeight = onePlusWeight
  }

  enum CodingKeys: String, CodingKey {
    case place, kind, epsilon, bias
    case onePlusWeight = "one_plus_weight"
  }
}

/// What the first block receives.
public struct InspectedEmbedding: Codable, Sendable, Equatable {
  /// What tokens' vectors are multiplied by.
  public var scale: Double
  /// How many positions have a vector; absent where none has.
  public var positions: Int?
  /// Whether the vector of the first of two texts is added.
  public var textType: Bool
  /// The width of tokens' vectors, where it is not the stream's.
  public var width: Int?
  /// The norms: of the sum, and of it in the stream's width.
  public var norms: [InspectedNorm]

  /// Gathers the values.
  public init(
    scale: Double, positions: Int? = nil, textType: Bool, width: Int? = nil,
    norms: [InspectedNorm]
  ) {
    self.scale = scale
    self.positions = positions
    self.textType = textType
    self.width = width
    self.norms = norms
  }

  enum CodingKeys: String, CodingKey {
    case scale, positions
    case textType = "text_type"
    case width, norms
  }
}

/// Blocks that compute alike.
public struct InspectedBlocks: Codable, Sendable, Equatable {
  /// Where they stand, ascending.
  public var layers: [Int]
  /// `pre-norm`, `sandwich`, `branch-norm`, `parallel`, `post-norm`, `state-space` or `other`.
  public var wiring: String
  /// How the branches meet the residual stream.
  public var formula: String
  /// The norms, in the order that they are passed.
  public var norms: [InspectedNorm]
  /// The attention, where there is any.
  public var attention: InspectedAttention?
  /// The feed-forward network, where there is one.
  public var feedForward: InspectedFeedForward?
  /// What mixes positions in blocks without attention.
  public var mixer: InspectedMixer?
  /// What else is peculiar.
  public var note: String?

  /// Gathers the values.
  public init(
    layers: [Int], wiring: String, formula: String, norms: [InspectedNorm],
    attention: InspectedAttention? = nil, feedForward: InspectedFeedForward? = nil,
    mixer: InspectedMixer? = nil, note: String? = nil
  ) {
    self.layers = layers
    self.wiring = wiring
    self.formula = formula
    self.norms = norms
    self.attention = attention
    self.feedForward = feedForward
    self.mixer = mixer
    self.note = note
  }

  enum CodingKeys: String, CodingKey {
    case layers, wiring, formula, norms, attention
    case feedForward = "feed_forward"
    case mixer, note
  }
}

/// A block's attention.
public struct InspectedAttention: Codable, Sendable, Equatable {
  /// Query heads.
  public var heads: Int
  /// Key-value heads.
  public var keyValueHeads: Int
  /// The width of a head.
  public var headWidth: Int
  /// What scores are multiplied by.
  public var scale: Double
  /// κ of κ·tanh(score/κ); absent for none.
  public var softCap: Double?
  /// How far a query sees, itself included; absent for all the way.
  public var window: Int?
  /// How queries and keys turn by position; absent where they do not.
  public var rope: InspectedRope?
  /// The norms of queries and keys.
  public var norms: [InspectedNorm]
  /// What is added to scores by distance, in words; absent for nothing.
  public var relative: String?
  /// Whether queries, keys and values have biases.
  public var inputBias: Bool
  /// Whether the output projection has one.
  public var outputBias: Bool

  /// Gathers the values.
  public init(
    heads: Int, keyValueHeads: Int, headWidth: Int, scale: Double, softCap: Double? = nil,
    window: Int? = nil, rope: InspectedRope? = nil, norms: [InspectedNorm],
    relative: String? = nil, inputBias: Bool, outputBias: Bool
  ) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headWidth = headWidth
    self.scale = scale
    self.softCap = softCap
    self.window = window
    self.rope = rope
    self.norms = norms
    self.relative = relative
    self.inputBias = inputBias
    self.outputBias = outputBias
  }

  enum CodingKeys: String, CodingKey {
    case heads
    case keyValueHeads = "key_value_heads"
    case headWidth = "head_width"
    case scale
    case softCap = "soft_cap"
    case window, rope, norms, relative
    case inputBias = "input_bias"
    case outputBias = "output_bias"
  }
}

/// A rotary position embedding.
public struct InspectedRope: Codable, Sendable, Equatable {
  /// θ.
  public var base: Double
  /// The dimensions of a head that turn.
  public var width: Int
  /// How frequencies are changed for long texts: `none`, or a kind with its numbers.
  public var scaling: String
  /// What queries and keys are multiplied by beside; absent for 1.
  public var amplitude: Double?

  /// Gathers the values.
  public init(
    base: Double, width: Int, scaling: String, amplitude: Double? = nil
  ) {
    self.amplitude = amplitude
    self.base = base
    self.width = width
    self.scaling = scaling
  }
}

/// A block's feed-forward network.
public struct InspectedFeedForward: Codable, Sendable, Equatable {
  /// `silu`, `relu`, `gelu`, `gelu-tanh`.
  public var activation: String?
  /// Whether a gate multiplies the neurons.
  public var gated: Bool
  /// Neurons, of one expert in a mixture.
  public var hidden: Int
  /// How many experts; absent for a single network.
  public var experts: Int?
  /// How many of them a token uses.
  public var chosen: Int?
  /// The neurons of the expert that all tokens share, where there is one.
  public var sharedHidden: Int?
  /// Whether its maps have biases.
  public var bias: Bool

  /// Gathers the values.
  public init(
    activation: String? = nil, gated: Bool, hidden: Int, experts: Int? = nil, chosen: Int? = nil,
    sharedHidden: Int? = nil, bias: Bool
  ) {
    self.activation = activation
    self.gated = gated
    self.hidden = hidden
    self.experts = experts
    self.chosen = chosen
    self.sharedHidden = sharedHidden
    self.bias = bias
  }

  enum CodingKeys: String, CodingKey {
    case activation, gated, hidden, experts, chosen
    case sharedHidden = "shared_hidden"
    case bias
  }
}

/// What mixes positions in a block without attention.
public struct InspectedMixer: Codable, Sendable, Equatable {
  /// The activation behind the convolution and of the gate.
  public var activation: String?
  /// Channels.
  public var channels: Int
  /// Numbers of state per channel.
  public var states: Int
  /// Positions that the convolution sees.
  public var kernel: Int

  /// Gathers the values.
  public init(
    activation: String? = nil, channels: Int, states: Int, kernel: Int
  ) {
    self.activation = activation
    self.channels = channels
    self.states = states
    self.kernel = kernel
  }
}

/// What turns the stream into logits.
public struct InspectedHead: Codable, Sendable, Equatable {
  /// `tied` to the embedding, or its `own`.
  public var kind: String
  /// The norms, in the order that they are passed.
  public var norms: [InspectedNorm]
  /// The activation of a dense layer before the norm, where there is one.
  public var transform: String?
  /// Whether logits have a bias.
  public var bias: Bool
  /// κ of κ·tanh(logit/κ); absent for none.
  public var softCap: Double?

  /// Gathers the values.
  public init(
    kind: String, norms: [InspectedNorm], transform: String? = nil, bias: Bool,
    softCap: Double? = nil
  ) {
    self.kind = kind
    self.norms = norms
    self.transform = transform
    self.bias = bias
    self.softCap = softCap
  }

  enum CodingKeys: String, CodingKey {
    case kind, norms, transform, bias
    case softCap = "soft_cap"
  }
}

/// A place that can be seen, in the layers where it is.
public struct InspectedSite: Codable, Sendable, Equatable {
  /// The name in commands, without a layer: `residual.after`.
  public var name: String
  /// The layers, ascending; absent for sites outside of blocks.
  public var layers: [Int]?
  /// What each dimension counts.
  public var axes: [String]
  /// Each dimension's extent; null where the text decides.
  public var shape: [Int?]

  /// Gathers the values.
  public init(
    name: String, layers: [Int]? = nil, axes: [String], shape: [Int?]
  ) {
    self.name = name
    self.layers = layers
    self.axes = axes
    self.shape = shape
  }
}

/// Between which values a block's flows run: z → u → z′.
public struct InspectedBoundary: Codable, Sendable, Equatable {
  /// The layers.
  public var layers: [Int]
  /// The site of z, that enters the block.
  public var z: String
  /// The site of u, the heads joined, where there are heads.
  public var u: String?
  /// The site of z′, that leaves the block.
  public var next: String
  /// The map z → u.
  public var attention: String?
  /// The map u → z′, or z → z′ where there is no u.
  public var mlp: String
  /// What differs from blocks whose branches follow one another.
  public var note: String?

  /// Gathers the values.
  public init(
    layers: [Int], z: String, u: String? = nil, next: String, attention: String? = nil,
    mlp: String, note: String? = nil
  ) {
    self.layers = layers
    self.z = z
    self.u = u
    self.next = next
    self.attention = attention
    self.mlp = mlp
    self.note = note
  }
}

/// Whether a method works with the model.
public struct InspectedMethod: Codable, Sendable, Equatable {
  /// The command, with its option where that matters.
  public var name: String
  /// Whether it works.
  public var supported: Bool
  /// Why not.
  public var reason: String?

  /// Gathers the values.
  public init(
    name: String, supported: Bool, reason: String? = nil
  ) {
    self.name = name
    self.supported = supported
    self.reason = reason
  }
}
