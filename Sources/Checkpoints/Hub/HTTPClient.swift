internal import CCurl
import Foundation

/// What a server said.
struct HTTPAnswer {
  var status = 0
  /// Header fields by name in lower case; of one that stands twice, the last.
  var fields: [String: String] = [:]
  /// The address that answered in the end.
  var address = ""
  var body: [UInt8] = []

  subscript(name: String) -> String? { fields[name] }
}

/// Why no answer came.
struct HTTPFailure: Error {
  let outcome: ccurl_outcome
  let words: String
  let address: String
}

/// Asks servers through libcurl, and follows redirects without carrying a token to another host.
struct HTTPClient: Sendable {
  /// The most redirects that are followed.
  static let mostRedirects = 10
  /// The largest answer that is kept in memory, in bytes.
  static let largestBody = 64 << 20

  let settings: HubSettings

  /// Opens libcurl.
  init(_ settings: HubSettings) throws(CheckpointError) {
    self.settings = settings
    var words = [CChar](repeating: 0, count: 512)
    guard ccurl_open(settings.library, &words, words.count) == 0 else {
      let reason = String(decoding: words.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
      throw CheckpointError(
        .unavailable,
        "libcurl, which downloads need, cannot be opened (\(reason)); install it (Debian and Ubuntu: "
          + "apt install libcurl4), or set TELESCOPE_LIBCURL to a copy of libcurl.so.4")
    }
  }

  /// Asks for an address.
  ///
  /// - Parameters:
  ///   - address: Where.
  ///   - head: Whether the header alone is wanted.
  ///   - start: The first byte that is wanted.
  ///   - follows: Whether a redirect with these fields is followed.
  ///   - sink: Gets the bytes of a body of status 200 or 206, with the answer's fields so far; what
  ///     it throws ends the transfer. Without one they are kept in the answer.
  /// - Returns: The last answer, whatever its status.
  /// - Throws: `HTTPFailure` where none came whole, and what `sink` throws.
  func ask(
    _ address: String, head: Bool = false, from start: Int = 0,
    follows: ([String: String]) -> Bool = { _ in true },
    sink: ((HTTPAnswer, UnsafeRawBufferPointer) throws -> Void)? = nil
  ) throws -> HTTPAnswer {
    var address = address
    var carried: [String: String] = [:]
    for _ in 0...Self.mostRedirects {
      var answer = try perform(address, head: head, from: start, sink: sink)
      answer.address = address
      answer.fields.merge(carried.filter { $0.key == "x-repo-commit" }) { _, first in first }
      guard (300..<400).contains(answer.status), let location = answer["location"],
        follows(answer.fields)
      else { return answer }
      guard let next = Origin.resolve(location, from: address), let origin = Origin(next) else {
        throw HTTPFailure(
          outcome: CCURL_OTHER, words: "it redirects to \(quoted(location)), which is no address",
          address: address)
      }
      guard origin.scheme == "https" || Origin(address)?.scheme == "http" else {
        throw HTTPFailure(
          outcome: CCURL_TLS, words: "it redirects to \(quoted(next)), which is not secure",
          address: address)
      }
      carried = answer.fields
      address = next
    }
    throw HTTPFailure(
      outcome: CCURL_OTHER, words: "it redirects more than \(Self.mostRedirects) times",
      address: address)
  }

  private func perform(
    _ address: String, head: Bool, from start: Int,
    sink: ((HTTPAnswer, UnsafeRawBufferPointer) throws -> Void)?
  ) throws -> HTTPAnswer {
    var headers = ["Accept-Encoding: identity", "Accept: */*"]
    // The one place where the token is used: it goes to the hub's own address alone.
    if let token = settings.token, Origin(address) == Origin(settings.endpoint) {
      headers.append("Authorization: Bearer " + token)
    }
    let transfer = Transfer(sink)
    let code = transfer.run(address, headers, head: head, from: start, settings)
    if let error = transfer.error { throw error }
    guard code.outcome == CCURL_DONE else {
      throw HTTPFailure(outcome: code.outcome, words: code.words, address: address)
    }
    return transfer.answer
  }
}

/// One request while it runs.
private final class Transfer {
  var answer = HTTPAnswer()
  var error: (any Error)?
  private let sink: ((HTTPAnswer, UnsafeRawBufferPointer) throws -> Void)?

  init(_ sink: ((HTTPAnswer, UnsafeRawBufferPointer) throws -> Void)?) { self.sink = sink }

  func run(
    _ address: String, _ headers: [String], head: Bool, from start: Int, _ settings: HubSettings
  ) -> (outcome: ccurl_outcome, words: String) {
    let texts = headers.map { strdup($0) }
    let fixed = [address, "telescope", settings.certificates].map { $0.map { strdup($0) } ?? nil }
    defer { for text in texts + fixed { free(text) } }
    var words = [CChar](repeating: 0, count: 256)
    var status = 0
    let outcome = (texts + [nil]).map { UnsafePointer($0) }.withUnsafeBufferPointer { headers in
      var request = ccurl_request()
      request.url = UnsafePointer(fixed[0])
      request.headers = headers.baseAddress
      request.head = head ? 1 : 0
      request.range_start = Int64(start)
      request.connect_seconds = 30
      request.idle_seconds = settings.idleSeconds
      request.user_agent = UnsafePointer(fixed[1])
      request.certificates = UnsafePointer(fixed[2])
      request.header = { bytes, count, context in
        Transfer.from(context).line(UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
      }
      request.body = { bytes, count, context in
        Transfer.from(context).body(UnsafeRawBufferPointer(start: bytes, count: count)) ? 0 : 1
      }
      request.context = Unmanaged.passUnretained(self).toOpaque()
      return ccurl_perform(&request, &status, &words, words.count)
    }
    answer.status = status
    return (
      outcome,
      String(decoding: words.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    )
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer {
    guard let context else { preconditionFailure("libcurl gave no context back") }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  }

  /// A line of the header; a status line begins a new one, after a proxy's or an interim answer's.
  private func line(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      answer.fields = [:]
      answer.status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      return
    }
    guard let colon = text.firstIndex(of: ":"), answer.fields.count < 256 else { return }
    let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespacesAndNewlines)
    answer.fields[text[..<colon].lowercased()] = value
  }

  private func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let sink, answer.status == 200 || answer.status == 206 else {
      // What is said of a failure is not read; what is wanted has a bound.
      guard answer.status == 200 else { return true }
      guard answer.body.count + bytes.count <= HTTPClient.largestBody else {
        error = CheckpointError(
          .malformed,
          "the hub's answer is longer than \(HTTPClient.largestBody) bytes; check HF_ENDPOINT")
        return false
      }
      answer.body.append(contentsOf: bytes)
      return true
    }
    do {
      try sink(answer, bytes)
      return true
    } catch {
      self.error = error
      return false
    }
  }
}
