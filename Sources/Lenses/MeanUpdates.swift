internal import Checkpoints
public import Foundation
public import LanguageModels
internal import Tensors

// What a model does on the mean: with r_0 the embedding and u_k = r_{k+1} − r_k what block k adds,
//
//     r̄_0 = mean over all positions of r_0,    ū_k = mean over all positions of u_k.
//
// States are summed in float64, and ū_k is the difference of two means, so that r̄_0 + Σ ū_k is the
// mean of the last state to rounding in float64.

/// The mean embedding and each block's mean update over a text.
public struct MeanUpdates: Sendable, Equatable {
  /// r̄_0: [width].
  public var embedding: [Double]
  /// ū_k: [blocks][width].
  public var updates: [[Double]]
  /// Where they come from.
  public var origin: Origin

  /// Where means come from.
  public struct Origin: Sendable, Equatable {
    /// The model's name.
    public var modelName: String
    /// The SHA-256 of the model's file, in hex.
    public var modelSHA256: String
    /// The SHA-256 of the text.
    public var textSHA256: String
    /// The positions averaged.
    public var tokens: Int
    /// Tokens of a sequence that ran together.
    public var sequence: Int
    /// The version of Telescope.
    public var toolVersion: String

    /// Gathers the values.
    public init(
      modelName: String, modelSHA256: String, textSHA256: String, tokens: Int, sequence: Int,
      toolVersion: String
    ) {
      self.modelName = modelName
      self.modelSHA256 = modelSHA256
      self.textSHA256 = textSHA256
      self.tokens = tokens
      self.sequence = sequence
      self.toolVersion = toolVersion
    }
  }

  /// Gathers the values.
  public init(embedding: [Double], updates: [[Double]], origin: Origin) {
    self.embedding = embedding
    self.updates = updates
    self.origin = origin
  }
}

// MARK: - Measuring

extension MeanUpdates {
  /// Runs a model over a text and averages.
  ///
  /// - Parameters:
  ///   - text: the sequences.
  ///   - loaded: the model.
  ///   - modelHash: the SHA-256 of the model's file, for the record.
  ///   - toolVersion: the version of Telescope, for the record.
  ///   - memory: the most bytes that this may take beyond the model; nil for as many as it takes.
  ///   - progress: told the share of the sequences run.
  /// - Throws: `ModelError` for a sequence that the model cannot run; `LensError` for numbers that
  ///   are not finite, and where memory does not suffice; `EngineError` when memory runs out.
  /// - Complexity: one forward pass over the text; memory does not grow with it.
  public init(
    of text: LensText, in loaded: LoadedModel, modelHash: String, toolVersion: String,
    memory: Int? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    let shape = loaded.model.shape
    // A block's residual stream three times over, its widest values, one layer in float64, the sums.
    let needed =
      text.length
      * ((3 * shape.width + 3 * shape.hidden) * loaded.model.type.bytes
        + 8 * shape.width) + 16 * shape.width * (shape.layers + 1)
    if let memory, needed > memory {
      throw LensError(
        .memory,
        "Averaging needs about \(megabytes(needed)) beyond the model and --memory allows "
          + "\(megabytes(max(0, memory))); allow more, or choose a shorter --sequence.")
    }
    var sums = Array(repeating: [Double](repeating: 0, count: shape.width), count: shape.layers + 1)
    var count = 0
    for (index, sequence) in text.sequences.enumerated() {
      var parts = [[Double]](repeating: [], count: shape.layers + 1)
      var failure: (any Error)?
      let sites = Set([Site.embedding] + (0..<shape.layers).map { .residual($0, .after) })
      let pass = Pass(sites: sites) { site, value in
        let layer = if case .residual(let block, _) = site { block + 1 } else { 0 }
        do {
          parts[layer] = try value.to(.float64, on: .cpu).reshaped([-1, shape.width])
            .sum(along: 0).values()
        } catch {
          failure = failure ?? error
        }
        return value
      }
      try withRecording(false) { _ = try loaded.model.run([sequence], pass: pass) }
      if let failure { throw failure }
      for layer in sums.indices {
        for column in 0..<shape.width { sums[layer][column] += parts[layer][column] }
      }
      count += sequence.count
      progress(Double(index + 1) / Double(text.sequences.count))
    }
    guard sums.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { throw LensError.modelNotFinite }
    let means = sums.map { $0.map { $0 / Double(count) } }
    embedding = means[0]
    updates = (0..<shape.layers).map { layer in zip(means[layer + 1], means[layer]).map(-) }
    origin = Origin(
      modelName: loaded.name, modelSHA256: modelHash, textSHA256: text.sha256, tokens: count,
      sequence: text.length, toolVersion: toolVersion)
  }
}

