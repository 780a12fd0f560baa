public import Foundation
import StrictJSON

/// One safetensors file: its tensors and its remarks.
///
/// Opening reads the header only, and refuses what the format forbids: a header that lies about its
/// length, keys that stand twice, tensors that overlap, leave a gap, or do not fit their shape.
public struct Safetensors: Sendable {
  /// The longest header the format allows, in bytes.
  public static let longestHeader = 100_000_000

  /// The file.
  public let file: MappedFile
  /// The remarks under `__metadata__`.
  public let remarks: [String: String]
  /// The tensors by name.
  public let tensors: [String: StoredTensor]

  /// Opens a file and checks its header.
  ///
  /// - Parameter url: Where the file is.
  /// - Throws: `missing`, `unreadable`, `malformed` or `unsupported`.
  public init(_ url: URL) throws(CheckpointError) {
    try self.init(try MappedFile(url))
  }

  /// Checks the header of a mapped file.
  ///
  /// - Parameter file: The file.
  /// - Throws: `malformed` or `unsupported`.
  public init(_ file: MappedFile) throws(CheckpointError) {
    let reader = SafetensorsReader(file)
    let header = try reader.header()
    var remarks: [String: String] = [:]
    var descriptions: [SafetensorsReader.TensorDescription] = []
    for member in header.members {
      if ExactString(member.key) == ExactString("__metadata__") {
        remarks = try reader.remarks(member.value)
      } else {
        descriptions.append(try reader.tensor(member.key, member.value))
      }
    }
    self.file = file
    self.remarks = remarks
    self.tensors = try reader.place(descriptions)
  }
}

/// The rules of the format, one function for each part of the header.
struct SafetensorsReader {
  struct TensorDescription {
    let name: String
    let shape: [Int]
    let type: ElementType
    let elementCount: Int
    let begin: Int
    let end: Int
  }

  private let file: MappedFile
  private let path: String
  private let headerLength: Int

  init(_ file: MappedFile) {
    self.file = file
    path = file.url.plainPath
    let length =
      file.count < 8
      ? 0 : file.bytes.loadUnaligned(as: UInt64.self).littleEndian
    headerLength = Int(exactly: length) ?? .max
  }

  func header() throws(CheckpointError) -> JSONObject {
    guard file.count >= 8 else {
      throw damaged("the file has \(file.count) bytes where the header's length takes 8")
    }
    guard headerLength <= Safetensors.longestHeader else {
      throw damaged(
        "the header is \(headerLength == .max ? "over 2^63" : String(headerLength)) bytes long "
          + "where \(Safetensors.longestHeader) are the most")
    }
    guard headerLength <= file.count - 8 else {
      throw damaged(
        "the header is \(headerLength) bytes long, more than the file's \(file.count - 8) others")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[8..<(8 + headerLength)])
    guard bytes.first == UInt8(ascii: "{") else {
      throw damaged("the header does not begin with '{'")
    }
    let value: JSON
    do throws(JSONError) {
      value = try JSON.parse(bytes)
    } catch {
      throw damaged("the header is not JSON (\(error.message))", cause: error)
    }
    // A value that begins with '{' is an object.
    return value.object ?? JSONObject.empty
  }

  func remarks(_ value: JSON) throws(CheckpointError) -> [String: String] {
    guard let members = value.members else { throw damaged("'__metadata__' is not an object") }
    var remarks: [String: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw damaged(
          "'__metadata__' has \(member.value.kind) under \(quoted(member.key)) where only text may be"
        )
      }
      remarks[member.key] = text
    }
    return remarks
  }

  func tensor(_ name: String, _ value: JSON) throws(CheckpointError) -> TensorDescription {
    let tensor = "tensor \(quoted(name))"
    guard let typeName = value["dtype"]?.string else { throw damaged("\(tensor) has no 'dtype'") }
    guard let type = ElementType(safetensors: typeName) else {
      if ElementType.unreadInSafetensors.contains(typeName) {
        throw CheckpointError(
          .unsupported,
          "\(path): \(tensor) is of type \(typeName), which is not read; convert it to BF16 or F32")
      }
      throw damaged("\(tensor) is of the unknown type \(quoted(typeName))")
    }
    guard let extents = value["shape"]?.array else { throw damaged("\(tensor) has no 'shape'") }
    var shape: [Int] = []
    for extent in extents {
      guard let extent = extent.integer, extent >= 0 else {
        throw damaged("\(tensor) has a shape that is not of whole numbers from 0 up")
      }
      shape.append(extent)
    }
    guard let offsets = value["data_offsets"]?.array, offsets.count == 2,
      let begin = offsets[0].integer, let end = offsets[1].integer, begin >= 0
    else {
      throw damaged("\(tensor) has no 'data_offsets' of two whole numbers")
    }
    guard begin <= end else {
      throw damaged("\(tensor) ends at \(end), before it begins at \(begin)")
    }
    guard let size = checkedSize(shape, type) else {
      throw damaged("\(tensor) has a size beyond 2^63 bytes")
    }
    guard size.bytes == end - begin else {
      throw damaged(
        "\(tensor) of type \(typeName) and shape \(shape) needs \(size.bytes) bytes and has "
          + "\(end - begin)")
    }
    return TensorDescription(
      name: name, shape: shape, type: type, elementCount: size.elements, begin: begin, end: end)
  }

  /// Tensors must follow one another from the first byte of data to the last of the file.
  func place(
    _ descriptions: [TensorDescription]
  ) throws(CheckpointError) -> [String: StoredTensor] {
    let start = 8 + headerLength
    let available = file.count - start
    var tensors = [String: StoredTensor](minimumCapacity: descriptions.count)
    var expected = 0
    for tensor in descriptions.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard tensor.begin == expected else {
        throw damaged(
          "tensor \(quoted(tensor.name)) begins at \(tensor.begin) where \(expected) is next: "
            + (tensor.begin < expected ? "tensors overlap" : "bytes belong to no tensor"))
      }
      guard tensor.end <= available else {
        throw damaged(
          "tensor \(quoted(tensor.name)) ends at \(tensor.end) of \(available) bytes of data")
      }
      expected = tensor.end
      let stored = StoredTensor(
        name: tensor.name, shape: tensor.shape, type: tensor.type,
        elementCount: tensor.elementCount, file: file,
        bytes: (start + tensor.begin)..<(start + tensor.end))
      guard tensors.updateValue(stored, forKey: tensor.name) == nil else {
        throw damaged("two tensors have the name \(quoted(tensor.name)) in different spellings")
      }
    }
    guard expected == available else {
      throw damaged("\(available - expected) bytes after the last tensor belong to none")
    }
    return tensors
  }

  private func damaged(_ what: String, cause: (any Error)? = nil) -> CheckpointError {
    .malformed(path, what, cause: cause)
  }
}

extension ElementType {
  /// The type of this name in safetensors, if it is one that is read.
  init?(safetensors name: String) {
    let types: [String: ElementType] = [
      "F64": .f64, "F32": .f32, "F16": .f16, "BF16": .bf16, "I64": .i64, "I32": .i32, "I16": .i16,
      "I8": .i8, "U8": .u8, "BOOL": .bool,
    ]
    guard let type = types[name] else { return nil }
    self = type
  }

  /// The other types of the format.
  static let unreadInSafetensors: Set<String> = [
    "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
    "U16", "U32", "U64", "C64",
  ]
}
