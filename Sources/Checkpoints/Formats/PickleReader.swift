import Foundation

/// Reads a pickle as data: a stack machine that knows containers, numbers, text and tensors.
///
/// A pickle is a program, and Python runs what it names. This machine has no names but those in
/// ``PickleGlobal`` and calls nothing: each of these is a fixed rule on values (`PickleReader+Torch`).
/// Each opcode adds at most one value, so that memory is bounded by the bytes of the pickle.
struct PickleReader {
  /// The longest pickle that is read, in bytes; one of 100,000 tensors takes about 15 million.
  static let longestPickle = 16 << 20
  /// The most containers, storages and tensors; one tensor takes up to ten of them.
  static let mostContainers = 1 << 21
  /// The most places that values are put into, to be recalled.
  static let mostPlaces = 1 << 21
  /// The longest text, in bytes.
  static let longestText = 1 << 20
  /// The longest name: of a tensor, of a key, of something in Python.
  static let longestName = 1024

  let archive: ZipArchive
  /// What stands before the names of all entries.
  let root: String
  let path: String
  private let bytes: UnsafeRawBufferPointer
  private(set) var position = 0
  var containers = PickleContainers()
  private var stack: [PickleValue] = []
  /// Where in the stack something was begun that lists what stands above.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// Reads `data.pkl` of an archive.
  ///
  /// - Parameters:
  ///   - bytes: The pickle; it must outlive the reader.
  ///   - archive: The archive with the numbers.
  ///   - root: What stands before the names of all entries.
  init(_ bytes: UnsafeRawBufferPointer, of archive: ZipArchive, root: String) {
    self.bytes = bytes
    self.archive = archive
    self.root = root
    path = archive.file.url.plainPath
  }

  /// Runs the pickle to its end.
  mutating func value() throws(CheckpointError) -> PickleValue {
    guard bytes.count <= Self.longestPickle else {
      throw damaged("has \(bytes.count) bytes where \(Self.longestPickle) are the most")
    }
    guard bytes.first == PickleOpcode.proto.rawValue else {
      throw damaged("does not begin with a protocol")
    }
    while true {
      let start = position
      let byte: UInt8 = try number("an opcode")
      guard let opcode = PickleOpcode(rawValue: byte) else {
        guard let name = PickleOpcode.unread[byte] else {
          throw damaged("has the byte \(byte) where an opcode is needed", at: start)
        }
        throw unsupported("uses the pickle opcode \(name)")
      }
      if opcode == .stop { break }
      try run(opcode)
    }
    guard stack.count == 1, marks.isEmpty, position == bytes.count else {
      throw damaged("ends with values or bytes left over", at: position)
    }
    return stack[0]
  }

  // MARK: Opcodes

  private mutating func run(_ opcode: PickleOpcode) throws(CheckpointError) {
    switch opcode {
    case .proto:
      let version: UInt8 = try number("the protocol")
      guard position == 2, (2...5).contains(version) else {
        throw damaged("states protocol \(version) where one of 2 to 5 begins it", at: position - 2)
      }
    case .frame:
      let length: UInt64 = try number("a frame")
      guard length <= UInt64(bytes.count - position) else {
        throw damaged("has a frame of \(length) bytes, more than it has left", at: position - 9)
      }
    case .mark: marks.append(stack.count)
    case .none: stack.append(.none)
    case .yes: stack.append(.boolean(true))
    case .no: stack.append(.boolean(false))
    case .integer32:
      stack.append(.integer(Int(Int32(bitPattern: try number("an integer")))))
    case .integer8: stack.append(.integer(Int(try number("an integer") as UInt8)))
    case .integer16: stack.append(.integer(Int(try number("an integer") as UInt16)))
    case .long: stack.append(try longInteger())
    case .float:
      let _: UInt64 = try number("a number")
      stack.append(.number)
    case .text8: stack.append(.text(try text(length: UInt64(try number("a text") as UInt8))))
    case .text32: stack.append(.text(try text(length: UInt64(try number("a text") as UInt32))))
    case .text64: stack.append(.text(try text(length: try number("a text") as UInt64)))
    case .emptyList:
      stack.append(.list(try add(to: \.lists, [])))
    case .append: try append(try pop(1))
    case .appends: try append(try popToMark())
    case .emptyDictionary: stack.append(try dictionary(isOrdered: false))
    case .setItem: try setItems(try pop(2))
    case .setItems: try setItems(try popToMark())
    case .emptyTuple: stack.append(.tuple(try add(to: \.tuples, [])))
    case .tuple: stack.append(.tuple(try add(to: \.tuples, try popToMark())))
    case .tuple1: stack.append(.tuple(try add(to: \.tuples, try pop(1))))
    case .tuple2: stack.append(.tuple(try add(to: \.tuples, try pop(2))))
    case .tuple3: stack.append(.tuple(try add(to: \.tuples, try pop(3))))
    case .global:
      let module = try line()
      stack.append(try global(module, try line()))
    case .stackGlobal:
      let names = try pop(2)
      guard let module = names[0].text, let name = names[1].text else {
        throw damaged("names something by \(names[0].kind) and \(names[1].kind)", at: position - 1)
      }
      stack.append(try global(module, name))
    case .reduce:
      let call = try pop(2)
      stack.append(try reduce(call[0], call[1]))
    case .build:
      let state = try pop(1)[0]
      try build(try top(), state)
    case .persistentID:
      let storage = try storage(try pop(1)[0])
      stack.append(.storage(try add(to: \.storages, storage)))
    case .put8: try put(Int(try number("a place") as UInt8))
    case .put32: try put(Int(try number("a place") as UInt32))
    case .memoize: try put(memo.count)
    case .get8: try recall(Int(try number("a place") as UInt8))
    case .get32: try recall(Int(try number("a place") as UInt32))
    case .stop: break
    }
  }

