public import Foundation

/// Writes a safetensors file: tensors and remarks, the same ones always as the same bytes.
///
/// The file appears whole or not at all. Tensors stand in it as the Python library of the format
/// has them, by type with the widest first, then by name, so that each is aligned to its numbers.
public struct SafetensorsWriter {
  /// Writes the bytes of a tensor, little-endian in row-major order, into all of a buffer.
  public typealias Fill = (UnsafeMutableRawBufferPointer) throws -> Void

  /// The types in the order of the file.
  private static let order: [ElementType] = [
    .i64, .f64, .f32, .i32, .bf16, .f16, .i16, .i8, .u8, .bool,
  ]

  private struct Tensor {
    let name: String
    let type: ElementType
    let shape: [Int]
    let fill: Fill
  }

  /// The remarks for `__metadata__`.
  public var remarks: [String: String]
  private var tensors: [Tensor] = []

  /// A file without tensors.
  ///
  /// - Parameter remarks: The remarks for `__metadata__`.
  public init(remarks: [String: String] = [:]) {
    self.remarks = remarks
  }

  /// Adds a tensor whose bytes are asked for when the file is written, one tensor at a time.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - type: How its numbers are written; no quantised type.
  ///   - shape: Its extents, outermost first; none for a single number.
  ///   - fill: Writes its bytes; called once for each time that the file is written.
  public mutating func add(
    _ name: String, _ type: ElementType, shape: [Int], fill: @escaping Fill
  ) {
    tensors.append(Tensor(name: name, type: type, shape: shape, fill: fill))
  }

  /// Adds a tensor of single precision.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - shape: Its extents, outermost first; their product is the count of the numbers.
  ///   - numbers: The numbers in row-major order.
  public mutating func add(_ name: String, shape: [Int], _ numbers: [Float]) {
    add(name, .f32, shape: shape, numbers)
  }

  /// Adds a tensor of double precision.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - shape: Its extents, outermost first; their product is the count of the numbers.
  ///   - numbers: The numbers in row-major order.
  public mutating func add(_ name: String, shape: [Int], _ numbers: [Double]) {
    add(name, .f64, shape: shape, numbers)
  }

  /// Adds a tensor as it stands in another file.
  ///
  /// - Parameters:
  ///   - tensor: The tensor.
  ///   - name: Its name in this file; its own without one.
  public mutating func add(_ tensor: StoredTensor, as name: String? = nil) {
    add(name ?? tensor.name, tensor.type, shape: tensor.shape) { buffer in
      tensor.withBytes { buffer.copyMemory(from: $0) }
    }
  }

  private mutating func add<Number: BitwiseCopyable>(
    _ name: String, _ type: ElementType, shape: [Int], _ numbers: [Number]
  ) {
    // Every machine that this builds for is little-endian.
    precondition(
      checkedSize(shape, type)?.elements == numbers.count,
      "\(numbers.count) numbers for tensor '\(name)' of shape \(shape)")
    add(name, type, shape: shape) { buffer in
      numbers.withUnsafeBytes { buffer.copyMemory(from: $0) }
    }
  }

