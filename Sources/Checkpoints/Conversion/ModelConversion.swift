public import Foundation
import StrictJSON

/// Writes a model as a Hugging Face folder with safetensors, whatever its weights are stored as.
///
/// What it writes is a list of tensors and of small files; where these come from, the initialisers
/// say, one for each layout.
public struct ModelConversion {
  /// A tensor that will be written.
  package struct Tensor {
    let name: String
    let shape: [Int]
    /// How it will be written.
    let type: ElementType
    let elementCount: Int
    var byteCount: Int { elementCount * type.bytesPerBlock }
    /// Writes some of its numbers as singles.
    let read: @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    /// Its bytes as they are, where they need no change.
    let unchanged: StoredTensor?

    /// A tensor of F32, F16 or BF16 whose numbers a function gives, from many threads.
    package init(
      _ name: String, shape: [Int], as type: ElementType, unchanged: StoredTensor? = nil,
      read: @escaping @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
      self.name = name
      self.shape = shape
      self.type = type
      elementCount = shape.reduce(1, *)
      self.unchanged = unchanged
      self.read = read
    }
  }

  /// A small file that will be written.
  package struct Companion {
    let name: String
    let bytes: Data

    /// A file of this name and content.
    package init(name: String, bytes: Data) {
      self.name = name
      self.bytes = bytes
    }
  }

  /// What was written.
  public struct Summary: Sendable {
    /// How many tensors.
    public let tensorCount: Int
    /// The names of the files of weights.
    public let weightFiles: [String]
    /// The bytes of all tensors.
    public let byteCount: Int
    /// Tensors that were left out, as they are another one under a second name.
    public let leftOut: [String]
  }

  /// The most bytes of tensors in one file where nothing else is said.
  public static let usualShardSize = 5_000_000_000

  private let source: String
  private let tensors: [Tensor]
  private let companions: [Companion]
  private let leftOut: [String]
  private let shardSize: Int

  /// A conversion of a model in Hugging Face's layout: names stay, and what lies beside the weights
  /// (configuration, tokenizer, licence) comes along.
  ///
  /// Tied weights, which files of `torch.save` name twice, are written once, unless the
  /// configuration says that they are not tied.
  ///
  /// - Parameters:
  ///   - checkpoint: The model.
  ///   - type: F32, F16 or BF16 for all tensors of real numbers; nil to keep their types.
  ///   - shardSize: The most bytes of tensors in one file.
  /// - Throws: `unsupported` for another layout, `unreadable` for a file beside the weights.
  public init(
    _ checkpoint: Checkpoint, as type: ElementType? = nil, shardSize: Int = usualShardSize
  ) throws(CheckpointError) {
    precondition(type.map { [.f32, .f16, .bf16].contains($0) } ?? true)
    source = checkpoint.url.plainPath
    self.shardSize = shardSize
    switch checkpoint.layout {
    case .huggingFace:
      let isTied = checkpoint.configuration?["tie_word_embeddings"]?.boolean ?? true
      leftOut = isTied ? checkpoint.aliases.keys.sorted() : []
      let absent = Set(leftOut)
      tensors = checkpoint.tensors.values.filter { !absent.contains($0.name) }
        .sorted { $0.name < $1.name }.map { Self.tensor($0, as: type) }
      companions = try Self.companions(beside: checkpoint, type: type)
    case .gguf:
      throw CheckpointError(
        .unsupported,
        "\(source): GGUF has other names for tensors than Hugging Face's; convert it with "
          + "ModelConversion(translating:)")
    }
  }

  private static func tensor(_ stored: StoredTensor, as wanted: ElementType?) -> Tensor {
    let isReal = [.f64, .f32, .f16, .bf16].contains(stored.type)
    let type = isReal ? wanted ?? stored.type : stored.type
    return Tensor(
      stored.name, shape: stored.shape, as: type, unchanged: type == stored.type ? stored : nil
    ) { stored.read(elements: $0, into: $1) }
  }

  /// A conversion to tensors and small files that are made elsewhere.
  package init(
    of checkpoint: Checkpoint, tensors: [Tensor], companions: [Companion], shardSize: Int
  ) {
    source = checkpoint.url.plainPath
    self.tensors = tensors.sorted { $0.name < $1.name }
    self.companions = companions
    leftOut = []
    self.shardSize = shardSize
  }

  // MARK: Small files

  private static func companions(
    beside checkpoint: Checkpoint, type: ElementType?
  ) throws(CheckpointError) -> [Companion] {
    guard let folder = checkpoint.files.first?.deletingLastPathComponent() else { return [] }
    let papers = ["README", "LICENSE", "NOTICE"]
    let names = HubCache.names(in: folder).filter { name in
      ModelFiles.companions.contains(name) || papers.contains(where: name.hasPrefix)
    }
    var found: [Companion] = []
    for name in names where !isFolder(folder.appending(path: name)) {
      let file = try MappedFile(folder.appending(path: name))
      var bytes = file.withBytes { Data($0) }
      if name == ModelFiles.configuration, let type { bytes = stating(type, in: bytes) }
      found.append(Companion(name: name, bytes: bytes))
    }
    return found
  }