  private mutating func append(_ values: [PickleValue]) throws(CheckpointError) {
    guard case .list(let index) = try top() else {
      throw damaged("appends to \(try top().kind)", at: position - 1)
    }
    containers.lists[index] += values
  }

  private mutating func setItems(_ values: [PickleValue]) throws(CheckpointError) {
    guard case .dictionary(let index) = try top() else {
      throw damaged("sets a key of \(try top().kind)", at: position - 1)
    }
    guard values.count % 2 == 0 else {
      throw damaged("has a key without a value", at: position - 1)
    }
    for place in stride(from: 0, to: values.count, by: 2) {
      let key: PickleContainers.Key
      switch values[place] {
      case .text(let text):
        guard text.utf8.count <= Self.longestName else {
          throw damaged(
            "has a key of \(text.utf8.count) bytes where \(Self.longestName) are the most",
            at: position - 1)
        }
        key = .text(.init(text: text))
      case .integer(let number): key = .integer(number)
      default:
        throw unsupported("has \(values[place].kind) as a key, and a name needs text or an integer")
      }
      guard containers.dictionaries[index].add(key, values[place + 1]) else {
        throw damaged("has the key \(quoted(key.text)) twice in one dictionary", at: position - 1)
      }
    }
  }

  mutating func dictionary(isOrdered: Bool) throws(CheckpointError) -> PickleValue {
    .dictionary(try add(to: \.dictionaries, .init(isOrdered: isOrdered)))
  }

  mutating func add<Container>(
    to list: WritableKeyPath<PickleContainers, [Container]>, _ container: Container
  ) throws(CheckpointError) -> Int {
    guard containers.count < Self.mostContainers else {
      throw damaged("has over \(Self.mostContainers) containers", at: position - 1)
    }
    containers[keyPath: list].append(container)
    return containers[keyPath: list].count - 1
  }

  private func global(_ module: String, _ name: String) throws(CheckpointError) -> PickleValue {
    guard module.utf8.count <= Self.longestName, name.utf8.count <= Self.longestName else {
      throw damaged("names something by over \(Self.longestName) bytes", at: position - 1)
    }
    guard let global = PickleGlobal("\(module).\(name)") else {
      throw CheckpointError(
        .unsupported,
        "\(path): data.pkl names \(quoted("\(module).\(name)")), which is no part of a tensor that is "
          + "read; Telescope never executes a file: save the tensors alone, as a dictionary")
    }
    return .global(global)
  }

  // MARK: Stack and memo

  func top() throws(CheckpointError) -> PickleValue {
    guard let value = stack.last, stack.count > marks.last ?? 0 else { throw underflow }
    return value
  }

  /// Takes the uppermost values, the last one last.
  private mutating func pop(_ count: Int) throws(CheckpointError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw underflow }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(CheckpointError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw underflow }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func put(_ place: Int) throws(CheckpointError) {
    memo[place] = try top()
    guard memo.count <= Self.mostPlaces else {
      throw damaged("puts values into over \(Self.mostPlaces) places", at: position - 1)
    }
  }

  private mutating func recall(_ place: Int) throws(CheckpointError) {
    guard let value = memo[place] else {
      throw damaged("recalls place \(place), where nothing was put", at: position)
    }
    stack.append(value)
  }

  private var underflow: CheckpointError {
    damaged("takes a value where there is none", at: position - 1)
  }

  // MARK: Bytes

  private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ what: String
  ) throws(CheckpointError) -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= bytes.count - position else { throw damaged("ends inside \(what)") }
    defer { position += size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
  }

  private mutating func text(length: UInt64) throws(CheckpointError) -> String {
    guard length <= UInt64(bytes.count - position), length <= UInt64(Self.longestText) else {
      throw damaged("has a text of \(length) bytes, more than it may have", at: position)
    }
    let range = position..<(position + Int(length))
    guard let text = validString(UnsafeRawBufferPointer(rebasing: bytes[range])) else {
      throw damaged("has a text that is not UTF-8", at: position)
    }
    position = range.upperBound
    return text
  }

  /// Text up to the end of a line.
  private mutating func line() throws(CheckpointError) -> String {
    let end = min(bytes.count, position + Self.longestName)
    guard let newline = bytes[position..<end].firstIndex(of: 0x0A),
      let text = validString(UnsafeRawBufferPointer(rebasing: bytes[position..<newline]))
    else { throw damaged("has a name without an end", at: position) }
    position = newline + 1
    return text
  }

  /// A signed integer of up to 255 bytes, of which 8 are of use here.
  private mutating func longInteger() throws(CheckpointError) -> PickleValue {
    let length = Int(try number("an integer") as UInt8)
    guard length <= bytes.count - position else { throw damaged("ends inside an integer") }
    defer { position += length }
    guard length <= 8 else { return .number }
    var value: Int = 0
    for index in 0..<length { value |= Int(bytes[position + index]) << (8 * index) }
    // The highest bit that stands there is the sign.
    let unused = 64 - 8 * length
    return .integer((value << unused) >> unused)
  }

  // MARK: Errors

  func damaged(_ what: String, at offset: Int? = nil) -> CheckpointError {
    .malformed(path, "data.pkl \(what)" + (offset.map { " (at its byte \($0))" } ?? ""))
  }

  func unsupported(_ what: String) -> CheckpointError {
    CheckpointError(
      .unsupported, "\(path): data.pkl \(what); save the tensors alone, as a dictionary")
  }
}
