internal import Foundation
internal import Synchronization

/// Files that are written whole or not at all.
enum OutputFile {
  /// The temporary file of the moment, removed when the run is interrupted.
  private static let unfinished = Mutex<String?>(nil)

  /// Checks, before any work is done, that a file can be made here.
  static func check(_ path: String, option: String) throws {
    let url = URL(fileURLWithPath: path)
    let folder = url.deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue {
      throw CommandError(.inputOutput, "\(option) \(path): this is a folder; name a file in it.")
    }
    guard FileManager.default.fileExists(atPath: folder) else {
      throw CommandError(
        .inputOutput, "\(option) \(path): the folder \(folder) does not exist; make it first.")
    }
    guard access(folder, W_OK) == 0 else {
      throw CommandError(
        .inputOutput, "\(option) \(path): the folder \(folder) cannot be written to; choose another.")
    }
  }

  /// Writes beside the target, then renames over it.
  static func write(_ data: Data, to path: String, option: String) throws {
    let target = URL(fileURLWithPath: path).path
    let temporary = target + ".\(getpid()).part"
    unfinished.withLock { $0 = temporary }
    defer { unfinished.withLock { $0 = nil } }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644)
    guard descriptor >= 0 else { throw failure(path, option) }
    let isWritten = data.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        let count = systemWrite(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        if count <= 0 { return false }
        offset += count
      }
      return true
    }
    guard close(descriptor) == 0, isWritten, rename(temporary, target) == 0 else {
      let error = failure(path, option)
      unlink(temporary)
      throw error
    }
  }

  private static func failure(_ path: String, _ option: String) -> CommandError {
    let reason = String(cString: strerror(errno)).lowercased()
    return CommandError(
      .inputOutput, "\(option) \(path): the file cannot be written (\(reason)); choose another place.")
  }

  /// Removes what an interrupted run left.
  static func abandon() {
    unfinished.withLock { if let path = $0 { unlink(path) } }
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  #if canImport(Glibc)
    Glibc.write(descriptor, bytes, count)
  #else
    Darwin.write(descriptor, bytes, count)
  #endif
}