// MARK: - The file

extension MeanUpdates {
  private static let format = "telescope/mean-updates/1"

  /// Reads means that were measured for a model.
  ///
  /// - Parameters:
  ///   - url: a file that ``save(to:)`` wrote.
  ///   - loaded: the model that they must fit.
  ///   - modelHash: the SHA-256 of the model's file.
  ///   - unverified: whether the person vouches for means of another model file.
  /// - Throws: `CheckpointError` for a file that cannot be read; `LensError` for one that does not
  ///   fit the model.
  public init(
    load url: URL, for loaded: LoadedModel, modelHash: String, unverified: Bool = false
  ) throws {
    try self.init(load: url)
    let shape = loaded.model.shape
    let name = url.lastPathComponent
    guard updates.count == shape.layers, embedding.count == shape.width else {
      throw LensError(
        .badData,
        "\(name): the means are of \(updates.count) blocks of width \(embedding.count), and "
          + "\(loaded.name) has \(shape.layers) of width \(shape.width); measure them for this model "
          + "with telescope lens means.")
    }
    guard unverified || origin.modelSHA256 == modelHash else {
      throw LensError(
        .badData,
        "\(name): the means were measured in \(origin.modelName) with SHA-256 "
          + "\(origin.modelSHA256.prefix(12))… and \(loaded.name) has \(modelHash.prefix(12))…; use "
          + "that model, or measure them for this one with telescope lens means.")
    }
  }

  /// Reads means, whatever their model.
  ///
  /// - Throws: `CheckpointError` for a file that cannot be read; `LensError` for one that does not
  ///   hold means.
  public init(load url: URL) throws {
    let file = try Safetensors(url)
    let name = url.lastPathComponent
    guard file.remarks["format"] == Self.format else {
      throw LensError(
        .badData,
        "\(name): this is no file of mean updates (its remarks lack 'format' "
          + "'\(Self.format)'); make one with telescope lens means.")
    }
    func values(_ key: String, rank: Int) throws -> (shape: [Int], values: [Double]) {
      guard let tensor = file.tensors[key], tensor.shape.count == rank else {
        throw LensError(
          .badData,
          "\(name): tensor '\(key)' of \(rank) dimensions is missing; the file is damaged, measure "
            + "again.")
      }
      let values = [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, filled in
        if let base = buffer.baseAddress { tensor.read(into: base) }
        filled = tensor.elementCount
      }
      guard values.allSatisfy(\.isFinite) else {
        throw LensError(
          .badData,
          "\(name): tensor '\(key)' holds a number that is not finite; the file is damaged, measure "
            + "again.")
      }
      return (tensor.shape, values)
    }
    embedding = try values("embedding", rank: 1).values
    let (shape, all) = try values("updates", rank: 2)
    let width = embedding.count
    guard shape[1] == width else {
      throw LensError(
        .badData,
        "\(name): the updates are \(shape[1]) wide and the embedding \(width); the file is damaged, "
          + "measure again.")
    }
    updates = (0..<shape[0]).map { Array(all[$0 * width..<($0 + 1) * width]) }
    let remarks = Remarks(file: name, text: file.remarks)
    origin = Origin(
      modelName: try remarks.string("model"), modelSHA256: try remarks.string("model_sha256"),
      textSHA256: try remarks.string("text_sha256"), tokens: try remarks.integer("tokens"),
      sequence: try remarks.integer("sequence"), toolVersion: try remarks.string("tool_version"))
  }

  /// Writes a safetensors file: `embedding` [width] and `updates` [blocks, width], float64, with
  /// their origin among the remarks.
  ///
  /// - Throws: `CheckpointError` when the file cannot be written; nothing half-written is left.
  public func save(to url: URL) throws {
    var writer = SafetensorsWriter(remarks: [
      "format": Self.format, "model": origin.modelName, "model_sha256": origin.modelSHA256,
      "text_sha256": origin.textSHA256, "tokens": String(origin.tokens),
      "sequence": String(origin.sequence), "tool_version": origin.toolVersion,
    ])
    writer.add("embedding", shape: [embedding.count], embedding)
    writer.add("updates", shape: [updates.count, embedding.count], updates.flatMap(\.self))
    try writer.write(to: url)
  }
}
