import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Safetensors")
struct SafetensorsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("Remarks, shapes and types are the file's")
  func reading() throws {
    let file = try Safetensors(Fixtures.url("checkpoints/types.safetensors"))
    #expect(file.remarks == ["format": "np"])
    #expect(file.tensors["f64"]?.shape == [2, 2])
    #expect(file.tensors["f64"]?.type == .f64)
    #expect(file.tensors["f64"]?.byteCount == 32)
    #expect(file.tensors.count == 11)
  }

  @Test("Spaces after the header, empty tensors and files without tensors are legal")
  func legal() throws {
    let padded = try open(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}    "#, [7])
    #expect(padded.tensors["a"]?.floats == [7])
    let empty = try open(
      #"{"b":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},"#
        + #""a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"#
        + #""c":{"dtype":"F32","shape":[0],"data_offsets":[1,1]}}"#, [9])
    #expect(empty.tensors["a"]?.floats == [9])
    #expect(empty.tensors["c"]?.elementCount == 0)
    #expect(try open("{}", []).tensors.isEmpty)
  }

  @Test(
    "A header that breaks a rule is refused, and the rule is named",
    arguments: [
      (#"[]"#, 0, "the header does not begin with '{'"),
      (#" {}"#, 0, "the header does not begin with '{'"),
      ("", 0, "the header does not begin with '{'"),
      (#"{"a":}"#, 0, "the header is not JSON (byte 5: expected a value, found '}')"),
      ("{}x", 0, "the header is not JSON (byte 2: bytes follow the end of the value)"),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":1}"#, 1,
        "the header is not JSON (byte 53: the key 'a' stands twice in one object)"
      ),
      (#"{"__metadata__":[]}"#, 0, "'__metadata__' is not an object"),
      (
        #"{"__metadata__":{"a":1}}"#, 0,
        "'__metadata__' has a number under 'a' where only text may be"
      ),
      (#"{"a":1}"#, 0, "tensor 'a' has no 'dtype'"),
      (#"{"a":{"dtype":"X8"}}"#, 0, "tensor 'a' is of the unknown type 'X8'"),
      (#"{"a":{"dtype":"U8"}}"#, 0, "tensor 'a' has no 'shape'"),
      (
        #"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, 1,
        "tensor 'a' has a shape that is not of whole numbers from 0 up"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, 1,
        "tensor 'a' has a shape that is not of whole numbers from 0 up"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, 1,
        "tensor 'a' has no 'data_offsets' of two whole numbers"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}"#, 1,
        "tensor 'a' has no 'data_offsets' of two whole numbers"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}}"#, 1,
        "tensor 'a' ends at 1, before it begins at 2"
      ),
      (
        #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,1]}}"#, 1,
        "tensor 'a' has a size beyond 2^63 bytes"
      ),
      (
        #"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#, 0,
        "tensor 'a' has a size beyond 2^63 bytes"
      ),
      (
        #"{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#, 0,
        "tensor 'a' has a size beyond 2^63 bytes"
      ),
      (
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,23]}}"#, 23,
        "tensor 'a' of type F32 and shape [2, 3] needs 24 bytes and has 23"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
          + #""b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3,
        "tensor 'b' begins at 1 where 2 is next: tensors overlap"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#, 3,
        "tensor 'b' begins at 2 where 1 is next: bytes belong to no tensor"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2,
        "tensor 'a' begins at 1 where 0 is next: bytes belong to no tensor"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 3,
        "tensor 'a' ends at 4 of 3 bytes of data"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 6,
        "2 bytes after the last tensor belong to none"
      ),
      (
        #"{"\u00e9":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#
          + #""e\u0301":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#, 0,
        "two tensors have the name 'e\u{301}' in different spellings"
      ),
    ])
  func rules(header: String, dataCount: Int, what: String) throws {
    let found = failure { try open(header, [UInt8](repeating: 0, count: dataCount)) }
    // Either spelling of é may come second.
    let same = found.replacing("\u{E9}", with: "e\u{301}")
    #expect(
      same == "malformed: \(path): \(what); the file is damaged, download it again")
  }

  @Test(
    "A length of header that the file cannot have is refused",
    arguments: [
      ([1, 2, 3], "the file has 3 bytes where the header's length takes 8"),
      ([], "the file has 0 bytes where the header's length takes 8"),
      (
        little(UInt64(100_000_001)),
        "the header is 100000001 bytes long where 100000000 are the most"
      ),
      (little(UInt64.max), "the header is over 2^63 bytes long where 100000000 are the most"),
      (
        little(UInt64(3)) + [0x7B, 0x7D],
        "the header is 3 bytes long, more than the file's 2 others"
      ),
    ] as [([UInt8], String)])
  func lengths(bytes: [UInt8], what: String) throws {
    let url = try folder.write(bytes, as: "x.safetensors")
    #expect(
      failure { try Safetensors(url) }
        == "malformed: \(path): \(what); the file is damaged, download it again")
  }

  @Test("A header that is not UTF-8 is refused")
  func invalidUTF8() throws {
    let header: [UInt8] = [0x7B, 0x22, 0xFF, 0x22]
    let url = try folder.write(little(UInt64(4)) + header, as: "x.safetensors")
    #expect(
      failure { try Safetensors(url) }
        == "malformed: \(path): the header is not JSON (byte 2: not valid UTF-8); "
        + "the file is damaged, download it again")
  }

  @Test("A type of the format that is not read is refused by name")
  func unreadType() {
    #expect(
      failure { try open(#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, [0]) }
        == "unsupported: \(path): tensor 'a' is of type F8_E4M3, which is not read; "
        + "convert it to BF16 or F32")
  }

  private var path: String { folder.path + "/x.safetensors" }

  private func open(_ header: String, _ data: [UInt8]) throws -> Safetensors {
    try Safetensors(try folder.write(safetensorsBytes(header, data: data), as: "x.safetensors"))
  }
}
