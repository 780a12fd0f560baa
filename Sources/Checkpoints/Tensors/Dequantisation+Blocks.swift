/// The block layouts of ggml, one function each: block in, 32 or 256 singles out.
///
/// A layout keeps the first half of its weights in the low bits and the second half in the high
/// bits of the same bytes, so sixteen weights are always sixteen lanes of one vector.
typealias Bytes = SIMD16<UInt8>

@inline(__always)
private func half(_ block: UnsafeRawPointer, _ offset: Int) -> Float {
  single(fromHalf: block.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
}

@inline(__always)
private func bytes(_ block: UnsafeRawPointer, _ offset: Int) -> Bytes {
  block.loadUnaligned(fromByteOffset: offset, as: Bytes.self)
}

@inline(__always)
private func byte(_ block: UnsafeRawPointer, _ offset: Int) -> UInt8 {
  block.load(fromByteOffset: offset, as: UInt8.self)
}

@inline(__always)
private func floats(_ values: Bytes) -> SIMD16<Float> { SIMD16<Float>(values) }

@inline(__always)
private func signedFloats(_ values: Bytes) -> SIMD16<Float> {
  SIMD16<Float>(unsafeBitCast(values, to: SIMD16<Int8>.self))
}

/// Stores sixteen values as the given sixteenth-weight group.
@inline(__always)
private func store(_ values: SIMD16<Float>, _ output: UnsafeMutableRawPointer, _ group: Int) {
  output.storeBytes(of: values, toByteOffset: group * 64, as: SIMD16<Float>.self)
}

// MARK: Blocks of 32

@inline(__always)
func q40(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let scale = half(block, 0)
  let packed = bytes(block, 2)
  store(signedFloats((packed & 15) &- 8) * scale, output, 0)
  store(signedFloats((packed &>> 4) &- 8) * scale, output, 1)
}

@inline(__always)
func q41(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let (scale, offset) = (half(block, 0), half(block, 2))
  let packed = bytes(block, 4)
  store(floats(packed & 15) * scale + offset, output, 0)
  store(floats(packed &>> 4) * scale + offset, output, 1)
}

/// The sixteen bits of two bytes as 0 or 16, the weight of a fifth bit.
@inline(__always)
private func fifthBits(_ block: UnsafeRawPointer, _ offset: Int) -> Bytes {
  let spread = Bytes(
    lowHalf: SIMD8(repeating: byte(block, offset)),
    highHalf: SIMD8(repeating: byte(block, offset + 1)))
  let places = Bytes(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128)
  return Bytes(repeating: 0).replacing(with: 16, where: (spread & places) .== places)
}

@inline(__always)
func q50(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let scale = half(block, 0)
  let packed = bytes(block, 6)
  store(signedFloats(((packed & 15) | fifthBits(block, 2)) &- 16) * scale, output, 0)
  store(signedFloats(((packed &>> 4) | fifthBits(block, 4)) &- 16) * scale, output, 1)
}

@inline(__always)
func q51(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let (scale, offset) = (half(block, 0), half(block, 2))
  let packed = bytes(block, 8)
  store(floats((packed & 15) | fifthBits(block, 4)) * scale + offset, output, 0)
  store(floats((packed &>> 4) | fifthBits(block, 6)) * scale + offset, output, 1)
}

@inline(__always)
func q80(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let scale = half(block, 0)
  store(signedFloats(bytes(block, 2)) * scale, output, 0)
  store(signedFloats(bytes(block, 18)) * scale, output, 1)
}

// MARK: Blocks of 256

@inline(__always)
func q2K(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let (scale, offset) = (half(block, 80), half(block, 82))

  @inline(__always)
  func group(_ index: Int, _ values: Bytes) {
    let factors = byte(block, index)
    store(
      floats(values & 3) * (scale * Float(factors & 15)) - offset * Float(factors >> 4),
      output, index)
  }

  for part in 0..<2 {
    let (first, second) = (bytes(block, 16 + part * 32), bytes(block, 32 + part * 32))
    let index = part * 8
    group(index, first)
    group(index + 1, second)
    group(index + 2, first &>> 2)
    group(index + 3, second &>> 2)
    group(index + 4, first &>> 4)
    group(index + 5, second &>> 4)
    group(index + 6, first &>> 6)
    group(index + 7, second &>> 6)
  }
}

@inline(__always)
func q3K(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let scale = half(block, 108)
  let (firstHigh, secondHigh) = (bytes(block, 0), bytes(block, 16))

  @inline(__always)
  func group(_ index: Int, _ low: Bytes, _ high: Bytes, bit: UInt8) {
    // Six bits of scale: four in one of eight bytes, two in one of four.
    let four = byte(block, 96 + index & 7) >> (index < 8 ? 0 : 4) & 15
    let two = byte(block, 104 + index & 3) >> UInt8(index >> 2 * 2) & 3
    let factor = scale * Float(Int(four | two << 4) - 32)
    // A third bit that is *not* set takes 4 away.
    let absent = high & Bytes(repeating: bit) .== 0
    let values = (low & 3) &- Bytes(repeating: 0).replacing(with: 4, where: absent)
    store(signedFloats(values) * factor, output, index)
  }

  for part in 0..<2 {
    let (first, second) = (bytes(block, 32 + part * 32), bytes(block, 48 + part * 32))
    let index = part * 8
    let bit: UInt8 = part == 0 ? 1 : 16
    group(index, first, firstHigh, bit: bit)
    group(index + 1, second, secondHigh, bit: bit)
    group(index + 2, first &>> 2, firstHigh, bit: bit << 1)
    group(index + 3, second &>> 2, secondHigh, bit: bit << 1)
    group(index + 4, first &>> 4, firstHigh, bit: bit << 2)
    group(index + 5, second &>> 4, secondHigh, bit: bit << 2)
    group(index + 6, first &>> 6, firstHigh, bit: bit << 3)
    group(index + 7, second &>> 6, secondHigh, bit: bit << 3)
  }
}

/// Scale and offset of one of eight runs of 32 weights, six bits each, in twelve bytes.
@inline(__always)
private func factors(
  _ block: UnsafeRawPointer, _ run: Int, _ scale: Float, _ offset: Float
) -> (scale: Float, offset: Float) {
  if run < 4 {
    return (
      scale * Float(byte(block, 4 + run) & 63), offset * Float(byte(block, 8 + run) & 63)
    )
  }
  let shared = byte(block, 8 + run)
  return (
    scale * Float(shared & 15 | byte(block, run) >> 2 & 48),
    offset * Float(shared >> 4 | byte(block, 4 + run) >> 2 & 48)
  )
}

@inline(__always)
func q4K(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let (scale, offset) = (half(block, 0), half(block, 2))
  for pair in 0..<4 {
    let (first, second) = (bytes(block, 16 + pair * 32), bytes(block, 32 + pair * 32))
    let low = factors(block, pair * 2, scale, offset)
    store(floats(first & 15) * low.scale - low.offset, output, pair * 4)
    store(floats(second & 15) * low.scale - low.offset, output, pair * 4 + 1)
    let high = factors(block, pair * 2 + 1, scale, offset)
    store(floats(first &>> 4) * high.scale - high.offset, output, pair * 4 + 2)
    store(floats(second &>> 4) * high.scale - high.offset, output, pair * 4 + 3)
  }
}

@inline(__always)
func q5K(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let (scale, offset) = (half(block, 0), half(block, 2))
  let (firstHigh, secondHigh) = (bytes(block, 16), bytes(block, 32))

  @inline(__always)
  func fifth(_ high: Bytes, _ bit: UInt8) -> Bytes {
    let absent = high & Bytes(repeating: bit) .== 0
    return Bytes(repeating: 16).replacing(with: 0, where: absent)
  }

  for pair in 0..<4 {
    let (first, second) = (bytes(block, 48 + pair * 32), bytes(block, 64 + pair * 32))
    let bit = UInt8(1) << UInt8(pair * 2)
    let low = factors(block, pair * 2, scale, offset)
    store(
      floats(first & 15 | fifth(firstHigh, bit)) * low.scale - low.offset, output, pair * 4)
    store(
      floats(second & 15 | fifth(secondHigh, bit)) * low.scale - low.offset, output, pair * 4 + 1)
    let high = factors(block, pair * 2 + 1, scale, offset)
    store(
      floats(first &>> 4 | fifth(firstHigh, bit << 1)) * high.scale - high.offset, output,
      pair * 4 + 2)
    store(
      floats(second &>> 4 | fifth(secondHigh, bit << 1)) * high.scale - high.offset, output,
      pair * 4 + 3)
  }
}

@inline(__always)
func q6K(_ block: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
  let scale = half(block, 208)

  @inline(__always)
  func group(_ index: Int, _ low: Bytes, _ high: Bytes) {
    let factor = scale * Float(Int8(bitPattern: byte(block, 192 + index)))
    store(signedFloats((low | (high & 48)) &- 32) * factor, output, index)
  }

  for part in 0..<2 {
    let low = (
      bytes(block, part * 64), bytes(block, part * 64 + 16), bytes(block, part * 64 + 32),
      bytes(block, part * 64 + 48)
    )
    let high = (bytes(block, 128 + part * 32), bytes(block, 144 + part * 32))
    let index = part * 8
    group(index, low.0 & 15, high.0 &<< 4)
    group(index + 1, low.1 & 15, high.1 &<< 4)
    group(index + 2, low.2 & 15, high.0 &<< 2)
    group(index + 3, low.3 & 15, high.1 &<< 2)
    group(index + 4, low.0 &>> 4, high.0)
    group(index + 5, low.1 &>> 4, high.1)
    group(index + 6, low.2 &>> 4, high.0 &>> 2)
    group(index + 7, low.3 &>> 4, high.1 &>> 2)
  }
}
