/// A tensor in a file: its name, shape and type, and its numbers when asked for.
///
/// Keeps its file mapped. May be read from many threads at once.
public struct StoredTensor: Sendable {
  /// The file's own name of it.
  public let name: String
  /// Its extents, outermost first (rows before columns); none for a single number.
  public let shape: [Int]
  /// How its numbers are written.
  public let type: ElementType
  /// How many bytes it takes in the file.
  public let byteCount: Int
  /// How many numbers it holds.
  public let elementCount: Int
  /// The file that holds it.
  public let file: MappedFile
  private let offset: Int
  /// Where its bytes stand in the file.
  var range: Range<Int> { offset..<(offset + byteCount) }

  /// A tensor whose bytes have been checked to lie within the file and to fit its shape and type.
  init(
    name: String, shape: [Int], type: ElementType, elementCount: Int, file: MappedFile,
    bytes: Range<Int>
  ) {
    precondition(bytes.lowerBound >= 0 && bytes.upperBound <= file.count)
    precondition(
      elementCount % type.blockSize == 0
        && elementCount / type.blockSize * type.bytesPerBlock == bytes.count)
    self.name = name
    self.shape = shape
    self.type = type
    self.byteCount = bytes.count
    self.elementCount = elementCount
    self.file = file
    self.offset = bytes.lowerBound
  }

  /// Calls a function with the tensor's bytes as they stand in the file, perhaps unaligned.
  ///
  /// - Parameter body: The function; it may not keep the buffer.
  /// - Returns: What the function returns.
  /// - Throws: What the function throws.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try file.withBytes { (bytes) throws(Failure) in
      try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
  }

  /// Writes all numbers, dequantised, in row-major order.
  ///
  /// - Parameter output: Room for ``elementCount`` numbers.
  public func read(into output: UnsafeMutablePointer<Float>) {
    read(elements: 0..<elementCount, into: output)
  }

  /// Writes all numbers, dequantised in float32, in row-major order.
  ///
  /// - Parameter output: Room for ``elementCount`` numbers.
  public func read(into output: UnsafeMutablePointer<Double>) {
    read(elements: 0..<elementCount, into: output)
  }

  /// Writes some of the numbers, so that threads can share the work.
  ///
  /// Any range will do; one that begins and ends at multiples of ``ElementType/blockSize`` is
  /// fastest.
  ///
  /// - Parameters:
  ///   - elements: Which numbers, counted in row-major order.
  ///   - output: Room for as many; the first of the range is written to its first place.
  public func read(elements: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= elementCount,
      "elements \(elements) of tensor '\(name)', which has \(elementCount)")
    guard !elements.isEmpty else { return }
    withBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      let size = type.blockSize
      let wanted = elements
      var place = elements.lowerBound
      var output = output
      // A block that is wanted in part is unpacked aside.
      func readPart(of block: Int) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { whole in
          guard let start = whole.baseAddress else { return }
          dequantise(type, source + block * type.bytesPerBlock, blocks: 1, into: start)
          let end = min((block + 1) * size, wanted.upperBound)
          output.update(from: start + (place - block * size), count: end - place)
          output += end - place
          place = end
        }
      }
      if place % size != 0 { readPart(of: place / size) }
      let blocks = max(0, wanted.upperBound / size - place / size)
      if blocks > 0 {
        dequantise(type, source + place / size * type.bytesPerBlock, blocks: blocks, into: output)
        output += blocks * size
        place += blocks * size
      }
      if place < wanted.upperBound { readPart(of: place / size) }
    }
  }

  /// Writes some of the numbers, dequantised in float32; double and integer types are exact.
  ///
  /// - Parameters:
  ///   - elements: Which numbers, counted in row-major order.
  ///   - output: Room for as many; the first of the range is written to its first place.
  public func read(elements: Range<Int>, into output: UnsafeMutablePointer<Double>) {
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= elementCount,
      "elements \(elements) of tensor '\(name)', which has \(elementCount)")
    switch type {
    case .f64: widen(Double.self, elements, output) { $0 }
    case .i64: widen(Int64.self, elements, output) { Double($0) }
    case .i32: widen(Int32.self, elements, output) { Double($0) }
    default:
      pieces(of: elements) { singles, range in
        let target = output + (range.lowerBound - elements.lowerBound)
        for index in 0..<range.count { target[index] = Double(singles[index]) }
      }
    }
  }

  /// Writes some of the numbers as another type: unchanged where they are of that type, dequantised
  /// in float32 and rounded to the nearest otherwise.
  ///
  /// - Parameters:
  ///   - elements: Which numbers, counted in row-major order.
  ///   - wanted: F64, F32, F16 or BF16, or the tensor's own type if that is not quantised.
  ///   - output: Room for as many, at a multiple of a number's size.
  /// - Returns: Whether every number that was finite still is.
  package func read(
    elements: Range<Int>, as wanted: ElementType, into output: UnsafeMutableRawPointer
  ) -> Bool {
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= elementCount,
      "elements \(elements) of tensor '\(name)', which has \(elementCount)")
    if wanted == type, !type.isQuantised {
      let size = type.bytesPerBlock
      withBytes { bytes in
        UnsafeMutableRawBufferPointer(start: output, count: elements.count * size).copyMemory(
          from: UnsafeRawBufferPointer(
            rebasing: bytes[elements.lowerBound * size..<elements.upperBound * size]))
      }
      return true
    }
    switch wanted {
    case .f32:
      read(elements: elements, into: output.assumingMemoryBound(to: Float.self))
      return true
    case .f64:
      read(elements: elements, into: output.assumingMemoryBound(to: Double.self))
      return true
    case .f16, .bf16:
      var isExact = true
      pieces(of: elements) { singles, range in
        let target = output + (range.lowerBound - elements.lowerBound) * 2
        let isPieceExact = Narrowing.write(singles, range.count, as: wanted, into: target)
        isExact = isExact && isPieceExact
      }
      return isExact
    default: preconditionFailure("numbers are not read as \(wanted.rawValue)")
    }
  }

  /// Reads numbers as float32 by pieces that stay in the nearest cache.
  private func pieces(
    of elements: Range<Int>, _ body: (UnsafePointer<Float>, Range<Int>) -> Void
  ) {
    let piece = 4096
    withUnsafeTemporaryAllocation(of: Float.self, capacity: piece) { single in
      guard let start = single.baseAddress else { return }
      var place = elements.lowerBound
      while place < elements.upperBound {
        let end = min(elements.upperBound, (place / piece + 1) * piece)
        read(elements: place..<end, into: start)
        body(start, place..<end)
        place = end
      }
    }
  }

  private func widen<Stored: BitwiseCopyable>(
    _ stored: Stored.Type, _ elements: Range<Int>, _ output: UnsafeMutablePointer<Double>,
    _ convert: (Stored) -> Double
  ) {
    let stride = MemoryLayout<Stored>.stride
    withBytes { bytes in
      for index in elements {
        output[index - elements.lowerBound] = convert(
          bytes.loadUnaligned(fromByteOffset: index * stride, as: Stored.self))
      }
    }
  }
}
