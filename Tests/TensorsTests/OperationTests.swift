import Foundation
import Tensors
import TestSupport
import Testing

/// One operation with what it must compute, written out over plain numbers.
struct Operation: Sendable, CustomTestStringConvertible {
  var name: String
  var shapes: [[Int]]
  var apply: @Sendable ([Tensor]) -> Tensor
  /// The same over row-major numbers.
  var expected: @Sendable ([[Double]]) -> [Double]
  /// Added to the inputs, for operations that need positive ones.
  var shift = 0.0
  var testDescription: String { name }

  func inputs(_ seed: UInt64 = 3) -> [[Double]] {
    var generator = SeededGenerator(seed: seed)
    return shapes.map { shape in
      (0..<shape.reduce(1, *)).map { _ in shift + Double.random(in: -1.5...1.5, using: &generator) }
    }
  }
}

private func map(_ f: @escaping @Sendable (Double) -> Double) -> @Sendable ([[Double]]) -> [Double]
{
  { $0[0].map(f) }
}

private func zipped(
  _ f: @escaping @Sendable (Double, Double) -> Double
) -> @Sendable ([[Double]]) -> [Double] {
  { zip($0[0], $0[1]).map(f) }
}

/// Rows of a flat list.
private func rows(_ values: [Double], _ width: Int) -> [[Double]] {
  stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
}

private func softmax(_ row: [Double]) -> [Double] {
  let sum = row.reduce(0) { $0 + exp($1) }
  return row.map { exp($0) / sum }
}

private func product(_ a: [Double], _ b: [Double], _ m: Int, _ k: Int, _ n: Int) -> [Double] {
  (0..<m * n).map { at in
    (0..<k).reduce(0) { $0 + a[(at / n) * k + $1] * b[$1 * n + at % n] }
  }
}

@Sendable private func linear(_ x: [[Double]]) -> [Double] {
  (0..<8).map { at -> Double in
    let row = rows(x[0], 3)[at / 4]
    let weight = rows(x[1], 3)[at % 4]
    return zip(row, weight).reduce(x[2][at % 4]) { $0 + $1.0 * $1.1 }
  }
}

@Sendable private func rmsNorm(_ x: [[Double]]) -> [Double] {
  rows(x[0], 6).flatMap { row -> [Double] in
    let square: Double = row.reduce(0) { $0 + $1 * $1 } / 6
    let scale = 1 / (square + 0.01).squareRoot()
    return zip(row, x[1]).map { $0 * scale * $1 }
  }
}

@Sendable private func layerNorm(_ x: [[Double]]) -> [Double] {
  rows(x[0], 6).flatMap { row -> [Double] in
    let mean: Double = row.reduce(0, +) / 6
    let variance: Double = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6
    let scale = 1 / (variance + 0.01).squareRoot()
    return row.indices.map { (row[$0] - mean) * scale * x[1][$0] + x[2][$0] }
  }
}

@Sendable private func rotation(_ x: [[Double]]) -> [Double] {
  (0..<2).flatMap { position -> [Double] in
    let v = rows(x[0], 5)[position]
    let c = rows(x[1], 2)[position]
    let s = rows(x[2], 2)[position]
    let first = [v[0] * c[0] - v[2] * s[0], v[1] * c[1] - v[3] * s[1]]
    let second = [v[2] * c[0] + v[0] * s[0], v[3] * c[1] + v[1] * s[1]]
    return first + second + [v[4]]
  }
}

private func gelu(_ x: Double) -> Double { 0.5 * x * (1 + erf(x / 2.0.squareRoot())) }

private func geluTanh(_ x: Double) -> Double {
  0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
}

