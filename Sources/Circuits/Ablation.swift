internal import Attribution
internal import LanguageModels
internal import Tensors

/// What stands where a unit is not of the circuit.
public enum Ablation: String, Sendable, CaseIterable {
  /// The mean over the changed prompts of the evaluation set, position by position; over all positions too
  /// where they are not told apart.
  case mean
  /// Nothing.
  case zero
  /// What the changed prompt has there.
  case resample
}

// The one step of every circuit: kept · value + (1 − kept) · other. With kept 0 or 1 both products and the sum
// are exact, so that a unit which is given its own value changes nothing, bit by bit.

/// Which units of one layer are kept, as numbers: 1 or 0.
struct KeptUnits {
  /// [rows or 1, positions or 1, units], and 1 more for heads.
  let keep: Tensor
  /// 1 − keep.
  let drop: Tensor

  /// - Parameters:
  ///   - isKept: [row · position · unit].
  ///   - shape: [rows, positions, units].
  ///   - kind: heads have a width of their own.
  ///   - model: the model that they are for.
  init(_ isKept: [Bool], _ shape: [Int], _ kind: UnitKind, for model: any LanguageModel) {
    let sizes = shape + (kind == .head ? [1] : [])
    let numbers = Tensor(sizes, .float32) { buffer in
      let floats = buffer.bindMemory(to: Float.self)
      for (place, isKept) in isKept.enumerated() { floats[place] = isKept ? 1 : 0 }
    }
    keep = numbers.to(model.type, on: model.device)
    drop = keep * -1 + 1
  }
}

extension LanguageModel {
  /// The layers that have units of a kind.
  func layers(with kind: UnitKind) throws -> [Int] {
    let found = (0..<shape.layers).filter { sites.contains(kind.site($0)) }
    guard !found.isEmpty else { throw CircuitError.noUnits(kind, shape.architecture) }
    return found
  }
}
