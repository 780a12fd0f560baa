import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Writing safetensors")
struct SafetensorsWriterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("The bytes are those that the Python library of the format writes")
  func reference() throws {
    let types = try TorchArchive(at: fixture("types.pt"))
    var writer = SafetensorsWriter(remarks: ["format": "pt \u{E9} \" \\"])
    // In an order that is not the file's.
    writer.add("quote \" \\ caf\u{E9}", shape: [], [2.5 as Float])
    for name in types.names { writer.add(try #require(types.tensors[name])) }
    writer.add("empty", shape: [3, 0], [] as [Float])
    writer.add("a.f32", shape: [2, 3], [0, 1, 2, 3, 4, 5] as [Float])
    try writer.write(to: url)
    #expect(try Data(contentsOf: url) == Data(contentsOf: fixture("written.safetensors")))
  }

  @Test("What was written is read back: remarks, shapes, types and numbers")
  func roundTrip() throws {
    let remarks = ["b": "line\nnull\0\u{1F}\u{7F}\u{2028}", "a": "", "": "\u{1F600}", "\t": "/"]
    var writer = SafetensorsWriter(remarks: remarks)
    writer.add("doubles", shape: [2, 2], [0.1, -1e300, .leastNonzeroMagnitude, -0.0])
    writer.add("control\u{1}", shape: [3], [1, -2, .infinity] as [Float])
    writer.add("halves", .bf16, shape: [3]) { $0.copyBytes(from: [0x80, 0x3F, 0, 0xC0, 1, 0]) }
    writer.add("counts", .i64, shape: [1, 1]) { $0.storeBytes(of: -9, as: Int64.self) }
    try writer.write(to: url)
    let file = try Safetensors(url)
    #expect(file.remarks == remarks)
    #expect(file.tensors.count == 4)
    #expect(file.tensors["doubles"]?.shape == [2, 2])
    #expect(file.tensors["doubles"]?.doubles == [0.1, -1e300, .leastNonzeroMagnitude, -0.0])
    #expect(file.tensors["control\u{1}"]?.floats == [1, -2, .infinity])
    #expect(file.tensors["halves"]?.type == .bf16)
    #expect(file.tensors["halves"]?.floats == [1, -2, Float(bitPattern: 0x1_0000)])
    #expect(file.tensors["counts"]?.shape == [1, 1])
    #expect(file.tensors["counts"]?.doubles == [-9])
  }

  @Test("The same tensors in another order make the same bytes, and the header is aligned")
  func determinism() throws {
    var files: [Data] = []
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
      var writer = SafetensorsWriter(remarks: ["z": "1", "a": "2", "m": "3"])
      for index in order { writer.add("t\(index)", shape: [1], [Float(index)]) }
      try writer.write(to: url)
      files.append(try Data(contentsOf: url))
    }
    #expect(files[0] == files[1])
    #expect(files[0].count % 4 == 0)
    #expect(files[0].prefix(8).first.map { $0 % 8 } == 0)
  }

  @Test("A file without tensors is one")
  func empty() throws {
    try SafetensorsWriter().write(to: url)
    #expect(try Safetensors(url).tensors.isEmpty)
    #expect(try Data(contentsOf: url) == Data(safetensorsBytes("{}      ")))
  }

  @Test("A tensor's function that writes less than all leaves zeros")
  func zeros() throws {
    var writer = SafetensorsWriter()
    writer.add("a", .u8, shape: [64]) { $0[63] = 1 }
    try writer.write(to: url)
    #expect(try Safetensors(url).tensors["a"]?.floats == [Float](repeating: 0, count: 63) + [1])
  }

  @Test("A file that cannot be finished leaves the old one, and nothing beside it")
  func atomicity() throws {
    struct Interruption: Error {}
    try folder.write(Array("old".utf8), as: "x.safetensors")
    var writer = SafetensorsWriter()
    writer.add("a", shape: [2], [1, 2] as [Float])
    writer.add("b", .f32, shape: [2]) { _ in throw Interruption() }
    #expect(throws: Interruption.self) { try writer.write(to: url) }
    #expect(try Data(contentsOf: url) == Data("old".utf8))
    #expect(try contents() == ["x.safetensors"])
  }

  @Test("A file that is there is replaced whole")
  func replacement() throws {
    try folder.write([UInt8](repeating: 7, count: 100_000), as: "x.safetensors")
    var writer = SafetensorsWriter()
    writer.add("a", shape: [2], [1, 2] as [Float])
    try writer.write(to: url)
    #expect(try Safetensors(url).tensors["a"]?.floats == [1, 2])
    #expect(try contents() == ["x.safetensors"])
  }

  @Test("What the format does not have is refused, and nothing is written")
  func unsupported() throws {
    func message(_ add: (inout SafetensorsWriter) -> Void) -> String {
      var writer = SafetensorsWriter()
      add(&writer)
      return failure { try writer.write(to: url) }
    }
    let path = folder.path + "/x.safetensors"
    #expect(
      message { $0.add("q", .q40, shape: [32]) { _ in } }
        == "unsupported: \(path): tensor 'q' is of type Q4_0, which safetensors do not have; write it "
        + "as F32")
    #expect(
      message { $0.add("__metadata__", shape: [1], [1 as Float]) }
        == "unsupported: \(path): tensor '__metadata__' has the name of the format's remarks; give it "
        + "another")
    #expect(
      message {
        $0.add("\u{E9}", shape: [1], [1 as Float])
        $0.add("e\u{301}", shape: [1], [1 as Float])
      }.replacing("\u{E9}", with: "e\u{301}")
        == "unsupported: \(path): tensor 'e\u{301}' is there twice; give each tensor its own name")
    for shape in [[-1], [1 << 32, 1 << 32]] {
      #expect(
        message { $0.add("big", .f32, shape: shape) { _ in } }
          == "unsupported: \(path): tensor 'big' has the shape \(shape), which no file has room for; "
          + "check its extents")
    }
    #expect(
      message {
        for name in ["a", "b"] { $0.add(name, .u8, shape: [1 << 62]) { _ in } }
      } == "unsupported: \(path): the tensors take over 2^63 bytes; write several files")
    #expect(
      message { $0.remarks = ["a": String(repeating: "x", count: 100_000_000)] }
        == "unsupported: \(path): names and remarks take 100000032 bytes where 100000000 are the most; "
        + "shorten them")
    #expect(try contents().isEmpty)
  }

  @Test("A place that cannot be written is refused with the system's reason")
  func unwritable() throws {
    let missing = folder.url.appending(path: "none/x.safetensors")
    #expect(
      failure { try SafetensorsWriter().write(to: missing) }
        == "unwritable: \(folder.path)/none/x.safetensors: the file cannot be written (No such file "
        + "or directory); check the folder and the room on its disk")
    let occupied = folder.url.appending(path: "occupied")
    try folder.write([1], as: "occupied/inside")
    #expect(
      failure { try SafetensorsWriter().write(to: occupied) }
        == "unwritable: \(folder.path)/occupied: the file cannot be written (Is a directory); check "
        + "the folder and the room on its disk")
    #expect(try contents() == ["occupied"])
  }

  private var url: URL { folder.url.appending(path: "x.safetensors") }

  private func contents() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  private func fixture(_ name: String) -> URL { Fixtures.url("checkpoints/torch-archive/\(name)") }
}
