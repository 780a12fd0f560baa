internal import CTorch

// Shapes broadcast as everywhere in the field: aligned at the last dimension, size 1 stretches.
extension Tensor {
  /// Elementwise sum.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    Tensor { ct_add(a.handle, b.handle, $0) }
  }

  /// Elementwise difference.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    Tensor { ct_subtract(a.handle, b.handle, $0) }
  }

  /// Elementwise product.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    Tensor { ct_multiply(a.handle, b.handle, $0) }
  }

  /// Elementwise quotient.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    Tensor { ct_divide(a.handle, b.handle, $0) }
  }

  /// Adds a number to every element.
  public static func + (a: Tensor, b: Double) -> Tensor {
    Tensor { ct_add_scalar(a.handle, b, $0) }
  }

  /// Multiplies every element by a number.
  public static func * (a: Tensor, b: Double) -> Tensor {
    Tensor { ct_multiply_scalar(a.handle, b, $0) }
  }

  /// Multiplies every element by a number.
  public static func * (a: Double, b: Tensor) -> Tensor { b * a }

  /// The negative of every element.
  public static prefix func - (x: Tensor) -> Tensor { Tensor { ct_negate(x.handle, $0) } }

  /// eˣ.
  public var exp: Tensor { Tensor { ct_exp(handle, $0) } }
  /// The natural logarithm.
  public var log: Tensor { Tensor { ct_log(handle, $0) } }
  /// The hyperbolic tangent.
  public var tanh: Tensor { Tensor { ct_tanh(handle, $0) } }
  /// 1 / √x.
  public var reciprocalSquareRoot: Tensor { Tensor { ct_rsqrt(handle, $0) } }

  /// The sum of all elements.
  public var sum: Tensor { Tensor { ct_sum_all(handle, $0) } }

  /// The sum along a dimension.
  public func sum(along dimension: Int, keepingDimension keep: Bool = false) -> Tensor {
    Tensor { ct_sum(handle, Int64(dimension), keep, $0) }
  }

  /// The mean along a dimension.
  public func mean(along dimension: Int, keepingDimension keep: Bool = false) -> Tensor {
    Tensor { ct_mean(handle, Int64(dimension), keep, $0) }
  }

  /// The index of the largest element along a dimension; of equal ones, one of them.
  public func argmax(along dimension: Int) -> Tensor {
    Tensor { ct_argmax(handle, Int64(dimension), $0) }
  }

  /// exp(x) / Σ exp(x) along a dimension.
  public func softmax(along dimension: Int) -> Tensor {
    Tensor { ct_softmax(handle, Int64(dimension), $0) }
  }

  /// log softmax(x) along a dimension.
  public func logSoftmax(along dimension: Int) -> Tensor {
    Tensor { ct_log_softmax(handle, Int64(dimension), $0) }
  }

  /// The matrix product of the last two dimensions, batched over the others.
  public func matmul(_ other: Tensor) -> Tensor {
    Tensor { ct_matmul(handle, other.handle, $0) }
  }
}
