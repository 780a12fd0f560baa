internal import Checkpoints
internal import Dispatch
internal import Synchronization
internal import Tensors

// How the numbers come from the file: where they stand, or copied into memory of their own.

extension WeightReader {
  /// A stored tensor, or rows of one, that a weight is made of.
  struct Source {
    var tensor: StoredTensor
    var rows: Int
    /// The numbers of one row.
    var width: Int
    var order: RowOrder

    /// The first of the numbers, where they stand one after another in the file.
    var start: Int? {
      switch order {
      case .plain: 0
      case .run(let row, _): row * width
      case .picked: nil
      }
    }
  }

  /// The numbers in the file itself, where it has them in this type, in this order, and at addresses
  /// that can be used; joined weights where they stand one behind another.
  ///
  /// Nothing is read yet: a page of the file comes into memory when it is first used, and may leave
  /// it again. The file may be deleted meanwhile, but not be made shorter.
  func borrowed(_ sources: [Source], _ shape: [Int]) -> Tensor? {
    var first: (address: UnsafeRawPointer, owner: MappedFile)?
    var end: UnsafeRawPointer?
    for source in sources {
      guard let start = source.start, let numbers = source.tensor.borrowed(as: type.stored),
        start + source.rows * source.width <= numbers.count
      else { return nil }
      let address = numbers.address + start * type.bytes
      if let first, first.owner !== numbers.owner || address != end { return nil }
      if first == nil { first = (address, numbers.owner) }
      end = address + source.rows * source.width * type.bytes
    }
    return first.map { Tensor(borrowing: $0.address, shape, type, from: $0.owner) }
  }

  /// The numbers in memory of their own, converted and dequantised on all threads.
  func copied(_ sources: [Source], _ shape: [Int]) -> Tensor {
    Tensor(shape, type) { bytes in
      guard var target = bytes.baseAddress else { return }
      for source in sources {
        if !copy(source, to: target) { overflowing.append(source.tensor.name) }
        target += source.rows * source.width * type.bytes
      }
    }
  }

  /// Reads rows in blocks, on all threads; returns whether every finite number still is.
  private func copy(_ source: Source, to target: UnsafeMutableRawPointer) -> Bool {
    let (rows, width) = (source.rows, source.width)
    guard rows > 0, width > 0 else { return true }
    nonisolated(unsafe) let target = target
    let tensor = source.tensor
    let (stored, bytes) = (type.stored, type.bytes)
    let chunk = max(1, 65_536 / width)
    let tasks = (rows + chunk - 1) / chunk
    let work: @Sendable (Int) -> Bool = { task in
      let range = task * chunk..<min(rows, (task + 1) * chunk)
      if let start = source.start {
        let numbers = start + range.lowerBound * width..<start + range.upperBound * width
        return tensor.read(
          elements: numbers, as: stored, into: target + range.lowerBound * width * bytes)
      }
      guard case .picked(_, let place) = source.order else { return true }
      var isExact = true
      for row in range {
        let place = place(row)
        let isRowExact = tensor.read(
          elements: place * width..<(place + 1) * width, as: stored,
          into: target + row * width * bytes)
        isExact = isExact && isRowExact
      }
      return isExact
    }
    if tasks == 1 { return work(0) }
    let next = Atomic(0)
    let isExact = Atomic(true)
    DispatchQueue.concurrentPerform(iterations: min(tasks, max(1, Engine.threads))) { _ in
      while true {
        let task = next.add(1, ordering: .relaxed).oldValue
        if task >= tasks { return }
        if !work(task) { isExact.store(false, ordering: .relaxed) }
      }
    }
    return isExact.load(ordering: .relaxed)
  }
}

extension ScalarType {
  /// How a file calls numbers of this type.
  fileprivate var stored: ElementType {
    switch self {
    case .float32: .f32
    case .float64: .f64
    case .bfloat16: .bf16
    case .float16: .f16
    case .int64: .i64
    case .bool: .bool
    }
  }
}
