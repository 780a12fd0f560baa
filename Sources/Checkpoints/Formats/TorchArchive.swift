public import Foundation

/// A file that `torch.save` wrote: its tensors, read without executing anything.
///
/// The file is a zip archive of numbers and of a pickle that says how they make up tensors. Pickles
/// are programs; this one is read as data, and whatever it names besides tensors, dictionaries,
/// lists, numbers and text is refused by name. Opening compares all numbers with the archive's
/// checksums, which reads the file once.
public struct TorchArchive: Sendable {
  /// The most tensors that are read.
  public static let mostTensors = 1 << 17
  /// How deep dictionaries and lists may nest.
  public static let deepestNesting = 32

  /// The file.
  public let file: MappedFile
  /// The names of the tensors in the file's order.
  ///
  /// A tensor in nested dictionaries and lists has their keys and indices (from 0) before its own,
  /// with dots between; one that is the whole file has the empty name.
  public let names: [String]
  /// The tensors by name; what else the file holds is left out.
  ///
  /// A tensor whose numbers do not stand one after another, such as a transposed one, is copied.
  public let tensors: [String: StoredTensor]
  /// The tensors that have the numbers and the shape of an earlier one, with that one's name.
  ///
  /// Tied weights stand in the file once and are named twice. Empty tensors and those that are
  /// copied have no other name.
  public let aliases: [String: String]

  /// Opens a file and checks all of it.
  ///
  /// - Parameter url: Where the file is.
  /// - Throws: `missing`, `unreadable`, `malformed` or `unsupported`.
  public init(at url: URL) throws(CheckpointError) {
    try self.init(try MappedFile(url))
  }

  /// Checks a mapped file.
  ///
  /// - Parameter file: The file.
  /// - Throws: `unreadable` where memory for copies lacks, `malformed` or `unsupported`.
  public init(_ file: MappedFile) throws(CheckpointError) {
    try Self.checkBeginning(file)
    let archive = try ZipArchive(file)
    let root = try Self.root(of: archive)
    let path = file.url.plainPath
    guard let pickle = archive["\(root)/data.pkl"] else {
      throw CheckpointError.malformed(path, "the archive has no entry '\(root)/data.pkl'")
    }
    try Self.checkByteOrder(archive, root: root)
    for entry in archive.entries { try archive.verify(entry) }
    let views = try file.withBytes { (bytes) throws(CheckpointError) in
      var reader = PickleReader(
        UnsafeRawBufferPointer(rebasing: bytes[pickle.bytes]), of: archive, root: root)
      let value = try reader.value()
      var names = TensorNames(containers: reader.containers, path: path)
      try names.visit(value)
      return names.found
    }
    self.file = file
    names = views.map(\.name)
    tensors = try TorchViews(file: file, views: views).stored()
    aliases = Self.aliases(names, tensors, in: file)
  }

  private static func aliases(
    _ names: [String], _ tensors: [String: StoredTensor], in file: MappedFile
  ) -> [String: String] {
    struct Place: Hashable {
      let bytes: Range<Int>
      let shape: [Int]
      let type: ElementType
    }
    var first: [Place: String] = [:]
    var aliases: [String: String] = [:]
    for name in names {
      guard let tensor = tensors[name], tensor.file === file, tensor.byteCount > 0 else { continue }
      let place = Place(bytes: tensor.range, shape: tensor.shape, type: tensor.type)
      if let earlier = first[place] {
        aliases[name] = earlier
      } else {
        first[place] = name
      }
    }
    return aliases
  }