  /// Writes the file beside its place and then puts it there, over a file that may be there.
  ///
  /// - Parameter url: Where the file shall be, in a folder that exists.
  /// - Throws: `CheckpointError` of code `unwritable`, or `unsupported` for tensors that the format
  ///   does not have; and what a tensor's own function throws. Nothing is left then.
  public func write(to url: URL) throws {
    let path = url.plainPath
    let placed = try layOut(path)
    let header = header(placed)
    guard header.count - 8 <= Safetensors.longestHeader else {
      throw CheckpointError(
        .unsupported,
        "\(path): names and remarks take \(header.count - 8) bytes where "
          + "\(Safetensors.longestHeader) are the most; shorten them")
    }
    let file = try PartialFile(for: url)
    try header.withUnsafeBytes { try file.append($0) }
    for (tensor, range) in placed {
      // One more than needed: an empty allocation has no address.
      let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(range.count, 1), alignment: 16)
      defer { buffer.deallocate() }
      // What a function leaves out is zero, not what stood in memory.
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<range.count])
      try tensor.fill(bytes)
      try file.append(UnsafeRawBufferPointer(bytes))
    }
    try file.finish()
  }

  // MARK: Header

  /// The tensors in the file's order with the ranges of their bytes.
  private func layOut(_ path: String) throws(CheckpointError) -> [(Tensor, Range<Int>)] {
    var names: Set<String> = []
    var placed: [(Tensor, Range<Int>)] = []
    var end = 0
    let ordered = tensors.map { (rank: Self.order.firstIndex(of: $0.type) ?? .max, tensor: $0) }
      .sorted {
        $0.rank == $1.rank ? precedes($0.tensor.name, $1.tensor.name) : $0.rank < $1.rank
      }
    for (rank, tensor) in ordered {
      let what = "\(path): tensor \(quoted(tensor.name))"
      // Readers take this name for the remarks.
      guard tensor.name != "__metadata__" else {
        throw CheckpointError(
          .unsupported, "\(what) has the name of the format's remarks; give it another")
      }
      guard names.insert(tensor.name).inserted else {
        throw CheckpointError(.unsupported, "\(what) is there twice; give each tensor its own name")
      }
      guard rank < Self.order.count else {
        throw CheckpointError(
          .unsupported,
          "\(what) is of type \(tensor.type.rawValue), which safetensors do not have; write it as F32"
        )
      }
      guard let size = checkedSize(tensor.shape, tensor.type) else {
        throw CheckpointError(
          .unsupported,
          "\(what) has the shape \(tensor.shape), which no file has room for; check its extents")
      }
      let (next, overflow) = end.addingReportingOverflow(size.bytes)
      guard !overflow else {
        throw CheckpointError(
          .unsupported, "\(path): the tensors take over 2^63 bytes; write several files")
      }
      placed.append((tensor, end..<next))
      end = next
    }
    return placed
  }

  /// Length and JSON, filled with spaces to a multiple of eight.
  private func header(_ placed: [(Tensor, Range<Int>)]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 8)
    var separator = "{"
    if !remarks.isEmpty {
      bytes += Array("{\"__metadata__\":".utf8)
      for (key, value) in remarks.sorted(by: { precedes($0.key, $1.key) }) {
        bytes += Array(separator.utf8)
        append(key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(value, to: &bytes)
        separator = ","
      }
      bytes.append(UInt8(ascii: "}"))
    }
    for (tensor, range) in placed {
      bytes += Array(separator.utf8)
      append(tensor.name, to: &bytes)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let place = "\(range.lowerBound),\(range.upperBound)"
      bytes += Array(
        ":{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(place)]}"
          .utf8)
      separator = ","
    }
    bytes += Array((separator == "{" ? "{}" : "}").utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    let count = UInt64(bytes.count - 8).littleEndian
    withUnsafeBytes(of: count) { bytes.replaceSubrange(0..<8, with: $0) }
    return bytes
  }

  /// Appends a text as JSON.
  private func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { text in
      for byte in text {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0..<0x20:
          let digits = String(byte, radix: 16)
          bytes += Array("\\u00\(digits.count < 2 ? "0" : "")\(digits)".utf8)
        default: bytes.append(byte)
        }
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// The order of bytes, the same on every machine.
  private func precedes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }
}

/// A file that is being written beside its place, and goes away unless it is finished.
private final class PartialFile {
  private let path: String
  private let partial: String
  private var descriptor: Int32

  init(for url: URL) throws(CheckpointError) {
    path = url.plainPath
    partial =
      url.deletingLastPathComponent()
      .appending(path: ".\(url.lastPathComponent).\(UUID().uuidString).partial").plainPath
    descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(errno) }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(partial)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 26))
      let written = write(descriptor, part.baseAddress, part.count)
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw failure(errno) }
      rest = rest.dropFirst(written)
    }
  }

  /// Puts the file into its place.
  func finish() throws(CheckpointError) {
    guard fsync(descriptor) == 0 else { throw failure(errno) }
    guard rename(partial, path) == 0 else { throw failure(errno) }
    close(descriptor)
    descriptor = -1
  }

  private func failure(_ code: Int32) -> CheckpointError {
    CheckpointError(
      .unwritable,
      "\(path): the file cannot be written (\(String(cString: strerror(code)))); check the folder "
        + "and the room on its disk")
  }
}
