import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Weights of torch.save, and configurations alone")
struct TorchCheckpointTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func archive(_ name: String, _ value: Float) -> [UInt8] {
    ZipBytes.torch(
      PickleBytes.whole(PickleBytes.dictionary(name, PickleBytes.tensor())),
      [("0", (0..<6).flatMap { little((Float($0) + value).bitPattern) })]
    ).bytes
  }

  @Test("Every type and view that torch.save writes is read as torch.load has it")
  func reference() throws {
    for name in ["types", "nested"] {
      let source = Fixtures.url("checkpoints/torch-archive/\(name).pt")
      try folder.write(Data(contentsOf: source), as: "\(name)/pytorch_model.bin")
      try folder.write(Array("{}".utf8), as: "\(name)/config.json")
      let found = try Checkpoint(folder.url.appending(path: name)).tensors
      let expected = try Safetensors(
        Fixtures.url("checkpoints/torch-archive/\(name).safetensors")
      ).tensors
      #expect(found.keys.sorted() == expected.keys.sorted())
      for (key, tensor) in expected {
        #expect(found[key]?.shape == tensor.shape && found[key]?.type == tensor.type)
        #expect(found[key]?.doubles == tensor.doubles, "\(key)")
      }
    }
  }

  @Test("Shards are joined by their index")
  func shards() throws {
    try folder.write(archive("x", 0), as: "pytorch_model-00001-of-00002.bin")
    try folder.write(archive("y", 10), as: "pytorch_model-00002-of-00002.bin")
    try folder.write(Array("{}".utf8), as: "config.json")
    let text = """
      {"weight_map": {"x": "pytorch_model-00001-of-00002.bin", "y": "pytorch_model-00002-of-00002.bin"}}
      """
    try folder.write(Array(text.utf8), as: "pytorch_model.bin.index.json")
    let checkpoint = try Checkpoint(folder.url)
    #expect(checkpoint.format == .torch && checkpoint.files.count == 2)
    #expect(checkpoint.tensors["x"]?.floats == [0, 1, 2, 3, 4, 5])
    #expect(checkpoint.tensors["y"]?.floats == [10, 11, 12, 13, 14, 15])
    let index = folder.url.appending(path: "pytorch_model.bin.index.json")
    #expect(try Checkpoint(index).tensors.count == 2)
    try folder.write(
      safetensorsBytes(#"{"y":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#),
      as: "pytorch_model-00002-of-00002.bin")
    #expect(
      failure { try Checkpoint(index) }
        == "malformed: \(folder.path)/pytorch_model.bin.index.json: the shards are of different formats; "
        + "the file is damaged, download it again")
  }

  @Test("Where safetensors lie beside them, these are read")
  func preference() throws {
    try folder.write(archive("x", 0), as: "pytorch_model.bin")
    try folder.write(Array("{}".utf8), as: "config.json")
    #expect(try Checkpoint(folder.url).tensors["x"]?.floats == [0, 1, 2, 3, 4, 5])
    try folder.write(
      safetensorsBytes(#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [7]),
      as: "model.safetensors")
    #expect(try Checkpoint(folder.url).tensors["x"]?.floats == [7])
  }

  @Test("A pickle that would run something, and weights without configuration, are refused")
  func refusals() throws {
    let hostile = Fixtures.url("checkpoints/torch-archive/system.pt")
    let file = try folder.write(Data(contentsOf: hostile), as: "pytorch_model.bin")
    try folder.write(Array("{}".utf8), as: "config.json")
    #expect(
      failure { try Checkpoint(folder.url) }
        == "unsupported: \(file.path): data.pkl names 'posix.system', which is no part of a tensor that "
        + "is read; Telescope never executes a file: save the tensors alone, as a dictionary")
    try FileManager.default.removeItem(at: folder.url.appending(path: "config.json"))
    try folder.write(archive("x", 0), as: "pytorch_model.bin")
    #expect(
      failure { try Checkpoint(folder.url) }
        == "missing: \(folder.path)/config.json: there is no such file, and weights alone do not say what "
        + "model they are; put the model's config.json there")
  }

  @Test("A configuration is read without weights, from its file or its folder")
  func configuration() throws {
    let file = try folder.write(
      Array(#"{"model_type": "toy", "limit": Infinity}"#.utf8), as: "toy/config.json")
    let parent = file.deletingLastPathComponent()
    for url in [file, parent] {
      let configuration = try ModelConfiguration(at: url)
      #expect(configuration.name == "toy")
      #expect(configuration.file.lastPathComponent == "config.json")
      #expect(configuration.value["model_type"]?.string == "toy")
      #expect(!Checkpoint.hasWeights(at: url))
    }
    let other = try folder.write(Array("{}".utf8), as: "toy/gemma.json")
    #expect(try ModelConfiguration(at: other).name == "gemma")
    try folder.write([1], as: "toy/x.gguf")
    #expect(Checkpoint.hasWeights(at: parent))
    #expect(Checkpoint.hasWeights(at: folder.url.appending(path: "none")))
    #expect(
      failure { try ModelConfiguration(at: folder.url) }
        == "missing: \(folder.path)/config.json: there is no such file; check the path")
    try folder.write(Array("[]".utf8), as: "toy/config.json")
    #expect(
      failure { try ModelConfiguration(at: parent) }
        == "malformed: \(folder.path)/toy/config.json: the configuration is an array, not an object; the "
        + "file is damaged, download it again")
  }
}
