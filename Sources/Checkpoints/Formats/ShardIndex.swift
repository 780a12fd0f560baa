public import Foundation
import StrictJSON

/// The index of a model that is cut into several files (`model.safetensors.index.json`,
/// `pytorch_model.bin.index.json`).
public struct ShardIndex: Sendable {
  /// The largest index that is read, in bytes.
  public static let largestFile = 64 << 20

  /// The index.
  public let url: URL
  /// The shards in the order of their names.
  public let shards: [URL]
  /// The file name of the shard that holds each tensor.
  private let shardOfTensor: [String: String]

  /// Reads an index.
  ///
  /// Shards must lie in its folder, whatever the index says.
  ///
  /// - Parameter url: Where the index is.
  /// - Throws: `missing`, `unreadable` or `malformed`.
  public init(_ url: URL) throws(CheckpointError) { try self.init(url, checksLinks: true) }

  /// Reads an index whose shards may not be there yet.
  init(_ url: URL, checksLinks: Bool) throws(CheckpointError) {
    let path = url.plainPath
    let value = try readJSON(url, largest: Self.largestFile)
    guard let members = value["weight_map"]?.members else {
      throw CheckpointError.malformed(path, "the index has no 'weight_map'")
    }
    guard !members.isEmpty else {
      throw CheckpointError.malformed(path, "the index names no tensor")
    }
    let folder = url.deletingLastPathComponent()
    var shardOfTensor: [String: String] = [:]
    var names: Set<String> = []
    for member in members {
      guard let shard = member.value.string else {
        throw CheckpointError.malformed(
          path, "the index has \(member.value.kind) as the shard of \(quoted(member.key))")
      }
      if names.insert(shard).inserted {
        try Self.check(shard, in: folder, index: path, link: checksLinks)
      }
      guard shardOfTensor.updateValue(shard, forKey: member.key) == nil else {
        throw CheckpointError.malformed(
          path, "two tensors have the name \(quoted(member.key)) in different spellings")
      }
    }
    self.url = url
    self.shardOfTensor = shardOfTensor
    self.shards = names.sorted().map { folder.appending(path: $0) }
  }

  /// Opens all shards.
  ///
  /// - Returns: The tensors of all shards by name: the ones that the index names, each from its
  ///   shard.
  /// - Throws: What opening a shard throws, and `malformed` where index and shards disagree.
  public func open() throws(CheckpointError) -> [String: StoredTensor] { try read().tensors }

  /// Opens all shards: the tensors, which of them are others under a second name, and the format.
  func read() throws(CheckpointError) -> (
    format: Checkpoint.Format, tensors: [String: StoredTensor], aliases: [String: String]
  ) {
    var tensors = [String: StoredTensor](minimumCapacity: shardOfTensor.count)
    var aliases: [String: String] = [:]
    var format: Checkpoint.Format?
    let path = url.plainPath
    for url in shards {
      let shard = url.lastPathComponent
      let file = try WeightFile(MappedFile(url))
      guard format == nil || format == file.format else {
        throw CheckpointError.malformed(path, "the shards are of different formats")
      }
      format = file.format
      aliases.merge(file.aliases) { first, _ in first }
      for (name, tensor) in file.tensors.sorted(by: { $0.key < $1.key }) {
        guard shardOfTensor[name] == shard else {
          let stated =
            shardOfTensor[name].map { "puts it into \(quoted($0))" } ?? "does not name it"
          throw CheckpointError.malformed(
            path, "shard \(quoted(shard)) holds tensor \(quoted(name)), but the index \(stated)")
        }
        tensors[name] = tensor
      }
    }
    if let absent = shardOfTensor.keys.filter({ tensors[$0] == nil }).min() {
      throw CheckpointError.malformed(
        path, "shard \(quoted(shardOfTensor[absent] ?? "")) lacks tensor \(quoted(absent))")
    }
    // An index names at least one tensor, and each name has a shard.
    return (format ?? .safetensors, tensors, aliases)
  }

  /// Refuses the name of a shard that could lead out of the folder.
  private static func check(
    _ shard: String, in folder: URL, index path: String, link: Bool
  ) throws(CheckpointError) {
    // By bytes: a combining mark would make '/' a different `Character`.
    let separators: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: "\\"), 0]
    guard !["", ".", ".."].contains(shard), !shard.utf8.contains(where: separators.contains) else {
      throw CheckpointError(
        .malformed,
        "\(path): the shard name \(quoted(shard)) is no plain file name; do not trust this model")
    }
    guard link else { return }
    let file = folder.appending(path: shard)
    // A symbolic link to nowhere resolves to itself and is missing when opened.
    let target = file.resolvingSymlinksInPath().plainPath
    let allowed = containers(of: folder)
    guard allowed.contains(where: { target.utf8.starts(with: ($0 + "/").utf8) }) else {
      throw CheckpointError(
        .malformed,
        "\(path): the shard \(quoted(shard)) is a link out of its folder; copy the file there")
    }
  }

  /// The folder, and where it is a snapshot in the Hugging Face cache, the folder of its contents.
  private static func containers(of folder: URL) -> [String] {
    let folder = folder.resolvingSymlinksInPath()
    var paths = [folder.plainPath]
    let parent = folder.deletingLastPathComponent()
    if parent.lastPathComponent == "snapshots" {
      let blobs = parent.deletingLastPathComponent().appending(path: "blobs")
      paths.append(blobs.resolvingSymlinksInPath().plainPath)
    }
    return paths
  }
}

/// Reads a JSON file whole.
func readJSON(
  _ url: URL, largest: Int, allowNonFinite: Bool = false
) throws(CheckpointError) -> JSON {
  let file = try MappedFile(url)
  let path = url.plainPath
  guard file.count <= largest else {
    throw CheckpointError.malformed(
      path, "the file has \(file.count) bytes where \(largest) are the most")
  }
  do throws(JSONError) {
    return try file.withBytes { (bytes) throws(JSONError) in
      try JSON.parse(bytes, allowNonFinite: allowNonFinite)
    }
  } catch {
    throw CheckpointError.malformed(path, "the file is not JSON (\(error.message))", cause: error)
  }
}