  /// The configuration with another type, where it states one; all else stays letter by letter.
  private static func stating(_ type: ElementType, in configuration: Data) -> Data {
    let names: [ElementType: String] = [.f32: "float32", .f16: "float16", .bf16: "bfloat16"]
    let text = String(decoding: configuration, as: UTF8.self)
    let stated = text.replacing(/("(?:torch_)?dtype"\s*:\s*)"[^"\\]*"/) { match in
      match.1 + "\"\(names[type] ?? "float32")\""
    }
    return Data(stated.utf8)
  }

  // MARK: Writing

  /// The folder in which a conversion to this place is made; it is renamed when it is whole.
  ///
  /// - Parameter folder: Where the model shall be.
  /// - Returns: A folder beside it that does not exist yet.
  public static func workplace(for folder: URL) -> URL {
    folder.deletingLastPathComponent()
      .appending(
        path: ".\(folder.lastPathComponent).\(UUID().uuidString).partial",
        directoryHint: .isDirectory)
  }

  /// Checks that a model can be written to a place.
  ///
  /// - Parameter folder: The place: a folder that does not exist, or is empty.
  /// - Throws: `unwritable`.
  public static func check(_ folder: URL) throws(CheckpointError) {
    var status = stat()
    guard lstat(folder.plainPath, &status) == 0 else {
      let parent = folder.deletingLastPathComponent()
      guard isFolder(parent) else {
        throw CheckpointError(
          .unwritable, "\(folder.plainPath): there is no folder \(parent.plainPath); make it first")
      }
      return
    }
    let content = try? FileManager.default.contentsOfDirectory(atPath: folder.plainPath)
    guard status.st_mode & S_IFMT == S_IFDIR, content?.isEmpty == true else {
      throw CheckpointError(
        .unwritable,
        "\(folder.plainPath): this is there already; name a new folder, or an empty one")
    }
  }

  /// Writes the model; it appears whole or not at all.
  ///
  /// - Parameters:
  ///   - folder: The place: a folder that does not exist, or is empty.
  ///   - workplace: Where it is made, on the same disk.
  ///   - progress: Told the share of bytes written.
  /// - Returns: What was written.
  /// - Throws: `unwritable`; `unsupported` for numbers that the type cannot hold.
  @discardableResult
  public func write(
    to folder: URL, by workplace: URL? = nil, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> Summary {
    try Self.check(folder)
    let workplace = workplace ?? Self.workplace(for: folder)
    guard mkdir(workplace.plainPath, 0o777) == 0 else {
      throw Self.unwritable(workplace, errno)
    }
    do {
      let summary = try fill(workplace, progress)
      // What was written is opened once more before it counts.
      if companions.contains(where: { $0.name == ModelFiles.configuration }) {
        _ = try Checkpoint(workplace)
      }
      guard rename(workplace.plainPath, folder.plainPath) == 0 else {
        throw Self.unwritable(folder, errno)
      }
      return summary
    } catch {
      try? FileManager.default.removeItem(at: workplace)
      throw error
    }
  }

  private static func unwritable(_ url: URL, _ code: Int32) -> CheckpointError {
    CheckpointError(
      .unwritable,
      "\(url.plainPath): the folder cannot be written (\(String(cString: strerror(code)))); check the "
        + "permissions and the room on its disk")
  }

  private func fill(_ folder: URL, _ progress: @escaping (Double) -> Void) throws -> Summary {
    for companion in companions {
      let file = folder.appending(path: companion.name)
      do {
        try companion.bytes.write(to: file)
      } catch {
        throw CheckpointError(
          .unwritable, "\(file.plainPath): the file cannot be written; check the room on its disk",
          cause: error)
      }
    }
    let shards = shards()
    let total = tensors.reduce(0) { $0 + $1.byteCount }
    var written = 0
    var places: [String: String] = [:]
    var names: [String] = []
    for (index, shard) in shards.enumerated() {
      let name = shards.count == 1 ? "model.safetensors" : Self.name(index, of: shards.count)
      names.append(name)
      var writer = SafetensorsWriter(remarks: ["format": "pt"])
      for tensor in shard {
        places[tensor.name] = name
        writer.add(tensor.name, tensor.type, shape: tensor.shape) { bytes in
          try write(tensor, into: bytes)
          written += tensor.byteCount
          progress(Double(written) / Double(max(1, total)))
        }
      }
      try writer.write(to: folder.appending(path: name))
    }
    if shards.count > 1 {
      let index: [String: Any] = ["metadata": ["total_size": total], "weight_map": places]
      let options: JSONSerialization.WritingOptions = [
        .sortedKeys, .prettyPrinted, .withoutEscapingSlashes,
      ]
      let file = folder.appending(path: "model.safetensors.index.json")
      try JSONSerialization.data(withJSONObject: index, options: options).write(to: file)
    }
    return Summary(
      tensorCount: tensors.count, weightFiles: names, byteCount: total, leftOut: leftOut)
  }

  /// The name of a shard, such as `model-00001-of-00003.safetensors`.
  private static func name(_ index: Int, of count: Int) -> String {
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "model-\(digits(index + 1))-of-\(digits(count)).safetensors"
  }

  /// The tensors in order, as many in one file as its size allows, at least one.
  private func shards() -> [[Tensor]] {
    var shards: [[Tensor]] = [[]]
    var size = 0
    for tensor in tensors {
      if size + tensor.byteCount > shardSize, size > 0 {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(tensor)
      size += tensor.byteCount
    }
    return shards
  }

  private func write(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws {
    if let unchanged = tensor.unchanged {
      return unchanged.withBytes { bytes.copyMemory(from: $0) }
    }
    let isExact = Narrowing.write(
      tensor.elementCount, as: tensor.type, into: bytes, read: tensor.read)
    guard isExact else {
      throw CheckpointError(
        .unsupported,
        "\(source): tensor \(quoted(tensor.name)) holds numbers beyond the range of "
          + "\(tensor.type == .f16 ? "float16; use bfloat16" : "bfloat16; use float32")")
    }
  }
}
