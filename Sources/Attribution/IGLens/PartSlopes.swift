internal import LanguageModels
internal import Tensors

// How much a target changes with a part's own numbers: Mᵀḡ, for M the part's linear way into the
// residual stream and ḡ the path-mean gradient there. One product per block and branch serves all heads
// or neurons of all predictions. With a norm of the branch's own, M = D W with D the norm as a linear
// map at the scale that the run had (`NormMap`); its shift adds the same to c and to c′, and is no part's.

extension AblationStudy {
  /// Mᵀḡ of each source that a subject has parts of.
  func pulledBack(
    _ subjects: [Subject], _ values: [PartValues], _ model: any LanguageModel
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
        let width = model.shape.width
        let inputs = Tensor(own, [indices.count, size], model.type, on: model.device)
        let gradients = Tensor(
          indices.flatMap { subjects[$0].gradients[layer] }, [indices.count, width], .float64)
        let products = try BranchWay(branch, at: inputs, post: []).backward(gradients)
          .inputs.values()
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
    /// The branches of a block that add to the stream as they are.
    func additive(_ layer: Int) -> BlockBranches? {
      guard case .branches(let branches) = model.rule(of: layer), branches.norms == nil else {
        return nil
      }
      return branches
    }
    switch source {
    case .heads(let layer):
      if let branches = additive(layer) { return (layer, branches.attention) }
    case .neurons(let layer):
      if let branch = additive(layer)?.feedForward { return (layer, branch) }
    case .update, .attention, .mlp: break
    }
    throw AttributionError(
      .usage,
      "The heads and neurons of this \(model.shape.architecture) do not add to the residual stream "
        + "one by one; check its layers, attention and MLPs.")
  }
}
