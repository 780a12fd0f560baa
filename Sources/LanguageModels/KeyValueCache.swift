internal import Tensors

/// What blocks keep of the positions already run, so that each is computed once: keys and values, or
/// the state of a recurrence.
public final class KeyValueCache {
  /// How many positions are held.
  public private(set) var length = 0
  /// The tokens of the text whose beginning is held: rotary scalings may go by it.
  public private(set) var textLength: Int

  private let capacity: Int
  /// Whether the positions held are another cache's, to be read only.
  private let isView: Bool
  /// How often a view's sequences are run side by side.
  private let times: Int
  private var layers: [(key: Tensor, value: Tensor)?]
  /// By block, and by how many positions went into it.
  private var states: [[Int: RecurrentState]]
  /// The lengths at which states are kept for views.
  private let kept: Set<Int>

  /// An empty cache.
  ///
  /// - Parameters:
  ///   - layers: the number of blocks.
  ///   - capacity: the most positions it will hold.
  ///   - textLength: the tokens of the text, where the first run is to know of more than its own.
  ///   - kept: the lengths of the views that will be taken, beside that of all. Keys and values of
  ///     fewer positions are part of those of more; the state of a recurrence is not.
  public init(
    layers: Int, capacity: Int, textLength: Int = 0, keepingStatesOf kept: Set<Int> = []
  ) {
    self.capacity = capacity
    self.textLength = textLength
    self.kept = kept
    isView = false
    times = 1
    self.layers = Array(repeating: nil, count: layers)
    states = Array(repeating: [:], count: layers)
  }

  /// The first positions of another cache, to be read only, for its sequences so many times over.
  ///
  /// What is appended is seen by that call alone, after the positions held; nothing is kept.
  package init(firstOf other: KeyValueCache, _ count: Int, times: Int = 1) {
    precondition(count <= other.length, "\(count) positions of a cache that holds \(other.length)")
    length = count
    textLength = other.textLength
    capacity = .max
    kept = []
    isView = true
    self.times = times
    states = other.states.map { held in
      guard !held.isEmpty, count > 0 else { return [:] }
      guard let state = held[count] else {
        preconditionFailure("the state of \(count) positions was not kept")
      }
      return [count: state]
    }
    layers = other.layers.map { held in
      guard let held, count > 0 else { return nil }
      return (held.key.slice(0..<count, along: 2), held.value.slice(0..<count, along: 2))
    }
  }

  /// What is held of each sequence, as often as its rows are run: [a, b] becomes [a, b, a, b].
  private func tiled(_ value: Tensor) -> Tensor {
    guard times > 1 else { return value }
    let shape = value.shape
    return value.reshaped([1] + shape).expanded([times] + shape)
      .reshaped([times * shape[0]] + shape.dropFirst())
  }

  /// Appends one block's new keys and values, [batch, heads, position, headWidth]; returns all.
  func append(key: Tensor, value: Tensor, layer: Int) -> (key: Tensor, value: Tensor) {
    if isView {
      guard let held = layers[layer] else { return (key, value) }
      return (
        Tensor.concatenating([tiled(held.key), key], along: 2),
        Tensor.concatenating([tiled(held.value), value], along: 2)
      )
    }
    let end = length + key.size(2)
    precondition(end <= capacity, "a cache for \(capacity) positions was given \(end)")
    if layers[layer] == nil {
      let shape = [key.size(0), key.size(1), capacity, key.size(3)]
      layers[layer] = (
        Tensor(repeating: 0, shape, key.type, on: key.device),
        Tensor(repeating: 0, shape, value.type, on: value.device)
      )
    }
    guard let held = layers[layer] else { return (key, value) }
    held.key.write(key, at: length, along: 2)
    held.value.write(value, at: length, along: 2)
    return (held.key.slice(0..<end, along: 2), held.value.slice(0..<end, along: 2))
  }

  /// The state of a block's recurrence after the positions held; nil before the first.
  func state(of layer: Int) -> RecurrentState? {
    states[layer][length].map {
      RecurrentState(recent: tiled($0.recent), scanned: tiled($0.scanned))
    }
  }

  /// The lengths at which a block that runs so many positions gives its state: those to keep, and the
  /// last.
  func stops(after count: Int) -> [Int] {
    kept.filter { $0 > length && $0 < length + count }.sorted() + [length + count]
  }

  /// Takes the state of a block's recurrence when so many positions have gone into it.
  func keep(_ state: RecurrentState, of layer: Int, at position: Int) {
    if isView { return }
    precondition(position <= capacity, "a cache for \(capacity) positions was given \(position)")
    if !kept.contains(length) { states[layer][length] = nil }
    states[layer][position] = state
  }

  /// Counts the positions that every block has now appended.
  package func advance(by count: Int) {
    guard !isView else { return }
    length += count
    textLength = max(textLength, length)
  }
}

/// What a recurrent block carries from one position to the next.
struct RecurrentState {
  /// The inputs that the convolution still sees: [batch, position, channel].
  var recent: Tensor
  /// The state of the scan: [batch, channel, state].
  var scanned: Tensor
}
