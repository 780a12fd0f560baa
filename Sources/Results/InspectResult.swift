/// What `telescope inspect` found: the JSON schema `telescope/inspect/1`.
public struct InspectResult: Codable, Sendable, Equatable {
  /// Always `telescope/inspect/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The file or folder name.
  public var name: String
  /// The family, as the checkpoint names it.
  public var architecture: String
  /// Whether positions see only those before them.
  public var causal: Bool
  /// The sizes.
  public var sizes: InspectedSizes
  /// How many numbers each part holds, `total` first.
  public var parameters: [InspectedCount]
  /// The bytes of the weights by element type of the computation.
  public var memory: [InspectedCount]
  /// What the weights are stored as; absent for a configuration alone.
  public var storage: InspectedStorage?
  /// What the first block receives.
  public var embedding: InspectedEmbedding
  /// Blocks that compute alike, by the first of them.
  public var blocks: [InspectedBlocks]
  /// What turns the stream into logits; absent for an encoder without one.
  public var head: InspectedHead?
  /// The places that can be seen, in the order of the forward pass.
  public var sites: [InspectedSite]
  /// Between which values flows run, for each of `blocks`.
  public var boundaries: [InspectedBoundary]
  /// What Telescope can do with the model, and why not.
  public var methods: [InspectedMethod]
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; nothing is measured, so never there.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/inspect/1"

  /// Gathers the values.
  public init(
    schema: String = InspectResult.schemaName, toolVersion: String, name: String,
    architecture: String, causal: Bool, sizes: InspectedSizes, parameters: [InspectedCount],
    memory: [InspectedCount], storage: InspectedStorage? = nil, embedding: InspectedEmbedding,
    blocks: [InspectedBlocks], head: InspectedHead? = nil, sites: [InspectedSite],
    boundaries: [InspectedBoundary], methods: [InspectedMethod], warnings: [String] = [],
    timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.name = name
    self.architecture = architecture
    self.causal = causal
    self.sizes = sizes
    self.parameters = parameters
    self.memory = memory
    self.storage = storage
    self.embedding = embedding
    self.blocks = blocks
    self.head = head
    self.sites = sites
    self.boundaries = boundaries
    self.methods = methods
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case name, architecture, causal, sizes, parameters, memory, storage, embedding, blocks, head
    case sites, boundaries, methods, warnings
    case timingsMs = "timings_ms"
  }
}

extension InspectResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope inspect --json"

  /// Checks that layers exist and that every group of blocks has its boundary.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    func check(_ layers: [Int], _ path: String) throws {
      for (index, layer) in layers.enumerated() where !(0..<sizes.layers).contains(layer) {
        throw ResultsError.outOfRange(
          "\(path)[\(index)]", layer, "a layer from 0 to \(sizes.layers - 1)")
      }
    }
    try RangeCheck.natural(sizes.layers, from: 1, "sizes.layers")
    for (index, group) in blocks.enumerated() {
      try check(group.layers, "blocks[\(index)].layers")
    }
    try RangeCheck.counts(boundaries.count, "boundaries", as: blocks.count, of: "blocks")
    for (index, site) in sites.enumerated() {
      try check(site.layers ?? [], "sites[\(index)].layers")
      try RangeCheck.counts(
        site.shape.count, "sites[\(index)].shape", as: site.axes.count,
        of: "sites[\(index)].axes")
    }
  }
}
