public import Foundation
public import StrictJSON

/// A model as it lies on disk, whatever its format: configuration, metadata and tensors.
///
/// Opening maps the files and reads their headers; numbers are read when asked for.
public struct Checkpoint: Sendable {
  /// What a checkpoint is stored as.
  public enum Format: String, Sendable {
    /// One GGUF file.
    case gguf
    /// One safetensors file, or several with an index.
    case safetensors
    /// One file of `torch.save`, or several with an index.
    case torch
  }

  /// Whose names the tensors have, and where configuration and tokenizer are.
  public enum Layout: String, Sendable {
    /// Hugging Face's: `config.json` and tokenizer files lie beside the weights.
    case huggingFace
    /// llama.cpp's: one file holds everything.
    case gguf
  }

  /// A short name: of the file, or of the folder where the file's own name says nothing.
  public let name: String
  /// What was opened: a file or a folder.
  public let url: URL
  /// What the tensors are stored as.
  public let format: Format
  /// Whose names the tensors have.
  public var layout: Layout { format == .gguf ? .gguf : .huggingFace }
  /// `config.json`, which all but GGUF files need.
  public let configuration: JSON?
  /// The metadata of a GGUF file; empty otherwise.
  public let metadata: [String: GGUFValue]
  /// The tensors by the file's own names.
  public let tensors: [String: StoredTensor]
  /// The tensors that are another one under a second name, with the name that comes first.
  ///
  /// Only files of `torch.save` have such: tied weights stand in them once, and are named twice.
  public let aliases: [String: String]
  /// The files that hold the tensors.
  public let files: [URL]

  /// Opens a model file with what must lie beside it, or a folder.
  ///
  /// A folder is a Hugging Face model (`config.json` with safetensors, else with files of
  /// `torch.save`) or holds exactly one GGUF file. What a file is, its first bytes tell, not its
  /// name.
  ///
  /// - Parameter url: The file or folder.
  /// - Throws: `missing`, `unreadable`, `malformed` or `unsupported`.
  public init(_ url: URL) throws(CheckpointError) {
    if isFolder(url) {
      let weights = try Self.weights(in: url)
      try self.init(url, weights: url.appending(path: weights.name), isIndex: weights.isIndex)
    } else {
      try self.init(url, weights: url, isIndex: url.lastPathComponent.hasSuffix(".index.json"))
    }
  }

  /// Whether a path leads to weights: to a file that is no configuration, or to a folder with some.
  ///
  /// - Parameter url: The file or folder.
  /// - Returns: False for a `config.json` and for a folder that has no weights; true for what is
  ///   missing or cannot be read, so that opening it says why.
  public static func hasWeights(at url: URL) -> Bool {
    guard isFolder(url) else { return url.lastPathComponent != ModelFiles.configuration }
    guard let names = try? names(in: url) else { return true }
    return ModelFiles.weights(among: names) != nil || !ModelFiles.gguf(among: names).isEmpty
  }

  private static func names(in folder: URL) throws(CheckpointError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.plainPath).sorted()
    } catch {
      throw CheckpointError(
        .unreadable,
        "\(folder.plainPath): the folder cannot be read; check its permissions", cause: error)
    }
  }

  /// The file in a folder that holds the weights or says where they are.
  private static func weights(in folder: URL) throws(CheckpointError) -> ModelFiles.Weights {
    let path = folder.plainPath
    let names = try names(in: folder)
    if let weights = ModelFiles.weights(among: names) { return weights }
    let candidates = ModelFiles.gguf(among: names)
    if let only = candidates.first, candidates.count == 1 {
      return ModelFiles.Weights(name: only, isIndex: false)
    }
    if candidates.count > 1 {
      throw CheckpointError(
        .unsupported,
        "\(path): the folder holds \(candidates.count) GGUF files; name one of them, such as "
          + candidates[0])
    }
    if names.contains(ModelFiles.configuration) {
      throw CheckpointError(
        .missing,
        "\(path): the folder has a config.json and no weights; add model.safetensors or "
          + "pytorch_model.bin, or fetch the whole model")
    }
    throw CheckpointError(
      .missing,
      "\(path): the folder has neither model.safetensors, nor model.safetensors.index.json, nor "
        + "pytorch_model.bin, nor a GGUF file; name a folder with a model")
  }

  /// Opens weights; `url` is what the user named.
  private init(_ url: URL, weights: URL, isIndex: Bool) throws(CheckpointError) {
    self.url = url
    name = Self.name(of: weights)
    if isIndex {
      let shards = try ShardIndex(weights)
      configuration = try Self.configuration(beside: weights)
      metadata = [:]
      let content = try shards.read()
      (format, tensors, aliases) = (content.format, content.tensors, content.aliases)
      files = shards.shards
      return
    }
    files = [weights]
    let file = try MappedFile(weights)
    if try WeightFile.format(of: file) == .gguf {
      let gguf = try GGUF(file)
      if let count = gguf.metadata["split.count"]?.integer, count > 1 {
        throw CheckpointError(
          .unsupported,
          "\(weights.plainPath): this is one of \(count) parts of a model; join them "
            + "with llama-gguf-split --merge")
      }
      (format, tensors, aliases) = (.gguf, gguf.tensors, [:])
      configuration = nil
      metadata = gguf.metadata
    } else {
      let content = try WeightFile(file)
      (format, tensors, aliases) = (content.format, content.tensors, content.aliases)
      configuration = try Self.configuration(beside: weights)
      metadata = [:]
    }
  }

  private static func configuration(beside file: URL) throws(CheckpointError) -> JSON {
    let url = file.deletingLastPathComponent().appending(path: ModelFiles.configuration)
    do throws(CheckpointError) {
      return try ModelConfiguration.read(url)
    } catch {
      guard error.code == .missing else { throw error }
      throw CheckpointError(
        .missing,
        "\(url.plainPath): there is no such file, and weights alone do not say what model they are; "
          + "put the model's config.json there")
    }
  }

  /// The file's name without its extension; where that says nothing, the folder's.
  static func name(of file: URL) -> String {
    let stem = file.deletingPathExtension().lastPathComponent
    guard ModelFiles.plainStems.contains(stem) else { return stem }
    var folder = file.standardizedFileURL.deletingLastPathComponent()
    if folder.deletingLastPathComponent().lastPathComponent == "snapshots" {
      folder = folder.deletingLastPathComponent().deletingLastPathComponent()
    }
    let name = folder.lastPathComponent
    return HubCache.repository(ofFolder: name) ?? name
  }
}
