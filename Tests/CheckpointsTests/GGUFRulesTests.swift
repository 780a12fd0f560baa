import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("GGUF rules")
struct GGUFRulesTests {
  private typealias Bytes = GGUFBytes
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  // MARK: The fixed header

  @Test("What is no GGUF, or of another version, is refused")
  func fixedHeader() {
    #expect(
      failure(of: GGUFBytes(magic: "GGML"))
        == "malformed: \(path): the file does not begin with 'GGUF'; name a GGUF file, "
        + "or download it again")
    for version: UInt32 in [0, 1, 4] {
      #expect(
        failure(of: GGUFBytes(version: version))
          == "unsupported: \(path): GGUF version \(version) is not read, only 2 and 3; "
          + "convert the file")
    }
    #expect(
      failure(of: GGUFBytes(version: UInt32(3).byteSwapped))
        == "unsupported: \(path): this GGUF file is big-endian; convert it to little-endian with "
        + "gguf-convert-endian")
  }

  @Test("A file that ends inside its header is refused, wherever it ends")
  func truncated() {
    expectDamaged(Array("GGUF".utf8), "the file ends inside the version")
    expectDamaged(
      Array("GGUF".utf8) + little(UInt32(3)), "the file ends inside the number of tensors")
    expectDamaged(
      Array("GGUF".utf8) + little(UInt32(3)) + little(UInt64(0)),
      "the file ends inside the number of metadata pairs")
  }

  @Test("Counts are bounded by the bytes that follow", arguments: [1, 1 << 40, UInt64.max])
  func counts(stated: UInt64) {
    expectDamaged(
      GGUFBytes(tensorCount: stated == 1 ? 2 : stated).bytes,
      "the header counts \(stated == 1 ? 2 : stated) tensors, more than the file has room for")
    expectDamaged(
      GGUFBytes(pairCount: stated).bytes,
      "the header counts \(stated) metadata pairs, more than the file has room for")
  }

  // MARK: Metadata

  @Test("Keys and texts are bounded by the bytes that follow", arguments: [1000, UInt64.max])
  func textLengths(stated: UInt64) {
    expectDamaged(
      pairs: [little(stated) + [UInt8](repeating: 0x61, count: 20)],
      "a metadata key is \(stated) bytes long, more than the file has left (at byte 24)")
    expectDamaged(
      pairs: [Bytes.pair("k", 8, little(stated))],
      "the value of 'k' is \(stated) bytes long, more than the file has left (at byte 37)")
  }

  @Test("Keys are short UTF-8 texts, each once")
  func keys() {
    expectDamaged(
      pairs: [little(UInt64(1)) + [0xFF] + little(UInt32(7)) + [1]],
      "a metadata key is not UTF-8 text of at most 65535 bytes (at byte 24)")
    expectDamaged(
      pairs: [Bytes.pair(String(repeating: "k", count: 65_536), 7, [1])],
      "a metadata key is not UTF-8 text of at most 65535 bytes (at byte 24)")
    expectDamaged(
      pairs: [Bytes.pair("k", 7, [1]), Bytes.pair("k", 7, [0])],
      "the metadata key 'k' stands twice (at byte 38)")
  }

  @Test("Types of values are those of the format")
  func valueTypes() {
    expectDamaged(
      pairs: [Bytes.pair("k", 13, [1])],
      "the value of 'k' is of type 13, which GGUF does not have (at byte 37)")
    expectDamaged(
      pairs: [Bytes.list("k", 99, 1, [1])],
      "the list 'k' has elements of type 99, which GGUF does not have (at byte 37)")
    expectDamaged(
      pairs: [Bytes.pair("k", 7, [2])], "'k' holds the truth value 2 (at byte 37)")
    expectDamaged(
      pairs: [Bytes.list("k", 7, 2, [1, 2])], "'k' holds the truth value 2 (at byte 50)")
    expectDamaged(pairs: [Bytes.pair("k", 10, [1])], "the file ends inside the value of 'k'")
  }

  @Test("Lists are bounded by the bytes that follow", arguments: [0, 4, 8, 9, 12] as [UInt32])
  func listLengths(type: UInt32) {
    for stated in [3, 1 << 61, UInt64.max] {
      expectDamaged(
        pairs: [Bytes.list("k", type, stated, [1, 1])],
        "the list 'k' has \(stated) elements, more than the file has room for (at byte 37)")
    }
  }

  @Test("A list longer than any vocabulary is refused before memory is asked for")
  func longestList() {
    let count = (1 << 24) + 1
    let file = GGUFBytes(
      pairs: [Bytes.list("k", 0, UInt64(count), [UInt8](repeating: 0, count: count))])
    #expect(
      failure(of: file)
        == "unsupported: \(path): the list 'k' has 16777217 elements where 16777216 are the most "
        + "that is read; use another file")
  }

  @Test("A text of a list is bounded by the bytes that follow")
  func listTexts() {
    expectDamaged(
      pairs: [Bytes.list("k", 8, 2, Bytes.text("ab") + little(UInt64(5)) + [1, 2])],
      "an element of the list 'k' is 5 bytes long, more than the file has left (at byte 59)")
  }

  @Test("Lists nest four deep and no deeper")
  func nesting() {
    var inner = little(UInt32(0)) + little(UInt64(1)) + [1]
    for _ in 0..<3 { inner = little(UInt32(9)) + little(UInt64(1)) + inner }
    #expect(failure(of: GGUFBytes(pairs: [Bytes.pair("k", 9, inner)])) == "no error")
    expectDamaged(
      pairs: [Bytes.pair("k", 9, little(UInt32(9)) + little(UInt64(1)) + inner)],
      "the list 'k' nests deeper than 4 (at byte 85)")
  }

  @Test(
    "The alignment is a power of two of at most a mebibyte",
    arguments: [0, 3, 48, 1 << 21, 1 << 30, .max] as [UInt32])
  func alignment(stated: UInt32) {
    expectDamaged(
      pairs: [Bytes.pair("general.alignment", 4, little(stated))],
      "'general.alignment' is not a power of two up to 1048576")
  }

  @Test("Keys that the reader itself needs have their types")
  func knownKeys() {
    expectDamaged(
      pairs: [Bytes.pair("general.alignment", 8, Bytes.text("32"))],
      "'general.alignment' is not a power of two up to 1048576")
    expectDamaged(
      pairs: [Bytes.pair("general.architecture", 7, [1])], "'general.architecture' is not text")
    expectDamaged(
      pairs: [Bytes.list("tokenizer.ggml.tokens", 0, 1, [1])],
      "'tokenizer.ggml.tokens' is not a list of texts")
  }

  @Test(
    "Lists about the tokens are as long as the list of tokens",
    arguments: ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"])
  func vocabulary(key: String) {
    let tokens = Bytes.list("tokenizer.ggml.tokens", 8, 2, Bytes.text("a") + Bytes.text("b"))
    expectDamaged(
      pairs: [tokens, Bytes.list(key, 0, 1, [1])],
      "'\(key)' has 1 elements for the 2 of 'tokenizer.ggml.tokens'")
    expectDamaged(
      pairs: [tokens, Bytes.pair(key, 8, Bytes.text("x"))], "'\(key)' is not a list of numbers")
    #expect(failure(of: GGUFBytes(pairs: [tokens, Bytes.list(key, 0, 2, [1, 1])])) == "no error")
  }

  // MARK: Tensors

  @Test("A tensor has at most four dimensions", arguments: [5, 1 << 20, .max] as [UInt32])
  func rank(stated: UInt32) {
    expectDamaged(
      tensors: [Bytes.tensor("t", [1, 1, 1, 1, 1], 0, at: 0, rank: stated)],
      "tensor 't' has \(stated) dimensions where 4 are the most (at byte 24)")
  }

  @Test("Sizes that wrap around are refused")
  func overflow() {
    let size = "tensor 't' has a size beyond 2^63 bytes (at byte 24)"
    expectDamaged(tensors: [Bytes.tensor("t", [1 << 32, 1 << 32], 0, at: 0)], size)
    expectDamaged(tensors: [Bytes.tensor("t", [1 << 62], 0, at: 0)], size)
    expectDamaged(tensors: [Bytes.tensor("t", [1 << 32, 0, 1 << 32], 0, at: 0)], size)
    expectDamaged(
      tensors: [Bytes.tensor("t", [1 << 63], 0, at: 0)],
      "tensor 't' has an extent beyond 2^63 (at byte 24)")
  }

  @Test("Rows are whole blocks")
  func blocks() {
    expectDamaged(
      tensors: [Bytes.tensor("t", [33], 8, at: 0)], data: 64,
      "tensor 't' has rows of 33 elements, which Q8_0 cannot pack in blocks of 32 (at byte 24)")
    expectDamaged(
      tensors: [Bytes.tensor("t", [32, 8], 12, at: 0)], data: 256,
      "tensor 't' has rows of 32 elements, which Q4_K cannot pack in blocks of 256 (at byte 24)")
    expectDamaged(
      tensors: [Bytes.tensor("t", [], 8, at: 0)], data: 64,
      "tensor 't' has rows of 1 elements, which Q8_0 cannot pack in blocks of 32 (at byte 24)")
  }

  @Test("Types that are not read are refused, by name where they have one")
  func types() {
    #expect(
      failure(of: GGUFBytes(tensors: [Bytes.tensor("t", [256], 16, at: 0)]))
        == "unsupported: \(path): tensor 't' is of ggml type 16 (IQ2_XXS), which is not read; "
        + "use a file quantised to Q4_K_M or Q8_0")
    #expect(
      failure(of: GGUFBytes(tensors: [Bytes.tensor("t", [256], 4, at: 0)]))
        == "unsupported: \(path): tensor 't' is of ggml type 4, which is not read; "
        + "use a file quantised to Q4_K_M or Q8_0")
  }

  @Test("Offsets are aligned and inside the file")
  func offsets() {
    for offset in [1, 33, UInt64.max] {
      expectDamaged(
        tensors: [Bytes.tensor("t", [1], 24, at: offset)], data: 64,
        "tensor 't' begins at an offset that is no multiple of 32 (at byte 24)")
    }
    expectDamaged(
      tensors: [Bytes.tensor("t", [1], 24, at: 64)], data: 64,
      "tensor 't' ends 1 bytes after offset 64, beyond the 64 bytes of data")
    expectDamaged(
      tensors: [Bytes.tensor("t", [65], 24, at: 0)], data: 64,
      "tensor 't' ends 65 bytes after offset 0, beyond the 64 bytes of data")
    expectDamaged(
      tensors: [Bytes.tensor("t", [1 << 62], 24, at: (1 << 63) - 32)], data: 64,
      "tensor 't' ends 4611686018427387904 bytes after offset 9223372036854775776, beyond the 64 "
        + "bytes of data")
    expectDamaged(
      tensors: [Bytes.tensor("t", [1], 24, at: 0)],
      "tensor 't' ends 1 bytes after offset 0, beyond the 0 bytes of data")
  }

  @Test("Tensors neither overlap nor stand twice")
  func overlap() {
    expectDamaged(
      tensors: [Bytes.tensor("a", [33], 24, at: 0), Bytes.tensor("b", [1], 24, at: 32)], data: 64,
      "the tensors 'a' and 'b' overlap")
    expectDamaged(
      tensors: [Bytes.tensor("a", [1], 24, at: 0), Bytes.tensor("a", [1], 24, at: 32)], data: 64,
      "the tensor 'a' stands twice")
  }

  // MARK: Support

  private var path: String { folder.path + "/x.gguf" }

  private func failure(of file: GGUFBytes) -> String {
    CheckpointsTests.failure { try GGUF(try folder.write(file.bytes, as: "x.gguf")) }
  }

  private func expectDamaged(
    _ bytes: [UInt8], _ what: String, at location: SourceLocation = #_sourceLocation
  ) {
    let found = CheckpointsTests.failure { try GGUF(try folder.write(bytes, as: "x.gguf")) }
    #expect(
      found == "malformed: \(path): \(what); the file is damaged, download it again",
      sourceLocation: location)
  }

  private func expectDamaged(
    pairs: [[UInt8]] = [], tensors: [[UInt8]] = [], data: Int = 0, _ what: String,
    at location: SourceLocation = #_sourceLocation
  ) {
    let data = [UInt8](repeating: 0, count: data)
    expectDamaged(
      GGUFBytes(pairs: pairs, tensors: tensors, data: data).bytes, what, at: location)
  }
}