  /// Tells files of PyTorch's older formats, and other files, from archives.
  private static func checkBeginning(_ file: MappedFile) throws(CheckpointError) {
    let path = file.url.plainPath
    let beginning = file.withBytes { Array($0.prefix(4)) }
    if beginning.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return }
    if beginning.first == 0x80 {
      throw CheckpointError(
        .unsupported,
        "\(path): the file is a bare pickle, as PyTorch wrote before version 1.6; load it there "
          + "and save it again with torch.save")
    }
    throw CheckpointError(
      .malformed,
      "\(path): the file does not begin as one of torch.save; name such a file, or download it again"
    )
  }

  /// The folder within the archive that holds everything.
  private static func root(of archive: ZipArchive) throws(CheckpointError) -> String {
    let path = archive.file.url.plainPath
    guard let first = archive.entries.first else {
      throw CheckpointError.malformed(path, "the archive has no entries")
    }
    let slash = UInt8(ascii: "/")
    let root = Array(first.name.utf8.prefix { $0 != slash }) + [slash]
    for entry in archive.entries where !entry.name.utf8.starts(with: root) {
      throw CheckpointError.malformed(
        path, "the entries \(quoted(first.name)) and \(quoted(entry.name)) are not in one folder")
    }
    return String(decoding: root.dropLast(), as: UTF8.self)
  }

  /// PyTorch before version 2.1 states no byte order and only knows the little-endian one.
  private static func checkByteOrder(
    _ archive: ZipArchive, root: String
  ) throws(CheckpointError) {
    guard let entry = archive["\(root)/byteorder"] else { return }
    let path = archive.file.url.plainPath
    let order = archive.file.withBytes { Array($0[entry.bytes].prefix(7)) }
    if order.elementsEqual("little".utf8) { return }
    guard order.elementsEqual("big".utf8) else {
      throw CheckpointError.malformed(path, "the entry 'byteorder' says neither little nor big")
    }
    throw CheckpointError(
      .unsupported,
      "\(path): the numbers are big-endian; save the tensors again on a little-endian machine")
  }
}

/// Walks the value of a pickle and names the tensors in it.
private struct TensorNames {
  /// The most values that are looked at: one container may stand in many places.
  static let mostVisits = 1 << 21

  let containers: PickleContainers
  let path: String
  private(set) var found: [(name: String, view: TorchView)] = []
  private var parts: [String] = []
  private var visits = 0

  init(containers: PickleContainers, path: String) {
    self.containers = containers
    self.path = path
  }

  mutating func visit(_ value: PickleValue) throws(CheckpointError) {
    visits += 1
    guard visits <= Self.mostVisits else {
      throw CheckpointError.malformed(path, "data.pkl holds over \(Self.mostVisits) values")
    }
    switch value {
    case .none, .boolean, .integer, .number, .text: break
    case .tensor(let index): try add(containers.tensors[index])
    case .tuple(let index): try visit(containers.tuples[index])
    case .list(let index): try visit(containers.lists[index])
    case .dictionary(let index):
      for member in containers.dictionaries[index].members {
        try visit(member.value, as: member.key.text)
      }
    case .global, .storage:
      throw CheckpointError.malformed(path, "data.pkl holds \(value.kind) outside a tensor")
    }
  }

  private mutating func visit(_ values: [PickleValue]) throws(CheckpointError) {
    for (index, value) in values.enumerated() { try visit(value, as: String(index)) }
  }

  private mutating func visit(_ value: PickleValue, as part: String) throws(CheckpointError) {
    guard parts.count < TorchArchive.deepestNesting else {
      throw CheckpointError.malformed(
        path, "data.pkl nests deeper than \(TorchArchive.deepestNesting)")
    }
    parts.append(part)
    try visit(value)
    parts.removeLast()
  }

  private mutating func add(_ view: TorchView) throws(CheckpointError) {
    guard found.count < TorchArchive.mostTensors else {
      throw CheckpointError.malformed(
        path, "data.pkl holds over \(TorchArchive.mostTensors) tensors")
    }
    let name = parts.joined(separator: ".")
    guard name.utf8.count <= PickleReader.longestName else {
      throw CheckpointError.malformed(
        path, "data.pkl has a tensor whose name is over \(PickleReader.longestName) bytes long")
    }
    found.append((name, view))
  }
}
