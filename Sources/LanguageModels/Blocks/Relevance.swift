internal import Tensors

// How the parts of a block that are no sublayers of their own are passed under backward rules.

extension Pass {
  /// What a block's biases are multiplied by (nil: the head's); nil for 1.
  func biasShare(of layer: Int?) -> Tensor? {
    biasShares.map { shares in
      let place = layer ?? shares.size(0) - 1
      return shares.slice(place..<place + 1, along: 0)
    }
  }

  /// What a branch reads of the stream, told apart from the stream itself where it is looked at.
  func reading(_ site: Site, of stream: Tensor) -> Tensor {
    wants(site) ? self(site, stream.reshaped(stream.shape)) : stream
  }

  /// The same rules where nothing is seen.
  var unseen: Pass {
    var pass = self
    pass.sites = []
    return pass
  }
}

extension BackwardRules {
  /// Gate times up.
  func product(gate: Tensor, up: Tensor) -> Tensor {
    switch product {
    case .exact: return gate * up
    case .half:
      let product = gate * up
      return product.isRecorded ? product.carryingGradient(of: product * 0.5) : product
    case .stopGate: return gate.detached * up
    }
  }

  /// What attention's pattern, or a mixture's choice, is made of.
  func pattern(_ x: Tensor) -> Tensor { pattern == .frozen ? x.detached : x }

  /// What a feed-forward network reads: where gradients stop, a leaf, so that they still reach its neurons.
  func feedForward(_ x: Tensor) -> Tensor {
    feedForward == .stop && x.isRecorded ? x.requiringGradient() : x
  }

  /// c · tanh(z/c).
  func softCapped(_ z: Tensor, _ cap: Double) -> Tensor {
    let inner = z * (1 / cap)
    return Activation.tanh(inner, self) * cap
  }
}
