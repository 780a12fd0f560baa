public import Foundation

/// The folder in which Hugging Face's programs, and Telescope, keep what they download.
///
/// `models--owner--name` holds `blobs` (contents, named by hash), `snapshots/COMMIT` (links to them
/// under their names in the repository) and `refs` (which commit a branch was at).
public struct HubCache: Sendable {
  /// Where it is.
  public let folder: URL

  /// A cache in a folder, which need not exist.
  public init(_ folder: URL) { self.folder = folder }

  private static let prefix = "models--"

  /// `owner/name` for `models--owner--name`.
  static func repository(ofFolder name: String) -> String? {
    guard name.hasPrefix(prefix), name.count > prefix.count else { return nil }
    return name.dropFirst(prefix.count).split(separator: "--", omittingEmptySubsequences: false)
      .joined(separator: "/")
  }

  private static func folderName(_ repository: String) -> String {
    prefix + repository.split(separator: "/").joined(separator: "--")
  }

  /// The folder of a repository.
  func repository(_ repository: String) -> URL {
    folder.appending(path: Self.folderName(repository), directoryHint: .isDirectory)
  }

  /// The file that is locked while a blob is written, where Hugging Face's programs have it.
  func lock(_ repository: String, blob: String) -> URL {
    folder.appending(path: ".locks/\(Self.folderName(repository))/\(blob).lock")
  }

  func locks(_ repository: String) -> URL {
    folder.appending(path: ".locks/\(Self.folderName(repository))")
  }

  /// The commit that a revision was at when it was last asked for.
  func commit(of name: HubName) -> String? {
    let revision = name.wantedRevision
    if isCommit(revision) { return revision }
    let file = repository(name.repository).appending(path: "refs/" + revision)
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
    let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return isPlainPath(commit) && !commit.contains("/") ? commit : nil
  }

  /// The folder of a commit.
  func snapshot(_ repository: String, commit: String) -> URL {
    self.repository(repository).appending(
      path: "snapshots/" + commit, directoryHint: .isDirectory)
  }

  /// A model that can be opened without the network.
  ///
  /// - Parameter name: Its name.
  /// - Returns: Its folder, or its GGUF file; nil where it is not here, or not whole.
  /// - Throws: `unsupported` where several GGUF files are here and none is named.
  public func find(_ name: HubName) throws(CheckpointError) -> URL? {
    guard let commit = commit(of: name) else { return nil }
    let snapshot = snapshot(name.repository, commit: commit)
    if let file = name.file {
      let url = snapshot.appending(path: file)
      return exists(url) ? url : nil
    }
    let content = SnapshotContent(snapshot)
    if content.format != nil, content.gguf.isEmpty { return content.isComplete ? snapshot : nil }
    guard content.gguf.count < 2 else {
      throw .manyFiles(name, content.gguf, "the cache holds")
    }
    return content.gguf.first.map { snapshot.appending(path: $0) }
  }

  // MARK: Listing

  /// All models, by name, then by commit.
  public func models() -> [CachedModel] {
    Self.names(in: folder).compactMap { name in
      Self.repository(ofFolder: name).map(models(in:))
    }.flatMap(\.self)
  }

  func models(in repository: String) -> [CachedModel] {
    let folder = self.repository(repository)
    let revisions = revisions(of: repository)
    let commits = Self.names(in: folder.appending(path: "snapshots"))
    if commits.isEmpty {
      let size = Self.size(of: Self.files(in: folder.appending(path: "blobs")))
      return [
        CachedModel(
          repository: repository, file: nil, commit: "", revisions: [], format: nil,
          byteCount: size, isComplete: false, url: folder)
      ]
    }
    return commits.flatMap { commit -> [CachedModel] in
      let url = snapshot(repository, commit: commit)
      let content = SnapshotContent(url)
      let revisions = revisions.filter { $0.commit == commit }.map(\.name).sorted()
      func model(_ file: String?, _ files: [URL]) -> CachedModel {
        CachedModel(
          repository: repository, file: file, commit: commit, revisions: revisions,
          format: content.format, byteCount: Self.size(of: files), isComplete: content.isComplete,
          url: file.map { url.appending(path: $0) } ?? url)
      }
      guard !content.gguf.isEmpty else { return [model(nil, content.files)] }
      return content.gguf.map { model($0, [url.appending(path: $0)]) }
    }
  }

  /// Branches and tags with the commits that they were at.
  func revisions(of repository: String) -> [(name: String, commit: String)] {
    let folder = self.repository(repository).appending(path: "refs", directoryHint: .isDirectory)
    return Self.files(in: folder).compactMap { file in
      guard let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
      let name = String(file.plainPath.dropFirst(folder.plainPath.count + 1))
      return (name, text.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  /// The visible entries of a folder in order; none where it cannot be read.
  static func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.plainPath)) ?? [])
      .filter { !$0.hasPrefix(".") }.sorted()
  }

  /// All files below a folder, links unresolved, in order.
  static func files(in folder: URL, depth: Int = 0) -> [URL] {
    guard depth < 32 else { return [] }
    return names(in: folder).flatMap { name -> [URL] in
      let url = folder.appending(path: name)
      var status = stat()
      guard lstat(url.plainPath, &status) == 0 else { return [] }
      return status.st_mode & S_IFMT == S_IFDIR ? files(in: url, depth: depth + 1) : [url]
    }
  }

  /// The bytes of files, behind links.
  static func size(of files: [URL]) -> Int {
    files.reduce(0) { sum, file in
      var status = stat()
      return stat(file.plainPath, &status) == 0 ? sum + Int(status.st_size) : sum
    }
  }
}

/// A model in the cache.
public struct CachedModel: Sendable {
  /// `owner/name`.
  public let repository: String
  /// The GGUF file in its snapshot, where it is one.
  public let file: String?
  /// The commit; empty where nothing has come whole yet.
  public let commit: String
  /// The branches and tags that were last seen at this commit.
  public let revisions: [String]
  /// What it is stored as; nil for what Telescope does not read.
  public let format: Checkpoint.Format?
  /// The bytes of its files.
  public let byteCount: Int
  /// Whether it can be opened without the network.
  public let isComplete: Bool
  /// Its folder, or its GGUF file.
  public let url: URL
}

/// What lies in a snapshot.
struct SnapshotContent {
  let files: [URL]
  let format: Checkpoint.Format?
  /// The GGUF files by their paths, where there are no other weights.
  let gguf: [String]
  let isComplete: Bool

  init(_ folder: URL) {
    files = HubCache.files(in: folder).filter(exists)
    let root = folder.plainPath.count + 1
    let names = files.map { String($0.plainPath.dropFirst(root)) }
    guard let weights = ModelFiles.weights(among: names) else {
      gguf = ModelFiles.gguf(among: names)
      format = gguf.isEmpty ? nil : .gguf
      isComplete = !gguf.isEmpty
      return
    }
    gguf = []
    format = weights.name.hasPrefix("model.") ? .safetensors : .torch
    var needed = [ModelFiles.configuration]
    if weights.isIndex, let index = try? ShardIndex(folder.appending(path: weights.name)) {
      needed += index.shards.map(\.lastPathComponent)
    }
    isComplete = Set(needed).isSubset(of: names)
  }
}

/// Whether there is something behind a path, links followed.
func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.plainPath) }
