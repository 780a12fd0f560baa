internal import Checkpoints
public import Foundation
internal import StrictJSON
public import Tensors

/// What a model is: sizes, wiring, sites and sums, told from its configuration alone.
///
/// Where there are weights their names, shapes and types are read, and no matrix. The values come from the
/// blocks themselves (`Block.facts`), so what is said is what would be computed.
public struct Inspection: Sendable {
  /// The name of what was looked at.
  public var name: String
  /// The sizes.
  public var shape: ModelShape
  /// Whether positions see only those before them.
  public var isCausal: Bool
  /// What the first block receives.
  public var embedding: EmbeddingFacts
  /// One per block.
  public var blocks: [BlockFacts]
  /// What turns the stream into logits; nil for an encoder without one.
  public var head: HeadFacts?
  /// How many numbers each part of the model holds.
  public var parameters: Parameters
  /// Every site.
  public var sites: Set<Site>
  /// Layers whose updates have no rule that splits them.
  public var layersWithoutRule: [Int]
  /// The first layer with something that no relevance rule knows, and what it is.
  public var withoutRelevance: (layer: Int, part: String)?
  /// What the weights are stored as; nil for a configuration alone.
  public var storage: Storage?

  /// What the first block receives.
  public struct EmbeddingFacts: Hashable, Sendable {
    /// What tokens' vectors are multiplied by.
    public var scale: Double
    /// How many positions have a vector; nil where none has.
    public var positions: Int?
    /// Whether the vector of the first of two texts is added.
    public var hasTextType: Bool
    /// The width of tokens' vectors, where it is not the stream's.
    public var width: Int?
    /// The norms: of the sum, and of it in the stream's width.
    public var norms: [NormFacts]
  }

  /// What turns the stream into logits.
  public struct HeadFacts: Hashable, Sendable {
    /// Whether its matrix is the embedding's.
    public var isTied: Bool
    /// Its norms, in the order that they are passed.
    public var norms: [NormFacts]
    /// The activation of the dense layer before the norm, where there is one.
    public var transform: Activation?
    /// Whether logits have a bias.
    public var hasBias: Bool
    /// κ of κ·tanh(logit/κ); nil for none.
    public var softCap: Double?
  }

  /// How many numbers each part of a model holds; a weight that is used twice counts once.
  public struct Parameters: Hashable, Sendable {
    /// All of the model.
    public var total = 0
    /// Tokens' vectors, positions', and what stands with them.
    public var embedding = 0
    /// All blocks' attention.
    public var attention = 0
    /// All blocks' feed-forward networks, experts included.
    public var feedForward = 0
    /// All blocks' mixers.
    public var mixers = 0
    /// All blocks' norms.
    public var norms = 0
    /// What the head has of its own.
    public var head = 0
    /// What no part says is its own.
    public var other = 0
  }

  /// What weights are stored as.
  public struct Storage: Hashable, Sendable {
    /// Tensors of one type.
    public struct Share: Hashable, Sendable {
      /// The type, as the format calls it.
      public var type: String
      /// How many tensors.
      public var tensors: Int
      /// How many numbers.
      public var parameters: Int
      /// How many bytes.
      public var bytes: Int
    }

    /// The format of the files.
    public var format: String
    /// Their names.
    public var files: [String]
    /// By type, the largest first.
    public var shares: [Share]
  }

  /// Looks at a GGUF file, a safetensors file, a model folder, or a `config.json` with or without a folder
  /// around it.
  ///
  /// - Parameters:
  ///   - url: the file or folder.
  ///   - ignoredKeys: unknown configuration keys that the person vouches for.
  /// - Throws: `CheckpointError` or `ModelError`, as loading would: for keys that Telescope does not know
  ///   and for weights whose names or shapes do not fit.
  /// - Complexity: reads headers and vectors, no matrix.
  public init(of url: URL, ignoringKeys ignoredKeys: Set<String> = []) throws {
    guard Checkpoint.hasWeights(at: url) else {
      let configuration = try ModelConfiguration(at: url)
      let members = (configuration.value.object?.members ?? []).map { ($0.key, $0.value) }
      let reader = WeightReader(shapesOf: configuration.name, type: .float32)
      let model = try withEngineErrors {
        try loadFamily(
          ConfigurationReader(members, file: configuration.file.path, exempt: ignoredKeys), reader)
      }
      try self.init(model, name: configuration.name, counting: reader)
      return
    }
    let checkpoint = try Checkpoint(url)
    let reader = WeightReader(checkpoint, type: .float32, device: .cpu, outline: true)
    let model = try withEngineErrors {
      try loadFamily(checkpoint, reader, ignoring: ignoredKeys)
    }
    try self.init(model, name: checkpoint.name, counting: reader)
    storage = Storage(checkpoint)
  }

  private init(_ model: any LanguageModel, name: String, counting reader: WeightReader) throws {
    guard let model = model as? Transformer else {
      throw ModelError(
        .usage, "\(name): \(model.shape.architecture) says nothing of its blocks; run it instead.")
    }
    self.init(model, name: name, parameters: reader.parameterCount)
  }

