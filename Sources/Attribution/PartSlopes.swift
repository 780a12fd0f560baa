internal import LanguageModels
internal import Tensors

// How much a target changes with a part's own numbers: Mᵀḡ, for M the part's linear way into the
// residual stream and ḡ the path-mean gradient there. One product per block and branch serves all heads
// or neurons of all predictions. With a norm of the branch's own, M = D W with D the norm as a linear
// map at the scale that the run had:
//
//     RMSNorm     D = diag(γ) / ρ          Dᵀ = diag(γ) / ρ
//     LayerNorm   D = diag(γ) P / ρ        Dᵀ = P diag(γ) / ρ,      P centring
//
// The norm's own shift adds the same to c and to c′, and is no part's.

extension AblationStudy {
  /// Mᵀḡ of each source that a subject has parts of.
  func pulledBack(
    _ subjects: [Subject], _ values: [PartValues], _ model: any LanguageModel, _ type: ScalarType
  ) throws -> [[PartSource: [Double]]] {
    var slopes = subjects.map { _ in [PartSource: [Double]]() }
    var branched: [PartSource: [Int]] = [:]
    for (index, subject) in subjects.enumerated() {
      precondition(
        subject.gradients.count == model.shape.layers
          && subject.gradients.allSatisfy { $0.count == model.shape.width },
        "a gradient of the model's width for each of its blocks is needed")
      for source in values[index].own.keys {
        switch source {
        case .update(let layer), .attention(let layer), .mlp(let layer):
          slopes[index][source] = subject.gradients[layer]
        case .heads, .neurons: branched[source, default: []].append(index)
        }
      }
    }
    for (source, indices) in branched {
      let (layer, branch) = try branch(of: source, model)
      let own = indices.flatMap { values[$0].own[source] ?? [] }
      let size = own.count / indices.count
      try withEngineErrors {
        let added = try branch.norm.map { _ in
          try branch.output(
            Tensor(own, [indices.count, size], model.type, on: model.device)
          ).values()
        }
        let width = model.shape.width
        let slopesHere = try indices.enumerated().flatMap { place, index in
          let gradient = subjects[index].gradients[layer]
          guard let norm = branch.norm, let added else { return gradient }
          return try norm.pullBack(gradient, at: row(place, of: added, width))
        }
        let products = try Tensor(slopesHere, [indices.count, width], type, on: model.device)
          .matmul(branch.output.weight.to(type)).values()
        for (place, index) in indices.enumerated() {
          slopes[index][source] = row(place, of: products, size)
        }
      }
    }
    return slopes
  }

  private func branch(
    of source: PartSource, _ model: any LanguageModel
  ) throws -> (layer: Int, branch: Branch) {
    switch source {
    case .heads(let layer):
      if let branches = model.branches(of: layer) { return (layer, branches.attention) }
    case .neurons(let layer):
      if let branches = model.branches(of: layer) { return (layer, branches.feedForward) }
    case .update, .attention, .mlp: break
    }
    throw AttributionError(
      .usage,
      "The heads and neurons of this \(model.shape.architecture) do not add to the residual stream "
        + "one by one; check its layers, attention and MLPs.")
  }
}

extension Norm {
  /// Dᵀ g, for D the norm as a linear map at the scale that a value has.
  func pullBack(_ gradient: [Double], at value: [Double]) throws -> [Double] {
    let weight = try self.weight.values()
    let width = Double(value.count)
    let mean = kind == .layer ? value.reduce(0, +) / width : 0
    let square = value.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let scale = 1 / (square / width + epsilon).squareRoot()
    let scaled = zip(gradient, weight).map { $0 * $1 * scale }
    let centre = kind == .layer ? scaled.reduce(0, +) / width : 0
    return scaled.map { $0 - centre }
  }
}
