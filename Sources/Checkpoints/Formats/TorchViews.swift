/// Makes stored tensors of views into storages.
struct TorchViews {
  let file: MappedFile
  let views: [(name: String, view: TorchView)]

  /// The tensors by name.
  ///
  /// Contiguous views are ranges of the file. The others are copied into one block of memory, of at
  /// most the file's size, so that a file of many views of the same numbers takes no more.
  func stored() throws(CheckpointError) -> [String: StoredTensor] {
    let copies = try copies()
    var tensors = [String: StoredTensor](minimumCapacity: views.count)
    var place = 0
    for (name, view) in views {
      let size = view.elementCount * view.storage.type.bytesPerBlock
      let stored: StoredTensor
      if view.isContiguous {
        let start = view.storage.bytes.lowerBound + view.offset * view.storage.type.bytesPerBlock
        stored = tensor(name, view, in: file, start..<(start + size))
      } else {
        stored = tensor(name, view, in: copies, place..<(place + size))
        place += size
      }
      guard tensors.updateValue(stored, forKey: name) == nil else {
        throw CheckpointError.malformed(
          file.url.plainPath, "two tensors have the name \(quoted(name))")
      }
    }
    return tensors
  }

  private func tensor(
    _ name: String, _ view: TorchView, in file: MappedFile, _ bytes: Range<Int>
  ) -> StoredTensor {
    StoredTensor(
      name: name, shape: view.shape, type: view.storage.type, elementCount: view.elementCount,
      file: file, bytes: bytes)
  }

  /// The numbers of all views that are not contiguous, one after another.
  private func copies() throws(CheckpointError) -> MappedFile {
    let scattered = views.filter { !$0.view.isContiguous }
    guard !scattered.isEmpty else { return file }
    var total = 0
    for (name, view) in scattered {
      // Each fits in the file, so the sum passes the bound long before it overflows.
      total += view.elementCount * view.storage.type.bytesPerBlock
      guard total <= file.count else {
        throw CheckpointError(
          .unsupported,
          "\(file.url.plainPath): tensor \(quoted(name)) is one of many views of the same numbers; "
            + "call contiguous() on the tensors before they are saved")
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(total)
    file.withBytes { source in
      for (_, view) in scattered { append(view, from: source, to: &bytes) }
    }
    return try MappedFile(copying: bytes, named: file.url)
  }

  /// Appends the numbers of a view in row-major order.
  private func append(
    _ view: TorchView, from source: UnsafeRawBufferPointer, to bytes: inout [UInt8]
  ) {
    let width = view.storage.type.bytesPerBlock
    var indices = [Int](repeating: 0, count: view.shape.count)
    var element = view.offset
    for _ in 0..<view.elementCount {
      let start = view.storage.bytes.lowerBound + element * width
      bytes.append(contentsOf: source[start..<(start + width)])
      // The next index: the last dimension that has one, and zeros behind it.
      for dimension in indices.indices.reversed() {
        indices[dimension] += 1
        // Where an extent is 1, the stride may be any number.
        element &+= view.strides[dimension]
        if indices[dimension] < view.shape[dimension] { break }
        element &-= indices[dimension] &* view.strides[dimension]
        indices[dimension] = 0
      }
    }
  }
}
