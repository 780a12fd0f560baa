/// A value that a pickle builds: data, never code.
///
/// Containers and tensors are numbers of places in ``PickleContainers``. Nested by reference,
/// containers could hold each other or go a million deep, and would then never be released, or
/// overflow the stack when they are. It also keeps a value to 16 bytes, which bounds the memory that
/// a long pickle takes.
enum PickleValue {
  case none
  case boolean(Bool)
  case integer(Int)
  /// A number that no tensor needs: a fraction, or an integer beyond 64 bits.
  case number
  case text(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .boolean: "a truth value"
    case .integer, .number: "a number"
    case .text: "text"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .global(let global): "the name '\(global.name)'"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }

  var integer: Int? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  var text: String? {
    guard case .text(let value) = self else { return nil }
    return value
  }
}

/// The containers, storages and tensors of a pickle.
struct PickleContainers {
  /// A dictionary in the order of its keys.
  struct Dictionary {
    /// Whether it was made as an OrderedDict.
    let isOrdered: Bool
    private(set) var members: [(key: Key, value: PickleValue)] = []
    private var keys: Set<Key> = []

    init(isOrdered: Bool) { self.isOrdered = isOrdered }

    /// Adds a member, unless its key is there.
    mutating func add(_ key: Key, _ value: PickleValue) -> Bool {
      guard keys.insert(key).inserted else { return false }
      members.append((key, value))
      return true
    }
  }

  /// A key; of others than text and whole numbers, no name could be made.
  enum Key: Hashable {
    case text(ExactKey)
    case integer(Int)

    /// The key as a part of a name.
    var text: String {
      switch self {
      case .text(let key): key.text
      case .integer(let key): String(key)
      }
    }
  }

  /// Text that equals another only byte for byte, as Python has it.
  struct ExactKey: Hashable {
    let text: String

    static func == (left: Self, right: Self) -> Bool {
      left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
      for byte in text.utf8 { hasher.combine(byte) }
    }
  }

  var tuples: [[PickleValue]] = []
  var lists: [[PickleValue]] = []
  var dictionaries: [Dictionary] = []
  var storages: [TorchStorage] = []
  var tensors: [TorchView] = []

  var count: Int {
    tuples.count + lists.count + dictionaries.count + storages.count + tensors.count
  }
}

/// The only names that a pickle may mention: what `torch.save` needs to write tensors.
enum PickleGlobal {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case storage(ElementType)

  init?(_ name: String) {
    switch name {
    case "collections.OrderedDict": self = .orderedDictionary
    case "torch._utils._rebuild_tensor_v2": self = .rebuildTensor
    case "torch._utils._rebuild_parameter": self = .rebuildParameter
    default:
      guard let type = Self.storages.first(where: { $0.name == name })?.type else { return nil }
      self = .storage(type)
    }
  }

  var name: String {
    switch self {
    case .orderedDictionary: "collections.OrderedDict"
    case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .storage(let type): Self.storages.first { $0.type == type }?.name ?? type.rawValue
    }
  }

  private static let storages: [(name: String, type: ElementType)] = [
    ("torch.FloatStorage", .f32), ("torch.DoubleStorage", .f64), ("torch.HalfStorage", .f16),
    ("torch.BFloat16Storage", .bf16), ("torch.LongStorage", .i64), ("torch.IntStorage", .i32),
    ("torch.ShortStorage", .i16), ("torch.CharStorage", .i8), ("torch.ByteStorage", .u8),
    ("torch.BoolStorage", .bool),
  ]
}

/// Numbers in one entry of the archive.
struct TorchStorage {
  let type: ElementType
  let elementCount: Int
  /// Their bytes in the file.
  let bytes: Range<Int>
}

/// A tensor: numbers of a storage, from one on, in steps.
struct TorchView {
  let storage: TorchStorage
  let offset: Int
  let shape: [Int]
  let strides: [Int]
  let elementCount: Int

  /// Whether its numbers stand in the storage without gaps in row-major order.
  var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      guard stride == expected else { return elementCount == 0 }
      expected *= extent
    }
    return true
  }
}