/// Grouped causal attention over [1, heads, 3, 2] with keys and values [1, heads / 2, 3, 2].
private func attention(_ inputs: [[Double]], causal: Bool, mask: [Double]?) -> [Double] {
  let (heads, count, width) = (4, 3, 2)
  var out: [Double] = []
  for head in 0..<heads {
    let group = head / 2
    for query in 0..<count {
      let scores = (0..<count).map { key -> Double in
        if causal && key > query { return -.infinity }
        let dot = (0..<width).reduce(0.0) {
          $0 + inputs[0][(head * count + query) * width + $1]
            * inputs[1][(group * count + key) * width + $1]
        }
        return 0.7 * dot + (mask?[query * count + key] ?? 0)
      }
      let weights = softmax(scores)
      for k in 0..<width {
        out.append(
          (0..<count).reduce(0) { $0 + weights[$1] * inputs[2][(group * count + $1) * width + k] })
      }
    }
  }
  return out
}

private let mask: [Double] = [0, -0.5, 0.25, 1, 0, -1, 0.5, 0.5, 0]
private let attentionShapes = [[1, 4, 3, 2], [1, 2, 3, 2], [1, 2, 3, 2]]

let operations: [Operation] = [
  Operation(
    name: "add", shapes: [[2, 3], [2, 3]], apply: { $0[0] + $0[1] }, expected: zipped { $0 + $1 }),
  Operation(
    name: "add, broadcast", shapes: [[2, 3], [3]], apply: { $0[0] + $0[1] },
    expected: { x in x[0].enumerated().map { $1 + x[1][$0 % 3] } }),
  Operation(
    name: "subtract", shapes: [[2, 3], [2, 3]], apply: { $0[0] - $0[1] },
    expected: zipped { $0 - $1 }),
  Operation(
    name: "multiply", shapes: [[2, 3], [2, 3]], apply: { $0[0] * $0[1] },
    expected: zipped { $0 * $1 }),
  Operation(
    name: "divide", shapes: [[2, 3], [2, 3]], apply: { $0[0] / $0[1] },
    expected: zipped { $0 / $1 },
    shift: 3),
  Operation(
    name: "add a number", shapes: [[5]], apply: { $0[0] + 2.5 }, expected: map { $0 + 2.5 }),
  Operation(
    name: "multiply by a number", shapes: [[5]], apply: { -1.5 * $0[0] },
    expected: map { -1.5 * $0 }),
  Operation(name: "negate", shapes: [[5]], apply: { -$0[0] }, expected: map { -$0 }),
  Operation(name: "exp", shapes: [[5]], apply: { $0[0].exp }, expected: map { exp($0) }),
  Operation(name: "log", shapes: [[5]], apply: { $0[0].log }, expected: map { log($0) }, shift: 2),
  Operation(name: "tanh", shapes: [[5]], apply: { $0[0].tanh }, expected: map { tanh($0) }),
  Operation(
    name: "rsqrt", shapes: [[5]], apply: { $0[0].reciprocalSquareRoot },
    expected: map { 1 / $0.squareRoot() }, shift: 2),
  Operation(
    name: "silu", shapes: [[7]], apply: { $0[0].silu }, expected: map { $0 / (1 + exp(-$0)) }),
  Operation(name: "relu", shapes: [[7]], apply: { $0[0].relu }, expected: map { max($0, 0) }),
  Operation(
    name: "gelu", shapes: [[7]], apply: { $0[0].gelu(tanhApproximation: false) },
    expected: map(gelu)),
  Operation(
    name: "gelu, tanh", shapes: [[7]], apply: { $0[0].gelu(tanhApproximation: true) },
    expected: map(geluTanh)),
  Operation(
    name: "sum", shapes: [[2, 3]], apply: { $0[0].sum }, expected: { [$0[0].reduce(0, +)] }),
  Operation(
    name: "sum along", shapes: [[2, 3]], apply: { $0[0].sum(along: 0) },
    expected: { x in (0..<3).map { x[0][$0] + x[0][$0 + 3] } }),
  Operation(
    name: "mean along", shapes: [[2, 3]], apply: { $0[0].mean(along: -1, keepingDimension: true) },
    expected: { rows($0[0], 3).map { $0.reduce(0, +) / 3 } }),
  Operation(
    name: "softmax", shapes: [[2, 3]], apply: { $0[0].softmax(along: -1) },
    expected: { rows($0[0], 3).flatMap(softmax) }),
  Operation(
    name: "log softmax", shapes: [[2, 3]], apply: { $0[0].logSoftmax(along: -1) },
    expected: { rows($0[0], 3).flatMap { softmax($0).map { log($0) } } }),
  Operation(
    name: "matmul", shapes: [[2, 3], [3, 4]], apply: { $0[0].matmul($0[1]) },
    expected: { product($0[0], $0[1], 2, 3, 4) }),
  Operation(
    name: "linear with bias", shapes: [[2, 3], [4, 3], [4]],
    apply: { $0[0].linear($0[1], bias: $0[2]) },
    expected: linear),
  Operation(
    name: "rms norm", shapes: [[2, 6], [6]], apply: { $0[0].rmsNorm($0[1], epsilon: 0.01) },
    expected: rmsNorm),
  Operation(
    name: "layer norm", shapes: [[2, 6], [6], [6]],
    apply: { $0[0].layerNorm($0[1], bias: $0[2], epsilon: 0.01) },
    expected: layerNorm),
  Operation(
    name: "rotate", shapes: [[1, 2, 1, 5], [2, 2], [2, 2]],
    apply: { $0[0].rotated(cosine: $0[1], sine: $0[2]) },
    expected: rotation),
  Operation(
    name: "attention, causal and grouped", shapes: attentionShapes,
    apply: {
      Tensor.attention(query: $0[0], key: $0[1], value: $0[2], mask: nil, causal: true, scale: 0.7)
    }, expected: { attention($0, causal: true, mask: nil) }),
  Operation(
    name: "attention, masked", shapes: attentionShapes,
    apply: {
      Tensor.attention(
        query: $0[0], key: $0[1], value: $0[2], mask: Tensor(mask, [3, 3], $0[0].type),
        causal: false, scale: 0.7)
    }, expected: { attention($0, causal: false, mask: mask) }),
  Operation(
    name: "reshape", shapes: [[2, 3]], apply: { $0[0].reshaped([3, -1]) }, expected: { $0[0] }),
  Operation(
    name: "transpose", shapes: [[2, 3]], apply: { $0[0].transposed(0, 1) },
    expected: { x in [0, 3, 1, 4, 2, 5].map { x[0][$0] } }),
  Operation(
    name: "slice", shapes: [[2, 3]], apply: { $0[0].slice(1..<3, along: -1) },
    expected: { x in [1, 2, 4, 5].map { x[0][$0] } }),
  Operation(
    name: "concatenate", shapes: [[1, 2], [2, 2]],
    apply: { Tensor.concatenating($0, along: 0) }, expected: { $0[0] + $0[1] }),
  Operation(
    name: "repeat each", shapes: [[2, 2]], apply: { $0[0].repeatingEach(2, along: 0) },
    expected: { x in [0, 1, 0, 1, 2, 3, 2, 3].map { x[0][$0] } }),
  Operation(
    name: "select", shapes: [[3, 2]], apply: { $0[0].selecting([2, 0, 2], along: 0) },
    expected: { x in [4, 5, 0, 1, 4, 5].map { x[0][$0] } }),
  Operation(
    name: "contiguous", shapes: [[2, 3]], apply: { $0[0].transposed(0, 1).contiguous },
    expected: { x in [0, 3, 1, 4, 2, 5].map { x[0][$0] } }),
]

