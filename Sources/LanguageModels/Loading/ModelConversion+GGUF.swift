public import Checkpoints
internal import Foundation
internal import StrictJSON
internal import Synchronization
internal import Tensors

// A GGUF file as Hugging Face's folder. A family asks a WeightReader for every weight by Hugging Face's
// name and says what it does with it, so a reading of shapes alone lists the tensors to write and how
// each is made of the file's: rows put back, 1 + w less 1, −eʷ as w, transposed.
extension ModelConversion {
  /// A conversion of a GGUF file to Hugging Face's names, with the `config.json` that says what the
  /// file's metadata say, and the file's vocabulary as `tokenizer.gguf`.
  ///
  /// - Parameters:
  ///   - checkpoint: The file.
  ///   - type: F32, F16 or BF16 for all tensors; nil to keep these and make F32 of all others.
  ///   - shardSize: The most bytes of tensors in one file.
  /// - Throws: `ModelError` for a file that does not make a model that Telescope knows.
  public init(
    translating checkpoint: Checkpoint, as type: ElementType? = nil,
    shardSize: Int = usualShardSize
  ) throws {
    let weights = WeightReader(checkpoint, type: .float32, device: .cpu, outline: true)
    _ = try withEngineErrors { try loadGGUF(checkpoint, weights, []) }
    var made: [String: Tensor] = [:]
    for (part, place) in weights.requests {
      guard let stored = checkpoint.tensors[place.name] else { continue }
      let tensor = Self.tensor(part, place, stored, as: type)
      made[part.own ?? part.name] = tensor
    }
    let (_, members) = try translatedConfiguration(of: checkpoint, ignoring: [])
    let configuration = try Self.configuration(members, checkpoint, as: type)
    self.init(
      of: checkpoint, tensors: Array(made.values),
      companions: [
        Companion(name: ModelFiles.configuration, bytes: configuration),
        Companion(
          name: ModelFiles.vocabulary, bytes: try GGUF(checkpoint.url).withoutTensors),
      ], shardSize: shardSize)
  }

  /// How one tensor is made of the file's.
  private static func tensor(
    _ part: WeightReader.Part, _ place: WeightReader.StoredName, _ stored: StoredTensor,
    as wanted: ElementType?
  ) -> Tensor {
    let name = part.own ?? part.name
    var shape = part.shape
    let isPlain = [.f32, .f16, .bf16].contains(stored.type)
    var type = wanted ?? (isPlain ? stored.type : .f32)
    if place.isTurned, shape.count == 2 {
      shape.reverse()
      let turned = Turned(stored, shape)
      return Tensor(name, shape: shape, as: type) { turned.read($0, into: $1) }
    }
    let width = max(1, shape.dropFirst().reduce(1, *))
    var rows = part.order
    if let headWidth = place.interleavedHeadWidth {
      rows = .interleavedPairs(headWidth: headWidth, rows: shape[0])
    }
    let source: (@Sendable (Int) -> Int)?
    switch rows {
    case .plain: source = nil
    case .picked(let count, let pick) where place.isOrdered:
      // The file's row m is Hugging Face's row pick(m).
      shape[0] = count
      var inverse = Array(0..<count)
      for row in 0..<part.shape[0] { inverse[pick(row)] = row }
      let places = inverse
      source = { places[$0] }
    case .picked(_, let pick): source = pick
    case .run(let first, _): source = { first + $0 }
    }
    // What is worked out is rounded once, unless a type is asked for.
    if place.includesOne || place.isNegativeExponential { type = wanted ?? .f32 }
    let isUnchanged =
      source == nil && !place.includesOne && !place.isNegativeExponential && type == stored.type
    return Tensor(name, shape: shape, as: type, unchanged: isUnchanged ? stored : nil) {
      range, output in
      if let source {
        var place = range.lowerBound
        while place < range.upperBound {
          let (row, column) = place.quotientAndRemainder(dividingBy: width)
          let count = min(range.upperBound - place, width - column)
          let start = source(row) * width + column
          stored.read(elements: start..<start + count, into: output + (place - range.lowerBound))
          place += count
        }
      } else {
        stored.read(elements: range, into: output)
      }
      if place.includesOne { for index in 0..<range.count { output[index] -= 1 } }
      if place.isNegativeExponential {
        for index in 0..<range.count { output[index] = log(-output[index]) }
      }
    }
  }

  /// The transpose of a stored matrix, worked out when it is first asked for and kept until all of it
  /// was given.
  private final class Turned: Sendable {
    private let stored: StoredTensor
    private let shape: [Int]
    private let state = Mutex<(numbers: [Float], left: Int)>(([], 0))

    /// The transpose, which has this shape.
    init(_ stored: StoredTensor, _ shape: [Int]) {
      self.stored = stored
      self.shape = shape
    }

    func read(_ range: Range<Int>, into output: UnsafeMutablePointer<Float>) {
      state.withLock { state in
        if state.left == 0 { state = (turned(), stored.elementCount) }
        for index in range { output[index - range.lowerBound] = state.numbers[index] }
        state.left -= range.count
        if state.left <= 0 { state = ([], 0) }
      }
    }

    private func turned() -> [Float] {
      let whole = [Float](unsafeUninitializedCapacity: stored.elementCount) { buffer, count in
        if let base = buffer.baseAddress { stored.read(into: base) }
        count = stored.elementCount
      }
      let (rows, columns) = (shape[0], shape[1])
      return (0..<rows).flatMap { row in (0..<columns).map { whole[$0 * rows + row] } }
    }
  }

  /// The configuration as text, numbers as they were before the file rounded them.
  private static func configuration(
    _ members: [String: JSON], _ checkpoint: Checkpoint, as type: ElementType?
  ) throws -> Data {
    var members = members
    for (key, name) in [
      ("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding"),
    ] {
      members[key] = checkpoint.metadata["tokenizer.ggml.\(name)_token_id"]?.integer
        .map { .number(.integer($0)) }
    }
    let names: [ElementType: String] = [.f16: "float16", .bf16: "bfloat16"]
    members["torch_dtype"] = .string(type.flatMap { names[$0] } ?? "float32")
    return try JSONSerialization.data(
      withJSONObject: members.mapValues(plain),
      options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
  }

  private static func plain(_ value: JSON) -> Any {
    switch value {
    case .null: return NSNull()
    case .boolean(let flag): return flag
    case .number(.integer(let number)): return number
    case .number(let number):
      // A single is written as its shortest decimal: 1e-05, not 9.999999747378752e-06.
      let single = Float(number.double)
      return Double(single) == number.double
        ? Double(single.description) ?? number.double : number.double
    case .string(let text): return text
    case .array(let values): return values.map(plain)
    case .object(let object):
      return Dictionary(
        object.members.map { ($0.key, plain($0.value)) }, uniquingKeysWith: { first, _ in first })
    }
  }
}
