internal import CTorch

extension Tensor {
  /// Copies the numbers as they are, in row-major order and the tensor's own type.
  ///
  /// - Parameter buffer: Exactly as many bytes as the numbers take.
  /// - Throws: `EngineError` when memory runs out.
  package func copy(to buffer: UnsafeMutableRawBufferPointer) throws {
    precondition(
      buffer.count == count * type.bytes, "\(buffer.count) bytes for a tensor of shape \(shape)")
    guard ct_copy_out(handle, type.rawValue, buffer.baseAddress, buffer.count) == 0 else {
      throw EngineError(text: lastEngineText())
    }
  }

  /// What tells one tensor's storage from another's, as long as both are held.
  package var identity: ObjectIdentifier { ObjectIdentifier(storage) }
}
