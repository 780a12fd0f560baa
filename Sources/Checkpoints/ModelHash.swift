public import Foundation

/// The SHA-256 of a model's files, remembered from run to run.
///
/// A remembered hash counts only while the file's path, size, time and inode are the same. Where the
/// cache folder cannot be written, the hash is worked out each time; so is that of a file written
/// within the last two seconds, as another write might leave it with the same time.
public struct ModelHash: Sendable {
  /// Where hashes are remembered; nothing is remembered without it.
  public let cache: URL?

  /// Hashes remembered in a folder, by default the user's cache folder.
  public init(cache: URL? = ModelHash.userCache) {
    self.cache = cache
  }

  /// The user's cache folder for Telescope: `$XDG_CACHE_HOME/telescope` or `~/.cache/telescope`, on
  /// macOS `~/Library/Caches/telescope`.
  public static var userCache: URL? {
    let environment = ProcessInfo.processInfo.environment
    // The specification of XDG_CACHE_HOME has relative paths ignored.
    if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") {
      return URL(filePath: folder).appending(path: "telescope")
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    #if os(macOS)
      return URL(filePath: home).appending(path: "Library/Caches/telescope")
    #else
      return URL(filePath: home).appending(path: ".cache/telescope")
    #endif
  }

  /// The hash of a checkpoint's files.
  ///
  /// - Parameter checkpoint: The checkpoint.
  /// - Returns: 64 hexadecimal digits; of several files, see the other overload.
  /// - Throws: `missing` or `unreadable`.
  public func hash(of checkpoint: Checkpoint) throws(CheckpointError) -> String {
    try hash(of: checkpoint.files)
  }

  /// The hash of one file; of several, the hash of their hashes.
  ///
  /// - Parameter files: The files in order.
  /// - Returns: 64 hexadecimal digits. For several files, the SHA-256 of their hexadecimal hashes
  ///   written one after another.
  /// - Throws: `missing` or `unreadable`.
  public func hash(of files: [URL]) throws(CheckpointError) -> String {
    var hashes: [String] = []
    for file in files { hashes.append(try hash(of: file)) }
    guard let first = hashes.first, hashes.count == 1 else { return SHA256.hex(hashes.joined()) }
    return first
  }

  private func hash(of file: URL) throws(CheckpointError) -> String {
    let stamp = Self.stamp(of: file)
    if let stamp, let known = remembered(stamp) { return known }
    let mapped = try MappedFile(file)
    mapped.prefetch()
    let hash = mapped.withBytes { SHA256.hex($0) }
    // A file that was written to meanwhile has a hash of neither state.
    if let stamp, stamp.isSettled, stamp == Self.stamp(of: file) { remember(hash, for: stamp) }
    return hash
  }

  // MARK: Remembering

  /// What tells one state of a file from another.
  private struct Stamp: Equatable {
    let path: String
    let state: String
    let seconds: Int

    /// Whether the last write is so long ago that a further one would have another time.
    var isSettled: Bool { time(nil) - seconds > 2 }
  }

  private static func stamp(of file: URL) -> Stamp? {
    let path = file.resolvingSymlinksInPath().plainPath
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    return Stamp(
      path: path,
      state: "\(status.st_size) \(time.tv_sec).\(time.tv_nsec) \(status.st_dev):\(status.st_ino)",
      seconds: time.tv_sec)
  }

  private func entry(_ stamp: Stamp) -> URL? {
    cache?.appending(path: "hashes/\(SHA256.hex(stamp.path))")
  }

  private func remembered(_ stamp: Stamp) -> String? {
    guard let entry = entry(stamp), let text = try? String(contentsOf: entry, encoding: .utf8)
    else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 4, lines[0] == stamp.state, lines[1] == stamp.path, lines[2].count == 64,
      lines[2].allSatisfy({ $0.isASCII && $0.isHexDigit })
    else { return nil }
    return String(lines[2])
  }

  /// Failing to remember is no error: the next run works the hash out again.
  private func remember(_ hash: String, for stamp: Stamp) {
    guard let entry = entry(stamp) else { return }
    try? FileManager.default.createDirectory(
      at: entry.deletingLastPathComponent(), withIntermediateDirectories: true)
    // Written beside and renamed, so that a reader never sees half of it.
    try? Data("\(stamp.state)\n\(stamp.path)\n\(hash)\n".utf8).write(to: entry, options: .atomic)
  }
}
