internal import CTorch

/// An n-dimensional array on a device; a value, freed when the last copy goes.
///
/// Operations never throw. A mistake of shape or type traps with the engine's text, unless the
/// caller is inside ``withEngineErrors(_:)``, which throws it at its end. A tensor belongs to the
/// thread that made it.
public struct Tensor {
  let storage: Storage

  /// Owns one engine handle.
  final class Storage {
    let handle: ct_tensor?
    init(_ handle: ct_tensor?) { self.handle = handle }
    deinit { if let handle { ct_free(handle) } }
  }

  var handle: ct_tensor? { storage.handle }

  /// Runs an engine call that makes a tensor.
  init(_ call: (UnsafeMutablePointer<ct_tensor?>) -> Int32) {
    var made: ct_tensor?
    check(call(&made))
    storage = Storage(made)
  }

  private init(_ handle: ct_tensor?) { storage = Storage(handle) }

  /// Runs an engine call that makes several tensors.
  static func several(
    _ count: Int, _ call: (UnsafeMutablePointer<ct_tensor?>) -> Int32
  ) -> [Tensor] {
    var made = [ct_tensor?](repeating: nil, count: count)
    check(call(&made))
    return made.map(Tensor.init)
  }
}

/// Traps on failure, unless a scope is open to throw it later.
func check(_ status: Int32) {
  if status != 0 && !ct_in_scope() {
    fatalError(lastEngineText())
  }
}

// MARK: - Making

extension Tensor {
  /// A tensor of one repeated value.
  public init(
    repeating value: Double, _ shape: [Int], _ type: ScalarType = .float32, on device: Device = .cpu
  ) {
    let sizes = shape.map(Int64.init)
    self.init { ct_full(sizes, Int32(sizes.count), value, type.rawValue, device.rawValue, $0) }
  }

  /// A tensor whose elements `fill` writes, on the CPU.
  ///
  /// - Parameters:
  ///   - shape: the extents, outermost first.
  ///   - type: the element type.
  ///   - fill: gets the uninitialised elements, contiguous, outermost dimension first.
  public init(
    _ shape: [Int], _ type: ScalarType,
    filledBy fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows {
    let sizes = shape.map(Int64.init)
    self.init {
      ct_empty(sizes, Int32(sizes.count), type.rawValue, Device.cpu.rawValue, $0)
    }
    if let handle, let data = ct_data(handle) {
      let count = shape.reduce(1, *) * type.bytes
      try fill(UnsafeMutableRawBufferPointer(start: data, count: count))
    }
  }

  /// A tensor of these values, converted to `type`.
  public init(
    _ values: [Double], _ shape: [Int], _ type: ScalarType = .float32, on device: Device = .cpu
  ) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    let sizes = shape.map(Int64.init)
    let wide = Tensor {
      ct_from_data(
        values, sizes, Int32(sizes.count), ScalarType.float64.rawValue, Device.cpu.rawValue, $0)
    }
    self = wide.to(type, on: device)
  }

  /// A one-dimensional tensor of integers, for ids and indices.
  public init(indices: [Int], on device: Device = .cpu) {
    let values = indices.map(Int64.init)
    let sizes = [Int64(values.count)]
    self.init { ct_from_data(values, sizes, 1, ScalarType.int64.rawValue, device.rawValue, $0) }
  }

  /// Standard normal noise; `Engine.seed` makes it repeatable.
  public static func normal(
    _ shape: [Int], _ type: ScalarType = .float32, on device: Device = .cpu
  ) -> Tensor {
    let sizes = shape.map(Int64.init)
    return Tensor { ct_normal(sizes, Int32(sizes.count), type.rawValue, device.rawValue, $0) }
  }
}

// MARK: - Looking

extension Tensor {
  /// The sizes, outermost dimension first.
  public var shape: [Int] {
    guard let handle else { return Array(repeating: 1, count: 8) }
    return (0..<ct_rank(handle)).map { Int(ct_size(handle, $0)) }
  }

  /// The size of one dimension; negative counts from the last.
  public func size(_ dimension: Int) -> Int {
    guard let handle else { return 1 }
    let rank = Int(ct_rank(handle))
    let index = dimension < 0 ? rank + dimension : dimension
    precondition(index >= 0 && index < rank, "dimension \(dimension) of a tensor of rank \(rank)")
    return Int(ct_size(handle, Int32(index)))
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// The element type.
  public var type: ScalarType {
    handle.flatMap { ScalarType(rawValue: ct_type($0)) } ?? .float32
  }

  /// The device.
  public var device: Device { handle.flatMap { Device(rawValue: ct_device($0)) } ?? .cpu }

  /// The elements as doubles, outermost dimension first.
  ///
  /// - Throws: the engine's failure, if an operation before this one failed.
  public func values() throws -> [Double] {
    let count = self.count
    return try [Double](unsafeUninitializedCapacity: count) { buffer, filled in
      try copyOut(.float64, to: buffer.baseAddress, bytes: count * 8)
      filled = count
    }
  }

  /// The elements as floats, outermost dimension first.
  ///
  /// - Throws: the engine's failure, if an operation before this one failed.
  public func floats() throws -> [Float] {
    let count = self.count
    return try [Float](unsafeUninitializedCapacity: count) { buffer, filled in
      try copyOut(.float32, to: buffer.baseAddress, bytes: count * 4)
      filled = count
    }
  }

  /// The elements as integers.
  ///
  /// - Throws: the engine's failure, if an operation before this one failed.
  public func integers() throws -> [Int] {
    let count = self.count
    return try [Int](unsafeUninitializedCapacity: count) { buffer, filled in
      try copyOut(.int64, to: buffer.baseAddress, bytes: count * 8)
      filled = count
    }
  }

  /// The one element of a tensor that has one.
  ///
  /// - Throws: the engine's failure, if an operation before this one failed.
  public func scalar() throws -> Double {
    precondition(count == 1, "scalar() of a tensor of shape \(shape)")
    return try values()[0]
  }

  private func copyOut(_ type: ScalarType, to data: UnsafeMutableRawPointer?, bytes: Int) throws {
    guard ct_copy_out(handle, type.rawValue, data, bytes) == 0 else {
      throw EngineError(text: lastEngineText())
    }
  }
}
