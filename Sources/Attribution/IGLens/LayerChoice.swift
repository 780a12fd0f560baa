internal import Foundation

/// Which layers an explanation credits; the last block is always among them.
public enum LayerChoice: Sendable, Equatable {
  /// Every block.
  case all
  /// These; −1 is the embedding.
  case these([Int])
  /// This many, evenly spaced, the last included.
  case evenly(Int)

  /// The chosen layers, ascending.
  ///
  /// `evenly(k)` rounds an even spacing from 1 to n, ends included, and takes each as the block
  /// that ends there.
  ///
  /// - Throws: `AttributionError` for a layer the model does not have.
  public func layers(of count: Int) throws -> [Int] {
    switch self {
    case .all: return Array(0..<count)
    case .these(let chosen):
      if let wrong = chosen.first(where: { $0 < -1 || $0 >= count }) {
        throw AttributionError.layerOutOfRange(wrong, count: count)
      }
      return Set(chosen + [count - 1]).sorted()
    case .evenly(let k):
      return try Self.spacing(k, count).map { $0 - 1 }
    }
  }

  /// k numbers evenly from 1 to n, rounded half to even, n always among them.
  static func spacing(_ k: Int, _ count: Int) throws -> [Int] {
    guard k >= 1 else { throw AttributionError(.usage, "--k \(k): choose at least 1 layer.") }
    let numbers = (0..<k).map { i -> Int in
      guard k > 1 else { return count }
      let exact = 1 + Double(i) * Double(count - 1) / Double(k - 1)
      return Int(exact.rounded(.toNearestOrEven))
    }
    return Set(numbers + [count]).sorted()
  }
}
