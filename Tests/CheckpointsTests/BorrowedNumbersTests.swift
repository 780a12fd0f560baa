import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Borrowed numbers")
struct BorrowedNumbersTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A file with a tensor of three numbers whose data begin at this place behind the header's end.
  private func tensor(_ type: ElementType, after bytes: Int = 0, shift: Int = 0) throws
    -> StoredTensor
  {
    let size = type.bytesPerBlock * 3
    let first =
      bytes > 0
      ? "\"a\":{\"dtype\":\"U8\",\"shape\":[\(bytes)],\"data_offsets\":[0,\(bytes)]}," : ""
    var header =
      "{\(first)\"x\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[3],\"data_offsets\":[\(bytes),\(bytes + size)]}}"
    while header.utf8.count % 8 != shift { header += " " }
    let data = (0..<bytes + size).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let file = try folder.write(
      safetensorsBytes(header, data: data), as: "\(UUID().uuidString).safetensors")
    return try #require(try Safetensors(file).tensors["x"])
  }

  @Test(
    "Plain numbers at whole addresses are those of the file, in place",
    arguments: [ElementType.f64, .f32, .f16, .bf16, .i64, .i32, .i16, .i8, .u8, .bool])
  func inPlace(type: ElementType) throws {
    let stored = try tensor(type)
    let numbers = try #require(stored.borrowed(as: type))
    #expect(numbers.count == 3 && numbers.type == type && numbers.owner === stored.file)
    let bytes = UnsafeRawBufferPointer(start: numbers.address, count: type.bytesPerBlock * 3)
    #expect(Array(bytes) == stored.withBytes { Array($0) })
    #expect(stored.withBytes { $0.baseAddress } == numbers.address)
  }

  @Test("The numbers outlive everything but their owner")
  func lifetime() throws {
    let numbers = try #require(try tensor(.u8).borrowed(as: .u8))
    try FileManager.default.removeItem(at: numbers.owner.url)
    #expect(numbers.address.load(fromByteOffset: 2, as: UInt8.self) == 74)
  }

  @Test("Other types, odd addresses and empty tensors are not borrowed")
  func refused() throws {
    #expect(try tensor(.bf16).borrowed(as: .f16) == nil)
    #expect(try tensor(.f32).borrowed(as: .f64) == nil)
    #expect(try tensor(.f32, shift: 2).borrowed(as: .f32) == nil)
    #expect(try tensor(.f32, shift: 4).borrowed(as: .f32) != nil)
    #expect(try tensor(.f64, shift: 4).borrowed(as: .f64) == nil)
    #expect(try tensor(.bf16, after: 1).borrowed(as: .bf16) == nil)
    #expect(try tensor(.bf16, after: 2).borrowed(as: .bf16) != nil)
    let types = try Safetensors(Fixtures.url("checkpoints/types.safetensors")).tensors
    #expect(types["empty"]?.borrowed(as: .f32) == nil)
    let blocks = try GGUF(Fixtures.url("checkpoints/blocks.gguf")).tensors
    #expect(blocks["Q4_0"]?.borrowed(as: .q40) == nil)
    #expect(blocks["F32"]?.borrowed(as: .f32) != nil)
  }
}
