public import Attribution
internal import Foundation
internal import Tensors

// Lenses and means as ways of reading the states of a path: h_ℓ = r_ℓ + o_ℓ, with nothing added after
// the last block, so that a path still ends at the model's own state.

extension TunedLens {
  /// Reads each state through its translator.
  public var reading: StateReading {
    StateReading(.translator, file: origin.file) { states, layer in
      guard layer + 1 < translators.count else { return states }
      return self(states.to(translators[layer + 1].weight.type), after: layer)
    }
  }
}

extension MeanUpdates {
  /// Reads each state with the later blocks' mean updates added: h_ℓ = r_ℓ + Σ_(k>ℓ) ū_k.
  ///
  /// - Parameter file: the file that they came from, for the result.
  /// - Returns: a reading that starts at the model's average state, r̄_0 + Σ_k ū_k.
  public func reading(from file: String) -> StateReading {
    // later[ℓ + 1] = Σ_(k>ℓ) ū_k
    var later = [[Double](repeating: 0, count: embedding.count)]
    for update in updates.reversed() {
      later.append(zip(later[later.count - 1], update).map { $0 + $1 })
    }
    later.reverse()
    return StateReading(.completion, file: file, start: embedding) { states, layer in
      let mean = later[layer + 1]
      return states + Tensor(mean, [mean.count], states.type, on: states.device)
    }
  }
}
