import Dispatch
import Synchronization

/// Rounds singles to the nearest half or brain half, ties to even, as PyTorch does.
enum Narrowing {
  /// The bits of the nearest brain half; of what is no number, one that is no number.
  @inline(__always)
  static func brainHalf(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  /// The bits of the nearest half; infinite from 65,520 on.
  @inline(__always)
  static func half(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let size = bits & 0x7FFF_FFFF
    if size > 0x7F80_0000 { return sign | 0x7E00 }
    if size >= 0x477F_F000 { return sign | 0x7C00 }
    if size < 0x3880_0000 {
      // Below 2⁻¹⁴ halves are multiples of 2⁻²⁴.
      let steps = (Float(bitPattern: size) * 0x1p24).rounded(.toNearestOrEven)
      return sign | UInt16(steps)
    }
    let rest = size - 0x3800_0000
    return sign | UInt16(truncatingIfNeeded: (rest + 0xFFF + (rest >> 13 & 1)) >> 13)
  }

  /// Writes the numbers of a tensor as another type, on all threads.
  ///
  /// - Parameters:
  ///   - count: How many numbers.
  ///   - type: F32, F16 or BF16.
  ///   - output: Room for all of them.
  ///   - read: Writes some of the numbers as singles; called from many threads.
  /// - Returns: Whether every number that was finite still is.
  static func write(
    _ count: Int, as type: ElementType, into output: UnsafeMutableRawBufferPointer,
    read: @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) -> Bool {
    guard let base = output.baseAddress, count > 0 else { return true }
    precondition(output.count == count * type.bytesPerBlock)
    nonisolated(unsafe) let start = base
    let piece = 65_536
    let isExact = Atomic(true)
    DispatchQueue.concurrentPerform(iterations: (count + piece - 1) / piece) { index in
      let range = index * piece..<min(count, (index + 1) * piece)
      if type == .f32 {
        let target = start + range.lowerBound * 4
        return read(range, target.assumingMemoryBound(to: Float.self))
      }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count) { singles in
        guard let singles = singles.baseAddress else { return }
        read(range, singles)
        let target = start + range.lowerBound * 2
        if !write(singles, range.count, as: type, into: target) {
          isExact.store(false, ordering: .relaxed)
        }
      }
    }
    return isExact.load(ordering: .relaxed)
  }

  /// Writes singles as F16 or BF16, perhaps unaligned; returns whether every finite number still is.
  static func write(
    _ singles: UnsafePointer<Float>, _ count: Int, as type: ElementType,
    into output: UnsafeMutableRawPointer
  ) -> Bool {
    type == .f16
      ? write(singles, count, into: output, infinity: 0x7C00, half)
      : write(singles, count, into: output, infinity: 0x7F80, brainHalf)
  }

  @inline(__always)
  private static func write(
    _ singles: UnsafePointer<Float>, _ count: Int, into output: UnsafeMutableRawPointer,
    infinity: UInt16, _ narrow: (Float) -> UInt16
  ) -> Bool {
    var overflows: UInt16 = 0
    for place in 0..<count {
      let bits = narrow(singles[place])
      output.storeBytes(of: bits, toByteOffset: place * 2, as: UInt16.self)
      overflows |= bits & 0x7FFF == infinity && singles[place].isFinite ? 1 : 0
    }
    return overflows == 0
  }
}
