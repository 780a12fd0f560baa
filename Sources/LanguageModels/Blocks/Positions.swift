internal import Tensors

/// The positions of one forward pass, and what every block needs to know of them: computed once.
final class Positions {
  /// The positions that are run now; earlier ones are in the cache.
  let range: Range<Int>
  private let type: ScalarType
  private let device: Device
  private var angles: [[Double]: (cosine: Tensor, sine: Tensor)] = [:]
  private var masks: [Int: Tensor] = [:]

  init(_ range: Range<Int>, _ type: ScalarType, on device: Device) {
    self.range = range
    self.type = type
    self.device = device
  }

  /// Cosines and sines for a block's rotary embedding.
  func angles(for rotary: RotaryEmbedding) -> (cosine: Tensor, sine: Tensor) {
    if let known = angles[rotary.frequencies] { return known }
    let made = rotary.angles(range, type, on: device)
    angles[rotary.frequencies] = made
    return made
  }

  /// Which keys a query may see.
  enum Visibility {
    /// All that there are.
    case all
    /// Key ≤ query, with queries and keys starting together.
    case causal
    /// 0 or −∞ to add to the scores: [query, key].
    case mask(Tensor)
  }

  /// A query at q sees keys k ≤ q with q − k < window.
  func visibility(window: Int?) -> Visibility {
    let total = range.upperBound
    let narrow = window.map { $0 < total } ?? false
    if !narrow && range.count == 1 { return .all }
    if !narrow && range.lowerBound == 0 { return .causal }
    return .mask(mask(window: narrow ? window ?? total : total))
  }

  /// The same as numbers to add to scores: [query, key].
  func mask(window: Int?) -> Tensor {
    let total = range.upperBound
    let window = window ?? total
    if let known = masks[window] { return known }
    var values = [Double](repeating: -.infinity, count: range.count * total)
    for (row, query) in range.enumerated() {
      for key in max(0, query - window + 1)...query { values[row * total + key] = 0 }
    }
    let made = Tensor(values, [range.count, total], type, on: device)
    masks[window] = made
    return made
  }
}
