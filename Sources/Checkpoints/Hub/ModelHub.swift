public import Foundation

/// Models by their names on the hub: from the cache, else from the network.
///
/// Downloads lie in the cache as Hugging Face's own programs lay them, and go on where they broke
/// off. Every file is compared with the size and the hash that the hub states before it is used.
public struct ModelHub: Sendable {
  /// How far a download is.
  public struct Progress: Sendable {
    /// The file that is being downloaded.
    public var file: String
    /// The bytes of the model's files that are there.
    public var byteCount: Int
    /// The bytes of all of them, as far as they are known.
    public var totalByteCount: Int
    /// Whether another process downloads the same, and is waited for.
    public var isWaiting: Bool
  }

  /// Where hub and cache are.
  public let settings: HubSettings
  /// The cache.
  public var cache: HubCache { HubCache(settings.cache) }

  /// A hub by its settings.
  public init(_ settings: HubSettings) { self.settings = settings }

  /// A model from the cache; from the network where it is not there, or not whole.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - progress: Told how far the download is.
  /// - Returns: Its folder, or its GGUF file.
  /// - Throws: What ``fetch(_:progress:)`` throws.
  public func open(_ name: HubName, progress: (Progress) -> Void = { _ in }) throws -> URL {
    try cache.find(name) ?? fetch(name, progress: progress)
  }

  /// A model as the hub has it now; what is in the cache is not downloaded again.
  ///
  /// Where the network is forbidden, the cache alone is looked at.
  ///
  /// Configuration, tokenizer and chat template come first, weights last: safetensors, else files of
  /// `torch.save`, else the one GGUF file.
  ///
  /// - Parameters:
  ///   - name: Its name; a repository of several GGUF files needs the name of one.
  ///   - progress: Told how far the download is.
  /// - Returns: Its folder, or its GGUF file.
  /// - Throws: `CheckpointError`: `missing` for what the hub does not have, `unreadable` for what it
  ///   refuses, `unavailable` for a fault of the network or of the hub, `malformed` for content that
  ///   is not what the hub states, `unsupported` for a repository without weights that are read,
  ///   `unwritable` for a cache that cannot be written or is full, `usage` for a file of another
  ///   kind.
  public func fetch(_ name: HubName, progress: (Progress) -> Void = { _ in }) throws -> URL {
    if let file = name.file, ModelFiles.gguf(among: [file]).isEmpty {
      throw CheckpointError(
        .usage, "\(name): GGUF files alone are fetched by name; leave out \(quoted(file))")
    }
    if let variable = settings.offline {
      if let found = try cache.find(name) { return found }
      throw CheckpointError(
        .missing,
        "\(name) is not in the cache \(settings.cache.plainPath), and \(variable) forbids the network; "
          + "unset it, or name a model that is there (telescope model list)")
    }
    let client = try HubClient(name, settings)
    let listing = try client.listing()
    let snapshot = cache.snapshot(name.repository, commit: listing.commit)
    var step = Step(client: client, cache: cache, listing: listing, snapshot: snapshot)
    let choice = try choice(of: name, among: Array(listing.files.keys))
    try step.download(choice.files, progress)
    if choice.isIndexed, let index = choice.files.last {
      let shards = try ShardIndex(snapshot.appending(path: index), checksLinks: false).shards
      try step.download(shards.map(\.lastPathComponent), progress)
    }
    if !isCommit(name.wantedRevision) { try remember(name, listing.commit) }
    return choice.only.map { snapshot.appending(path: $0) } ?? snapshot
  }

  /// What is downloaded of a repository.
  private struct Choice {
    /// In this order; an index is the last.
    var files: [String]
    var isIndexed = false
    /// The one file that is the model.
    var only: String?
  }

