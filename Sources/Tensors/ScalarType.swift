internal import CTorch

/// The element type of a tensor.
public enum ScalarType: Int32, Sendable, CaseIterable {
  /// IEEE single precision: the default of every computation.
  case float32 = 0
  /// IEEE double precision: how results are certified.
  case float64
  /// Eight bits of exponent, seven of fraction.
  case bfloat16
  /// IEEE half precision.
  case float16
  /// Token ids and indices.
  case int64
  /// Masks.
  case bool

  /// The name in commands and results: `float32`.
  public var name: String { String(describing: self) }

  /// The size of one element.
  public var bytes: Int {
    switch self {
    case .float32: 4
    case .float64, .int64: 8
    case .bfloat16, .float16: 2
    case .bool: 1
    }
  }
}
