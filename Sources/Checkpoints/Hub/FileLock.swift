import Foundation

/// A lock between processes, by a file that stays.
final class FileLock {
  private let descriptor: Int32

  /// Waits until the lock is free.
  ///
  /// - Parameters:
  ///   - url: The file, made with its folder where it is not there.
  ///   - waiting: Called once if another process has the lock.
  /// - Throws: `unwritable`.
  init(_ url: URL, waiting: () -> Void) throws(CheckpointError) {
    try makeFolder(url.deletingLastPathComponent())
    descriptor = open(url.plainPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .unwritable(url, errno: errno) }
    var isFirst = true
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK || code == EINTR else {
        close(descriptor)
        throw .unwritable(url, errno: code)
      }
      if isFirst { waiting() }
      isFirst = false
      usleep(50_000)
    }
  }

  // The file stays: whoever waits for it has it open.
  deinit { close(descriptor) }
}

/// Makes a folder with those above it.
func makeFolder(_ url: URL) throws(CheckpointError) {
  do {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  } catch {
    throw CheckpointError(
      .unwritable,
      "\(url.plainPath): the folder cannot be made; check the permissions above it, or set "
        + "HF_HUB_CACHE to another folder", cause: error)
  }
}
