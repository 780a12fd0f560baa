import Foundation
import Synchronization

/// A hub on this machine: one repository behind the hub's file interface, and a second server that
/// holds the large files, as a delivery network does.
public final class LoopbackHub: Sendable {
  /// What the hub has, and how it misbehaves.
  public struct Content: Sendable {
    /// `owner/name`.
    public var repository = "owner/toy"
    /// The commit of the main branch.
    public var commit = String(repeating: "a1", count: 20)
    /// Further branches and tags with their commits.
    public var revisions: [String: String] = [:]
    /// The files.
    public var files: [String: [UInt8]] = [:]
    /// The files that lie on the second server.
    public var large: Set<String> = []
    /// Files that are listed and not there.
    public var listed: [String] = []
    /// Changes an answer; gets what would be answered.
    public var misbehaviour:
      @Sendable (LoopbackServer.Request, LoopbackServer.Reply) ->
        LoopbackServer.Reply = { $1 }

    /// An empty repository.
    public init() {}
  }

  private let content: Mutex<Content>
  private let servers: Mutex<(hub: LoopbackServer?, delivery: LoopbackServer?)>

  /// Starts both servers.
  public init(_ content: Content) throws {
    self.content = Mutex(content)
    servers = Mutex((nil, nil))
    // A proxy of the person's own does not know this machine's inner network.
    setenv("no_proxy", "127.0.0.1,localhost", 1)
    let delivery = try LoopbackServer { [weak self] in self?.deliver($0) ?? .init(500) }
    let hub = try LoopbackServer { [weak self] in self?.answer($0) ?? .init(500) }
    servers.withLock { $0 = (hub, delivery) }
  }

  /// The hub's address.
  public var address: String { servers.withLock { $0.hub?.address ?? "" } }
  /// What the hub was asked.
  public var requests: [LoopbackServer.Request] { servers.withLock { $0.hub?.requests ?? [] } }
  /// What the second server was asked.
  public var deliveries: [LoopbackServer.Request] {
    servers.withLock { $0.delivery?.requests ?? [] }
  }

  /// Changes what the hub has.
  public func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }

  private func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
    let content = content.withLock { $0 }
    return content.misbehaviour(request, usual(request, content))
  }

  private func usual(
    _ request: LoopbackServer.Request, _ content: Content
  ) -> LoopbackServer.Reply {
    let listing = "/api/models/\(content.repository)/revision/"
    if request.path.hasPrefix(listing) {
      let revision = String(request.path.dropFirst(listing.count)).replacing("%2F", with: "/")
      let known = content.revisions.merging(["main": content.commit]) { $1 }
      let commit = known[revision] ?? (known.values.contains(revision) ? revision : nil)
      guard let commit else { return .init(404, ["X-Error-Code": "RevisionNotFound"]) }
      return .init(body: self.listing(content, commit))
    }
    let parts = request.path.dropFirst().components(separatedBy: "/resolve/")
    guard parts.count == 2, parts[0] == content.repository,
      let slash = parts[1].firstIndex(of: "/")
    else { return .init(404, ["X-Error-Code": "RepoNotFound"]) }
    let commit = String(parts[1][..<slash])
    let path = String(parts[1][parts[1].index(after: slash)...]).removingPercentEncoding ?? ""
    guard let body = content.files[path] else {
      return .init(404, ["X-Error-Code": "EntryNotFound"])
    }
    guard content.large.contains(path) else {
      return .init(
        200, ["ETag": "\"\(SlowHash.gitBlob(body))\"", "X-Repo-Commit": commit], body: body)
    }
    // By another name of this machine, and another port: another host.
    let port = servers.withLock { $0.delivery?.port ?? 0 }
    return .init(
      302,
      [
        "Location": "http://localhost:\(port)/\(path)?signature=secret",
        "X-Linked-Etag": "\"\(SlowHash.sha256(body))\"", "X-Linked-Size": String(body.count),
        "X-Repo-Commit": commit,
      ])
  }

  private func listing(_ content: Content, _ commit: String) -> [UInt8] {
    var siblings = content.listed.map { ["rfilename": $0] as [String: Any] }
    for (path, body) in content.files.sorted(by: { $0.key < $1.key }) {
      var sibling: [String: Any] = [
        "rfilename": path, "size": body.count, "blobId": SlowHash.gitBlob(body),
      ]
      if content.large.contains(path) {
        sibling["lfs"] = ["size": body.count, "sha256": SlowHash.sha256(body)]
      }
      siblings.append(sibling)
    }
    let object: [String: Any] = [
      "id": content.repository, "sha": commit, "siblings": siblings, "private": false,
    ]
    return (try? JSONSerialization.data(withJSONObject: object)).map { Array($0) } ?? []
  }

  private func deliver(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
    let content = content.withLock { $0 }
    let path = String(request.path.dropFirst()).removingPercentEncoding ?? ""
    let usual: LoopbackServer.Reply =
      content.files[path].map { .init(body: $0) } ?? .init(404)
    return content.misbehaviour(request, usual)
  }
}
