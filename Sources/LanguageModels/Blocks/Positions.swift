internal import Tensors

/// Where the rows of a run stand, and what every block needs to know of it: computed once.
///
/// Rows are a sequence, each at its own position and seeing those before it (or, in an encoder, all), or
/// alternatives to each other: all at one position, each seeing the cached past and itself.
public final class Positions {
  private enum Arrangement {
    /// Positions that are run now; earlier ones are in the cache.
    case sequence(Range<Int>)
    /// A text whose positions see each other both ways.
    case both(Int)
    /// So many rows at one position.
    case alternatives(Int, at: Int)
  }

  private let arrangement: Arrangement
  private let type: ScalarType
  private let device: Device
  /// Alternatives of which these are the first.
  private let whole: Positions?
  private var angles: [RotaryEmbedding: (cosine: Tensor, sine: Tensor)] = [:]
  private var masks: [Int: Tensor] = [:]
  private var biases: [Int: Tensor] = [:]

  private init(
    _ arrangement: Arrangement, _ type: ScalarType, on device: Device, whole: Positions?
  ) {
    self.arrangement = arrangement
    self.type = type
    self.device = device
    self.whole = whole
  }

  /// A sequence.
  convenience init(_ range: Range<Int>, _ type: ScalarType, on device: Device) {
    self.init(.sequence(range), type, on: device, whole: nil)
  }

  /// A text of so many tokens that see each other both ways.
  convenience init(both count: Int, _ type: ScalarType, on device: Device) {
    self.init(.both(count), type, on: device, whole: nil)
  }

  /// Alternatives at one position.
  convenience init(
    alternatives count: Int, at position: Int, _ type: ScalarType, on device: Device
  ) {
    self.init(.alternatives(count, at: position), type, on: device, whole: nil)
  }

  /// The first rows of alternatives, which share the angles and masks of all of them.
  func first(_ count: Int) -> Positions {
    switch arrangement {
    case .sequence, .both: preconditionFailure("the rows of a text are not alternatives")
    case .alternatives(let all, let position):
      count == all
        ? self : Positions(.alternatives(count, at: position), type, on: device, whole: self)
    }
  }

  private var rows: Int {
    switch arrangement {
    case .sequence(let range): range.count
    case .both(let count), .alternatives(let count, _): count
    }
  }

  /// One more than the last position.
  private var end: Int {
    switch arrangement {
    case .sequence(let range): range.upperBound
    case .both(let count): count
    case .alternatives(_, let position): position + 1
    }
  }

  /// Keys there are, cached ones first.
  private var keys: Int {
    switch arrangement {
    case .sequence(let range): range.upperBound
    case .both(let count): count
    case .alternatives(let count, let position): position + count
    }
  }

  /// Cosines and sines for a block's rotary embedding.
  func angles(for rotary: RotaryEmbedding) -> (cosine: Tensor, sine: Tensor) {
    if let known = angles[rotary] { return known }
    let made: (cosine: Tensor, sine: Tensor)
    if let all = whole?.angles(for: rotary) {
      made = (all.cosine.slice(0..<rows, along: 0), all.sine.slice(0..<rows, along: 0))
    } else {
      switch arrangement {
      case .sequence(let range): made = rotary.angles(range, length: end, type, on: device)
      case .both(let count): made = rotary.angles(0..<count, length: end, type, on: device)
      case .alternatives(let count, let position):
        made = rotary.angles(
          repeatElement(position, count: count), length: end, type, on: device)
      }
    }
    angles[rotary] = made
    return made
  }

  /// What a relative bias adds to the scores of a text: [1, heads, query, key].
  func bias(_ bias: RelativeBias) -> Tensor {
    if let known = biases[bias.number] { return known }
    guard case .both(let count) = arrangement else {
      preconditionFailure("a relative bias is for texts seen both ways")
    }
    let made = bias.values(count)
    biases[bias.number] = made
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

  /// A query at q sees keys k ≤ q with q − k < window, and no alternative to itself; where both sides
  /// are seen, keys with |q − k| < window.
  func visibility(window: Int?) -> Visibility {
    let narrow = window.map { $0 < end } ?? false
    if !narrow, case .both = arrangement { return .all }
    if !narrow && rows == 1 { return .all }
    if !narrow, case .sequence(let range) = arrangement, range.lowerBound == 0 { return .causal }
    return .mask(mask(window: narrow ? window ?? end : end))
  }

  /// The same as numbers to add to scores: [query, key].
  func mask(window: Int?) -> Tensor {
    let window = window ?? end
    if let known = masks[window] { return known }
    let made: Tensor
    if let whole {
      made = whole.mask(window: window)
        .slice(0..<rows, along: 0).slice(0..<keys, along: 1)
    } else {
      var values = [Double](repeating: -.infinity, count: rows * keys)
      for row in 0..<rows {
        switch arrangement {
        case .sequence(let range):
          let query = range.lowerBound + row
          for key in max(0, query - window + 1)...query { values[row * keys + key] = 0 }
        case .both(let count):
          let seen = max(0, row - window + 1)...min(count - 1, row + window - 1)
          for key in seen { values[row * keys + key] = 0 }
        case .alternatives(_, let position):
          let start = max(0, position - window + 1)
          for key in start..<max(start, position) { values[row * keys + key] = 0 }
          values[row * keys + position + row] = 0
        }
      }
      made = Tensor(values, [rows, keys], type, on: device)
    }
    masks[window] = made
    return made
  }
}
