import Checkpoints
import Foundation

/// What a call throws, for comparison: `code: message`; `no error` if it throws nothing.
func failure(of body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return "no error"
  } catch let error as CheckpointError {
    return "\(error.code): \(error.message)"
  } catch {
    return "another error: \(error)"
  }
}

extension StoredTensor {
  /// All numbers.
  var floats: [Float] {
    [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
      buffer.baseAddress.map { read(into: $0) }
      count = elementCount
    }
  }

  /// All numbers as doubles.
  var doubles: [Double] {
    [Double](unsafeUninitializedCapacity: elementCount) { buffer, count in
      buffer.baseAddress.map { read(into: $0) }
      count = elementCount
    }
  }

  /// Some of the numbers.
  func floats(_ range: Range<Int>) -> [Float] {
    [Float](unsafeUninitializedCapacity: range.count) { buffer, count in
      buffer.baseAddress.map { read(elements: range, into: $0) }
      count = range.count
    }
  }
}

/// A small generator with a seed, so that a failure comes back.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
