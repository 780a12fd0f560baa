internal import Foundation
internal import Telescope

/// A file of JSON lines that is written one whole line at a time, and gone on with.
///
/// An interruption waits for the line that is being written, and what a full disk took of one is
/// removed, so that only a crash can leave part of a line; going on cuts it off.
final class ResultLines {
  /// Where lines go; nil for standard output.
  private let file: OutputFile?
  private var descriptor: Int32 = -1
  /// Whether lines go to a file that stays.
  private(set) var isRegular = false
  /// The bytes of whole lines in the file.
  private var length = 0

  init(_ file: OutputFile?) { self.file = file }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Refuses, before any work is done, a place that cannot be written, or that holds something.
  func check(isResumed: Bool) throws {
    guard let file else { return }
    try file.check()
    var status = stat()
    guard stat(file.target, &status) == 0 else { return }
    isRegular = status.st_mode & S_IFMT == S_IFREG
    if isResumed && !isRegular {
      throw CommandError(
        .usage, "--resume goes on with a file, and '\(file.path)' is none; leave it out.")
    }
    if !isResumed && isRegular && status.st_size > 0 {
      throw CommandError(
        .inputOutput,
        "\(file.option) '\(file.path)': the file is there; go on with it by --resume, or name another."
      )
    }
  }

  /// Opens the file behind the lines that stay, and cuts off what follows them, where the file still
  /// has the size that it was seen with.
  func open(keeping length: Int, of size: Int) throws {
    guard let file else { return }
    descriptor = systemOpen(file.target)
    guard descriptor >= 0 else { throw failure(errno, "choose another place") }
    var status = stat()
    isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    guard isRegular else { return }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
      throw CommandError(
        .unavailable,
        "\(file.option) '\(file.path)': another run is writing to this file; wait for its end.")
    }
    guard fstat(descriptor, &status) == 0, status.st_size == size else {
      throw CommandError(
        .unavailable,
        "\(file.option) '\(file.path)': another run has written to this file meanwhile; start again."
      )
    }
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      throw failure(errno, "choose another place")
    }
    self.length = length
  }

  /// What an interruption says from now on.
  func say(_ text: String) {
    if isRegular { OutputFile.remaining = text }
  }

  /// Writes a line that ends in its line break; an interruption says the text after it, not before.
  func write(_ line: Data, saying text: String) throws {
    guard file != nil else {
      return try Terminal.write(String(decoding: line, as: UTF8.self))
    }
    guard isRegular else { return try fill(line) }
    try OutputFile.uninterrupted {
      do {
        try fill(line)
      } catch {
        ftruncate(descriptor, off_t(length))
        throw error
      }
      length += line.count
      say(text)
    }
  }

  private func fill(_ line: Data) throws {
    let failed: Int32? = line.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        let count = systemWrite(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return errno }
        offset += count
      }
      return nil
    }
    if let failed {
      throw failure(
        failed, isRegular ? "make room and go on with --resume" : "choose another place")
    }
  }

  private func failure(_ code: Int32, _ remedy: String) -> CommandError {
    CommandError(
      .inputOutput,
      "\(file?.option ?? "") '\(file?.path ?? "")': the file cannot be written "
        + "(\(String(cString: strerror(code)).lowercased())); \(remedy).")
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}

private func systemOpen(_ path: String) -> Int32 {
  open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
}