@Suite("Tensor operations")
struct OperationTests {
  @Test(
    "The value is the formula's", arguments: operations,
    [(ScalarType.float64, 1e-13), (.float32, 2e-6)])
  func value(operation: Operation, precision: (ScalarType, Double)) throws {
    let inputs = operation.inputs()
    let tensors = zip(inputs, operation.shapes).map { Tensor($0, $1, precision.0) }
    let found = try withRecording(false) { try operation.apply(tensors).values() }
    let expected = operation.expected(inputs)
    let worst = distance(found, expected)
    #expect(worst.error < precision.1, "off by \(worst)")
  }

  @Test("The gradient is the slope of finite differences", arguments: operations)
  func gradient(operation: Operation) throws {
    let inputs = operation.inputs(11)
    // A weighted sum of the outputs, so that no gradient is trivially one.
    let count = operation.expected(inputs).count
    let weights = (0..<count).map { 0.3 + 0.2 * Double($0 % 7) }
    func total(_ values: [Double]) -> Double { zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } }
    let found = try withRecording(true) {
      let leaves = zip(inputs, operation.shapes).map {
        Tensor($0, $1, .float64).requiringGradient()
      }
      let out = operation.apply(leaves)
      let weighted = (out.reshaped([-1]) * Tensor(weights, [count], .float64)).sum
      return try weighted.gradient(withRespectTo: leaves).map { try $0.values() }
    }
    let step = 1e-5
    for (argument, values) in inputs.enumerated() {
      let slopes = values.indices.map { index -> Double in
        var (up, down) = (inputs, inputs)
        up[argument][index] += step
        down[argument][index] -= step
        return (total(operation.expected(up)) - total(operation.expected(down))) / (2 * step)
      }
      let worst = distance(found[argument], slopes)
      #expect(worst.error < 1e-8, "argument \(argument) is off by \(worst)")
    }
  }

  @Test("Products of all sizes agree with float64, whichever way they take")
  func products() throws {
    for (rows, inner, columns) in [(1, 64, 48), (5, 37, 96), (33, 128, 17)] {
      let x = waves([rows, inner])
      let w = waves([columns, inner])
      let exact = try x.linear(w).values()
      let fast = try withRecording(false) { try x.to(.float32).linear(w.to(.float32)).values() }
      let recorded = try withRecording(true) {
        try x.to(.float32).requiringGradient().linear(w.to(.float32)).values()
      }
      #expect(distance(fast, exact).error < 5e-6)
      #expect(distance(recorded, exact).error < 5e-6)
    }
  }

  @Test("argmax, fills, types and copies")
  func small() throws {
    #expect(try Tensor([1, 5, 2, 7, 0, 3], [2, 3]).argmax(along: 1).integers() == [1, 0])
    #expect(try Tensor(repeating: 2.5, [3]).values() == [2.5, 2.5, 2.5])
    #expect(try Tensor(indices: [3, 1]).integers() == [3, 1])
    #expect(try Tensor([1.0 / 3], [1]).to(.bfloat16).values() == [0.333984375])
    let filled = Tensor([2, 2], .float32) { bytes in
      for (index, _) in (0..<4).enumerated() {
        bytes.storeBytes(of: Float(index), toByteOffset: 4 * index, as: Float.self)
      }
    }
    #expect(try filled.floats() == [0, 1, 2, 3])
    filled.write(Tensor([9, 8], [1, 2]), at: 1, along: 0)
    #expect(try filled.values() == [0, 1, 9, 8])
    #expect(filled.shape == [2, 2] && filled.count == 4 && filled.type == .float32)
    #expect(try Tensor([4], [1]).scalar() == 4)
    #expect(Device.cpu.name == "cpu" && ScalarType.bfloat16.bytes == 2)
  }

  /// Numbers of both signs, without the generator, which tests that run beside each other share.
  private func waves(_ shape: [Int]) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { sin(1.7 * Double($0) + 0.3) }, shape, .float64)
  }

  @Test("The same seed gives the same noise")
  func noise() throws {
    Engine.seed(5)
    let first = try Tensor.normal([100]).values()
    Engine.seed(5)
    #expect(try Tensor.normal([100]).values() == first)
    #expect(abs(first.reduce(0, +) / 100) < 0.5)
  }
}
