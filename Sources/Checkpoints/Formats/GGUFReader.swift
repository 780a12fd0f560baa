import Foundation

/// Reads a GGUF header front to back.
///
/// All lengths come from the file and are hostile until compared with the bytes that remain.
struct GGUFReader {
  /// Longest array of metadata; no vocabulary comes near, and eight times this fits in memory.
  static let longestArray = 1 << 24
  /// How deep arrays may nest.
  static let deepestNesting = 4
  /// Longest key and tensor name, as the format's own description has it.
  static let longestName = 65_535

  let file: MappedFile
  let path: String
  var position = 0
  var version = 0
  private(set) var tensorCount = 0
  private var pairCount = 0

  init(_ file: MappedFile) {
    self.file = file
    path = file.url.plainPath
  }

  // MARK: Parts

  mutating func readFixedHeader() throws(CheckpointError) {
    guard file.count >= 4, file.bytes.prefix(4).elementsEqual("GGUF".utf8) else {
      throw CheckpointError(
        .malformed,
        "\(path): the file does not begin with 'GGUF'; name a GGUF file, or download it again")
    }
    position = 4
    let version = try number(UInt32.self, "the version")
    if version.byteSwapped == 2 || version.byteSwapped == 3 {
      throw CheckpointError(
        .unsupported,
        "\(path): this GGUF file is big-endian; convert it to little-endian with gguf-convert-endian"
      )
    }
    guard version == 2 || version == 3 else {
      throw CheckpointError(
        .unsupported,
        "\(path): GGUF version \(version) is not read, only 2 and 3; convert the file")
    }
    self.version = Int(version)
    // The least a tensor takes is 24 bytes, the least a pair takes is 13.
    tensorCount = try count("tensors", leastBytes: 24)
    pairCount = try count("metadata pairs", leastBytes: 13)
  }

