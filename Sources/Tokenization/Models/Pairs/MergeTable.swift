/// Which two neighbouring tokens merge, into what, and how early.
///
/// Open addressing with key and value side by side, at most half full: a look-up is one cache line.
struct MergeTable: Sendable {
  /// A merge as one number: rank in the upper half, merged token in the lower.
  typealias Merge = UInt64

  /// What no pair of tokens merges into; greater than every merge.
  static let none = Merge.max

  /// Key and merge of slot `i` at `2i` and `2i + 1`.
  private var slots: [UInt64]
  private let shift: UInt64

  /// Makes room for merges.
  init(capacity: Int) {
    var bits: UInt64 = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    shift = 64 - bits
    slots = [UInt64](repeating: .max, count: 2 << bits)
  }

  /// Sets what a pair merges into; the last of several merges of one pair holds.
  mutating func set(_ left: UInt32, _ right: UInt32, rank: Int, merged: UInt32) {
    let key = UInt64(left) << 32 | UInt64(right)
    let mask = slots.count / 2 - 1
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
    while slots[2 * slot] != .max, slots[2 * slot] != key { slot = (slot + 1) & mask }
    slots[2 * slot] = key
    slots[2 * slot + 1] = UInt64(rank) << 32 | UInt64(merged)
  }

  /// The merge of a pair, or ``none``.
  @inline(__always)
  func merge(_ left: UInt32, _ right: UInt32) -> Merge {
    let key = UInt64(left) << 32 | UInt64(right)
    return slots.withUnsafeBufferPointer { slots in
      let mask = slots.count / 2 - 1
      var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
      while true {
        let found = slots[2 * slot]
        if found == key { return slots[2 * slot + 1] }
        if found == .max { return Self.none }
        slot = (slot + 1) & mask
      }
    }
  }
}
