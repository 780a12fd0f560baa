import Foundation
import Synchronization

/// A small HTTP/1.1 server on this machine's own network, for tests of what downloads.
///
/// Each connection carries one request; each answer says how it may go wrong.
public final class LoopbackServer: Sendable {
  /// What was asked.
  public struct Request: Sendable {
    /// `GET` or `HEAD`.
    public var method: String
    /// The path as it was sent, without the query.
    public var path: String
    /// Behind the question mark.
    public var query: String
    /// Fields by name in lower case.
    public var fields: [String: String]
    /// The first byte that `Range` asks for.
    public var start: Int {
      let range = fields["range"]?.dropFirst("bytes=".count).prefix { $0 != "-" }
      return range.flatMap { Int($0) } ?? 0
    }
  }

  /// What is answered.
  public struct Reply: Sendable {
    /// The status.
    public var status: Int
    /// Fields as they are sent.
    public var fields: [String: String]
    /// The whole body, of which a range is sent where one was asked for.
    public var body: [UInt8]
    /// Ends the connection after so many bytes of what should be sent.
    public var cut: Int?
    /// States another length than the body's.
    public var statedLength: Int?
    /// Sends all of the body, whatever range was asked for.
    public var ignoresRange = false
    /// Waits before the body, in seconds.
    public var delay = 0.0

    /// Keeps the connection open behind the body, in seconds.
    public var linger = 0.0

    /// An answer.
    public init(_ status: Int = 200, _ fields: [String: String] = [:], body: [UInt8] = []) {
      self.status = status
      self.fields = fields
      self.body = body
    }
  }

  private let listener: Int32
  /// The port on which it listens.
  public let port: Int
  private let isStopped = Atomic(false)
  private let seen = Mutex<[Request]>([])

  /// `http://127.0.0.1:PORT`.
  public var address: String { "http://127.0.0.1:\(port)" }
  /// Everything that was asked so far.
  public var requests: [Request] { seen.withLock { $0 } }

  /// Listens on a free port and answers each request on a thread of its own.
  public init(_ answer: @escaping @Sendable (Request) -> Reply) throws {
    #if canImport(Darwin)
      let stream = SOCK_STREAM
    #else
      let stream = Int32(SOCK_STREAM.rawValue)
    #endif
    listener = socket(AF_INET, stream, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (listener, count) = (listener, size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, count) == 0 && listen(listener, 64) == 0
          && getsockname(listener, $0, &size) == 0
      }
    }
    guard isBound else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [weak self] in
      while Self.waits(for: listener, until: { self?.isStopped.load(ordering: .relaxed) ?? true }) {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { continue }
        Thread.detachNewThread { [weak self] in
          defer { close(connection) }
          guard let request = Self.read(connection) else { return }
          self?.seen.withLock { $0.append(request) }
          Self.send(answer(request), to: request, on: connection)
        }
      }
      close(listener)
    }
  }

  deinit { isStopped.store(true, ordering: .relaxed) }

  private static func waits(for listener: Int32, until isOver: () -> Bool) -> Bool {
    while !isOver() {
      var wanted = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      if poll(&wanted, 1, 20) > 0 { return true }
    }
    return false
  }

  private static func read(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0, bytes.count < 1 << 20 else { return nil }
      bytes += buffer[0..<count]
    }
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count == 3 else { return nil }
    let target = words[1].split(separator: "?", maxSplits: 1)
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return Request(
      method: String(words[0]), path: String(target[0]),
      query: target.count > 1 ? String(target[1]) : "", fields: fields)
  }

  private static func send(_ reply: Reply, to request: Request, on connection: Int32) {
    var (status, body, fields) = (reply.status, reply.body, reply.fields)
    let start = request.start
    if status == 200, start > 0, !reply.ignoresRange {
      if start < body.count {
        status = 206
        fields["Content-Range"] =
          fields["Content-Range"]
          ?? "bytes \(start)-\(body.count - 1)/\(body.count)"
        body = Array(body[start...])
      } else {
        (status, body) = (416, [])
      }
    }
    fields["Content-Length"] = String(reply.statedLength ?? body.count)
    fields["Connection"] = "close"
    let head =
      "HTTP/1.1 \(status) Test\r\n"
      + fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n"
    write(Array(head.utf8), to: connection)
    if reply.delay > 0 { Thread.sleep(forTimeInterval: reply.delay) }
    guard request.method != "HEAD" else { return }
    write(Array(body.prefix(reply.cut ?? body.count)), to: connection)
    if reply.linger > 0 { Thread.sleep(forTimeInterval: reply.linger) }
    // The other side shall see all of it before the end.
    shutdown(connection, Int32(SHUT_WR))
  }

  private static func write(_ bytes: [UInt8], to connection: Int32) {
    #if canImport(Darwin)
      var isOn: Int32 = 1
      setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
      let flags: Int32 = 0
    #else
      let flags = Int32(MSG_NOSIGNAL)
    #endif
    var offset = 0
    bytes.withUnsafeBytes { bytes in
      while offset < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        let count = Foundation.send(connection, rest.baseAddress, rest.count, flags)
        guard count > 0 else { return }
        offset += count
      }
    }
  }
}
