internal import CCurl
import Foundation
import StrictJSON

/// The hub's file interface: what a repository holds, and where and what each file is.
struct HubClient {
  /// What the hub lists.
  struct Listing {
    let commit: String
    /// Sizes and hashes by path, as far as they are stated.
    let files: [String: Listed]
  }

  struct Listed {
    var size: Int?
    var sha256: String?
    var blob: String?
  }

  /// A file that can be downloaded.
  struct RemoteFile {
    let path: String
    let address: String
    /// What names its content in the cache.
    let etag: String
    let size: Int?
    let sha256: String?
    let gitBlob: String?
  }

  let name: HubName
  let settings: HubSettings
  let http: HTTPClient

  init(_ name: HubName, _ settings: HubSettings) throws(CheckpointError) {
    self.name = name
    self.settings = settings
    http = try HTTPClient(settings)
  }

  /// What a repository holds at the revision.
  func listing() throws -> Listing {
    let revision = Self.escaped(name.wantedRevision, slash: true)
    let address =
      "\(settings.endpoint)/api/models/\(name.repository)/revision/\(revision)?blobs=true"
    let answer = try persistently(name.description) { try http.ask(address) }
    guard answer.status == 200 else {
      throw CheckpointError.refusal(answer, name, file: nil, settings)
    }
    let value: JSON
    do {
      value = try JSON.parse(answer.body)
    } catch {
      throw CheckpointError.strange(settings, "the answer is not JSON (\(error.message))")
    }
    guard let commit = value["sha"]?.string, isCommit(commit),
      let siblings = value["siblings"]?.array
    else { throw CheckpointError.strange(settings, "the answer names no commit and no files") }
    var files: [String: Listed] = [:]
    for sibling in siblings {
      guard let path = sibling["rfilename"]?.string else {
        throw CheckpointError.strange(settings, "the answer lists a file without a name")
      }
      guard isPlainPath(path) else {
        throw CheckpointError.distrusted(
          name, "the hub lists the file \(quoted(path)), which would lie outside its folder")
      }
      let size = sibling["lfs"]?["size"]?.integer ?? sibling["size"]?.integer
      files[path] = Listed(
        size: size.flatMap { $0 < 0 ? nil : $0 },
        sha256: sibling["lfs"]?["sha256"]?.string.flatMap {
          isHexadecimal($0, digits: 64) ? $0 : nil
        },
        blob: sibling["blobId"]?.string.flatMap { isCommit($0) ? $0 : nil })
    }
    return Listing(commit: commit, files: files)
  }

  /// Where a file is, and how its content will be known.
  func describe(_ path: String, _ listed: Listed, commit: String) throws -> RemoteFile {
    let address =
      "\(settings.endpoint)/\(name.repository)/resolve/\(commit)/\(Self.escaped(path, slash: false))"
    let answer = try persistently("\(name.repository)/\(path)") {
      // A large file's redirect tells its hash and size; behind it these are no longer known.
      try http.ask(address, head: true) { $0["x-linked-etag"] == nil }
    }
    let isRedirect = (300..<400).contains(answer.status) && answer["x-linked-etag"] != nil
    guard answer.status == 200 || isRedirect else {
      throw CheckpointError.refusal(answer, name, file: path, settings)
    }
    let etag = Self.bare(answer["x-linked-etag"] ?? answer["etag"] ?? "")
    guard !etag.isEmpty, etag.utf8.count <= 128, etag.utf8.allSatisfy(isNameByte),
      !etag.hasPrefix("."), !etag.hasSuffix(".incomplete")
    else {
      throw CheckpointError.distrusted(
        name, "the hub names the content of \(quoted(path)) \(quoted(etag)), which is no hash")
    }
    let length =
      isRedirect ? answer["x-linked-size"] : answer["x-linked-size"] ?? answer["content-length"]
    let size = length.flatMap { Int($0) } ?? listed.size
    let sha256 = isHexadecimal(etag, digits: 64) ? etag : nil
    if let stated = listed.sha256, let sha256, stated != sha256 {
      throw CheckpointError.distrusted(
        name, "the hub states two hashes of \(quoted(path)), \(stated) and \(sha256)")
    }
    return RemoteFile(
      path: path, address: address, etag: etag, size: size.flatMap { $0 < 0 ? nil : $0 },
      sha256: sha256 ?? listed.sha256,
      gitBlob: sha256 == nil && listed.sha256 == nil && isCommit(etag) ? etag : nil)
  }

  /// Asks again after faults that pass: a broken connection, a busy or failing hub.
  func persistently(_ what: String, _ ask: () throws -> HTTPAnswer) throws -> HTTPAnswer {
    var attempt = 0
    while true {
      do {
        let answer = try ask()
        guard Self.passes(answer.status), attempt < settings.retryDelays.count else {
          return answer
        }
        wait(attempt, answer)
      } catch let failure as HTTPFailure {
        guard [CCURL_CUT, CCURL_TIMEOUT].contains(failure.outcome),
          attempt < settings.retryDelays.count
        else { throw CheckpointError.transfer(failure, what) }
        wait(attempt, nil)
      }
      attempt += 1
    }
  }

  /// Whether a status is of a fault that passes.
  static func passes(_ status: Int) -> Bool { status == 429 || status >= 500 }

  /// Waits before a further try: as long as the hub asks, at most a minute.
  func wait(_ attempt: Int, _ answer: HTTPAnswer?) {
    let own = settings.retryDelays[min(attempt, settings.retryDelays.count - 1)]
    let asked = answer?["retry-after"].flatMap { Double($0) } ?? 0
    Thread.sleep(forTimeInterval: min(60, max(own, asked)))
  }

  /// Percent-encoded for the path of an address.
  private static func escaped(_ text: String, slash: Bool) -> String {
    var escaped = ""
    for byte in text.utf8 {
      if isNameByte(byte) || byte == UInt8(ascii: "~") || (byte == UInt8(ascii: "/") && !slash) {
        escaped.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        escaped += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return escaped
  }

  /// `W/"abc"` as `abc`.
  private static func bare(_ etag: String) -> String {
    let strong = etag.hasPrefix("W/") ? String(etag.dropFirst(2)) : etag
    return strong.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
  }
}
