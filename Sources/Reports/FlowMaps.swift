import Results

/// A map of one layer as reports name and read it.
struct FlowMaps {
  /// One map.
  struct Entry {
    /// As in the JSON: `layer_flow`, `composed.product`, `heads.conductance`.
    var key: String
    /// As people read it.
    var name: String
    /// Between which boundaries it stands.
    var between: String
    /// Where its paths start.
    var baseline: String?
    /// Its numbers.
    var array: AxisArray
    /// What its columns should sum to, of maps that are integrals of their own.
    var map: FlowMap?
  }

  /// The maps that a layer has, the whole before its parts.
  static func entries(of layer: FlowLayer) -> [Entry] {
    var entries: [Entry] = []
    func add(_ key: String, _ name: String, _ between: String, _ from: String?, _ map: FlowMap?) {
      guard let map else { return }
      entries.append(
        Entry(
          key: key, name: name, between: between, baseline: from, array: map.array, map: map))
    }
    add("layer_flow", "layer", "z → z′", layer.baseline.layer, layer.layerFlow)
    for (name, array) in (layer.composed ?? [:]).sorted(by: { $0.key < $1.key }) {
      entries.append(
        Entry(key: "composed." + name, name: name, between: "z → u → z′", array: array))
    }
    add(
      "attention_flow", "attention", "z → u", layer.baseline.attention, layer.attentionFlow)
    add(
      "feed_forward_flow", "feed-forward", "u → z′", layer.baseline.feedForward,
      layer.feedForwardFlow)
    if let heads = layer.heads {
      entries.append(
        Entry(
          key: "heads.conductance", name: "heads", between: "z → u → z′",
          baseline: layer.baseline.layer, array: heads.conductance))
    }
    return entries
  }

  /// Boundaries where a terminal has no arrow.
  static func ascii(_ between: String) -> String {
    between.replacing("→", with: "->").replacing("′", with: "'")
  }

  /// One number of a column with where it comes from.
  struct Term {
    var source: Int?
    var head: Int?
    var target: Int
    var value: Double
  }

  /// The numbers of one target, by place on the axes; of all targets for nil.
  static func terms(_ array: AxisArray, of target: Int?) -> [Term] {
    let hasSource = array.axes.first == "source"
    let hasHead = array.axes.last == "head"
    let heads = hasHead ? array.shape[array.shape.count - 1] : 1
    let targets = array.shape[hasSource ? 1 : 0]
    let sources = hasSource ? array.shape[0] : 1
    var terms: [Term] = []
    for source in 0..<sources {
      for column in target.map({ $0...$0 }) ?? 0...max(0, targets - 1) {
        for head in 0..<heads {
          let place = (source * targets + column) * heads + head
          terms.append(
            Term(
              source: hasSource ? source : nil, head: hasHead ? head : nil, target: column,
              value: array.values[place]))
        }
      }
    }
    return terms
  }

  /// The strongest, first.
  static func strongest(_ terms: [Term], _ count: Int) -> [Term] {
    // Places break ties, so that the same numbers always give the same report.
    let ranked = terms.enumerated().filter { $0.element.value != 0 }.sorted {
      (abs($1.element.value), $0.offset) < (abs($0.element.value), $1.offset)
    }
    return ranked.prefix(max(0, count)).map(\.element)
  }

  /// What the totals or errors of a target come to: a sum over heads, or the worst of them.
  static func ofTarget(
    _ array: AxisArray, _ target: Int, _ gather: ([Double]) -> Double
  ) -> Double {
    let heads = array.axes.last == "head" ? array.shape[array.shape.count - 1] : 1
    return gather(Array(array.values[target * heads..<(target + 1) * heads]))
  }
}
