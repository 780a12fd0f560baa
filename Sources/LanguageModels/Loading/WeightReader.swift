internal import Checkpoints
internal import Dispatch
internal import Synchronization
internal import Tensors

/// Fills tensors from a checkpoint and notes everything that does not fit.
///
/// A family asks for each weight by the name and shape it must have. Missing, mis-shaped and unused
/// weights are reported together by ``finish(unused:)``.
final class WeightReader {
  private let stored: [String: StoredTensor]
  private let file: String
  private let type: ScalarType
  private let device: Device
  private let progress: ((Double) -> Void)?
  private var used: Set<String> = []
  private var problems: [String] = []
  private var elementsRead = 0
  private let elements: Int

  init(
    _ checkpoint: Checkpoint, type: ScalarType, device: Device, progress: ((Double) -> Void)? = nil
  ) {
    stored = checkpoint.tensors
    file = checkpoint.name
    self.type = type
    self.device = device
    self.progress = progress
    elements = max(1, stored.values.reduce(0) { $0 + $1.elementCount })
  }

  /// How the rows of a stored matrix are ordered.
  enum RowOrder: Sendable {
    /// As the model uses them.
    case plain
    /// Rotary pairs side by side within each head, as GGUF stores Llama's queries and keys: stored
    /// row 2i + j of a head is the model's row j · headWidth/2 + i.
    case interleavedPairs(headWidth: Int)
  }

  /// Whether the checkpoint has a tensor of this name.
  func has(_ name: String) -> Bool { stored[name] != nil }

  /// Notes a tensor that the model does not need.
  func skip(_ name: String) { used.insert(name) }

  /// A weight of this shape.
  func tensor(_ name: String, _ shape: [Int]) -> Tensor {
    stacked([(name, shape, .plain)])
  }

  /// A weight stored as its transpose.
  func transposed(_ name: String, _ shape: [Int]) -> Tensor {
    tensor(name, shape.reversed()).transposed(0, 1).contiguous
  }

  /// Weights joined along their first dimension, so that one product serves all.
  func stacked(_ parts: [(name: String, shape: [Int], order: RowOrder)]) -> Tensor {
    var sources: [(tensor: StoredTensor, order: RowOrder)] = []
    for part in parts {
      used.insert(part.name)
      guard let tensor = stored[part.name] else {
        problems.append("tensor '\(part.name)' is missing")
        continue
      }
      guard tensor.shape == part.shape else {
        problems.append("tensor '\(part.name)' is \(tensor.shape); expected \(part.shape)")
        continue
      }
      sources.append((tensor, part.order))
    }
    guard sources.count == parts.count, let first = parts.first else {
      return Tensor(repeating: 0, [0])
    }
    let rows = parts.reduce(0) { $0 + $1.shape[0] }
    let shape = [rows] + first.shape.dropFirst()
    let width = first.shape.dropFirst().reduce(1, *)
    let made = Tensor(shape, type == .float64 ? .float64 : .float32) { bytes in
      var offset = 0
      for (tensor, order) in sources {
        let count = tensor.elementCount
        if type == .float64 {
          let target = bytes.bindMemory(to: Double.self)[offset..<offset + count]
          fill(.init(rebasing: target), from: tensor, width: width, order) { range, to in
            tensor.read(elements: range, into: to)
          }
        } else {
          let target = bytes.bindMemory(to: Float.self)[offset..<offset + count]
          fill(.init(rebasing: target), from: tensor, width: width, order) { range, to in
            tensor.read(elements: range, into: to)
          }
        }
        offset += count
        elementsRead += count
        progress?(Double(elementsRead) / Double(elements))
      }
    }
    return type == .float32 || type == .float64
      ? (device == .cpu ? made : made.to(type, on: device)) : made.to(type, on: device)
  }

  /// Reads a matrix in blocks of rows on all threads.
  private func fill<Element>(
    _ target: UnsafeMutableBufferPointer<Element>, from tensor: StoredTensor, width: Int,
    _ order: RowOrder, read: @escaping @Sendable (Range<Int>, UnsafeMutablePointer<Element>) -> Void
  ) {
    guard let base = target.baseAddress, width > 0, !target.isEmpty else { return }
    let rows = target.count / width
    let chunk = max(1, 65_536 / width)
    nonisolated(unsafe) let start = base
    let tasks = (rows + chunk - 1) / chunk
    let work: @Sendable (Int) -> Void = { task in
      let range = task * chunk..<min(rows, (task + 1) * chunk)
      switch order {
      case .plain:
        read(range.lowerBound * width..<range.upperBound * width, start + range.lowerBound * width)
      case .interleavedPairs(let headWidth):
        for row in range {
          let head = row / headWidth
          let (half, pair) = (row % headWidth).quotientAndRemainder(dividingBy: headWidth / 2)
          let source = head * headWidth + 2 * pair + half
          read(source * width..<(source + 1) * width, start + row * width)
        }
      }
    }
    if tasks == 1 {
      work(0)
    } else {
      let next = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: min(tasks, max(1, Engine.threads))) { _ in
        while true {
          let task = next.add(1, ordering: .relaxed).oldValue
          if task >= tasks { return }
          work(task)
        }
      }
    }
  }

  /// Ends the reading; `isExpected` names what a checkpoint may hold without the model needing it.
  ///
  /// - Throws: `ModelError` naming everything missing, mis-shaped or left over.
  func finish(unused isExpected: (String) -> Bool = { _ in false }) throws {
    let left = stored.keys.filter { !used.contains($0) && !isExpected($0) }.sorted()
    let all = problems + left.map { "tensor '\($0)' is not used by this model" }
    if !all.isEmpty {
      let shown = all.count > 12 ? all.prefix(12) + ["\(all.count - 12) more"] : all[...]
      throw ModelError.weights(Array(shown), file: file)
    }
  }
}
