public import Checkpoints
public import Foundation
internal import StrictJSON
public import Tensors
public import Tokenization

/// A model ready to run, with its tokenizer and where it came from.
public struct LoadedModel {
  /// The network.
  public let model: any LanguageModel
  /// Text to ids and back.
  public let tokenizer: Tokenizer
  /// The checkpoint's name.
  public let name: String
  /// The files that hold the weights.
  public let files: [URL]
  /// The memory that weights read from files take, in bytes.
  public private(set) var weightBytes = 0
  /// The text of the model's chat template, if it has one.
  public var chatTemplate: String? { tokenizer.chatTemplate }

  /// Joins a network and a tokenizer that were made elsewhere.
  public init(model: any LanguageModel, tokenizer: Tokenizer, name: String, files: [URL] = []) {
    self.model = model
    self.tokenizer = tokenizer
    self.name = name
    self.files = files
  }

  /// Loads a GGUF file, a safetensors file, or a Hugging Face model folder.
  ///
  /// - Parameters:
  ///   - url: the file or folder.
  ///   - type: the element type of the computation.
  ///   - device: where it runs.
  ///   - ignoredKeys: unknown configuration keys that the person vouches for.
  ///   - memory: the most bytes the weights may take; nil for what the machine has free.
  ///   - progress: told the share of weights read.
  /// - Throws: `CheckpointError`, `TokenizationError`, `ModelError` or `EngineError`.
  /// - Complexity: reads every weight once.
  public init(
    at url: URL, type: ScalarType = .float32, on device: Device = .cpu,
    ignoringKeys ignoredKeys: Set<String> = [], memory: Int? = nil,
    progress: ((Double) -> Void)? = nil
  ) throws {
    try device.prepare()
    let checkpoint = try Checkpoint(url)
    weightBytes = try checkMemory(for: checkpoint, type: type, limit: memory)
    var tokenizer = try Tokenizer(of: checkpoint)
    tokenizer.endOfText.formUnion(endings(of: checkpoint))
    self.tokenizer = tokenizer
    name = checkpoint.name
    files = checkpoint.files
    model = try loadNetwork(
      of: checkpoint, type: type, on: device, ignoringKeys: ignoredKeys, progress: progress)
    guard tokenizer.vocabularySize <= model.shape.vocabulary else {
      throw ModelError(
        .badData,
        "\(checkpoint.name): the tokenizer has \(tokenizer.vocabularySize) tokens and "
          + "the model \(model.shape.vocabulary); they are from different models.")
    }
  }

  /// Checks that the model gives probabilities of tokens, before a method begins that needs them.
  ///
  /// - Throws: `ModelError` for an encoder without a language-model head.
  public func requireHead() throws {
    if model.head == nil { throw ModelError.noHead(name) }
  }
}

/// The network of an opened checkpoint, without its tokenizer.
///
/// - Throws: `ModelError` when configuration and weights do not make a model that Telescope knows;
///   `EngineError` when memory runs out.
public func loadNetwork(
  of checkpoint: Checkpoint, type: ScalarType = .float32, on device: Device = .cpu,
  ignoringKeys ignoredKeys: Set<String> = [], progress: ((Double) -> Void)? = nil
) throws -> any LanguageModel {
  try withEngineErrors {
    try loadFamily(
      checkpoint, WeightReader(checkpoint, type: type, device: device, progress: progress),
      ignoring: ignoredKeys)
  }
}

/// The bytes that a machine has free for a program, or nil where it does not say.
func availableMemory() -> Int? {
  #if os(Linux)
    guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else {
      return nil
    }
    let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  #else
    return Int(ProcessInfo.processInfo.physicalMemory)
  #endif
}

private func checkMemory(
  for checkpoint: Checkpoint, type: ScalarType, limit: Int?
) throws -> Int {
  let needed = checkpoint.tensors.values.reduce(0) { $0 + $1.elementCount } * type.bytes
  let allowed = limit ?? availableMemory() ?? .max
  guard needed > allowed else { return needed }
  let source = limit == nil ? "this machine has free" : "--memory allows"
  throw ModelError(
    .memory,
    "\(checkpoint.name): its weights take \(megabytes(needed)) as \(type.name), more than "
      + "the \(megabytes(allowed)) \(source); use --dtype bfloat16, a smaller model, or more memory."
  )
}

/// Bytes for people: `512 MB`, `12 kB`.
package func megabytes(_ bytes: Int) -> String {
  bytes < 1_000_000 ? "\((bytes + 500) / 1_000) kB" : "\((bytes + 500_000) / 1_000_000) MB"
}

/// The tokens that end a generated text, where `config.json` or `generation_config.json` name them.
private func endings(of checkpoint: Checkpoint) -> [Int] {
  var configurations = [checkpoint.configuration].compactMap { $0 }
  if checkpoint.layout == .huggingFace,
    let folder = checkpoint.files.first?.deletingLastPathComponent(),
    let data = try? Data(contentsOf: folder.appending(path: "generation_config.json")),
    let generation = try? JSON.parse(data)
  {
    configurations.append(generation)
  }
  return configurations.flatMap { configuration -> [Int] in
    guard let value = configuration["eos_token_id"] else { return [] }
    return value.integer.map { [$0] } ?? value.array?.compactMap(\.integer) ?? []
  }
}

extension Tokenizer {
  /// The tokenizer that a checkpoint carries or lies beside.
  init(of checkpoint: Checkpoint) throws {
    switch checkpoint.layout {
    case .huggingFace:
      let folder =
        checkpoint.files.first?.deletingLastPathComponent() ?? checkpoint.url
      let vocabulary = folder.appending(path: ModelFiles.vocabulary)
      let hasOwn = ["tokenizer.json", "tokenizer.model"].contains {
        FileManager.default.fileExists(atPath: folder.appending(path: $0).path)
      }
      if !hasOwn, FileManager.default.fileExists(atPath: vocabulary.path) {
        try self.init(ggufMetadata: GGUF(vocabulary).metadata, file: vocabulary.path)
      } else {
        try self.init(contentsOf: folder)
      }
    case .gguf:
      try self.init(ggufMetadata: checkpoint.metadata, file: checkpoint.name)
    }
  }
}
