/// Byte strings as a tree, to find all that begin at a place of a text.
///
/// The edges lie in one open-addressed table, node and byte to child: a step is one cache line.
struct ByteTrie: Sendable {
  /// Node and byte in the upper half, child in the lower; or `empty`.
  private var slots: [UInt64]
  private var mask: Int
  private var edgeCount = 0
  /// The value of the string that ends at a node, or −1.
  private var values: [Int32] = [-1]

  private static let empty = UInt64.max

  /// The node all strings begin at.
  static let root: UInt32 = 0

  /// Makes room for strings.
  init(capacity: Int) {
    var size = 64
    while size < capacity * 8 { size *= 2 }
    slots = [UInt64](repeating: Self.empty, count: size)
    mask = size - 1
  }

  /// Whether there are no strings.
  var isEmpty: Bool { edgeCount == 0 }

  /// Adds a string, of equal ones the last holding, and returns `false` if the tree is full.
  mutating func insert(_ string: some Sequence<UInt8>, value: Int) -> Bool {
    var node = Self.root
    for byte in string {
      if let child = child(node, byte) {
        node = child
        continue
      }
      // The key holds 24 bits of node: 16 million are far more than any vocabulary has.
      guard values.count < 1 << 24 else { return false }
      let child = UInt32(values.count)
      values.append(-1)
      if (edgeCount + 1) * 3 > slots.count * 2 { grow() }
      place(UInt64(node << 8 | UInt32(byte)) << 32 | UInt64(child))
      edgeCount += 1
      node = child
    }
    values[Int(node)] = Int32(value)
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = [UInt64](repeating: Self.empty, count: old.count * 2)
    mask = slots.count - 1
    for slot in old where slot != Self.empty { place(slot) }
  }

  private mutating func place(_ edge: UInt64) {
    var slot = Self.slot(UInt32(edge >> 32)) & mask
    while slots[slot] != Self.empty { slot = (slot + 1) & mask }
    slots[slot] = edge
  }

  @inline(__always)
  private static func slot(_ key: UInt32) -> Int {
    Int(truncatingIfNeeded: (UInt64(key) &* 0x9E37_79B9_7F4A_7C15) >> 24)
  }

  /// The node one byte further, if strings go on that way.
  @inline(__always)
  func child(_ node: UInt32, _ byte: UInt8) -> UInt32? {
    let key = node << 8 | UInt32(byte)
    return slots.withUnsafeBufferPointer { slots in
      var slot = Self.slot(key) & mask
      while true {
        let edge = slots[slot]
        if edge == Self.empty { return nil }
        if UInt32(truncatingIfNeeded: edge >> 32) == key { return UInt32(truncatingIfNeeded: edge) }
        slot = (slot + 1) & mask
      }
    }
  }

  /// The value of the string that ends at a node, or −1.
  @inline(__always)
  func value(_ node: UInt32) -> Int { Int(values[Int(node)]) }

  /// The node after some bytes from the root.
  func node(after bytes: some Sequence<UInt8>) -> UInt32? {
    var node = Self.root
    for byte in bytes {
      guard let next = child(node, byte) else { return nil }
      node = next
    }
    return node
  }

  /// The longest string that begins at an index, from a node on.
  @inline(__always)
  func longest(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, from start: UInt32 = root
  ) -> (value: Int, end: Int)? {
    var node = start
    var best: (value: Int, end: Int)?
    var index = range.lowerBound
    while index < range.upperBound, let next = child(node, bytes[index]) {
      node = next
      index += 1
      let value = value(node)
      if value >= 0 { best = (value, index) }
    }
    return best
  }
}
