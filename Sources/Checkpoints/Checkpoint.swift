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
  }

  /// A short name: of the file, or of the folder where the file's own name says nothing.
  public let name: String
  /// What was opened: a file or a folder.
  public let url: URL
  /// What the tensors are stored as.
  public let format: Format
  /// `config.json`, which safetensors need and GGUF files do without.
  public let configuration: JSON?
  /// The metadata of a GGUF file; empty for safetensors.
  public let metadata: [String: GGUFValue]
  /// The tensors by the file's own names.
  public let tensors: [String: StoredTensor]
  /// The files that hold the tensors.
  public let files: [URL]

  /// The largest `config.json` that is read, in bytes.
  public static let largestConfiguration = 16 << 20

  /// Opens a `.gguf` file, a safetensors file with `config.json` beside it, or a folder.
  ///
  /// A folder is a Hugging Face model (`config.json` with `model.safetensors` or its index) or holds
  /// exactly one GGUF file. What a file is, its first bytes tell, not its name.
  ///
  /// - Parameter url: The file or folder.
  /// - Throws: `missing`, `unreadable`, `malformed` or `unsupported`.
  public init(_ url: URL) throws(CheckpointError) {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(
      atPath: url.plainPath, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      try self.init(folder: url)
    } else if url.lastPathComponent.hasSuffix(".index.json") {
      try self.init(url, index: url)
    } else {
      try self.init(url, file: url)
    }
  }

  private init(folder: URL) throws(CheckpointError) {
    let path = folder.plainPath
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw CheckpointError(
        .unreadable, "\(path): the folder cannot be read; check its permissions", cause: error)
    }
    if names.contains("model.safetensors.index.json") {
      try self.init(folder, index: folder.appending(path: "model.safetensors.index.json"))
      return
    }
    if names.contains("model.safetensors") {
      try self.init(folder, file: folder.appending(path: "model.safetensors"))
      return
    }
    let candidates = names.filter { $0.lowercased().hasSuffix(".gguf") }
    if let only = candidates.first, candidates.count == 1 {
      try self.init(folder, file: folder.appending(path: only))
      return
    }
    if candidates.count > 1 {
      throw CheckpointError(
        .unsupported,
        "\(path): the folder holds \(candidates.count) GGUF files; name one of them, such as "
          + candidates[0])
    }
    if let pickle = names.first(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") }) {
      throw CheckpointError(
        .unsupported,
        "\(path): the weights are pickled (\(pickle)), and reading a pickle may run what it holds; "
          + "convert them to safetensors")
    }
    throw CheckpointError(
      .missing,
      "\(path): the folder has neither model.safetensors, nor model.safetensors.index.json, nor a "
        + "GGUF file; name a folder with a model")
  }

  /// One file; `url` is what the user named.
  private init(_ url: URL, file: URL) throws(CheckpointError) {
    let mapped = try MappedFile(file)
    self.url = url
    self.files = [file]
    self.name = Self.name(of: file)
    switch try Self.format(of: mapped) {
    case .gguf:
      let gguf = try GGUF(mapped)
      if let count = gguf.metadata["split.count"]?.integer, count > 1 {
        throw CheckpointError(
          .unsupported,
          "\(file.plainPath): this is one of \(count) parts of a model; join them "
            + "with llama-gguf-split --merge")
      }
      format = .gguf
      configuration = nil
      metadata = gguf.metadata
      tensors = gguf.tensors
    case .safetensors:
      tensors = try Safetensors(mapped).tensors
      format = .safetensors
      configuration = try Self.configuration(beside: file)
      metadata = [:]
    }
  }

  private init(_ url: URL, index: URL) throws(CheckpointError) {
    let shards = try ShardIndex(index)
    self.url = url
    format = .safetensors
    name = Self.name(of: index)
    configuration = try Self.configuration(beside: index)
    metadata = [:]
    tensors = try shards.open()
    files = shards.shards
  }

  private static func configuration(beside file: URL) throws(CheckpointError) -> JSON {
    let url = file.deletingLastPathComponent().appending(path: "config.json")
    let path = url.plainPath
    do throws(CheckpointError) {
      let value = try readJSON(url, largest: largestConfiguration, allowNonFinite: true)
      guard value.object != nil else {
        throw CheckpointError.malformed(path, "the configuration is \(value.kind), not an object")
      }
      return value
    } catch {
      guard error.code == .missing else { throw error }
      throw CheckpointError(
        .missing,
        "\(path): there is no such file, and safetensors do not say what model they are; put the "
          + "model's config.json there")
    }
  }

  private static func format(of file: MappedFile) throws(CheckpointError) -> Format {
    let path = file.url.plainPath
    return try file.withBytes { (bytes) throws(CheckpointError) in
      if bytes.starts(with: "GGUF".utf8) { return .gguf }
      if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0x80, 0x02]) {
        throw CheckpointError(
          .unsupported,
          "\(path): the file is a pickle, and reading a pickle may run what it holds; convert it to "
            + "safetensors")
      }
      if ["ggml", "lmgg", "fmgg", "tjgg", "algg"].contains(where: { bytes.starts(with: $0.utf8) }) {
        throw CheckpointError(
          .unsupported, "\(path): the file is of the time before GGUF; convert it to GGUF")
      }
      if bytes.starts(with: "version https://git-lfs".utf8) {
        throw CheckpointError(
          .malformed,
          "\(path): this is Git LFS's note in place of the file; fetch the file with git lfs pull")
      }
      // Safetensors begin with a length, whose upper bytes are 0, and a brace.
      if bytes.count >= 9, bytes[8] == UInt8(ascii: "{") { return .safetensors }
      throw CheckpointError(
        .malformed,
        "\(path): the file is neither GGUF nor safetensors; name a model file, or download it again"
      )
    }
  }

  /// The file's name without its extension; where that says nothing, the folder's.
  private static func name(of file: URL) -> String {
    let stem = file.deletingPathExtension().lastPathComponent
    guard ["model", "model.safetensors.index"].contains(stem) else { return stem }
    var folder = file.standardizedFileURL.deletingLastPathComponent()
    if folder.deletingLastPathComponent().lastPathComponent == "snapshots" {
      folder = folder.deletingLastPathComponent().deletingLastPathComponent()
    }
    // The Hugging Face cache calls the folder of owner/name models--owner--name.
    let name = folder.lastPathComponent
    guard name.hasPrefix("models--") else { return name }
    return String(name.dropFirst("models--".count).replacing("--", with: "/"))
  }
}