  /// Looks at a model that is there.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - name: what to call it.
  ///   - parameters: how many numbers its files hold; nil for those that its parts name.
  public init(_ model: Transformer, name: String, parameters: Int? = nil) {
    self.name = name
    shape = model.shape
    isCausal = model.isCausal
    embedding = model.embedding.facts
    blocks = model.blocks.map(\.facts)
    head = model.head.map { HeadFacts($0, tiedTo: model.embedding) }
    sites = model.sites
    withoutRelevance = model.withoutRule
    layersWithoutRule = model.blocks.indices.filter { model.blocks[$0].rule == nil }

    var seen: Set<WeightFact> = []
    func count(_ weights: [WeightFact]) -> Int {
      weights.filter { seen.insert($0).inserted }.reduce(0) { $0 + $1.count }
    }
    var sums = Parameters()
    sums.embedding = count(model.embedding.weights)
    for block in blocks {
      sums.attention += count(block.attention?.weights ?? [])
      sums.feedForward += count(block.feedForward?.weights ?? [])
      sums.mixers += count(block.mixer?.weights ?? [])
      sums.norms += count(block.weights)
    }
    if let head = model.head { sums.head = count(head.weights) }
    let named =
      sums.embedding + sums.attention + sums.feedForward + sums.mixers + sums.norms + sums.head
    sums.total = max(named, parameters ?? named)
    sums.other = sums.total - named
    self.parameters = sums
  }

  /// The bytes that the weights take as a type.
  public func bytes(as type: ScalarType) -> Int { parameters.total * type.bytes }

  /// Blocks that compute alike, with the layers where they stand, by the first of them.
  public var groups: [(layers: [Int], facts: BlockFacts)] {
    var order: [BlockFacts] = []
    var layers: [BlockFacts: [Int]] = [:]
    for (layer, block) in blocks.enumerated() {
      let outline = block.outline
      if layers[outline] == nil { order.append(outline) }
      layers[outline, default: []].append(layer)
    }
    return order.map { (layers[$0] ?? [], $0) }
  }

  /// The extent of a site's dimension; nil where the text decides.
  public func extent(of axis: Site.Axis, at site: Site) -> Int? {
    let network = site.layer.flatMap { blocks[$0].feedForward }
    return switch axis {
    case .position, .queryPosition, .keyPosition: nil
    case .heads: shape.heads
    case .keyValueHeads: shape.keyValueHeads
    case .headWidth: shape.headWidth
    case .width: shape.width
    case .hidden: network?.hidden ?? shape.hidden
    case .vocabulary: shape.vocabulary
    case .experts:
      network?.experts.map { experts in
        let isShared = network?.sharedHidden != nil && site.kind.hasSuffix("experts")
        return experts + (isShared ? 1 : 0)
      }
    }
  }
}

extension Inspection.Storage {
  /// What a checkpoint's tensors are stored as.
  init(_ checkpoint: Checkpoint) {
    format = checkpoint.format.rawValue
    files = checkpoint.files.map(\.lastPathComponent)
    let groups = Dictionary(grouping: checkpoint.tensors.values, by: \.type)
    shares = groups.map { type, tensors in
      Share(
        type: type.rawValue, tensors: tensors.count,
        parameters: tensors.reduce(0) { $0 + $1.elementCount },
        bytes: tensors.reduce(0) { $0 + $1.byteCount })
    }.sorted { ($0.bytes, $0.type) > ($1.bytes, $1.type) }
  }
}

extension Embedding {
  var weights: [WeightFact] {
    [tokens, positions, firstText].compactMap { $0.map(WeightFact.init) }
      + (norm?.facts ?? []) + (projection?.facts ?? []) + (lastNorm?.facts ?? [])
  }

  var facts: Inspection.EmbeddingFacts {
    Inspection.EmbeddingFacts(
      scale: scale, positions: positions?.size(0), hasTextType: firstText != nil,
      width: projection == nil ? nil : tokens.size(1),
      norms: [
        norm.map { NormFacts(.embedding, $0) }, lastNorm.map { NormFacts(.projectedEmbedding, $0) },
      ]
      .compactMap(\.self))
  }
}

extension Unembedding {
  var weights: [WeightFact] {
    [weight, bias].compactMap { $0.map(WeightFact.init) } + norm.facts
      + (transform.map { $0.dense.facts + ($0.norm?.facts ?? []) } ?? [])
  }
}

extension Inspection.HeadFacts {
  init(_ head: Unembedding, tiedTo embedding: Embedding) {
    isTied = head.weight.identity == embedding.tokens.identity
    norms =
      (head.transform?.norm.map { [NormFacts(.beforeTransform, $0)] } ?? [])
      + [NormFacts(.head, head.norm)]
    transform = head.transform?.activation
    hasBias = head.bias != nil
    softCap = head.softCap
  }
}
