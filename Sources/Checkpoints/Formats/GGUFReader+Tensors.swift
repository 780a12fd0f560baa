extension GGUFReader {
  mutating func readTensors(alignment: Int) throws(CheckpointError) -> [String: StoredTensor] {
    var descriptions: [TensorDescription] = []
    descriptions.reserveCapacity(tensorCount)
    for _ in 0..<tensorCount {
      descriptions.append(try tensorDescription(alignment: alignment))
    }
    let padding = (alignment - position % alignment) % alignment
    let (dataStart, overflow) = position.addingReportingOverflow(padding)
    let available = overflow ? -1 : file.count - dataStart
    var tensors = [String: StoredTensor](minimumCapacity: tensorCount)
    for tensor in descriptions {
      guard tensor.offset <= available, tensor.byteCount <= available - tensor.offset else {
        throw damaged(
          "tensor \(quoted(tensor.name)) ends \(tensor.byteCount) bytes after offset "
            + "\(tensor.offset), beyond the \(max(0, available)) bytes of data")
      }
      let start = dataStart + tensor.offset
      let stored = StoredTensor(
        name: tensor.name, shape: tensor.shape, type: tensor.type,
        elementCount: tensor.elementCount, file: file, bytes: start..<(start + tensor.byteCount))
      guard tensors.updateValue(stored, forKey: tensor.name) == nil else {
        throw damaged("the tensor \(quoted(tensor.name)) stands twice")
      }
    }
    try refuseOverlap(descriptions)
    return tensors
  }

  private func refuseOverlap(_ descriptions: [TensorDescription]) throws(CheckpointError) {
    let sorted = descriptions.filter { $0.byteCount > 0 }.sorted { $0.offset < $1.offset }
    for (first, second) in zip(sorted, sorted.dropFirst())
    where first.offset + first.byteCount > second.offset {
      throw damaged("the tensors \(quoted(first.name)) and \(quoted(second.name)) overlap")
    }
  }

  private struct TensorDescription {
    let name: String
    let shape: [Int]
    let type: ElementType
    let elementCount: Int
    let byteCount: Int
    let offset: Int
  }

  private mutating func tensorDescription(
    alignment: Int
  ) throws(CheckpointError) -> TensorDescription {
    let start = position
    let name = try name("a tensor name")
    let tensor = "tensor \(quoted(name))"
    let rank = try number(UInt32.self, "the rank of \(tensor)")
    guard rank <= 4 else {
      throw damaged("\(tensor) has \(rank) dimensions where 4 are the most", at: start)
    }
    var reversed: [Int] = []
    for _ in 0..<rank {
      guard let extent = Int(exactly: try number(UInt64.self, "the shape of \(tensor)")) else {
        throw damaged("\(tensor) has an extent beyond 2^63", at: start)
      }
      reversed.append(extent)
    }
    let code = try number(UInt32.self, "the type of \(tensor)")
    guard let type = ElementType(ggml: code) else {
      throw CheckpointError(
        .unsupported,
        "\(path): \(tensor) is of ggml type \(code)\(unreadTypes[code].map { " (\($0))" } ?? ""), "
          + "which is not read; use a file quantised to Q4_K_M or Q8_0")
    }
    guard (reversed.first ?? 1) % type.blockSize == 0 else {
      throw damaged(
        "\(tensor) has rows of \(reversed.first ?? 1) elements, which \(type.rawValue) cannot pack "
          + "in blocks of \(type.blockSize)", at: start)
    }
    guard let size = checkedSize(reversed, type) else {
      throw damaged("\(tensor) has a size beyond 2^63 bytes", at: start)
    }
    guard let offset = Int(exactly: try number(UInt64.self, "the offset of \(tensor)")),
      offset % alignment == 0
    else {
      throw damaged("\(tensor) begins at an offset that is no multiple of \(alignment)", at: start)
    }
    return TensorDescription(
      name: name, shape: reversed.reversed(), type: type, elementCount: size.elements,
      byteCount: size.bytes, offset: offset)
  }
}

extension ElementType {
  /// The type of this number in ggml, if it is one that is read.
  init?(ggml code: UInt32) {
    let types: [UInt32: ElementType] = [
      0: .f32, 1: .f16, 2: .q40, 3: .q41, 6: .q50, 7: .q51, 8: .q80, 10: .q2K, 11: .q3K,
      12: .q4K, 13: .q5K, 14: .q6K, 24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
    ]
    guard let type = types[code] else { return nil }
    self = type
  }
}

/// The ggml types that exist and are not read, to be named in the refusal.
private let unreadTypes: [UInt32: String] = [
  9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
  21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
]
