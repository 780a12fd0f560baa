package import Attribution
internal import LanguageModels
internal import Results

// What must hold of flows in every model: integrals meet totals that are known without them, closed forms are
// what automatic gradients give, and what a mask hides gives nothing.

extension Verification {
  /// The checks of flows, at the first and the last block.
  package var flowChecks: [Check] {
    [
      Check(
        name: "flows complete", claim: "what flows to a target sums to how far it moves",
        tolerance: Tolerance(single: 2e-3, double: 1e-3, brief: 0.1)
      ) {
        var worst = (0.0, "")
        for layer in try flows([.itb, .zero]) {
          let maps = [("layer", layer.layerFlow), ("attention", layer.attentionFlow)]
          for (name, map) in maps {
            let error = map?.completenessError.values.max() ?? 0
            if error >= worst.0 { worst = (error, "\(name) map of layer \(layer.layer)") }
          }
        }
        return .missed(worst.0, worst.1)
      },
      Check(
        name: "flows two ways", claim: "closed forms are what automatic gradients give",
        tolerance: Tolerance(single: 1e-3, double: 1e-9, brief: 0.5)
      ) {
        func fixed(_ formulas: FlowFormulas) throws -> [FlowLayer] {
          try flows([.itb, .zero]) {
            $0.quadrature = .fixed(nodes: 2)
            $0.formulas = formulas
            $0.targets = [text.ids.count / 2]
          }
        }
        var worst = (0.0, "")
        for (closed, automatic) in zip(try fixed(.closed), try fixed(.automatic)) {
          for (a, b) in zip(closed.arrays, automatic.arrays) {
            let scale = b.values.map { abs($0) }.max() ?? 0
            let miss = zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0
            let share = scale > 0 ? miss / scale : miss
            if share >= worst.0 { worst = (share, "layer \(closed.layer)") }
          }
        }
        return .missed(worst.0, worst.1)
      },
      Check(
        name: "flows forward", claim: "no later token flows to a target", tolerance: .exact
      ) {
        guard loaded.model.isCausal else {
          return .none("every position sees every other")
        }
        var most = 0.0
        for layer in try flows([.itb, .zero]) {
          guard let map = layer.layerFlow?.array else { continue }
          for source in 0..<map.shape[0] {
            for target in 0..<source { most = max(most, abs(map[source, target])) }
          }
        }
        return .missed(most, nil)
      },
    ]
  }

  /// The flows of the first and the last block.
  private func flows(
    _ baselines: [LayerBaseline], _ change: (inout FlowOptions) -> Void = { _ in }
  ) throws -> [FlowLayer] {
    let model = loaded.model
    let flow = try TokenFlow(text.ids, in: model)
    var options = FlowOptions()
    options.granularities = model.hasHeads ? [.layer, .attention] : [.layer]
    options.layers = [0, model.shape.layers - 1]
    return try baselines.flatMap { baseline in
      options.layerBaseline = baseline
      options.attentionBaseline = baseline == .zero ? .zero : .itb
      change(&options)
      return try flow.flows(options)
    }
  }
}

extension FlowLayer {
  /// The maps of tokens.
  fileprivate var arrays: [AxisArray] {
    [layerFlow?.array, attentionFlow?.array].compactMap(\.self)
  }
}
