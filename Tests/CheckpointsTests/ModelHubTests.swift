import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Models of the hub")
struct ModelHubTests {
  private let commit = String(repeating: "a1", count: 20)

  @Test("What a model needs is laid into the cache as Hugging Face's programs lay it")
  func whole() throws {
    let fixture = try HubFixture()
    let url = try fixture.fetch()
    let weights = SlowHash.sha256(HubFixture.weights)
    let (config, tokenizer) = (
      SlowHash.gitBlob(HubFixture.config), SlowHash.gitBlob(Array("{}".utf8))
    )
    let (model, locks) = ("models--owner--toy", ".locks/models--owner--toy")
    #expect(
      try fixture.layout() == [
        "\(model)/refs/main": "40",
        "\(model)/snapshots/\(commit)/config.json": "→ ../../blobs/\(config)",
        "\(model)/snapshots/\(commit)/tokenizer.json": "→ ../../blobs/\(tokenizer)",
        "\(model)/snapshots/\(commit)/model.safetensors": "→ ../../blobs/\(weights)",
        "\(model)/blobs/\(config)": "21", "\(model)/blobs/\(tokenizer)": "2",
        "\(model)/blobs/\(weights)": "\(HubFixture.weights.count)",
        "\(locks)/\(config).lock": "0", "\(locks)/\(tokenizer).lock": "0",
        "\(locks)/\(weights).lock": "0",
      ])
    let checkpoint = try Checkpoint(url)
    #expect(checkpoint.name == "owner/toy")
    #expect(checkpoint.configuration?["model_type"]?.string == "toy")
    #expect(checkpoint.tensors["x"]?.floats(0..<4) == [0, 16, 32, 49])
  }

  @Test("What is in the cache needs no network, and is not downloaded twice")
  func cached() throws {
    var fixture = try HubFixture()
    let url = try fixture.fetch()
    let count = fixture.hub.requests.count
    #expect(try ModelHub(fixture.settings).open(fixture.name()) == url)
    #expect(fixture.hub.requests.count == count)
    fixture.settings.offline = "HF_HUB_OFFLINE"
    #expect(try ModelHub(fixture.settings).open(fixture.name("owner/toy@main")) == url)
    #expect(try ModelHub(fixture.settings).fetch(fixture.name()) == url)
    #expect(fixture.hub.requests.count == count)
    fixture.settings.offline = nil
    try fixture.fetch()
    #expect(fixture.hub.deliveries.count == 1)
    fixture = try HubFixture()
    fixture.settings.offline = "TRANSFORMERS_OFFLINE"
    #expect(
      fixture.failure("owner/toy@v1")
        == "missing: owner/toy@v1 is not in the cache FOLDER/cache, and TRANSFORMERS_OFFLINE forbids "
        + "the network; unset it, or name a model that is there (telescope model list)")
    #expect(fixture.hub.requests.isEmpty)
  }

  @Test("The token goes to the hub and to no other host")
  func token() throws {
    let fixture = try HubFixture()
    try fixture.fetch()
    #expect(fixture.hub.requests.count > 4)
    #expect(
      fixture.hub.requests.allSatisfy { $0.fields["authorization"] == "Bearer hf_secret" })
    #expect(fixture.hub.deliveries.map(\.query) == ["signature=secret"])
    #expect(fixture.hub.deliveries.allSatisfy { $0.fields["authorization"] == nil })
  }

  @Test("A redirect within the hub keeps the token, one back from elsewhere does not leak it")
  func redirects() throws {
    let fixture = try HubFixture {
      $0.misbehaviour = { request, usual in
        if request.path.hasPrefix("/owner/toy/resolve/"), request.path.hasSuffix("/config.json"),
          request.query.isEmpty
        {
          return .init(307, ["Location": request.path + "?again=1"])
        }
        return usual
      }
    }
    try fixture.fetch()
    let again = fixture.hub.requests.filter { $0.query == "again=1" }
    #expect(again.map(\.method) == ["HEAD", "GET"])
    #expect(again.allSatisfy { $0.fields["authorization"] == "Bearer hf_secret" })
    fixture.hub.change {
      $0.commit = String(repeating: "b", count: 40)
      $0.misbehaviour = { request, usual in
        request.path.contains("/api/") ? .init(302, ["Location": request.path]) : usual
      }
    }
    #expect(
      fixture.failure()
        == "unavailable: owner/toy: the transfer from HUB/api/models/owner/toy/revision/main failed "
        + "(it redirects more than 10 times); check HF_ENDPOINT, or try again later")
  }

  @Test("A model in shards, and one of torch.save alone, come with all that they name")
  func weights() throws {
    let index = Array(
      #"{"weight_map":{"x":"model-1-of-2.safetensors","y":"model-2-of-2.safetensors"}}"#.utf8)
    func shard(_ name: String) -> [UInt8] {
      safetensorsBytes(
        "{\"\(name)\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", data: [9])
    }
    let sharded = try HubFixture {
      $0.files["model.safetensors"] = nil
      $0.files["pytorch_model.bin"] = [1]
      $0.files["model.safetensors.index.json"] = index
      $0.files["model-1-of-2.safetensors"] = shard("x")
      $0.files["model-2-of-2.safetensors"] = shard("y")
    }
    let checkpoint = try Checkpoint(try sharded.fetch())
    #expect(checkpoint.tensors.keys.sorted() == ["x", "y"])
    #expect(sharded.transfers(of: "pytorch_model.bin") == 0)
    // A snapshot that lacks a shard is fetched again.
    let last = try #require(checkpoint.files.last)
    try FileManager.default.removeItem(at: last)
    #expect(try HubCache(sharded.settings.cache).find(sharded.name()) == nil)
    #expect(try Checkpoint(ModelHub(sharded.settings).open(sharded.name())).tensors.count == 2)

    let archive = ZipBytes.torch(
      PickleBytes.whole(PickleBytes.dictionary("w", PickleBytes.tensor(of: PickleBytes.storage()))),
      [("0", (0..<6).flatMap { little(Float($0).bitPattern) })])
    let pickled = try HubFixture {
      $0.files["model.safetensors"] = nil
      $0.files["pytorch_model.bin"] = archive.bytes
      $0.large = ["pytorch_model.bin"]
    }
    let opened = try Checkpoint(try pickled.fetch())
    #expect(opened.format == .torch)
    #expect(opened.tensors["w"]?.floats == [0, 1, 2, 3, 4, 5])
  }

  @Test("A GGUF file is fetched alone; of several, the one that is named")
  func gguf() throws {
    let one = GGUFBytes(tensors: [GGUFBytes.tensor("x", [1], 24, at: 0)], data: [8]).bytes
    let fixture = try HubFixture {
      $0.files = ["README.md": [], "toy.Q4_1.gguf": one]
      $0.large = ["toy.Q4_1.gguf"]
    }
    let url = try fixture.fetch()
    #expect(url.lastPathComponent == "toy.Q4_1.gguf")
    #expect(try Checkpoint(url).format == .gguf)
    fixture.hub.change { $0.files["more/toy Q8.gguf"] = one }
    #expect(
      fixture.failure()
        == "unsupported: owner/toy: the repository has 2 GGUF files (more/toy Q8.gguf, toy.Q4_1.gguf); "
        + "name one of them, as in owner/toy:more/toy Q8.gguf")
    let named = try fixture.fetch("owner/toy:more/toy Q8.gguf")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: named.path(percentEncoded: false))
        == "../../../blobs/" + SlowHash.gitBlob(one))
    #expect(try Checkpoint(named).tensors["x"]?.floats == [8])
    #expect(
      CheckpointsTests.failure { try HubCache(fixture.settings.cache).find(fixture.name()) }
        == "unsupported: owner/toy: the cache holds 2 GGUF files (more/toy Q8.gguf, toy.Q4_1.gguf); "
        + "name one of them, as in owner/toy:more/toy Q8.gguf")
    #expect(
      fixture.failure("owner/toy:none.gguf")
        == "missing: owner/toy:none.gguf: the repository has no such file; see "
        + "HUB/owner/toy/tree/main")
    #expect(
      fixture.failure("owner/toy:README.md")
        == "usage: owner/toy:README.md: GGUF files alone are fetched by name; leave out 'README.md'"
    )
  }

  @Test("A repository without weights, or without configuration, is refused")
  func nothingToRead() throws {
    let fixture = try HubFixture { $0.files["model.safetensors"] = nil }
    #expect(
      fixture.failure()
        == "unsupported: owner/toy: the repository has no weights that Telescope reads (safetensors, "
        + "GGUF, pytorch_model.bin); see HUB/owner/toy/tree/main")
    fixture.hub.change { $0.files = ["model.safetensors": HubFixture.weights] }
    #expect(
      fixture.failure()
        == "unsupported: owner/toy: the repository has weights and no config.json; see "
        + "HUB/owner/toy/tree/main")
  }

  @Test("Branches, tags and commits each have their snapshot, and share what is the same")
  func revisions() throws {
    let other = String(repeating: "c", count: 40)
    let fixture = try HubFixture { $0.revisions = ["refs/pr/1": other, "v1.0": other] }
    let main = try fixture.fetch()
    let request = try fixture.fetch("owner/toy@refs/pr/1")
    #expect(fixture.hub.requests.contains { $0.path.hasSuffix("/revision/refs%2Fpr%2F1") })
    #expect(try fixture.fetch("owner/toy@v1.0") == request)
    #expect(try fixture.fetch("owner/toy@\(other)") == request)
    #expect(main != request)
    #expect(fixture.hub.deliveries.count == 1)
    let cache = HubCache(fixture.settings.cache)
    for name in ["owner/toy@refs/pr/1", "owner/toy@v1.0", "owner/toy@\(other)"] {
      #expect(try cache.find(fixture.name(name)) == request)
    }
    #expect(
      fixture.failure("owner/toy@v2")
        == "missing: owner/toy has no revision 'v2'; see HUB/owner/toy")
    let models = cache.models()
    #expect(models.map(\.commit) == [commit, other])
    #expect(models.map(\.revisions) == [["main"], ["refs/pr/1", "v1.0"]])
    #expect(models.allSatisfy { $0.isComplete && $0.format == .safetensors && $0.file == nil })
    #expect(models.map(\.byteCount) == Array(repeating: HubFixture.weights.count + 23, count: 2))
  }

  @Test("A moved branch is followed by a fetch, and left alone by use")
  func movedBranch() throws {
    let fixture = try HubFixture()
    let old = try fixture.fetch()
    fixture.hub.change {
      $0.commit = String(repeating: "d", count: 40)
      $0.files["config.json"] = Array(#"{"model_type": "new"}"#.utf8)
    }
    let hub = ModelHub(fixture.settings)
    #expect(try hub.open(fixture.name()) == old)
    let new = try hub.fetch(fixture.name())
    #expect(try hub.open(fixture.name()) == new)
    #expect(try Checkpoint(new).configuration?["model_type"]?.string == "new")
    #expect(try Checkpoint(old).configuration?["model_type"]?.string == "toy")
  }

  @Test("Progress ends with all bytes of all files")
  func progress() throws {
    let fixture = try HubFixture()
    var seen: [ModelHub.Progress] = []
    _ = try ModelHub(fixture.settings).fetch(fixture.name()) { seen.append($0) }
    let total = HubFixture.weights.count + HubFixture.config.count + 2
    #expect(seen.last?.byteCount == total && seen.last?.file == "model.safetensors")
    #expect(seen.allSatisfy { $0.totalByteCount == total && !$0.isWaiting })
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.byteCount <= $1.byteCount })
  }
}
