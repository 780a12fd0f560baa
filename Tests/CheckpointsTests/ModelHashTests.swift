import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Model hash")
struct ModelHashTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(
    "Hashes are those of FIPS 180-4",
    arguments: [
      ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
          + "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
      ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
  func vectors(text: String, times: Int, expected: String) throws {
    let file = try folder.write(String(repeating: text, count: times).utf8, as: "x")
    #expect(try ModelHash(cache: nil).hash(of: [file]) == expected)
  }

  @Test("Lengths around the ends of blocks are hashed right")
  func lengths() throws {
    // The hash of the hashes of 0…520 bytes that count up, worked out with Python's hashlib.
    let files = try (0...520).map { count in
      try folder.write((0..<count).map { UInt8(truncatingIfNeeded: $0) }, as: "\(count)")
    }
    #expect(
      try ModelHash(cache: nil).hash(of: files)
        == "86ddcef080c03850621c451063f2fee8db4b11dc32ce122cfef8ded337dc5811")
  }

  @Test("Of several files it is the hash of their hashes, in order")
  func shards() throws {
    let files = [try folder.write("a".utf8, as: "a"), try folder.write("b".utf8, as: "b")]
    #expect(
      try ModelHash(cache: nil).hash(of: files)
        == "62af5c3cb8da3e4f25061e829ebeea5c7513c54949115b1acc225930a90154da")
  }

  @Test("A hash is remembered while the file stays as it is, and no longer")
  func remembering() throws {
    let cache = folder.url.appending(path: "cache")
    let hashes = ModelHash(cache: cache)
    let file = try write("abc", at: 1000)
    let hash = try hashes.hash(of: [file])
    let entries = try FileManager.default.contentsOfDirectory(
      at: cache.appending(path: "hashes"), includingPropertiesForKeys: nil)
    let entry = try #require(entries.first)
    #expect(entries.count == 1)

    // A remembered hash is believed: the file is not read again.
    let known = try String(contentsOf: entry, encoding: .utf8)
    let other = String(repeating: "0", count: 64)
    try known.replacing(hash, with: other).write(to: entry, atomically: true, encoding: .utf8)
    #expect(try hashes.hash(of: [file]) == other)

    // A file of the same size written later is another file.
    try write("abd", at: 1001)
    let later = try hashes.hash(of: [file])
    #expect(later == "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
    #expect(try hashes.hash(of: [file]) == later)

    // A damaged entry is worked out again.
    try "nonsense".write(to: entry, atomically: true, encoding: .utf8)
    #expect(try hashes.hash(of: [file]) == later)
  }

  @Test("The hash of a file written just now is not remembered")
  func unsettled() throws {
    let cache = folder.url.appending(path: "cache")
    let file = try folder.write("abc".utf8, as: "x")
    _ = try ModelHash(cache: cache).hash(of: [file])
    #expect(!FileManager.default.fileExists(atPath: cache.path(percentEncoded: false)))
  }

  @Test("A cache folder that cannot be written is no error")
  func unwritableCache() throws {
    let file = try write("abc", at: 1000)
    let blocked = try folder.write([], as: "file").appending(path: "cache")
    #expect(
      try ModelHash(cache: blocked).hash(of: [file])
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("A missing file is an error")
  func missing() {
    let file = folder.url.appending(path: "none")
    #expect(
      failure { try ModelHash(cache: nil).hash(of: [file]) }
        == "missing: \(folder.path)/none: there is no such file; check the path")
  }

  /// Writes the file with this time in seconds since 1970.
  @discardableResult
  private func write(_ text: String, at seconds: Double) throws -> URL {
    let file = try folder.write(text.utf8, as: "x")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: seconds)],
      ofItemAtPath: file.path(percentEncoded: false))
    return file
  }
}