  mutating func readMetadata() throws(CheckpointError) -> [String: GGUFValue] {
    var metadata = [String: GGUFValue](minimumCapacity: min(pairCount, 4096))
    for _ in 0..<pairCount {
      let start = position
      let key = try name("a metadata key")
      let type = try number(UInt32.self, "the type of \(quoted(key))")
      let value = try value(type: type, of: key, depth: 0)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw damaged("the metadata key \(quoted(key)) stands twice", at: start)
      }
    }
    return metadata
  }

  func alignment(_ metadata: [String: GGUFValue]) throws(CheckpointError) -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard let alignment = value.integer, alignment > 0, alignment <= 1 << 20,
      alignment & (alignment - 1) == 0
    else {
      throw damaged("'general.alignment' is not a power of two up to 1048576")
    }
    return alignment
  }

  /// The lists that describe the tokens one by one must be of one length.
  func checkVocabulary(_ metadata: [String: GGUFValue]) throws(CheckpointError) {
    if let value = metadata["general.architecture"], value.string == nil {
      throw damaged("'general.architecture' is not text")
    }
    guard let value = metadata["tokenizer.ggml.tokens"] else { return }
    guard let tokens = value.strings else {
      throw damaged("'tokenizer.ggml.tokens' is not a list of texts")
    }
    for key in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] {
      guard let value = metadata[key] else { continue }
      guard let count = value.elementCount, value.strings == nil else {
        throw damaged("'\(key)' is not a list of numbers")
      }
      guard count == tokens.count else {
        throw damaged(
          "'\(key)' has \(count) elements for the \(tokens.count) of 'tokenizer.ggml.tokens'")
      }
    }
  }

  // MARK: Values

  private mutating func value(
    type: UInt32, of key: String, depth: Int
  ) throws(CheckpointError) -> GGUFValue {
    let what = "the value of \(quoted(key))"
    switch type {
    case 0: return .integer(Int(try number(UInt8.self, what)))
    case 1: return .integer(Int(try number(Int8.self, what)))
    case 2: return .integer(Int(try number(UInt16.self, what)))
    case 3: return .integer(Int(try number(Int16.self, what)))
    case 4: return .integer(Int(try number(UInt32.self, what)))
    case 5: return .integer(Int(try number(Int32.self, what)))
    case 6: return .real(Double(Float(bitPattern: try number(UInt32.self, what))))
    case 7: return .boolean(try boolean(of: key))
    case 8:
      let range = try text(what)
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[range])
      return validString(bytes).map { .string($0) } ?? .bytes(Array(bytes))
    case 9: return try array(of: key, depth: depth + 1)
    case 10:
      let value = try number(UInt64.self, what)
      return Int(exactly: value).map { .integer($0) } ?? .unsigned(value)
    case 11: return .integer(Int(try number(Int64.self, what)))
    case 12: return .real(Double(bitPattern: try number(UInt64.self, what)))
    default:
      throw damaged("\(what) is of type \(type), which GGUF does not have", at: position)
    }
  }

  private mutating func array(of key: String, depth: Int) throws(CheckpointError) -> GGUFValue {
    let start = position
    let what = "the list \(quoted(key))"
    guard depth <= Self.deepestNesting else {
      throw damaged("\(what) nests deeper than \(Self.deepestNesting)", at: start)
    }
    let type = try number(UInt32.self, "the type of \(what)")
    guard type < 13 else {
      throw damaged("\(what) has elements of type \(type), which GGUF does not have", at: start)
    }
    let leastBytes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8][Int(type)]
    let stated = try number(UInt64.self, "the length of \(what)")
    guard stated <= UInt64((file.count - position) / leastBytes) else {
      throw damaged("\(what) has \(stated) elements, more than the file has room for", at: start)
    }
    let count = Int(stated)
    guard count <= Self.longestArray else {
      throw CheckpointError(
        .unsupported,
        "\(path): \(what) has \(count) elements where \(Self.longestArray) are the most that is "
          + "read; use another file")
    }
    switch type {
    case 0: return .integers(try numbers(UInt8.self, count, what) { Int($0) })
    case 1: return .integers(try numbers(Int8.self, count, what) { Int($0) })
    case 2: return .integers(try numbers(UInt16.self, count, what) { Int($0) })
    case 3: return .integers(try numbers(Int16.self, count, what) { Int($0) })
    case 4: return .integers(try numbers(UInt32.self, count, what) { Int($0) })
    case 5: return .integers(try numbers(Int32.self, count, what) { Int($0) })
    case 6:
      return .reals(try numbers(UInt32.self, count, what) { Double(Float(bitPattern: $0)) })
    case 7:
      var values: [Bool] = []
      values.reserveCapacity(count)
      for _ in 0..<count { values.append(try boolean(of: key)) }
      return .booleans(values)
    case 8: return .strings(try texts(count, "an element of \(what)"))
    case 9:
      var values: [GGUFValue] = []
      for _ in 0..<count { values.append(try array(of: key, depth: depth + 1)) }
      return .arrays(values)
    case 10:
      let values = try numbers(UInt64.self, count, what) { $0 }
      guard values.allSatisfy({ $0 <= UInt64(Int.max) }) else { return .unsigneds(values) }
      return .integers(values.map { Int($0) })
    case 11: return .integers(try numbers(Int64.self, count, what) { Int($0) })
    default: return .reals(try numbers(UInt64.self, count, what) { Double(bitPattern: $0) })
    }
  }

  private mutating func numbers<Stored: FixedWidthInteger & BitwiseCopyable, Value>(
    _ stored: Stored.Type, _ count: Int, _ what: String, _ convert: (Stored) -> Value
  ) throws(CheckpointError) -> [Value] {
    // `count` elements of this width are known to fit in the file.
    let start = position
    let width = MemoryLayout<Stored>.size
    position += count * width
    return [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
      for index in 0..<count {
        let raw = file.bytes.loadUnaligned(fromByteOffset: start + index * width, as: Stored.self)
        buffer.initializeElement(at: index, to: convert(Stored(littleEndian: raw)))
      }
      initialized = count
    }
  }

  private mutating func texts(
    _ count: Int, _ what: String
  ) throws(CheckpointError) -> GGUFStrings {
    var starts: [Int] = []
    starts.reserveCapacity(count)
    for _ in 0..<count { starts.append(try text(what).lowerBound) }
    return GGUFStrings(file: file, starts: starts)
  }

  // MARK: Bytes

  mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= file.count - position else { throw damaged("the file ends inside \(what())") }
    defer { position += size }
    return Number(
      littleEndian: file.bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
  }

  private mutating func count(
    _ what: String, leastBytes: Int
  ) throws(CheckpointError) -> Int {
    let count = try number(UInt64.self, "the number of \(what)")
    guard count <= UInt64((file.count - position) / leastBytes) else {
      throw damaged("the header counts \(count) \(what), more than the file has room for")
    }
    return Int(count)
  }

  private mutating func text(
    _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> Range<Int> {
    let length = try number(UInt64.self, what())
    guard length <= UInt64(file.count - position) else {
      throw damaged(
        "\(what()) is \(length) bytes long, more than the file has left", at: position - 8)
    }
    let range = position..<(position + Int(length))
    position = range.upperBound
    return range
  }

  mutating func name(_ what: String) throws(CheckpointError) -> String {
    let start = position
    let range = try text(what)
    guard range.count <= Self.longestName,
      let name = validString(UnsafeRawBufferPointer(rebasing: file.bytes[range]))
    else {
      throw damaged(
        "\(what) is not UTF-8 text of at most \(Self.longestName) bytes", at: start)
    }
    return name
  }

  private mutating func boolean(of key: String) throws(CheckpointError) -> Bool {
    let byte = try number(UInt8.self, "the value of \(quoted(key))")
    guard byte <= 1 else {
      throw damaged("\(quoted(key)) holds the truth value \(byte)", at: position - 1)
    }
    return byte == 1
  }

  func damaged(_ what: String, at offset: Int? = nil) -> CheckpointError {
    .malformed(path, what + (offset.map { " (at byte \($0))" } ?? ""))
  }
}
