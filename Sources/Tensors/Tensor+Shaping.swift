internal import CTorch

extension Tensor {
  /// The same elements in another shape; one size may be −1.
  public func reshaped(_ shape: [Int]) -> Tensor {
    let sizes = shape.map(Int64.init)
    return Tensor { ct_reshape(handle, sizes, Int32(sizes.count), $0) }
  }

  /// Two dimensions exchanged; a view.
  public func transposed(_ a: Int, _ b: Int) -> Tensor {
    Tensor { ct_transpose(handle, Int64(a), Int64(b), $0) }
  }

  /// A range of one dimension; a view.
  public func slice(_ range: Range<Int>, along dimension: Int) -> Tensor {
    Tensor {
      ct_narrow(handle, Int64(dimension), Int64(range.lowerBound), Int64(range.count), $0)
    }
  }

  /// Tensors joined along a dimension.
  public static func concatenating(_ parts: [Tensor], along dimension: Int) -> Tensor {
    let handles = parts.map(\.handle)
    return withExtendedLifetime(parts) {
      Tensor { ct_concatenate(handles, Int32(handles.count), Int64(dimension), $0) }
    }
  }

  /// Each element of a dimension repeated in place: `[a, b]` becomes `[a, a, b, b]`.
  public func repeatingEach(_ times: Int, along dimension: Int) -> Tensor {
    Tensor { ct_repeat_interleave(handle, Int64(times), Int64(dimension), $0) }
  }

  /// The same elements in a larger shape: sizes of 1 are repeated, without taking memory; a view.
  public func expanded(_ shape: [Int]) -> Tensor {
    let sizes = shape.map(Int64.init)
    return Tensor { ct_expand(handle, sizes, Int32(sizes.count), $0) }
  }

  /// The chosen indices of a dimension, in the order given.
  public func selecting(_ indices: [Int], along dimension: Int) -> Tensor {
    let index = Tensor(indices: indices, on: device)
    return Tensor { ct_index_select(handle, Int64(dimension), index.handle, $0) }
  }

  /// Overwrites part of a dimension, in place, from `start` on.
  ///
  /// For caches only: every copy of this value sees the change.
  public func write(_ source: Tensor, at start: Int, along dimension: Int) {
    check(ct_write(handle, Int64(dimension), Int64(start), source.handle))
  }

  /// Overwrites single elements of a matrix on the CPU, in place; every copy of this value sees it.
  package func put(_ elements: [(row: Int, column: Int, value: Double)]) {
    let rows = elements.map { Int64($0.row) }
    let columns = elements.map { Int64($0.column) }
    check(ct_put(handle, rows, columns, elements.map(\.value), Int64(elements.count)))
  }

  /// Converted to a type, and moved to a device.
  public func to(_ type: ScalarType, on device: Device? = nil) -> Tensor {
    let place = device ?? self.device
    return Tensor { ct_to(handle, type.rawValue, place.rawValue, $0) }
  }

  /// The same elements, laid out without gaps.
  public var contiguous: Tensor { Tensor { ct_contiguous(handle, $0) } }
}
