import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Checkpoint")
struct CheckpointTests {
  private let folder: TemporaryFolder
  private let weights = safetensorsBytes(
    #"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [7])
  private let gguf = GGUFBytes(
    pairs: [GGUFBytes.pair("general.architecture", 8, GGUFBytes.text("toy"))],
    tensors: [GGUFBytes.tensor("x", [1], 24, at: 0)], data: [8]
  ).bytes

  init() throws { folder = try TemporaryFolder() }

  @Test("A GGUF file is known by its first bytes, whatever its name")
  func ggufFile() throws {
    let file = try folder.write(gguf, as: "toy.Q8_0.weights")
    let checkpoint = try Checkpoint(file)
    #expect(checkpoint.format == .gguf)
    #expect(checkpoint.name == "toy.Q8_0")
    #expect(checkpoint.url == file)
    #expect(checkpoint.files == [file])
    #expect(checkpoint.configuration == nil)
    #expect(checkpoint.metadata["general.architecture"]?.string == "toy")
    #expect(checkpoint.tensors["x"]?.floats == [8])
  }

  @Test("Safetensors are read with the config.json beside them")
  func safetensorsFile() throws {
    let file = try folder.write(weights, as: "toy.gguf")
    try folder.write(Array(#"{"limit": Infinity}"#.utf8), as: "config.json")
    let checkpoint = try Checkpoint(file)
    #expect(checkpoint.format == .safetensors)
    #expect(checkpoint.configuration?["limit"]?.double == .infinity)
    #expect(checkpoint.metadata.isEmpty)
    #expect(checkpoint.tensors["x"]?.floats == [7])
  }

  @Test("A folder is a Hugging Face model, whole or in shards, or holds one GGUF file")
  func folders() throws {
    try folder.write(gguf, as: "one/toy.gguf")
    try folder.write(Array("notes".utf8), as: "one/README.md")
    let one = try Checkpoint(folder.url.appending(path: "one"))
    #expect(one.name == "toy")
    #expect(one.url.lastPathComponent == "one")
    #expect(one.files.map(\.lastPathComponent) == ["toy.gguf"])

    try folder.write(weights, as: "whole/model.safetensors")
    try folder.write(Array("{}".utf8), as: "whole/config.json")
    let whole = try Checkpoint(folder.url.appending(path: "whole"))
    #expect(whole.name == "whole")
    #expect(whole.tensors["x"]?.floats == [7])

    let snapshot = "models--owner--toy/snapshots/abc"
    try folder.write(weights, as: "\(snapshot)/model-1.safetensors")
    try folder.write(Array(#"{"model_type": "toy"}"#.utf8), as: "\(snapshot)/config.json")
    try folder.write(
      Array(#"{"weight_map":{"x":"model-1.safetensors"}}"#.utf8),
      as: "\(snapshot)/model.safetensors.index.json")
    let sharded = folder.url.appending(path: snapshot)
    for url in [sharded, sharded.appending(path: "model.safetensors.index.json")] {
      let checkpoint = try Checkpoint(url)
      #expect(checkpoint.name == "owner/toy")
      #expect(checkpoint.files.map(\.lastPathComponent) == ["model-1.safetensors"])
      #expect(checkpoint.configuration?["model_type"]?.string == "toy")
      #expect(checkpoint.tensors["x"]?.floats == [7])
    }
  }

  @Test("What is missing is named with the place where it should be")
  func missing() throws {
    let path = folder.path
    #expect(
      opening("none.gguf") == "missing: \(path)/none.gguf: there is no such file; check the path")
    try folder.write(weights, as: "bare/model.safetensors")
    #expect(
      opening("bare")
        == "missing: \(path)/bare/config.json: there is no such file, and weights alone do not say "
        + "what model they are; put the model's config.json there")
    try folder.write([], as: "empty/README.md")
    #expect(
      opening("empty")
        == "missing: \(path)/empty: the folder has neither model.safetensors, nor "
        + "model.safetensors.index.json, nor pytorch_model.bin, nor a GGUF file; name a folder with a "
        + "model")
    try folder.write(Array("{}".utf8), as: "empty/config.json")
    #expect(
      opening("empty")
        == "missing: \(path)/empty: the folder has a config.json and no weights; add "
        + "model.safetensors or pytorch_model.bin, or fetch the whole model")
  }

  @Test("Folders that do not say which model are refused")
  func unsupportedFolders() throws {
    let path = folder.path
    try folder.write(gguf, as: "two/b.gguf")
    try folder.write(gguf, as: "two/a.gguf")
    #expect(
      opening("two")
        == "unsupported: \(path)/two: the folder holds 2 GGUF files; name one of them, such as "
        + "a.gguf")
  }

  @Test("Files of another kind are refused by their first bytes")
  func otherFiles() throws {
    let path = folder.path
    let neither =
      "the file is neither GGUF, nor safetensors, nor one of torch.save; name a model file, or "
      + "download it again"
    let pickle =
      "the file is a bare pickle, as PyTorch wrote before version 1.6; load it there and save it "
      + "again with torch.save"
    let old = "the file is of the time before GGUF; convert it to GGUF"
    let note =
      "this is Git LFS's note in place of the file; fetch the file with git lfs pull"
    let cases: [([UInt8], String)] = [
      ([], "malformed: \(path)/x: \(neither)"),
      (Array("hello, world".utf8), "malformed: \(path)/x: \(neither)"),
      ([0x80, 0x02, 0x8A], "unsupported: \(path)/x: \(pickle)"),
      (Array("lmgg\u{1}".utf8), "unsupported: \(path)/x: \(old)"),
      (
        Array("version https://git-lfs.github.com/spec/v1\n".utf8), "malformed: \(path)/x: \(note)"
      ),
    ]
    for (bytes, message) in cases {
      try folder.write(bytes, as: "x")
      #expect(opening("x") == message)
    }
    try folder.write(Array("{}".utf8), as: "config.json")
    #expect(
      opening("config.json")
        == "unsupported: \(path)/config.json: this is a configuration without weights; name a folder "
        + "or file with a model's weights")
  }

