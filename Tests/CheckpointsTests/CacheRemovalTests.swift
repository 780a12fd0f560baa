import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Removing models from the cache")
struct CacheRemovalTests {
  private let other = String(repeating: "c", count: 40)

  @Test("Removing a model leaves nothing of it")
  func whole() throws {
    let fixture = try HubFixture()
    try fixture.fetch()
    try fixture.folder.write([1], as: "cache/models--owner--toys/blobs/x")
    let cache = HubCache(fixture.settings.cache)
    let removal = try cache.removal(of: fixture.name())
    #expect(removal.byteCount == HubFixture.weights.count + 23 && removal.fileCount == 3)
    #expect(try fixture.layout().count == 11)
    try removal.perform()
    #expect(try fixture.layout() == ["models--owner--toys/blobs/x": "1"])
    #expect(
      failure { try cache.removal(of: fixture.name()) }
        == "missing: owner/toy is not in the cache \(fixture.folder.path)/cache; telescope model list "
        + "names what is")
  }

  @Test("Removing a revision leaves what another one needs")
  func revision() throws {
    let fixture = try HubFixture { $0.revisions = ["v1": other] }
    let main = try fixture.fetch()
    fixture.hub.change { $0.files["config.json"] = Array(#"{"model_type": "one"}"#.utf8) + [32] }
    let old = try fixture.fetch("owner/toy@v1")
    let cache = HubCache(fixture.settings.cache)
    let removal = try cache.removal(of: fixture.name("owner/toy@v1"))
    #expect(removal.byteCount == 22 && removal.fileCount == 3)
    try removal.perform()
    #expect(!FileManager.default.fileExists(atPath: old.path(percentEncoded: false)))
    #expect(try Checkpoint(main).tensors["x"]?.elementCount == 100_000)
    #expect(cache.models().map(\.revisions) == [["main"]])
    #expect(
      failure { try cache.removal(of: fixture.name("owner/toy@v1")) }
        == "missing: owner/toy@v1 is not in the cache \(fixture.folder.path)/cache; telescope model list "
        + "names what is")
    // The last revision takes everything with it.
    try cache.removal(of: fixture.name("owner/toy@main")).perform()
    #expect(try fixture.layout().isEmpty)
  }

  @Test("Removing one of several GGUF files leaves the others")
  func file() throws {
    let one = GGUFBytes(tensors: [GGUFBytes.tensor("x", [1], 24, at: 0)], data: [8]).bytes
    let fixture = try HubFixture { $0.files = ["a.gguf": one, "b.gguf": one + [0]] }
    try fixture.fetch("owner/toy:a.gguf")
    try fixture.fetch("owner/toy:b.gguf")
    let cache = HubCache(fixture.settings.cache)
    #expect(cache.models().map(\.file) == ["a.gguf", "b.gguf"])
    let removal = try cache.removal(of: fixture.name("owner/toy:b.gguf"))
    #expect(removal.byteCount == one.count + 1 && removal.fileCount == 1)
    try removal.perform()
    #expect(try cache.find(fixture.name())?.lastPathComponent == "a.gguf")
  }
}
