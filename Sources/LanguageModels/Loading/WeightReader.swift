internal import Checkpoints
internal import Tensors

/// Fills tensors from a checkpoint and notes everything that does not fit.
///
/// A family asks for each weight by Hugging Face's name and the shape it must have; where a file has
/// names of its own, a ``GGUFDialect`` says which. Missing, mis-shaped and unused weights are reported
/// together by ``finish(unused:)``.
///
/// The weights may stand in the file itself, mapped read-only: they are never written to.
///
/// Where a model is only to be looked at, weights are given their shapes alone: a checkpoint's names and
/// shapes are still checked, and without a checkpoint there is nothing to read at all.
final class WeightReader {
  private let stored: [String: StoredTensor]?
  private let file: String
  let type: ScalarType
  private let device: Device
  private let progress: ((Double) -> Void)?
  /// Where a weight is stored, for files with names of their own.
  var translation: @Sendable (String) -> StoredName = { StoredName(name: $0) }
  private var used: Set<String> = []
  private var problems: [String] = []
  /// Tensors with numbers too large for the type that is wanted.
  var overflowing: [String] = []
  private var elementsRead = 0
  private let elements: Int
  /// Whether matrices are left out; vectors, which may say how the model computes, are read.
  private let isOutline: Bool

  /// Every part that was asked for and where it is, in order.
  private(set) var requests: [(part: Part, place: StoredName)] = []

  /// How many numbers were asked for, each weight once.
  private(set) var parameterCount = 0

  /// Reads a checkpoint's weights, or with `outline` their names and shapes.
  init(
    _ checkpoint: Checkpoint, type: ScalarType, device: Device, outline: Bool = false,
    progress: ((Double) -> Void)? = nil
  ) {
    isOutline = outline
    let tensors = checkpoint.tensors
    stored = tensors
    file = checkpoint.name
    self.type = type
    self.device = device
    self.progress = progress
    elements = max(1, tensors.values.reduce(0) { $0 + $1.elementCount })
  }

  /// Gives every weight its shape and nothing else.
  init(shapesOf file: String, type: ScalarType) {
    stored = nil
    self.file = file
    self.type = type
    device = .cpu
    progress = nil
    elements = 1
    isOutline = true
  }

  /// How the rows of a stored matrix are ordered.
  enum RowOrder: Sendable {
    /// As the model uses them.
    case plain
    /// The rows from one on, of so many that the stored matrix has.
    case run(from: Int, of: Int)
    /// Where the model's row is in the file: the stored matrix has so many rows.
    case picked(from: Int, @Sendable (Int) -> Int)

    /// Rotary pairs side by side within each head, as GGUF stores Llama's queries and keys: stored
    /// row 2i + j of a head is the model's row j · headWidth/2 + i.
    static func interleavedPairs(headWidth: Int, rows: Int) -> RowOrder {
      .picked(from: rows) { row in
        let head = row / headWidth
        let (half, pair) = (row % headWidth).quotientAndRemainder(dividingBy: headWidth / 2)
        return head * headWidth + 2 * pair + half
      }
    }
  }

  /// Where a file keeps a weight, and how.
  struct StoredName: Sendable {
    var name: String
    /// The width of heads whose rotary pairs stand side by side in the rows.
    var interleavedHeadWidth: Int?
    /// Whether the file holds 1 + w where the model's own has w.
    var includesOne = false
    /// Whether the file holds the transpose of Hugging Face's matrix.
    var isTurned = false
    /// Whether the file's rows stand in the model's order, where Hugging Face's are picked.
    var isOrdered = false
    /// Whether the file holds −eʷ where Hugging Face's has w.
    var isNegativeExponential = false
  }

  /// A weight, or rows of one, as the model uses it.
  struct Part {
    var name: String
    var shape: [Int]
    var order = RowOrder.plain
    /// The shape of the stored tensor, where it is more than the matrix whose rows are picked.
    var stored: [Int]?
    /// The name of this part where it is a tensor by itself; nil where there is no such thing.
    var own: String?

    /// One of the matrices that a tensor of three dimensions holds.
    static func slab(
      _ name: String, _ shape: [Int], _ index: Int, of count: Int, own: String? = nil
    ) -> Part {
      Part(
        name: name, shape: shape, order: .run(from: index * shape[0], of: count * shape[0]),
        stored: [count] + shape, own: own)
    }
  }

  /// Where the file keeps a weight; the oldest checkpoints call a norm's weight gamma and its bias beta.
  private func place(_ name: String) -> StoredName {
    let place = translation(name)
    guard let stored, stored[place.name] == nil else { return place }
    for (ending, older) in [(".weight", ".gamma"), (".bias", ".beta")]
    where place.name.hasSuffix(ending) {
      let name = place.name.dropLast(ending.count) + older
      if stored[String(name)] != nil { return StoredName(name: String(name)) }
    }
    return place
  }

