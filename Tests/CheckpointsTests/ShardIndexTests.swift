import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Shard index")
struct ShardIndexTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("Tensors come from the shards that the index names")
  func opening() throws {
    try shard("a.safetensors", ["x": 1])
    try shard("b.safetensors", ["y": 2, "z": 3])
    let index = try index(
      #"{"metadata":{},"weight_map":"#
        + #"{"x":"a.safetensors","z":"b.safetensors","y":"b.safetensors"}}"#)
    let shards = try ShardIndex(index)
    #expect(shards.shards.map(\.lastPathComponent) == ["a.safetensors", "b.safetensors"])
    let tensors = try shards.open()
    #expect(tensors.mapValues(\.floats) == ["x": [1], "y": [2], "z": [3]])
  }

  @Test(
    "An index that is not one is refused",
    arguments: [
      ("[", "the file is not JSON (byte 1: the text ends where a value or ']' should stand)"),
      ("{}", "the index has no 'weight_map'"),
      (#"{"weight_map":[]}"#, "the index has no 'weight_map'"),
      (#"{"weight_map":{}}"#, "the index names no tensor"),
      (#"{"weight_map":{"x":1}}"#, "the index has a number as the shard of 'x'"),
    ])
  func malformed(text: String, what: String) throws {
    let index = try index(text)
    #expect(
      failure { try ShardIndex(index) }
        == "malformed: \(path): \(what); the file is damaged, download it again")
  }

  @Test(
    "A shard's name is a plain file name",
    arguments: [
      "", ".", "..", "../a.safetensors", "/etc/passwd", "sub/a.safetensors", #"..\\a.safetensors"#,
      #"a\u0000.safetensors"#,
    ])
  func names(written: String) throws {
    try folder.write(
      safetensorsBytes(#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [1]),
      as: "sub/a.safetensors")
    let index = try index(#"{"weight_map":{"x":""# + written + #""}}"#)
    let shown =
      written == #"..\\a.safetensors"#
      ? #"..\\a.safetensors"# : written.replacing(#"\u0000"#, with: #"\0"#)
    #expect(
      failure { try ShardIndex(index) }
        == "malformed: \(path): the shard name '\(shown)' is no plain file name; "
        + "do not trust this model")
  }

  @Test("A shard may not be a link out of the folder, and may be one within it")
  func links() throws {
    try shard("outside/a.safetensors", ["x": 1])
    try shard("model/real.safetensors", ["x": 2])
    let model = folder.url.appending(path: "model")
    try link(model.appending(path: "a.safetensors"), to: "../outside/a.safetensors")
    try link(model.appending(path: "b.safetensors"), to: "real.safetensors")
    let index = try folder.write(
      Array(#"{"weight_map":{"x":"a.safetensors"}}"#.utf8), as: "model/index.json")
    #expect(
      failure { try ShardIndex(index) }
        == "malformed: \(folder.path)/model/index.json: the shard 'a.safetensors' is a link out of "
        + "its folder; copy the file there")
    let within = try folder.write(
      Array(#"{"weight_map":{"x":"b.safetensors"}}"#.utf8), as: "model/index.json")
    #expect(try ShardIndex(within).open()["x"]?.floats == [2])
  }

  @Test("The Hugging Face cache may link its snapshots to its contents")
  func hubCache() throws {
    let base = "models--a--b"
    try shard("\(base)/blobs/123", ["x": 4])
    try shard("\(base)/refs/main", ["x": 5])
    let index = try folder.write(
      Array(#"{"weight_map":{"x":"a.safetensors"}}"#.utf8), as: "\(base)/snapshots/f00/index.json")
    let name = folder.url.appending(path: "\(base)/snapshots/f00/a.safetensors")
    try link(name, to: "../../blobs/123")
    #expect(try ShardIndex(index).open()["x"]?.floats == [4])
    try FileManager.default.removeItem(at: name)
    try link(name, to: "../../refs/main")
    #expect(
      failure { try ShardIndex(index) }
        == "malformed: \(folder.path)/\(base)/snapshots/f00/index.json: the shard 'a.safetensors' "
        + "is a link out of its folder; copy the file there")
  }

  @Test("Index and shards must agree")
  func agreement() throws {
    try shard("a.safetensors", ["x": 1])
    try shard("b.safetensors", ["y": 2])
    let damaged = "; the file is damaged, download it again"
    let lacking = try index(#"{"weight_map":{"x":"a.safetensors","q":"a.safetensors"}}"#)
    #expect(
      failure { try ShardIndex(lacking).open() }
        == "malformed: \(path): shard 'a.safetensors' lacks tensor 'q'" + damaged)
    let swapped = try index(#"{"weight_map":{"y":"a.safetensors","x":"b.safetensors"}}"#)
    #expect(
      failure { try ShardIndex(swapped).open() }
        == "malformed: \(path): shard 'a.safetensors' holds tensor 'x', but the index puts it into "
        + "'b.safetensors'" + damaged)
    try shard("c.safetensors", ["y": 2, "x": 1])
    let silent = try index(#"{"weight_map":{"y":"c.safetensors"}}"#)
    #expect(
      failure { try ShardIndex(silent).open() }
        == "malformed: \(path): shard 'c.safetensors' holds tensor 'x', but the index does not "
        + "name it" + damaged)
    let absent = try index(#"{"weight_map":{"y":"none.safetensors"}}"#)
    #expect(
      failure { try ShardIndex(absent).open() }
        == "missing: \(folder.path)/none.safetensors: there is no such file; check the path")
  }

  private var path: String { folder.path + "/index.json" }

  private func index(_ text: String) throws -> URL {
    try folder.write(Array(text.utf8), as: "index.json")
  }

  private func link(_ link: URL, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: link.path(percentEncoded: false), withDestinationPath: target)
  }

  private func shard(_ name: String, _ values: [String: UInt8]) throws {
    let sorted = values.sorted { $0.key < $1.key }
    let header = sorted.enumerated().map { place, tensor in
      #""\#(tensor.key)":{"dtype":"U8","shape":[1],"data_offsets":[\#(place),\#(place + 1)]}"#
    }
    let bytes = safetensorsBytes(
      "{" + header.joined(separator: ",") + "}", data: sorted.map(\.value))
    try folder.write(bytes, as: name)
  }
}
