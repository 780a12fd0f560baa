// Selection is by rank or by threshold. Equal scores are told apart by place, lowest layer, position and unit
// first, so that a set of k nodes is one set and grows with k.

/// Some of the units of a model at some positions: a circuit.
public struct NodeSet: Sendable, Equatable {
  /// [layer][position · units + unit]: whether it is in.
  public var isIn: [[Bool]]

  /// A set by membership.
  public init(_ isIn: [[Bool]]) { self.isIn = isIn }

  /// The nodes in it.
  public var count: Int { isIn.reduce(0) { $0 + $1.count { $0 } } }

  /// All that are not in it.
  public var complement: NodeSet { NodeSet(isIn.map { $0.map { !$0 } }) }
}

/// One unit in a layer, at a position or at all of them.
public struct UnitPlace: Sendable, Hashable {
  /// The block.
  public var layer: Int
  /// The token; nil for all at once.
  public var position: Int?
  /// The neuron, head or coordinate.
  public var unit: Int

  /// Gathers the numbers.
  public init(layer: Int, position: Int?, unit: Int) {
    self.layer = layer
    self.position = position
    self.unit = unit
  }
}

extension UnitScores {
  /// The nodes whose score's magnitude exceeds a threshold, strictly.
  public func above(_ threshold: Double) -> NodeSet {
    NodeSet(values.map { $0.map { Double(abs($0)) > threshold } })
  }

  /// The nodes of the largest scores, by magnitude or as they are.
  public func top(_ count: Int, signed: Bool = false) -> NodeSet {
    ranking(signed: signed).first(count)
  }

  /// The fewest nodes of the largest magnitudes whose magnitudes sum to a share of all.
  public func holding(_ share: Double) -> NodeSet {
    let ranking = ranking(signed: false)
    let total = values.reduce(0) { $0 + $1.reduce(0) { $0 + Double(abs($1)) } }
    var (sum, count) = (0.0, 0)
    while count < ranking.order.count, sum < share * total {
      let (layer, place) = place(Int(ranking.order[count]))
      // Sums in two orders differ by rounding; what scores nothing holds nothing.
      guard values[layer][place] != 0 else { break }
      sum += Double(abs(values[layer][place]))
      count += 1
    }
    return ranking.first(count)
  }

  /// The nodes of a set, largest magnitude first.
  public func listed(_ set: NodeSet) -> [(place: UnitPlace, score: Float)] {
    var found: [(place: UnitPlace, score: Float)] = []
    for (layer, isIn) in set.isIn.enumerated() {
      for (place, isIn) in isIn.enumerated() where isIn {
        found.append((at(layer, place), values[layer][place]))
      }
    }
    // A stable order of equal magnitudes: as they stand.
    return found.enumerated().sorted {
      (-abs($0.element.score), $0.offset) < (-abs($1.element.score), $1.offset)
    }.map(\.element)
  }

  func at(_ layer: Int, _ place: Int) -> UnitPlace {
    UnitPlace(
      layer: layer, position: sumsPositions ? nil : place / units, unit: place % units)
  }

  /// Where the node of a number stands, counted through layers, positions and units.
  func place(_ number: Int) -> (layer: Int, place: Int) {
    var (layer, place) = (0, number)
    while place >= values[layer].count {
      place -= values[layer].count
      layer += 1
    }
    return (layer, place)
  }

  /// All nodes, the largest score first.
  func ranking(signed: Bool) -> NodeRanking {
    // Numbers that sort as the scores do, largest first, with the place behind them: sorting them compares
    // no scores by closures, of which there may be millions.
    var keys: [UInt64] = []
    keys.reserveCapacity(count)
    for score in values.joined() {
      // −0 is 0.
      let bits = (signed ? score + 0 : abs(score)).bitPattern
      let ascending = bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits
      keys.append(UInt64(~ascending) << 32 | UInt64(keys.count))
    }
    keys.sort()
    return NodeRanking(
      sizes: values.map(\.count), order: keys.map { UInt32(truncatingIfNeeded: $0) })
  }
}

/// Nodes in order of their scores.
struct NodeRanking {
  /// The nodes of each layer.
  let sizes: [Int]
  /// Numbers of nodes, counted through layers, positions and units.
  let order: [UInt32]

  /// The first so many.
  func first(_ count: Int) -> NodeSet {
    var flat = [Bool](repeating: false, count: order.count)
    for place in order.prefix(max(0, count)) { flat[Int(place)] = true }
    var start = 0
    return NodeSet(
      sizes.map { size in
        defer { start += size }
        return Array(flat[start..<start + size])
      })
  }
}
