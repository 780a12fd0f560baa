internal import Foundation
internal import Synchronization

/// A file that is written whole or not at all.
struct OutputFile {
  /// The option that names it, for messages.
  let option: String
  let path: String

  /// The temporary file of the moment, removed when the run is interrupted.
  private static let unfinished = Mutex<String?>(nil)

  /// What an interruption says of a file that stays.
  static var remaining: String? {
    get { kept.withLock { $0 } }
    set { kept.withLock { $0 = newValue } }
  }
  private static let kept = Mutex<String?>(nil)

  /// The file itself, behind any symbolic links.
  var target: String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
  private var folder: String { URL(fileURLWithPath: target).deletingLastPathComponent().path }

  /// Checks, before any work is done, that the file can be written.
  func check() throws {
    switch kind {
    case S_IFDIR: throw error("this is a folder; name a file in it.")
    case S_IFREG where access(target, W_OK) != 0:
      throw error("the file is there and read-only; choose another place.")
    case nil where access(folder, F_OK) != 0:
      throw error("the folder \(folder) does not exist; make it first.")
    case S_IFREG, nil:
      let temporary = temporaryPath()
      try Self.unfinished.withLock { _ in
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(errno) }
        close(descriptor)
        unlink(temporary)
      }
    default:
      guard access(target, W_OK) == 0 else { throw failure(errno) }
    }
  }

  /// Writes beside the target, then renames over it; a device or a pipe is written to as it is.
  func write(_ data: Data) throws {
    if let kind, kind != S_IFREG {
      let descriptor = open(target, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw failure(errno) }
      return try fill(descriptor, data)
    }
    let temporary = temporaryPath()
    let descriptor = try Self.unfinished.withLock { path in
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw failure(errno) }
      path = temporary
      return descriptor
    }
    defer { Self.unfinished.withLock { $0 = nil } }
    do {
      try fill(descriptor, data)
      guard rename(temporary, target) == 0 else { throw failure(errno) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Runs what writes files of its own; an interruption waits for its end.
  static func uninterrupted(_ body: () throws -> Void) rethrows {
    try unfinished.withLock { _ in try body() }
  }

  /// Runs what makes a folder, which is removed with all in it when the run is interrupted.
  static func making<Made>(_ folder: String, _ body: () throws -> Made) rethrows -> Made {
    unfinished.withLock { $0 = folder }
    defer { unfinished.withLock { $0 = nil } }
    return try body()
  }

  /// Removes what is half-written and ends; no file can be begun meanwhile.
  static func abandon(then end: () -> Never) -> Never {
    unfinished.withLock { path in
      if let path { try? FileManager.default.removeItem(atPath: path) }
      end()
    }
  }

  private func fill(_ descriptor: Int32, _ data: Data) throws {
    let failed: Int32? = data.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        let count = systemWrite(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return errno }
        offset += count
      }
      return nil
    }
    let closed = close(descriptor) == 0 ? nil : errno
    if let code = failed ?? closed { throw failure(code) }
  }

  /// What is at the target, if anything.
  private var kind: mode_t? {
    var status = stat()
    return stat(target, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  /// A hidden name of fixed length in the same folder, so that renaming is one step.
  private func temporaryPath() -> String {
    let number = String(UInt32.random(in: .min ... .max), radix: 16)
    return folder + "/.telescope-\(getpid())-\(number).part"
  }

  private func failure(_ code: Int32) -> CommandError {
    error(
      "the file cannot be written (\(String(cString: strerror(code)).lowercased())); choose another "
        + "place.")
  }

  private func error(_ what: String) -> CommandError {
    CommandError(.inputOutput, "\(option) '\(path)': \(what)")
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
