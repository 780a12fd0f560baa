internal import CTorch

/// Runs a body with gradient recording switched on or off for this thread.
///
/// Off by default in Telescope's runs: nothing is recorded unless a method asks for it.
public func withRecording<Value>(_ on: Bool, _ body: () throws -> Value) rethrows -> Value {
  let before = ct_set_recording(on)
  defer { _ = ct_set_recording(before) }
  return try body()
}

extension Tensor {
  /// This tensor as a leaf whose gradient is wanted.
  public func requiringGradient() -> Tensor {
    let leaf = detached
    check(ct_require_gradient(leaf.handle))
    return leaf
  }

  /// The same values, cut from the graph.
  public var detached: Tensor { Tensor { ct_detach(handle, $0) } }

  /// Whether operations on it are recorded now.
  package var isRecorded: Bool { ct_is_recorded(handle) }

  /// These values, bit by bit, with the gradient of another tensor of the same shape.
  package func carryingGradient(of carrier: Tensor) -> Tensor {
    Tensor { ct_carry(handle, carrier.handle, $0) }
  }

  /// ∂(Σ self)/∂inputs by automatic differentiation.
  ///
  /// - Parameter inputs: leaves or values on the way to `self`; an input it does not depend on
  ///   gets zeros.
  /// - Returns: one gradient per input, of its shape.
  public func gradient(withRespectTo inputs: [Tensor]) -> [Tensor] {
    let handles = inputs.map(\.handle)
    return withExtendedLifetime(inputs) {
      Tensor.several(handles.count) { ct_gradient(handle, handles, Int32(handles.count), $0) }
    }
  }
}
