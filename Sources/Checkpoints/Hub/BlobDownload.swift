internal import CCurl
import Foundation

/// Brings the content of one file into the cache, whole and verified, or leaves a part to go on from.
struct BlobDownload {
  let client: HubClient
  let cache: HubCache
  let file: HubClient.RemoteFile
  /// Called with the bytes there are; nil while another process downloads the same.
  let progress: (Int?) -> Void

  private var what: String { "\(client.name.repository)/\(file.path)" }
  private var blob: URL {
    cache.repository(client.name.repository).appending(path: "blobs/" + file.etag)
  }

  /// How many bytes are still to come.
  var missing: Int {
    if exists(blob) { return 0 }
    return max(0, (file.size ?? 0) - HubCache.size(of: [part]))
  }

  private var part: URL { blob.appendingPathExtension("incomplete") }

  /// Downloads, unless the content is there.
  func run() throws {
    guard !exists(blob) else { return }
    let lock = try FileLock(
      cache.lock(client.name.repository, blob: file.etag), waiting: { progress(nil) })
    defer { withExtendedLifetime(lock) {} }
    guard !exists(blob) else { return }
    try makeFolder(blob.deletingLastPathComponent())
    let descriptor = open(part.plainPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError.unwritable(part, errno: errno) }
    defer { close(descriptor) }
    try fill(descriptor)
    try verify()
    guard fsync(descriptor) == 0, rename(part.plainPath, blob.plainPath) == 0 else {
      throw CheckpointError.unwritable(blob, errno: errno)
    }
  }

  /// Transfers what is not there yet, again after each fault that passes.
  private func fill(_ descriptor: Int32) throws {
    var have = Int(lseek(descriptor, 0, SEEK_END))
    if let size = file.size, have > size { have = 0 }
    var faults = 0
    while true {
      guard ftruncate(descriptor, off_t(have)) == 0 else {
        throw CheckpointError.unwritable(part, errno: errno)
      }
      progress(have)
      if have == file.size { return }
      let before = have
      do {
        let answer = try client.http.ask(
          file.address, from: have,
          sink: { answer, bytes in
            have = try write(bytes, of: answer, at: have, from: before, to: descriptor)
          })
        switch answer.status {
        case 200, 206:
          guard file.size == nil || file.size == have else { throw wrongSize(have) }
          return
        case 416:
          // What is there is more than the file has: begin again.
          have = 0
        case let status where HubClient.passes(status):
          break
        default:
          throw CheckpointError.refusal(
            answer, client.name, file: file.path, client.settings)
        }
        faults = have > before ? 0 : faults + 1
        guard faults <= client.settings.retryDelays.count else {
          throw CheckpointError.refusal(answer, client.name, file: file.path, client.settings)
        }
        client.wait(faults - 1, answer)
      } catch let failure as HTTPFailure {
        // A transfer that moves on may break as often as it likes.
        faults = have > before ? 1 : faults + 1
        let mayPass =
          before > 0 || have > 0 || [CCURL_CUT, CCURL_TIMEOUT].contains(failure.outcome)
        guard mayPass, failure.outcome != CCURL_OTHER,
          faults <= client.settings.retryDelays.count
        else { throw CheckpointError.transfer(failure, what) }
        client.wait(faults - 1, nil)
      }
    }
  }

  /// Writes a piece of the body; returns where the next one begins.
  private func write(
    _ bytes: UnsafeRawBufferPointer, of answer: HTTPAnswer, at place: Int, from start: Int,
    to descriptor: Int32
  ) throws -> Int {
    var place = place
    if place == start, start > 0 {
      if answer.status == 200 {
        // The server sends all of it whatever was asked for.
        place = 0
        guard ftruncate(descriptor, 0) == 0 else {
          throw CheckpointError.unwritable(part, errno: errno)
        }
      } else if let range = answer["content-range"], !range.hasPrefix("bytes \(start)-") {
        throw CheckpointError(
          .unavailable,
          "\(what): bytes from \(start) were asked for and '\(range)' came; check the proxy, or try "
            + "again later")
      }
    }
    if let size = file.size, place + bytes.count > size { throw wrongSize(place + bytes.count) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest)
      let written = pwrite(descriptor, piece.baseAddress, piece.count, off_t(place))
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw CheckpointError.unwritable(part, errno: errno) }
      place += written
      rest = rest.dropFirst(written)
    }
    progress(place)
    return place
  }

  private func wrongSize(_ count: Int) -> CheckpointError {
    unlink(part.plainPath)
    return CheckpointError(
      .malformed,
      "\(what): \(count) bytes came where the hub states \(file.size ?? 0); nothing of it was kept, "
        + "try again")
  }

  /// Compares what has come with the hash that the hub states.
  private func verify() throws {
    let mapped = try MappedFile(part)
    let (found, stated, kind): (String, String, String)
    if let sha256 = file.sha256 {
      mapped.prefetch()
      (found, stated, kind) = (mapped.withBytes { SHA256.hex($0) }, sha256, "SHA-256")
    } else if let blob = file.gitBlob {
      (found, stated, kind) = (mapped.withBytes { SHA1.gitBlob($0) }, blob, "Git hash")
    } else {
      return
    }
    guard found != stated else { return }
    unlink(part.plainPath)
    throw CheckpointError(
      .malformed,
      "\(what): what came has the \(kind) \(found) where the hub states \(stated); nothing of it was "
        + "kept: try again, and check the proxy or HF_ENDPOINT if it happens twice")
  }

  /// Links the content into a snapshot under its name.
  func link(into snapshot: URL) throws {
    let place = snapshot.appending(path: file.path)
    try makeFolder(place.deletingLastPathComponent())
    let depth = file.path.split(separator: "/").count + 1
    let target = String(repeating: "../", count: depth) + "blobs/" + file.etag
    let old = try? FileManager.default.destinationOfSymbolicLink(atPath: place.plainPath)
    if old == target { return }
    // Made beside and renamed, over what may be there.
    let temporary = place.deletingLastPathComponent()
      .appending(path: ".\(UUID().uuidString).link").plainPath
    guard symlink(target, temporary) == 0 else {
      throw CheckpointError.unwritable(place, errno: errno)
    }
    guard rename(temporary, place.plainPath) == 0 else {
      let code = errno
      unlink(temporary)
      throw CheckpointError.unwritable(place, errno: code)
    }
  }
}
