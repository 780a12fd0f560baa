/// How the numbers of a stored tensor are written.
///
/// The names of quantised types are ggml's without the underscore; each packs a block of weights with its scales.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE double.
  case f64 = "F64"
  /// IEEE single.
  case f32 = "F32"
  /// IEEE half.
  case f16 = "F16"
  /// The upper half of an IEEE single.
  case bf16 = "BF16"
  /// Signed, 64 bits.
  case i64 = "I64"
  /// Signed, 32 bits.
  case i32 = "I32"
  /// Signed, 16 bits.
  case i16 = "I16"
  /// Signed, 8 bits.
  case i8 = "I8"
  /// Unsigned, 8 bits.
  case u8 = "U8"
  /// One byte; 0 is false.
  case bool = "BOOL"
  /// 32 weights of 4 bits, a scale.
  case q40 = "Q4_0"
  /// 32 weights of 4 bits, a scale and an offset.
  case q41 = "Q4_1"
  /// 32 weights of 5 bits, a scale.
  case q50 = "Q5_0"
  /// 32 weights of 5 bits, a scale and an offset.
  case q51 = "Q5_1"
  /// 32 weights of 8 bits, a scale.
  case q80 = "Q8_0"
  /// 256 weights of 2 bits, 16 scales and offsets of 4 bits.
  case q2K = "Q2_K"
  /// 256 weights of 3 bits, 16 scales of 6 bits.
  case q3K = "Q3_K"
  /// 256 weights of 4 bits, 8 scales and offsets of 6 bits.
  case q4K = "Q4_K"
  /// 256 weights of 5 bits, 8 scales and offsets of 6 bits.
  case q5K = "Q5_K"
  /// 256 weights of 6 bits, 16 scales of 8 bits.
  case q6K = "Q6_K"

  /// How many elements one block holds; 1 where there are no blocks.
  public var blockSize: Int {
    switch self {
    case .f64, .f32, .f16, .bf16, .i64, .i32, .i16, .i8, .u8, .bool: 1
    case .q40, .q41, .q50, .q51, .q80: 32
    case .q2K, .q3K, .q4K, .q5K, .q6K: 256
    }
  }

  /// How many bytes one block takes.
  public var bytesPerBlock: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16, .i16: 2
    case .i8, .u8, .bool: 1
    case .q40: 2 + 16
    case .q41: 2 + 2 + 16
    case .q50: 2 + 4 + 16
    case .q51: 2 + 2 + 4 + 16
    case .q80: 2 + 32
    case .q2K: 16 + 64 + 2 + 2
    case .q3K: 32 + 64 + 12 + 2
    case .q4K: 2 + 2 + 12 + 128
    case .q5K: 2 + 2 + 12 + 32 + 128
    case .q6K: 128 + 64 + 16 + 2
    }
  }

  /// Whether weights are packed in blocks with shared scales.
  public var isQuantised: Bool { blockSize > 1 }
}

/// The number of elements and bytes of a tensor, or nothing where they overflow.
func checkedSize(_ shape: [Int], _ type: ElementType) -> (elements: Int, bytes: Int)? {
  // A zero extent makes the tensor empty, but may not hide another extent's overflow.
  var elements = 1
  var bound = 1
  for extent in shape {
    guard extent >= 0 else { return nil }
    let (product, overflow) = bound.multipliedReportingOverflow(by: max(1, extent))
    if overflow { return nil }
    bound = product
    elements *= extent
  }
  let (_, overflow) = (bound / type.blockSize).multipliedReportingOverflow(by: type.bytesPerBlock)
  if overflow { return nil }
  return (elements, elements / type.blockSize * type.bytesPerBlock)
}
