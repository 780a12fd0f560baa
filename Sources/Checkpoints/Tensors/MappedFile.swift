public import Foundation

/// A file's bytes, mapped read-only into memory for as long as this object lives.
///
/// Nothing is read until it is touched. The file must not be made shorter meanwhile.
public final class MappedFile: Sendable {
  /// Where the file is.
  public let url: URL
  /// How many bytes it has.
  public let count: Int
  private nonisolated(unsafe) let base: UnsafeRawPointer?

  /// Maps a regular file.
  ///
  /// - Parameter url: Where the file is.
  /// - Throws: `missing`, or `unreadable` for what is no regular file or may not be read.
  public init(_ url: URL) throws(CheckpointError) {
    let path = url.plainPath
    // Opening a pipe without O_NONBLOCK would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let code = errno
      if code == ENOENT || code == ENOTDIR {
        throw CheckpointError(.missing, "\(path): there is no such file; check the path")
      }
      throw CheckpointError.unreadable(path, errno: code)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CheckpointError.unreadable(path, errno: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "no regular file"
      throw CheckpointError(
        .unreadable, "\(path): this is \(kind) where a file is needed; name a file in its place")
    }
    guard let count = Int(exactly: status.st_size) else {
      throw CheckpointError(
        .unsupported, "\(path): the file is too large to be mapped; use a 64-bit machine")
    }
    self.url = url
    self.count = count
    guard count > 0 else {
      base = nil
      return
    }
    guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw CheckpointError.unreadable(path, errno: errno) }
    base = UnsafeRawPointer(address)
  }

  /// Stands in for a file with these bytes, which need not exist.
  ///
  /// - Parameters:
  ///   - bytes: The bytes, which are copied.
  ///   - url: Where messages say the file is.
  /// - Throws: `unreadable` where there is not enough memory.
  package init(copying bytes: [UInt8], named url: URL) throws(CheckpointError) {
    self.url = url
    count = bytes.count
    guard count > 0 else {
      base = nil
      return
    }
    guard
      let address = mmap(
        nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0), address != MAP_FAILED
    else { throw CheckpointError.unreadable(url.plainPath, errno: errno) }
    UnsafeMutableRawBufferPointer(start: address, count: bytes.count).copyBytes(from: bytes)
    base = UnsafeRawPointer(address)
  }

  deinit {
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), count) }
  }

  /// The bytes; valid only while this object lives.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Asks the system to read ahead, so that threads need not wait for one page after another.
  public func prefetch() {
    guard let base else { return }
    madvise(UnsafeMutableRawPointer(mutating: base), count, MADV_WILLNEED)
  }

  /// Calls a function with all bytes.
  ///
  /// - Parameter body: The function; it may not keep the buffer.
  /// - Returns: What the function returns.
  /// - Throws: What the function throws.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }
}
