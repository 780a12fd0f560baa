#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Writes the numbers of whole blocks as float32.
///
/// Every product and sum is rounded to float32 in the order of the ggml reference, and nothing here
/// may be fused into one rounding: the values are that reference's bit for bit.
///
/// - Parameters:
///   - type: How the numbers are written.
///   - source: The first block, perhaps unaligned.
///   - blocks: How many blocks.
///   - output: Room for `blocks * type.blockSize` numbers.
func dequantise(
  _ type: ElementType, _ source: UnsafeRawPointer, blocks: Int,
  into output: UnsafeMutablePointer<Float>
) {
  switch type {
  case .f32: memcpy(output, source, blocks * 4)
  case .f16: readHalves(source, blocks, output)
  case .bf16: readBrainHalves(source, blocks, output)
  case .f64: convert(Double.self, source, blocks, output) { Float($0) }
  case .i64: convert(Int64.self, source, blocks, output) { Float($0) }
  case .i32: convert(Int32.self, source, blocks, output) { Float($0) }
  case .i16: convert(Int16.self, source, blocks, output) { Float($0) }
  case .i8: convert(Int8.self, source, blocks, output) { Float($0) }
  case .u8: convert(UInt8.self, source, blocks, output) { Float($0) }
  case .bool: convert(UInt8.self, source, blocks, output) { $0 == 0 ? 0 : 1 }
  case .q40: unpack(type, source, blocks, output, q40)
  case .q41: unpack(type, source, blocks, output, q41)
  case .q50: unpack(type, source, blocks, output, q50)
  case .q51: unpack(type, source, blocks, output, q51)
  case .q80: unpack(type, source, blocks, output, q80)
  case .q2K: unpack(type, source, blocks, output, q2K)
  case .q3K: unpack(type, source, blocks, output, q3K)
  case .q4K: unpack(type, source, blocks, output, q4K)
  case .q5K: unpack(type, source, blocks, output, q5K)
  case .q6K: unpack(type, source, blocks, output, q6K)
  }
}

/// Goes through blocks; inlined once per type, so that each loop holds its own body.
@inline(__always)
private func unpack(
  _ type: ElementType, _ source: UnsafeRawPointer, _ blocks: Int,
  _ output: UnsafeMutablePointer<Float>,
  _ block: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
) {
  let (step, size) = (type.bytesPerBlock, type.blockSize * MemoryLayout<Float>.stride)
  var source = source
  var output = UnsafeMutableRawPointer(output)
  for _ in 0..<blocks {
    block(source, output)
    source += step
    output += size
  }
}

@inline(__always)
private func convert<Stored: BitwiseCopyable>(
  _ stored: Stored.Type, _ source: UnsafeRawPointer, _ count: Int,
  _ output: UnsafeMutablePointer<Float>, _ value: (Stored) -> Float
) {
  for index in 0..<count {
    output[index] = value(
      source.loadUnaligned(fromByteOffset: index * MemoryLayout<Stored>.stride, as: Stored.self))
  }
}

/// A half as a single, exactly, without the processor's own instruction: not every x86-64 has it.
@inline(__always)
func single(fromHalf bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let exponent = bits & 0x7C00
  let rest = UInt32(bits & 0x7FFF) << 13
  if exponent == 0 {
    return Float(bitPattern: sign | (Float(bits & 0x3FF) * 0x1p-24).bitPattern)
  }
  // An exponent of all ones (infinity, NaN) stays all ones; others move to the wider bias.
  return Float(bitPattern: sign | (exponent == 0x7C00 ? rest | 0x7F80_0000 : rest &+ 0x3800_0000))
}

private func readHalves(
  _ source: UnsafeRawPointer, _ count: Int, _ output: UnsafeMutablePointer<Float>
) {
  let whole = count & ~7
  let raw = UnsafeMutableRawPointer(output)
  for index in stride(from: 0, to: whole, by: 8) {
    let halves = SIMD8<UInt32>(
      truncatingIfNeeded: source.loadUnaligned(
        fromByteOffset: index * 2, as: SIMD8<UInt16>.self))
    let sign = (halves & 0x8000) &<< 16
    let rest = (halves & 0x7FFF) &<< 13
    let exponent = halves & 0x7C00
    var bits = rest &+ 0x3800_0000
    bits.replace(with: rest | 0x7F80_0000, where: exponent .== 0x7C00)
    let tiny = SIMD8<Float>(SIMD8<Int32>(truncatingIfNeeded: halves & 0x3FF)) * 0x1p-24
    bits.replace(with: unsafeBitCast(tiny, to: SIMD8<UInt32>.self), where: exponent .== 0)
    raw.storeBytes(of: bits | sign, toByteOffset: index * 4, as: SIMD8<UInt32>.self)
  }
  for index in whole..<count {
    output[index] = single(
      fromHalf: source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
  }
}

private func readBrainHalves(
  _ source: UnsafeRawPointer, _ count: Int, _ output: UnsafeMutablePointer<Float>
) {
  let whole = count & ~7
  let raw = UnsafeMutableRawPointer(output)
  for index in stride(from: 0, to: whole, by: 8) {
    let halves = source.loadUnaligned(fromByteOffset: index * 2, as: SIMD8<UInt16>.self)
    raw.storeBytes(
      of: SIMD8<UInt32>(truncatingIfNeeded: halves) &<< 16, toByteOffset: index * 4,
      as: SIMD8<UInt32>.self)
  }
  for index in whole..<count {
    let bits = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
    output[index] = Float(bitPattern: UInt32(bits) << 16)
  }
}