  /// Whether the checkpoint has a tensor of this name; nil where there is no checkpoint to tell.
  func has(_ name: String) -> Bool? { stored.map { $0[place(name).name] != nil } }

  /// Notes a tensor that the model does not need.
  func skip(_ name: String) { used.insert(place(name).name) }

  /// A weight of this shape, plus a number.
  func tensor(_ name: String, _ shape: [Int], adding number: Double = 0) -> Tensor {
    let made = stacked([Part(name: name, shape: shape)])
    return number == 0 || translation(name).includesOne ? made : made + number
  }

  /// A weight that Hugging Face stores as its transpose.
  func transposed(_ name: String, _ shape: [Int]) -> Tensor {
    if translation(name).isTurned { return tensor(name, shape) }
    let turned = tensor(name, shape.reversed()).transposed(0, 1)
    return isOutline ? turned : turned.contiguous
  }

  /// −eʷ for a weight w.
  func negativeExponential(_ name: String, _ shape: [Int]) -> Tensor {
    let made = tensor(name, shape)
    return translation(name).isNegativeExponential ? made : -made.exp
  }

  /// What is made of weights; its shape alone where there are none.
  func made(_ shape: [Int], _ make: () -> Tensor) -> Tensor {
    stored == nil ? .placeholder(shape, type) : make()
  }

  /// Weights joined along their first dimension, so that one product serves all.
  ///
  /// A weight that the file holds as it is wanted is used where it stands in the mapped file, and so
  /// are several that stand there one behind another, as gate and up mostly do. Others that are joined,
  /// as queries, keys and values, and rows in another order are a copy by need.
  func stacked(_ parts: [Part]) -> Tensor {
    guard let first = parts.first else { return Tensor(repeating: 0, [0]) }
    let rows = parts.reduce(0) { $0 + $1.shape[0] }
    let shape = [rows] + first.shape.dropFirst()
    let width = first.shape.dropFirst().reduce(1, *)
    parameterCount += rows * width
    guard let stored else { return .placeholder(shape, type) }
    var sources: [Source] = []
    for part in parts {
      let place = place(part.name)
      used.insert(place.name)
      requests.append((part, place))
      guard let tensor = stored[place.name] else {
        problems.append("tensor '\(place.name)' is missing")
        continue
      }
      var order = part.order
      if let headWidth = place.interleavedHeadWidth {
        order = .interleavedPairs(headWidth: headWidth, rows: part.shape[0])
      }
      if place.isOrdered { order = .plain }
      var expected = part.stored ?? part.shape
      if part.stored == nil, case .picked(let all, _) = order { expected[0] = all }
      // Sizes of 1 say nothing of the order of the numbers, and formats differ in them.
      guard tensor.shape.filter({ $0 != 1 }) == expected.filter({ $0 != 1 }) else {
        problems.append("tensor '\(place.name)' is \(tensor.shape); expected \(expected)")
        continue
      }
      sources.append(Source(tensor: tensor, rows: part.shape[0], width: width, order: order))
    }
    guard sources.count == parts.count, !isOutline || shape.count == 1 else {
      return .placeholder(shape, type)
    }
    elementsRead += rows * width
    defer { progress?(min(1, Double(elementsRead) / Double(elements))) }
    let made = borrowed(sources, shape) ?? copied(sources, shape)
    return device == .cpu ? made : made.to(type, on: device)
  }

  /// Ends the reading; `isExpected` names what a checkpoint may hold without the model needing it.
  ///
  /// - Throws: `ModelError` naming everything missing, mis-shaped or left over, or a tensor whose
  ///   numbers became infinite.
  func finish(unused isExpected: (String) -> Bool = { _ in false }) throws {
    let left = (stored ?? [:]).keys.filter { !used.contains($0) && !isExpected($0) }.sorted()
    let all = problems + left.map { "tensor '\($0)' is not used by this model" }
    if !all.isEmpty {
      let shown = all.count > 12 ? all.prefix(12) + ["\(all.count - 12) more"] : all[...]
      throw ModelError.weights(Array(shown), file: file)
    }
    if let first = overflowing.first {
      throw ModelError.overflow(of: first, as: type.name, file: file)
    }
  }
}

extension Tensor {
  /// A tensor of this shape that takes the memory of one number.
  fileprivate static func placeholder(_ shape: [Int], _ type: ScalarType) -> Tensor {
    Tensor(repeating: 0, shape.map { _ in 1 }, type).expanded(shape)
  }
}
