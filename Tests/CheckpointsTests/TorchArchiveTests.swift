import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Files of torch.save")
struct TorchArchiveTests {
  @Test(
    "Names, order, shapes, types and numbers are those that torch.load gives",
    arguments: ["types", "lens", "nested", "protocol3", "protocol4", "protocol5", "alone"])
  func values(name: String) throws {
    let expected = try Safetensors(fixture("\(name).safetensors"))
    try compare(try TorchArchive(at: fixture("\(name).pt")), expected)
  }

  @Test("A file that another program packed again is read the same")
  func repacked() throws {
    try compare(
      try TorchArchive(at: fixture("stored.pt")), try Safetensors(fixture("types.safetensors")))
  }

  @Test("A tensor is read in parts, in single and in double precision, wherever it stands")
  func parts() throws {
    let tensors = try TorchArchive(at: fixture("nested.pt")).tensors
    let expected = try Safetensors(fixture("nested.safetensors")).tensors
    for name in ["views.offset", "views.transposed", "parameter"] {
      let tensor = try #require(tensors[name])
      let other = try #require(expected[name])
      #expect(tensor.floats(1..<5) == Array(other.floats[1..<5]))
      #expect(tensor.doubles == other.doubles)
    }
  }

  @Test("The file of a state dictionary leaves out what it says of versions")
  func metadata() throws {
    let archive = try TorchArchive(at: fixture("lens.pt"))
    #expect(
      archive.names == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"])
  }

  @Test(
    "What PyTorch saves besides tensors is refused by name",
    arguments: [
      ("system", refusal(of: "posix.system")),
      ("eval", refusal(of: "__builtin__.eval")),
      ("module", refusal(of: "torch.nn.modules.linear.Linear")),
      ("complex", refusal(of: "torch.ComplexFloatStorage")),
      ("unsigned", refusal(of: "torch._utils._rebuild_tensor_v3")),
      ("set", refusal(of: "__builtin__.set")),
      (
        "expanded",
        "unsupported: data.pkl has a tensor of shape [4, 3], strides [0, 1] and offset 0, which "
          + "repeats the 3 numbers of its storage; save the tensors alone, as a dictionary"
      ),
      (
        "deflated",
        "unsupported: entry 'types/data.pkl' is compressed (method 8), as torch.save never does; "
          + "save the tensors again with torch.save"
      ),
      (
        "unchecked",
        "malformed: entry 'unchecked/data.pkl' has the checksum 72f6c675 where 00000000 is "
          + "recorded; the file is damaged, download it again"
      ),
    ])
  func refused(name: String, expected: String) throws {
    let url = fixture("\(name).pt")
    let found = failure { try TorchArchive(at: url) }
      .replacing(url.path(percentEncoded: false) + ": ", with: "")
    #expect(found == expected)
  }

  @Test("A hostile file runs nothing")
  func nothingRuns() throws {
    // What the file would do if anything ran it.
    let owned = URL(filePath: FileManager.default.currentDirectoryPath).appending(path: "owned")
    #expect(throws: CheckpointError.self) { try TorchArchive(at: fixture("system.pt")) }
    #expect(!FileManager.default.fileExists(atPath: owned.path(percentEncoded: false)))
  }

  @Test("Other files are told from those of torch.save")
  func otherFiles() throws {
    let url = URL(filePath: "/models/x.pt")
    func open(_ bytes: [UInt8]) -> String {
      failure { try TorchArchive(try MappedFile(copying: bytes, named: url)) }
    }
    #expect(
      open([0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC])
        == "unsupported: /models/x.pt: the file is a bare pickle, as PyTorch wrote before version "
        + "1.6; load it there and save it again with torch.save")
    for bytes in [[], [0x50], Array("GGUF".utf8), [0x1F, 0x8B, 0x08, 0x00]] as [[UInt8]] {
      #expect(
        open(bytes)
          == "malformed: /models/x.pt: the file does not begin as one of torch.save; name such a "
          + "file, or download it again")
    }
    #expect(
      failure { try TorchArchive(at: URL(filePath: "/models/none.pt")) }
        == "missing: /models/none.pt: there is no such file; check the path")
  }

  private func compare(_ archive: TorchArchive, _ expected: Safetensors) throws {
    let order = try JSON.parse((expected.remarks["order"] ?? "").utf8).array?.compactMap(\.string)
    #expect(archive.names == order)
    #expect(Set(archive.names) == Set(expected.tensors.keys))
    for (name, tensor) in archive.tensors {
      let other = try #require(expected.tensors[name])
      #expect(tensor.name == name)
      #expect(tensor.shape == other.shape, "\(name)")
      #expect(tensor.type == other.type, "\(name)")
      #expect(
        tensor.withBytes { Array($0) } == other.withBytes { Array($0) }, "\(name)")
    }
  }

  private func fixture(_ name: String) -> URL { Fixtures.url("checkpoints/torch-archive/\(name)") }
}

/// What is said of a pickle that has this name in it.
private func refusal(of name: String) -> String {
  "unsupported: data.pkl names '\(name)', which is no part of a tensor that is read; Telescope never "
    + "executes a file: save the tensors alone, as a dictionary"
}