  private func choice(
    of name: HubName, among files: [String]
  ) throws(CheckpointError) -> Choice {
    let page = "see \(settings.endpoint)/\(name.repository)/tree/\(name.wantedRevision)"
    if let file = name.file {
      guard files.contains(file) else {
        throw CheckpointError(.missing, "\(name): the repository has no such file; \(page)")
      }
      return Choice(files: [file], only: file)
    }
    guard let weights = ModelFiles.weights(among: files) else {
      let candidates = ModelFiles.gguf(among: files)
      guard candidates.count < 2 else { throw .manyFiles(name, candidates, "the repository has") }
      guard let only = candidates.first else {
        throw CheckpointError(
          .unsupported,
          "\(name): the repository has no weights that Telescope reads (safetensors, GGUF, "
            + "pytorch_model.bin); \(page)")
      }
      return Choice(files: [only], only: only)
    }
    guard files.contains(ModelFiles.configuration) else {
      throw CheckpointError(
        .unsupported, "\(name): the repository has weights and no config.json; \(page)")
    }
    let companions = files.filter(ModelFiles.companions.contains).sorted()
    return Choice(files: companions + [weights.name], isIndexed: weights.isIndex)
  }

  /// Notes the commit of a branch, once all of it is there.
  private func remember(_ name: HubName, _ commit: String) throws(CheckpointError) {
    let file = cache.repository(name.repository).appending(path: "refs/" + name.wantedRevision)
    try makeFolder(file.deletingLastPathComponent())
    do {
      try Data(commit.utf8).write(to: file, options: .atomic)
    } catch {
      throw CheckpointError(
        .unwritable, "\(file.plainPath): this cannot be written; check the folder's permissions",
        cause: error)
    }
  }

  /// Files that are downloaded one after another, with the bytes of all known before the first.
  private struct Step {
    let client: HubClient
    let cache: HubCache
    let listing: HubClient.Listing
    let snapshot: URL
    private var done = 0

    init(client: HubClient, cache: HubCache, listing: HubClient.Listing, snapshot: URL) {
      self.client = client
      self.cache = cache
      self.listing = listing
      self.snapshot = snapshot
    }

    mutating func download(_ paths: [String], _ progress: (Progress) -> Void) throws {
      let files = try paths.map { path in
        guard let listed = listing.files[path] else {
          throw CheckpointError.distrusted(
            client.name, "its index names the file \(quoted(path)), which the hub does not list")
        }
        return try client.describe(path, listed, commit: listing.commit)
      }
      let total = done + files.reduce(0) { $0 + ($1.size ?? 0) }
      try withoutActuallyEscaping(progress) { progress in
        let downloads = files.map { file in
          let before = done
          done += file.size ?? 0
          return BlobDownload(client: client, cache: cache, file: file) { bytes in
            progress(
              Progress(
                file: file.path, byteCount: before + (bytes ?? 0), totalByteCount: total,
                isWaiting: bytes == nil))
          }
        }
        try checkRoom(downloads.reduce(0) { $0 + $1.missing })
        for download in downloads {
          try download.run()
          try download.link(into: snapshot)
        }
      }
    }

    /// Compares what is to come with the free space on the disk.
    private func checkRoom(_ needed: Int) throws(CheckpointError) {
      try makeFolder(cache.folder)
      var status = statvfs()
      guard statvfs(cache.folder.plainPath, &status) == 0 else { return }
      let (free, overflow) = Int(clamping: status.f_bavail)
        .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
      guard !overflow, needed > free else { return }
      throw CheckpointError(
        .unwritable,
        "\(cache.folder.plainPath): \(client.name) needs \(megabytes(needed)) and the disk has "
          + "\(megabytes(free)) free; make room, or set HF_HUB_CACHE to a folder on another disk")
    }
  }
}

/// Bytes for people: `512 MB`, `12 kB`.
func megabytes(_ bytes: Int) -> String {
  bytes < 1_000_000 ? "\((bytes + 500) / 1_000) kB" : "\((bytes + 500_000) / 1_000_000) MB"
}
