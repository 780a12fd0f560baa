import Checkpoints
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Faults of hub and network")
struct HubFaultTests {
  private static let weights = HubFixture.weights
  private static var part: String {
    "models--owner--toy/blobs/\(SlowHash.sha256(weights)).incomplete"
  }

  @Test("A connection that is cut goes on where it was, within one run")
  func cut() throws {
    let count = Mutex(0)
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" {
          let tries = count.withLock {
            $0 += 1
            return $0
          }
          // More often than there are tries without any progress.
          if tries < 6 { reply.cut = 15_000 }
        }
        return reply
      }
    }
    let url = try fixture.fetch()
    #expect(try Checkpoint(url).tensors["x"]?.elementCount == 100_000)
    #expect(
      fixture.hub.deliveries.map { $0.fields["range"] } == [
        nil, "bytes=15000-", "bytes=30000-", "bytes=45000-", "bytes=60000-", "bytes=75000-",
      ])
  }

  @Test("What came before a failure is kept for the next run, and nothing half is seen")
  func laterRun() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" { reply.cut = request.start == 0 ? 60_000 : 0 }
        return reply
      }
    }
    let size = Self.weights.count
    #expect(
      fixture.failure()
        == "unavailable: owner/toy/model.safetensors: the connection to DELIVERY/model.safetensors "
        + "broke off (transfer closed with \(size - 60_000) bytes remaining to read); what has come is "
        + "kept: give the same command again")
    #expect(try fixture.layout()[Self.part] == "60000")
    let cache = HubCache(fixture.settings.cache)
    #expect(try cache.find(fixture.name()) == nil)
    #expect(cache.models().map(\.isComplete) == [false])
    fixture.hub.change { $0.misbehaviour = { $1 } }
    let before = fixture.hub.deliveries.count
    let url = try fixture.fetch()
    #expect(fixture.hub.deliveries.dropFirst(before).map { $0.fields["range"] } == ["bytes=60000-"])
    #expect(try Array(Data(contentsOf: url.appending(path: "model.safetensors"))) == Self.weights)
    #expect(try fixture.layout()[Self.part] == nil)
  }

  @Test("A server that sends all of a file in place of the rest is understood")
  func ignoredRange() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        reply.ignoresRange = true
        if request.path == "/model.safetensors", request.start == 0 { reply.cut = 60_000 }
        return reply
      }
    }
    let url = try fixture.fetch()
    #expect(fixture.hub.deliveries.map(\.start) == [0, 60_000])
    #expect(try Array(Data(contentsOf: url.appending(path: "model.safetensors"))) == Self.weights)
  }

  @Test("A server that sends another part than the one asked for is refused")
  func wrongRange() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" {
          reply.cut = request.start == 0 ? 60_000 : nil
          reply.fields["Content-Range"] = "bytes 7-9/10"
        }
        return reply
      }
    }
    #expect(
      fixture.failure()
        == "unavailable: owner/toy/model.safetensors: bytes from 60000 were asked for and 'bytes "
        + "7-9/10' came; check the proxy, or try again later")
  }

  @Test("A part that is longer than the file, or that the server does not know, is begun again")
  func wrongPart() throws {
    for count in [Self.weights.count + 5, 3] {
      let fixture = try HubFixture {
        $0.misbehaviour = { request, usual in request.start == 3 ? .init(416) : usual }
      }
      try fixture.folder.write(
        [UInt8](repeating: 7, count: count), as: "cache/" + Self.part)
      let url = try fixture.fetch()
      #expect(
        try Array(Data(contentsOf: url.appending(path: "model.safetensors"))) == Self.weights)
    }
  }

  @Test("Content that is not of the stated hash is refused and not kept")
  func wrongHash() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" { reply.body[500] ^= 1 }
        return reply
      }
    }
    var damaged = Self.weights
    damaged[500] ^= 1
    #expect(
      fixture.failure()
        == "malformed: owner/toy/model.safetensors: what came has the SHA-256 "
        + "\(SlowHash.sha256(damaged)) where the hub states \(SlowHash.sha256(Self.weights)); nothing of "
        + "it was kept: try again, and check the proxy or HF_ENDPOINT if it happens twice")
    #expect(try fixture.layout()[Self.part] == nil)
    #expect(try HubCache(fixture.settings.cache).find(fixture.name()) == nil)

    let small = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.method == "GET", request.path.hasSuffix("config.json") { reply.body[3] ^= 1 }
        return reply
      }
    }
    var config = HubFixture.config
    config[3] ^= 1
    #expect(
      small.failure()
        == "malformed: owner/toy/config.json: what came has the Git hash \(SlowHash.gitBlob(config)) "
        + "where the hub states \(SlowHash.gitBlob(HubFixture.config)); nothing of it was kept: try "
        + "again, and check the proxy or HF_ENDPOINT if it happens twice")
  }

  @Test(
    "Content that is longer or shorter than stated is refused and not kept", arguments: [-9, 9])
  func wrongSize(by difference: Int) throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" {
          reply.body =
            difference < 0 ? reply.body.dropLast(9) : reply.body + [UInt8](repeating: 0, count: 9)
        }
        return reply
      }
    }
    let size = Self.weights.count
    #expect(
      fixture.failure()
        == "malformed: owner/toy/model.safetensors: \(size + difference) bytes came where the hub "
        + "states \(size); nothing of it was kept, try again")
    #expect(try fixture.layout()[Self.part] == nil)
  }

  @Test(
    "What the hub refuses is said with what to do",
    arguments: [
      (
        401, [:],
        "unreadable: owner/toy: the hub refuses the token, or there is no such repository; check the "
          + "name at HUB/owner/toy, and make a new token if the old one has ended"
      ),
      (
        403,
        ["X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model owner/toy is gated"],
        "unreadable: owner/toy: the hub refuses access ('Access to model owner/toy is gated'); accept "
          + "the model's terms at HUB/owner/toy, with the account of the token in HF_TOKEN"
      ),
      (
        404, ["X-Error-Code": "RepoNotFound"],
        "missing: owner/toy: the hub has no such repository; check the name at HUB/owner/toy"
      ),
      (
        429, [:],
        "unavailable: owner/toy: the hub asks for fewer requests (status 429); wait some minutes, or "
          + "set HF_TOKEN"
      ),
      (
        503, ["X-Error-Message": "down\u{1B}[31m"],
        "unavailable: owner/toy: the hub has a fault (status 503 ('down\\u{1B}[31m')); try again later"
      ),
      (
        418, [:],
        "unavailable: owner/toy: the hub answers with status 418; check HF_ENDPOINT (HUB)"
      ),
    ] as [(Int, [String: String], String)])
  func statuses(status: Int, fields: [String: String], message: String) throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        request.path.hasPrefix("/api/") ? .init(status, fields) : usual
      }
    }
    #expect(fixture.failure() == message)
    #expect(fixture.hub.requests.count == (status == 429 || status >= 500 ? 3 : 1))
    if status == 401 {
      fixture.settings.token = nil
      #expect(
        fixture.failure()
          == "missing: owner/toy: the hub has no such repository, or shows it to some alone; check the "
          + "name at HUB/owner/toy, and set HF_TOKEN to a token that may read it")
    }
  }

  @Test("A file that is refused is named")
  func refusedFile() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        request.path.hasSuffix("/config.json")
          ? .init(404, ["X-Error-Code": "EntryNotFound"]) : usual
      }
    }
    #expect(
      fixture.failure()
        == "missing: owner/toy/config.json: the repository has no such file; see "
        + "HUB/owner/toy/tree/main")
    fixture.hub.change {
      $0.misbehaviour = { request, usual in
        request.path == "/model.safetensors" ? .init(403) : usual
      }
    }
    #expect(
      fixture.failure()
        == "unreadable: owner/toy/model.safetensors: the hub refuses access; accept the model's terms "
        + "at HUB/owner/toy, with the account of the token in HF_TOKEN")
  }

  @Test("Faults that pass are waited out")
  func passingFaults() throws {
    let seen = Mutex<[String: Int]>([:])
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        let number = seen.withLock { seen in
          seen[request.method + request.path, default: 0] += 1
          return seen[request.method + request.path] ?? 0
        }
        guard number == 1 else { return usual }
        return request.method == "HEAD" ? .init(429, ["Retry-After": "0"]) : .init(500)
      }
    }
    #expect(try Checkpoint(try fixture.fetch()).tensors["x"]?.elementCount == 100_000)
    // Of the weights: hub twice, delivery, hub, delivery.
    #expect(fixture.hub.deliveries.count == 2)
  }

  @Test("A server that falls silent is left")
  func silence() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path.hasPrefix("/api/") { reply.delay = 10 }
        return reply
      }
    }
    fixture.settings.idleSeconds = 1
    fixture.settings.retryDelays = []
    let found = fixture.failure()
    #expect(
      found.hasPrefix(
        "unavailable: owner/toy: the connection to HUB/api/models/owner/toy/revision/main broke off ("
      ))
    #expect(found.hasSuffix("); what has come is kept: give the same command again"))
  }

  @Test("A hub that is not there is named")
  func nobody() throws {
    let fixture = try HubFixture()
    // A port that was free a moment ago.
    let port = try LoopbackServer { _ in .init() }.port
    Thread.sleep(forTimeInterval: 0.2)
    fixture.settings.endpoint = "http://127.0.0.1:\(port)"
    let found = fixture.failure()
    #expect(
      found.hasPrefix(
        "unavailable: owner/toy: http://127.0.0.1:\(port)/api/models/owner/toy/revision/main cannot be "
          + "reached ("))
    #expect(found.hasSuffix("); check the network and the proxy, or HF_ENDPOINT"))
  }

  @Test(
    "An answer that is not the hub's is refused",
    arguments: [
      ("<html>", "the answer is not JSON (byte 0: expected a value, found '<')"),
      ("[]", "the answer names no commit and no files"),
      (#"{"sha": "../../x", "siblings": []}"#, "the answer names no commit and no files"),
      (
        "{\"sha\": \"\(String(repeating: "a", count: 40))\", \"siblings\": [{}]}",
        "the answer lists a file without a name"
      ),
    ])
  func strangeAnswers(body: String, what: String) throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        request.path.hasPrefix("/api/") ? .init(body: Array(body.utf8)) : usual
      }
    }
    #expect(
      fixture.failure()
        == "malformed: HUB: \(what); this is not the hub's interface, check HF_ENDPOINT")
  }

  @Test(
    "Names that lead out of the cache are refused",
    arguments: ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a\\b", "a\nb", ""])
  func hostileNames(path: String) throws {
    let fixture = try HubFixture { $0.listed = [path] }
    let shown = path.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    #expect(
      fixture.failure()
        == "malformed: owner/toy: the hub lists the file '\(shown)', which would lie outside its folder; "
        + "do not trust this repository")
    #expect(try fixture.layout().isEmpty)
  }

  @Test(
    "Hashes that lead out of the cache are refused", arguments: ["../../x", ".hidden", "a b", ""])
  func hostileHashes(etag: String) throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path.hasSuffix("config.json") { reply.fields["ETag"] = "\"\(etag)\"" }
        return reply
      }
    }
    #expect(
      fixture.failure()
        == "malformed: owner/toy: the hub names the content of 'config.json' '\(etag)', which is no "
        + "hash; do not trust this repository")
  }

  @Test("An index that names a file outside, or one that is not listed, is refused")
  func hostileIndex() throws {
    func index(_ shard: String) -> [UInt8] { Array("{\"weight_map\":{\"x\":\"\(shard)\"}}".utf8) }
    let fixture = try HubFixture {
      $0.files["model.safetensors"] = nil
      $0.files["model.safetensors.index.json"] = index("../../x")
    }
    let found = fixture.failure()
    #expect(
      found.hasSuffix(
        "model.safetensors.index.json: the shard name '../../x' is no plain file name; do not trust this "
          + "model"))
    fixture.hub.change { $0.files["model.safetensors.index.json"] = index("none.safetensors") }
    #expect(
      fixture.failure()
        == "malformed: owner/toy: its index names the file 'none.safetensors', which the hub does not "
        + "list; do not trust this repository")
  }

  @Test("Fetches at the same time download each content once")
  func concurrent() async throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" { reply.delay = 0.3 }
        return reply
      }
    }
    let (settings, name) = (fixture.settings, fixture.name())
    let urls = try await withThrowingTaskGroup(of: URL.self) { group in
      for _ in 0..<4 { group.addTask { try ModelHub(settings).fetch(name) } }
      return try await group.reduce(into: Set<URL>()) { $0.insert($1) }
    }
    #expect(urls.count == 1)
    #expect(fixture.hub.deliveries.count == 1)
    #expect(try Checkpoint(try #require(urls.first)).tensors["x"]?.elementCount == 100_000)
  }

  @Test("A cache that cannot be written is named")
  func unwritable() throws {
    let fixture = try HubFixture()
    try fixture.folder.write([1], as: "file")
    fixture.settings.cache = fixture.folder.url.appending(path: "file/cache")
    #expect(
      fixture.failure()
        == "unwritable: FOLDER/file/cache: the folder cannot be made; check the permissions above it, or "
        + "set HF_HUB_CACHE to another folder")
  }

  @Test("A file larger than the disk is refused before it is begun")
  func room() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if reply.fields["X-Linked-Size"] != nil {
          reply.fields["X-Linked-Size"] = "1000000000000000000"
        }
        return reply
      }
    }
    let found = fixture.failure()
    #expect(
      try found.wholeMatch(
        of: Regex(
          #"unwritable: FOLDER/cache: owner/toy needs 1000000000000 MB and the disk has \d+ MB free; "#
            + "make room, or set HF_HUB_CACHE to a folder on another disk")) != nil, "\(found)")
    #expect(fixture.hub.deliveries.isEmpty)
  }
}
