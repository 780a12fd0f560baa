import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Mapped file")
struct MappedFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("The bytes are the file's, none for an empty file")
  func bytes() throws {
    let file = try MappedFile(try folder.write([1, 2, 3], as: "a"))
    #expect(file.count == 3)
    #expect(file.withBytes { Array($0) } == [1, 2, 3])
    let empty = try MappedFile(try folder.write([], as: "b"))
    #expect(empty.withBytes { Array($0) } == [])
  }

  @Test("A tensor keeps its file mapped after all else has let go of it")
  func lifetime() throws {
    let url = try folder.write(
      safetensorsBytes(#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [7]),
      as: "x")
    weak var file: MappedFile?
    var tensor: StoredTensor?
    do {
      let opened = try Safetensors(url)
      file = opened.file
      tensor = opened.tensors["x"]
    }
    try FileManager.default.removeItem(at: url)
    #expect(file != nil)
    #expect(tensor?.floats == [7])
    tensor = nil
    #expect(file == nil)
  }

  @Test("What is no regular file is refused without waiting for it")
  func otherKinds() throws {
    #expect(
      failure { try MappedFile(folder.url) }
        == "unreadable: \(folder.path): this is a folder where a file is needed; name a file in its "
        + "place")
    let pipe = folder.path + "/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    #expect(
      failure { try MappedFile(URL(filePath: pipe)) }
        == "unreadable: \(pipe): this is no regular file where a file is needed; name a file in its "
        + "place")
    #expect(
      failure { try MappedFile(URL(filePath: folder.path + "/none")) }
        == "missing: \(folder.path)/none: there is no such file; check the path")
  }

  @Test("A file that the system refuses to open is refused with the system's reason")
  func refusedBySystem() throws {
    // A name longer than any file system allows is refused to every user, the superuser included.
    let path = folder.path + "/" + String(repeating: "n", count: 300)
    #expect(
      failure { try MappedFile(URL(filePath: path)) }
        == "unreadable: \(path): the file cannot be read (File name too long); check its "
        + "permissions")
  }
}
