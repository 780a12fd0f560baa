internal import Results

// A span's parts are its tokens' parts, added up part by part.

extension AttributionNode {
  /// What makes two nodes the same part.
  private struct Part: Hashable {
    var kind: Kind
    var layer: Int
    var head: Int?
    var neuron: Int?
    var expert: Int?
    var source: Int?

    init(_ node: AttributionNode) {
      kind = node.kind
      layer = node.layer
      head = node.head
      neuron = node.neuron
      expert = node.expert
      source = node.source
    }
  }

  /// The sum of several trees: each part's values and residuals added, in the order of first sight.
  static func sum(_ trees: [[AttributionNode]]) -> [AttributionNode] {
    var order: [Part] = []
    var groups: [Part: [AttributionNode]] = [:]
    for node in trees.joined() {
      let part = Part(node)
      if groups[part] == nil { order.append(part) }
      groups[part, default: []].append(node)
    }
    return order.compactMap { part in
      guard let nodes = groups[part], var sum = nodes.first else { return nil }
      sum.value = nodes.reduce(0) { $0 + $1.value }
      sum.residual = nodes.reduce(0) { $0 + $1.residual }
      let children = Self.sum(nodes.compactMap(\.children))
      sum.children = children.isEmpty ? nil : children
      return sum
    }
  }

  /// The same with only the largest neurons listed, and the rest as one part.
  func listing(_ choice: NeuronChoice) -> AttributionNode {
    guard case .largest(let count) = choice, kind == .mlp, let children else { return self }
    let neurons = children.filter { $0.kind == .neuron }.sorted {
      (abs($0.value), $1.neuron ?? 0) > (abs($1.value), $0.neuron ?? 0)
    }
    guard neurons.count > count else { return self }
    let rest = neurons.dropFirst(count).reduce(0) { $0 + $1.value }
    var copy = self
    copy.children =
      neurons.prefix(count) + [AttributionNode(kind: .others, layer: layer, value: rest)]
      + children.filter { $0.kind != .neuron }
    return copy
  }
}

extension NeuronChoice {
  /// How many are listed at most; nil for none or all.
  var count: Int? {
    if case .largest(let count) = self { count } else { nil }
  }
}
