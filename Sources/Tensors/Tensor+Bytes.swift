internal import CTorch

extension Tensor {
  /// A tensor over numbers that stand in memory already, without a copy.
  ///
  /// The memory may be read-only: nothing may write into the tensor or a view of it. Operations make
  /// new tensors, and the few that write in place (``write(_:at:along:)``, ``put(_:)``) are for
  /// tensors that the caller made.
  ///
  /// - Parameters:
  ///   - address: the first number, at a multiple of a number's size; outermost dimension first.
  ///   - shape: the extents.
  ///   - type: how the numbers are written.
  ///   - owner: what keeps the memory; let go with the last tensor that sees it.
  package init(
    borrowing address: UnsafeRawPointer, _ shape: [Int], _ type: ScalarType, from owner: AnyObject
  ) {
    precondition(Int(bitPattern: address) % type.bytes == 0, "numbers at an odd address")
    let sizes = shape.map(Int64.init)
    let owner = Unmanaged.passRetained(owner).toOpaque()
    self.init {
      ct_borrow(
        address, sizes, Int32(sizes.count), type.rawValue,
        { owner in if let owner { Unmanaged<AnyObject>.fromOpaque(owner).release() } }, owner, $0)
    }
  }

  /// Where the numbers of a contiguous tensor on the CPU stand, as long as it is held.
  package var address: UnsafeRawPointer? {
    handle.flatMap { ct_data($0) }.map { UnsafeRawPointer($0) }
  }

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
