import Checkpoints
import Foundation
import StrictJSON
import TestSupport

/// How llama.cpp's converter makes a GGUF file of a reference model: its `gguf.json`.
struct GGUFRecipe {
  /// What can be left undone, so that a test sees whether anybody notices.
  enum Change: String, CaseIterable {
    /// The order of rows.
    case rows
    /// What is added to every number.
    case sum
    /// The function of every number.
    case function
  }

  private let folder: URL
  private let recipe: JSON
  /// What config.json must say otherwise, where GGUF has no word for it.
  let configuration: JSONObject?

  /// The models that have one.
  static let names = Reference.names.filter {
    FileManager.default.fileExists(atPath: Fixtures.url("models/\($0)/gguf.json").path)
  }

  init(_ name: String) throws {
    folder = Fixtures.url("models/" + name)
    recipe = try JSON.parse(Data(contentsOf: folder.appending(path: "gguf.json")))
    configuration = recipe["config"]?.object
  }

  /// The file, all in singles.
  ///
  /// - Parameter undone: a change that is not made.
  /// - Returns: nil where the recipe has no such change.
  /// - Throws: where the recipe or its model is damaged.
  func bytes(without undone: Change? = nil) throws -> [UInt8]? {
    var file = GGUFBytes()
    for pair in recipe["metadata"]?.array ?? [] {
      file.pairs.append(try metadata(pair[0]?.string ?? "", pair[1] ?? .null))
    }
    let stored = try Checkpoint(folder).tensors
    var isOther = false
    for (name, tensor) in recipe["tensors"]?.members.map({ $0.map { ($0.key, $0.value) } }) ?? [] {
      let shape = (tensor["shape"]?.array ?? []).compactMap(\.integer)
      var numbers = (tensor["values"]?.array ?? []).compactMap(\.double).map(Float.init)
      if let rows = tensor["rows"]?.array {
        var runs = try rows.map(Run.init)
        if undone == .rows {
          let ordered = runs.sorted { ($0.tensor, $0.first) < ($1.tensor, $1.first) }
          isOther = isOther || ordered != runs
          runs = ordered
        }
        let isTurned = tensor["turned"]?.boolean ?? false
        numbers = try runs.flatMap { run in
          guard let source = stored[run.tensor] else { throw Damaged(name: run.tensor) }
          return source.rows(of: shape.last ?? 1, run.range, turned: isTurned)
        }
      }
      if let added = tensor["plus"]?.double {
        if undone == .sum { isOther = true } else { numbers = numbers.map { $0 + Float(added) } }
      }
      if let function = tensor["map"]?.string {
        guard function == "-exp" else { throw Damaged(name: function) }
        if undone == .function { isOther = true } else { numbers = numbers.map { -exp($0) } }
      }
      guard numbers.count == shape.reduce(1, *) else { throw Damaged(name: name) }
      file.add(name, shape: shape, numbers)
    }
    return undone == nil || isOther ? file.bytes : nil
  }

  /// Rows of one tensor.
  private struct Run: Equatable {
    let tensor: String
    let first: Int
    let count: Int
    var range: Range<Int> { first..<first + count }

    init(_ json: JSON) throws {
      guard let tensor = json[0]?.string, let first = json[1]?.integer, let count = json[2]?.integer
      else { throw Damaged(name: "rows") }
      (self.tensor, self.first, self.count) = (tensor, first, count)
    }
  }

  private struct Damaged: Error { let name: String }

  /// A key and its value in the type that llama.cpp writes.
  private func metadata(_ key: String, _ value: JSON) throws -> [UInt8] {
    if let text = value.string { return GGUFBytes.pair(key, 8, GGUFBytes.text(text)) }
    if let flag = value.boolean { return GGUFBytes.pair(key, 7, [flag ? 1 : 0]) }
    // Bases are reals, though a configuration may write them as whole numbers.
    if let count = value.integer, !key.contains("freq_base") {
      return GGUFBytes.pair(key, 4, little(UInt32(count)))
    }
    guard let number = value.double else { throw Damaged(name: key) }
    return GGUFBytes.pair(key, 6, little(Float(number).bitPattern))
  }
}

extension StoredTensor {
  /// Some rows of the last dimension, or of the transpose.
  fileprivate func rows(of width: Int, _ rows: Range<Int>, turned: Bool) -> [Float] {
    let all = [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
      if let base = buffer.baseAddress { read(into: base) }
      count = elementCount
    }
    guard turned else { return Array(all[rows.lowerBound * width..<rows.upperBound * width]) }
    let stride = elementCount / width
    return rows.flatMap { row in (0..<width).map { all[$0 * stride + row] } }
  }
}
