// What the types cannot say of the parts, alternatives and checks of an explanation. A reader may
// index tokens by a source and layers by a list without looking again.

extension Explanation {
  /// Refuses the first number that points nowhere.
  ///
  /// - Parameters:
  ///   - path: Where this explanation stands in the JSON.
  ///   - tokens: How many tokens the result has.
  /// - Throws: ``ResultsError`` that names the field.
  func checkRanges(_ path: String, tokens: Int) throws {
    for (index, layer) in attributions.enumerated() {
      let place = "\(path).attributions[\(index)]"
      if let low = layer.low, let high = layer.high, low > high {
        throw ResultsError.outOfRange("\(place).low", low, "at most 'high', \(high)")
      }
      try layer.parts?.checkRanges(tokens: tokens) { "\(place).parts" }
    }
    for (index, alternative) in (alternatives ?? []).enumerated() {
      let place = "\(path).alternatives[\(index)]"
      let lists = [
        ("values", alternative.values.count),
        ("standard_errors", alternative.standardErrors?.count),
        ("nodes", alternative.nodes?.count), ("converged", alternative.converged?.count),
      ]
      for case (let name, let count?) in lists where count != attributions.count {
        throw ResultsError.count(
          "\(place).\(name)", count, "\(path).attributions", attributions.count)
      }
    }
    for (index, pair) in (rankCorrelations ?? []).enumerated() {
      try checkCorrelation(pair.spearman, "\(path).rank_correlations[\(index)].spearman")
    }
    for (index, check) in (checks ?? []).enumerated() {
      try check.checkRanges("\(path).checks[\(index)]", tokens: tokens)
    }
  }
}

extension [AttributionNode] {
  /// Goes through a list of parts and theirs; the path is only spelled out for an error.
  fileprivate func checkRanges(tokens: Int, path: () -> String) throws {
    for (index, node) in enumerated() {
      func place(_ field: String) -> String { "\(path())[\(index)].\(field)" }
      guard node.layer >= -1 else {
        throw ResultsError.outOfRange(place("layer"), node.layer, "-1 or more")
      }
      let wanted: (name: String, value: Int?)? =
        switch node.kind {
        case .head: ("head", node.head)
        case .neuron: ("neuron", node.neuron)
        case .expert: ("expert", node.expert)
        case .source: ("source", node.source)
        default: nil
        }
      if let wanted, wanted.value == nil { throw ResultsError.missing(place(wanted.name)) }
      if let head = node.head, head < 0 {
        throw ResultsError.outOfRange(place("head"), head, "0 or more")
      }
      if let neuron = node.neuron, neuron < 0 {
        throw ResultsError.outOfRange(place("neuron"), neuron, "0 or more")
      }
      if let expert = node.expert, expert < 0 {
        throw ResultsError.outOfRange(place("expert"), expert, "0 or more")
      }
      if let source = node.source, !(0..<tokens).contains(source) {
        throw ResultsError.outOfRange(place("source"), source, "a position of 'tokens'")
      }
      try node.children?.checkRanges(tokens: tokens) { place("children") }
    }
  }
}

extension CausalCheck {
  fileprivate func checkRanges(_ path: String, tokens: Int) throws {
    if let source {
      if let text = source.text, text < 0 {
        throw ResultsError.outOfRange("\(path).source.text", text, "0 or more")
      }
      // The length of a reference text is not in the result.
      guard source.position >= 0, source.text != nil || source.position < tokens else {
        throw ResultsError.outOfRange(
          "\(path).source.position", source.position, "a position of 'tokens'")
      }
    }
    for (index, row) in rows.enumerated() {
      func place(_ field: String) -> String { "\(path).rows[\(index)].\(field)" }
      guard row.layer >= -1 else {
        throw ResultsError.outOfRange(place("layer"), row.layer, "-1 or more")
      }
      if row.kind == .head, row.head == nil { throw ResultsError.missing(place("head")) }
      if row.kind == .neurons, row.neurons == nil { throw ResultsError.missing(place("neurons")) }
      if let head = row.head, head < 0 {
        throw ResultsError.outOfRange(place("head"), head, "0 or more")
      }
      for (at, neuron) in (row.neurons ?? []).enumerated() where neuron < 0 {
        throw ResultsError.outOfRange("\(place("neurons"))[\(at)]", neuron, "0 or more")
      }
    }
    for (index, kind) in agreement.enumerated() {
      let place = "\(path).agreement[\(index)]"
      guard kind.count >= 0 else {
        throw ResultsError.outOfRange("\(place).count", kind.count, "0 or more")
      }
      try checkCorrelation(kind.spearman, "\(place).spearman")
      if let share = kind.signAgreement, !(0...1).contains(share) {
        throw ResultsError.outOfRange("\(place).sign_agreement", share, "from 0 to 1")
      }
    }
  }
}

/// A rank correlation may pass 1 by what rounding leaves.
private func checkCorrelation(_ value: Double?, _ path: String) throws {
  if let value, !(abs(value) <= 1 + 1e-9) {
    throw ResultsError.outOfRange(path, value, "from -1 to 1")
  }
}