  @Test("A header whose length has the bytes of a pickle or an archive is still one of safetensors")
  func headerLength() throws {
    try folder.write(Array("{}".utf8), as: "config.json")
    let text = #"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
    // Written little-endian, these begin as pickles of protocols 2 and 4, and as a zip archive.
    for length in [0x0280, 0x0480, 0x4B50] {
      let header = text + String(repeating: " ", count: length - text.utf8.count)
      try folder.write(safetensorsBytes(header, data: [7]), as: "model.safetensors")
      #expect(try Checkpoint(folder.url).format == .safetensors)
    }
  }

  @Test("One part of a split GGUF file is refused")
  func splitGGUF() throws {
    let file = GGUFBytes(pairs: [GGUFBytes.pair("split.count", 2, little(UInt16(3)))])
    try folder.write(file.bytes, as: "x.gguf")
    #expect(
      opening("x.gguf")
        == "unsupported: \(folder.path)/x.gguf: this is one of 3 parts of a model; join them with "
        + "llama-gguf-split --merge")
  }

  @Test(
    "A config.json that is no object is refused",
    arguments: [
      ("[]", "the configuration is an array, not an object"),
      ("{", "the file is not JSON (byte 1: the text ends where a key or '}' should stand)"),
    ])
  func configuration(text: String, what: String) throws {
    try folder.write(weights, as: "model.safetensors")
    try folder.write(Array(text.utf8), as: "config.json")
    #expect(
      failure { try Checkpoint(folder.url) }
        == "malformed: \(folder.path)/config.json: \(what); the file is damaged, download it again")
  }

  private func opening(_ name: String) -> String {
    failure {
      try Checkpoint(URL(filePath: folder.path + "/" + name))
    }
  }
}
