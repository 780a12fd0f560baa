/// What PyTorch's pickles call, as rules on values.
extension PickleReader {
  /// The most dimensions of a tensor: PyTorch's own bound.
  static let mostDimensions = 64

  // MARK: Calls

  func callee(_ value: PickleValue) throws(CheckpointError) -> PickleGlobal {
    guard case .global(let global) = value else {
      throw damaged("calls \(value.kind)", at: position - 1)
    }
    return global
  }

  /// `callee(*arguments)`.
  mutating func reduce(
    _ callee: PickleValue, _ arguments: PickleValue
  ) throws(CheckpointError) -> PickleValue {
    let global = try self.callee(callee)
    guard case .tuple(let index) = arguments else {
      throw damaged("calls '\(global.name)' with \(arguments.kind)", at: position - 1)
    }
    let arguments = containers.tuples[index]
    switch global {
    case .orderedDictionary:
      guard arguments.isEmpty else {
        throw damaged("calls '\(global.name)' with arguments", at: position - 1)
      }
      return try dictionary(isOrdered: true)
    case .rebuildTensor: return .tensor(try add(to: \.tensors, try tensor(arguments)))
    case .rebuildParameter:
      // The tensor, whether it has gradients, and hooks on them.
      guard arguments.count == 3, case .tensor = arguments[0], case .boolean = arguments[1],
        isEmptyDictionary(arguments[2])
      else { throw damaged("has a parameter that is not made of a tensor", at: position - 1) }
      return arguments[0]
    case .storage: throw damaged("calls '\(global.name)'", at: position - 1)
    }
  }

  /// `target.__setstate__(state)`, which state dictionaries use for a remark on versions.
  func build(_ target: PickleValue, _ state: PickleValue) throws(CheckpointError) {
    guard case .dictionary(let index) = target, containers.dictionaries[index].isOrdered,
      case .dictionary(let stateIndex) = state
    else { throw unsupported("sets the state of \(target.kind)") }
    let members = containers.dictionaries[stateIndex].members
    guard members.count == 1, members[0].key.text == "_metadata",
      case .dictionary = members[0].value
    else { throw unsupported("gives a dictionary attributes other than '_metadata'") }
  }

  private func isEmptyDictionary(_ value: PickleValue) -> Bool {
    guard case .dictionary(let index) = value else { return false }
    return containers.dictionaries[index].members.isEmpty
  }

  // MARK: Tensors

  /// `('storage', type, key, device, element count)`.
  func storage(_ value: PickleValue) throws(CheckpointError) -> TorchStorage {
    guard case .tuple(let index) = value, containers.tuples[index].count == 5 else {
      throw damaged("has a persistent id that is not a storage's five parts", at: position - 1)
    }
    let parts = containers.tuples[index]
    guard parts[0].text == "storage", case .global(.storage(let type)) = parts[1],
      let key = parts[2].text, let device = parts[3].text, let count = parts[4].integer, count >= 0
    else {
      throw damaged("has a persistent id that is not a storage's five parts", at: position - 1)
    }
    guard Self.isDevice(device) else {
      throw unsupported("has a storage on the device \(quoted(device))")
    }
    guard key.utf8.count <= Self.longestName, let entry = archive["\(root)/data/\(key)"] else {
      throw damaged("has the storage \(quoted(key)), which has no entry", at: position - 1)
    }
    let (size, overflow) = count.multipliedReportingOverflow(by: type.bytesPerBlock)
    guard !overflow, size == entry.bytes.count else {
      throw damaged(
        "counts \(count) numbers of type \(type.rawValue) in the storage \(quoted(key)), whose "
          + "entry has \(entry.bytes.count) bytes", at: position - 1)
    }
    return TorchStorage(type: type, elementCount: count, bytes: entry.bytes)
  }

  /// Where numbers were when they were saved does not matter, but that they were somewhere does.
  private static func isDevice(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), name.utf8.count <= 16,
      ["cpu", "cuda", "mps", "xpu"].contains(where: { parts[0].elementsEqual($0.utf8) })
    else { return false }
    return parts.count == 1
      || !parts[1].isEmpty
        && parts[1].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  /// `(storage, offset, shape, strides, has gradients, hooks)`, and perhaps what to change in the
  /// numbers.
  private func tensor(_ arguments: [PickleValue]) throws(CheckpointError) -> TorchView {
    guard (6...7).contains(arguments.count), case .storage(let storageIndex) = arguments[0],
      let offset = arguments[1].integer, let shape = integers(arguments[2]),
      let strides = integers(arguments[3]), case .boolean = arguments[4],
      isEmptyDictionary(arguments[5])
    else {
      throw damaged(
        "has a tensor that is not of a storage, an offset, a shape and strides", at: position - 1)
    }
    let storage = containers.storages[storageIndex]
    if arguments.count == 7 {
      // Conjugated or negated numbers would have their mark here.
      if case .none = arguments[6] {
      } else if !isEmptyDictionary(arguments[6]) {
        throw unsupported("has a tensor with attributes")
      }
    }
    let what = "has a tensor of shape \(shape), strides \(strides) and offset \(offset)"
    guard shape.count == strides.count, offset >= 0, !shape.contains(where: { $0 < 0 }),
      !strides.contains(where: { $0 < 0 })
    else { throw damaged("\(what), which no tensor has", at: position - 1) }
    guard let size = checkedSize(shape, storage.type), offset <= storage.elementCount,
      size.elements == 0 || isWithin(storage.elementCount, offset, shape, strides)
    else {
      throw damaged(
        "\(what), which goes beyond its storage of \(storage.elementCount) numbers",
        at: position - 1)
    }
    // Views that repeat numbers would let a small file take any amount of memory.
    guard size.elements <= storage.elementCount else {
      throw unsupported("\(what), which repeats the \(storage.elementCount) numbers of its storage")
    }
    return TorchView(
      storage: storage, offset: offset, shape: shape, strides: strides, elementCount: size.elements)
  }

  private func isWithin(_ count: Int, _ offset: Int, _ shape: [Int], _ strides: [Int]) -> Bool {
    var last = offset
    for (extent, stride) in zip(shape, strides) {
      let (step, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflowToo) = last.addingReportingOverflow(step)
      if overflow || overflowToo { return false }
      last = sum
    }
    return last < count
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let index) = value,
      containers.tuples[index].count <= Self.mostDimensions
    else { return nil }
    let integers = containers.tuples[index].compactMap(\.integer)
    return integers.count == containers.tuples[index].count ? integers : nil
  }
}
