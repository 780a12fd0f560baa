import Attribution
import Flow
import Foundation
import LanguageModels
import Tensors
import Testing

// The flows of one block from their definitions, with nothing but whole runs of the block: no derivative is
// taken otherwise than by moving what it is with respect to.
//
// On the path x(a) = b + a (z − b), what source i gives to target j is
//
//     ∫₀¹ d/dε S_j(x(a), with x_i at a + ε instead) da,
//
// by central differences in ε of a step that shrinks with a (what bends a path from zero bends it on the
// scale of a), ε = 10⁻⁵ a: some 10⁻¹¹ of the whole. What of it passes through head h is the same
// derivative of S_j with the head's mix at j moved as source i moves it, and all else held; what passes by
// the heads is that with the stream moved and all heads' mixes held.

/// The slow judge of flows, in float64.
struct SlowFlow {
  /// A row for each token.
  typealias Text = [[Double]]

  /// What an implementation could get wrong and still be complete.
  enum Fault {
    /// Every position sees every other.
    case allVisible
    /// Keys are rotated as if each stood one position further on.
    case shiftedKeys
    /// The stream moves together with the heads' mixes on the way of u → z′.
    case movedStream
  }

  /// Where the paths of tokens start.
  enum Start {
    case zero
    case itb
  }

  /// Nodes and weights of the integral.
  enum Rule {
    /// Gauss–Legendre.
    case plain(Int)
    /// Gauss–Legendre in t of a = (e^(rate t) − 1) / (e^rate − 1): a path that starts slowly.
    case graded(Int, rate: Double = log(1e4))
    /// k/(n − 1) with weights 1/n, half of it at the end, and nothing at a = 0.
    case published(Int)

    var nodes: [(place: Double, weight: Double)] {
      switch self {
      case .plain(let count):
        let rule = Quadrature.gaussLegendre(count)
        return zip(rule.nodes, rule.weights).map { ($0, $1) }
      case .graded(let count, let rate):
        let rule = Quadrature.gaussLegendre(count)
        return zip(rule.nodes, rule.weights).map {
          (expm1(rate * $0) / expm1(rate), rate * exp(rate * $0) / expm1(rate) * $1)
        }
      case .published(let count):
        return (1..<count).map {
          (Double($0) / Double(count - 1), ($0 == count - 1 ? 0.5 : 1) / Double(count))
        }
      }
    }
  }

  /// Attributions in the order of a result's arrays, the last axis running fastest.
  struct Flows {
    /// Z: source, target.
    var layer: [Double]
    /// ‖ΔF‖ by target.
    var layerTotals: [Double]
    /// A: source, target, head.
    var attention: [Double]
    /// ‖Δu‖: target, head.
    var attentionTotals: [Double]
    /// K: source, target, head.
    var conductance: [Double]
    /// R by target.
    var residual: [Double]
  }

  /// ε at a = 1.
  private static let step = 1e-5

  let model: any BlockwiseModel
  let layer: Int
  /// What enters the block.
  let tokens: Text
  var fault: Fault?
  private let positions: Positions

  init(_ ids: [Int], in model: any LanguageModel, layer: Int, fault: Fault? = nil) throws {
    let model = try #require(model as? any BlockwiseModel)
    self.model = model
    self.layer = layer
    self.fault = fault
    let site = Site.residual(layer, .before)
    let entering = try model.run([ids], capturing: [site]).activations[site].values()
    tokens = Self.rows(entering, model.shape.width)
    positions = model.positions(0..<ids.count)
  }

  var heads: Int { model.sites.contains(.attention(layer, .heads)) ? model.shape.heads : 0 }
  private var count: Int { tokens.count }

  // MARK: - Runs of the block

  private struct Outcome {
    /// All heads' mixes, joined.
    var mixes: [Text] = []
    /// The stream between attention and feed-forward network, where there is one.
    var middles: [Text] = []
    /// What leaves the block.
    var leaving: [Text] = []
  }

  private static func rows(_ values: [Double], _ width: Int) -> [[Double]] {
    stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
  }

  private func texts(_ tensor: Tensor?) throws -> [Text] {
    guard let values = try tensor?.values(), let tensor else { return [] }
    let all = Self.rows(values, values.count / tensor.size(0) / count)
    return stride(from: 0, to: all.count, by: count).map { Array(all[$0..<$0 + count]) }
  }

  private func tensor(_ texts: [Text]) -> Tensor {
    Tensor(texts.flatMap { $0.flatMap { $0 } }, [texts.count, count, texts[0][0].count], .float64)
  }

  /// Runs the block over several texts, with the heads' mixes or the stream between replaced.
  private func run(
    _ texts: [Text], mixes: [Text]? = nil, middles: [Text]? = nil
  ) throws -> Outcome {
    var all = Outcome()
    for start in stride(from: 0, to: texts.count, by: 1500) {
      let range = start..<min(texts.count, start + 1500)
      let part = try withRecording(false) {
        try runAtOnce(
          Array(texts[range]), mixes.map { Array($0[range]) }, middles.map { Array($0[range]) })
      }
      all.mixes += part.mixes
      all.middles += part.middles
      all.leaving += part.leaving
    }
    return all
  }

  private func runAtOnce(
    _ batch: [Text], _ mixes: [Text]?, _ middles: [Text]?
  ) throws -> Outcome {
    let (heads, middle) = (Site.attention(layer, .heads), Site.residual(layer, .middle))
    var sites = model.sites.intersection([heads, middle])
    var replaced: [Site: Tensor] = [:]
    if let mixes { replaced[heads] = tensor(mixes) }
    if let middles { replaced[middle] = tensor(middles) }
    if fault == .shiftedKeys {
      let key = Site.attention(layer, .key)
      let keys = try seen([key], batch.map { [$0[count - 1]] + $0.dropLast() })[key]
      replaced[key] = keys?.selecting((0..<count).map { ($0 + 1) % count }, along: 2)
      sites.insert(key)
    }
    if fault == .allVisible {
      let parts = [Site.attention(layer, .query), .attention(layer, .key)]
      let found = try seen(Set(parts), batch)
      if let query = found[parts[0]], let key = found[parts[1]] {
        let group = model.shape.heads / model.shape.keyValueHeads
        let keys = group == 1 ? key : key.repeatingEach(group, along: 1)
        let scale = 1 / Double(model.shape.headWidth).squareRoot()
        replaced[.attention(layer, .pattern)] =
          (query.matmul(keys.transposed(2, 3)) * scale).softmax(along: -1)
        sites.insert(.attention(layer, .pattern))
      }
    }
    let found = try seen(sites, batch, replaced)
    return Outcome(
      mixes: try texts(found[heads]?.contiguous), middles: try texts(found[middle]),
      leaving: try texts(found[.residual(layer, .after)]))
  }

  private func seen(
    _ sites: Set<Site>, _ batch: [Text], _ replaced: [Site: Tensor] = [:]
  ) throws -> [Site: Tensor] {
    var found: [Site: Tensor] = [:]
    let pass = Pass(sites: sites) { site, value in
      let next = replaced[site].map { $0.reshaped(value.shape) } ?? value
      found[site] = next
      return next
    }
    found[.residual(layer, .after)] = model.blocks(
      layer..<layer + 1, tensor(batch), positions, cache: nil, pass: pass)
    return found
  }

  // MARK: - Numbers of outputs

  private func length(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }

  /// S of an output on its way.
  private func measured(
    _ value: [Double], from start: [Double], to end: [Double], _ kind: FlowScalarisation
  ) -> Double {
    if kind == .length { return length(value, start) }
    let total = length(end, start)
    guard total > 0 else { return 0 }
    return value.indices.reduce(0) {
      $0 + (value[$1] - start[$1]) * (end[$1] - start[$1])
    } / total
  }

  private func part(_ head: Int, _ row: [Double]) -> [Double] {
    let width = row.count / model.shape.heads
    return Array(row[head * width..<(head + 1) * width])
  }

  private func between(_ a: [Double], _ b: [Double], _ place: Double) -> [Double] {
    zip(a, b).map { $0 + place * ($1 - $0) }
  }

  // MARK: - Tokens' paths

  private func paths(_ start: Start) -> [(start: Text, targets: [Int])] {
    switch start {
    case .zero:
      [(tokens.map { Array(repeating: 0, count: $0.count) }, Array(0..<count))]
    case .itb: (0..<count).map { (Array(repeating: tokens[$0], count: count), [$0]) }
    }
  }

  /// Z and A of paths that start there, and, split by heads, K and R.
  func flows(
    from start: Start, by rule: Rule, _ kind: FlowScalarisation = .length, split: Bool = true
  ) throws -> Flows {
    let blank = [Double](repeating: 0, count: count * count * heads)
    var flows = Flows(
      layer: Array(repeating: 0, count: count * count),
      layerTotals: Array(repeating: 0, count: count), attention: blank,
      attentionTotals: Array(repeating: 0, count: count * heads), conductance: blank,
      residual: Array(repeating: 0, count: count))
    for path in paths(start) {
      try follow(path.start, path.targets, rule, kind, split, into: &flows)
    }
    return flows
  }

  private func follow(
    _ start: Text, _ targets: [Int], _ rule: Rule, _ kind: FlowScalarisation,
    _ split: Bool, into flows: inout Flows
  ) throws {
    let ends = try run([start, tokens])
    func outer(_ row: [Double], _ target: Int) -> Double {
      measured(row, from: ends.leaving[0][target], to: ends.leaving[1][target], kind)
    }
    func inner(_ row: [Double], _ target: Int, _ head: Int) -> Double {
      measured(
        part(head, row), from: part(head, ends.mixes[0][target]),
        to: part(head, ends.mixes[1][target]), kind)
    }
    for target in targets {
      flows.layerTotals[target] = length(ends.leaving[0][target], ends.leaving[1][target])
      for head in 0..<heads {
        flows.attentionTotals[target * heads + head] = length(
          part(head, ends.mixes[0][target]), part(head, ends.mixes[1][target]))
      }
    }
    func at(_ places: [Double]) -> Text {
      places.indices.map { between(start[$0], tokens[$0], places[$0]) }
    }

    let nodes = rule.nodes
    let steps = nodes.map { Self.step * $0.place }
    // Of each node: the path itself, then each source a step on and a step back.
    var moved: [Text] = []
    for (node, step) in zip(nodes, steps) {
      let here = Array(repeating: node.place, count: count)
      moved.append(at(here))
      for source in 0..<count {
        for shift in [step, -step] {
          var places = here
          places[source] += shift
          moved.append(at(places))
        }
      }
    }
    let met = try run(moved)
    let stride = 1 + 2 * count
    for index in nodes.indices {
      let factor = nodes[index].weight / (2 * steps[index])
      for source in 0..<count {
        let on = index * stride + 1 + 2 * source
        for target in targets {
          flows.layer[source * count + target] +=
            factor
            * (outer(met.leaving[on][target], target) - outer(met.leaving[on + 1][target], target))
          for head in 0..<heads {
            flows.attention[(source * count + target) * heads + head] +=
              factor
              * (inner(met.mixes[on][target], target, head)
                - inner(met.mixes[on + 1][target], target, head))
          }
        }
      }
    }
    guard split, heads > 0 else { return }

    // Of each node: the stream a step on and a step back with the mixes held, then each head's mix moved as
    // each source moves it with the stream held.
    var streams: [Text] = []
    var mixes: [Text] = []
    for index in nodes.indices {
      let base = index * stride
      for shift in [steps[index], -steps[index]] {
        streams.append(at(Array(repeating: nodes[index].place + shift, count: count)))
        mixes.append(met.mixes[base])
      }
      for source in 0..<count {
        let on = base + 1 + 2 * source
        for head in 0..<heads {
          for side in [on, on + 1] {
            var held = met.mixes[base]
            let width = held[0].count / heads
            for target in targets {
              for place in head * width..<(head + 1) * width {
                held[target][place] = met.mixes[side][target][place]
              }
            }
            streams.append(moved[base])
            mixes.append(held)
          }
        }
      }
    }
    let parted = try run(streams, mixes: mixes)
    let size = 2 + 2 * count * heads
    for index in nodes.indices {
      let factor = nodes[index].weight / (2 * steps[index])
      func change(_ on: Int, _ target: Int) -> Double {
        factor
          * (outer(parted.leaving[on][target], target)
            - outer(parted.leaving[on + 1][target], target))
      }
      for target in targets {
        flows.residual[target] += change(index * size, target)
        for source in 0..<count {
          for head in 0..<heads {
            flows.conductance[(source * count + target) * heads + head] += change(
              index * size + 2 + 2 * (source * heads + head), target)
          }
        }
      }
    }
  }

  // MARK: - Heads' paths

  /// M on the axes target, head, and ‖ΔF‖ by target.
  func feedForward(
    from start: FeedForwardBaseline, _ boundary: FlowBoundary, by rule: Rule,
    _ kind: FlowScalarisation = .length
  ) throws -> (values: [Double], totals: [Double]) {
    let whole = try run([tokens])
    func entering(_ outcome: Outcome, _ text: Int) -> Text {
      boundary == .strict ? outcome.mixes[text] : outcome.middles[text]
    }
    let end = entering(whole, 0)
    var origin = end.map { Array(repeating: 0.0, count: $0.count) }
    if start == .attITB {
      let alone = try run((0..<count).map { Array(repeating: tokens[$0], count: count) })
      for target in 0..<count { origin[target] = entering(alone, target)[target] }
    }
    func leaving(_ entering: [Text], at places: [Double]) throws -> [Text] {
      let streams = places.map { place in
        fault == .movedStream ? tokens.map { $0.map { $0 * place } } : tokens
      }
      return boundary == .strict
        ? try run(streams, mixes: entering).leaving : try run(streams, middles: entering).leaving
    }
    let ends = try leaving([origin, end], at: [0, 1])
    let parts = model.shape.heads
    var (texts, places): ([Text], [Double]) = ([], [])
    let nodes = rule.nodes
    for node in nodes {
      for head in 0..<parts {
        for shift in [Self.step * node.place, -Self.step * node.place] {
          places.append(node.place)
          texts.append(
            zip(origin, end).map { origin, end in
              let width = end.count / parts
              return end.indices.map {
                let place = node.place + ($0 / width == head ? shift : 0)
                return origin[$0] + place * (end[$0] - origin[$0])
              }
            })
        }
      }
    }
    let found = try leaving(texts, at: places)
    var values = [Double](repeating: 0, count: count * parts)
    for (index, node) in nodes.enumerated() {
      for head in 0..<parts {
        let on = 2 * (index * parts + head)
        for target in 0..<count {
          let sides = [on, on + 1].map {
            measured(found[$0][target], from: ends[0][target], to: ends[1][target], kind)
          }
          values[target * parts + head] +=
            node.weight * (sides[0] - sides[1]) / (2 * Self.step * node.place)
        }
      }
    }
    return (values, (0..<count).map { length(ends[0][$0], ends[1][$0]) })
  }

  // MARK: - Ratios

  /// α of each target on itself, by head: target, head.
  func selfAttention() throws -> [Double] {
    let site = Site.attention(layer, .pattern)
    let pattern = try seen([site], [tokens])[site]?.values() ?? []
    return (0..<count).flatMap { target in
      (0..<heads).map { pattern[($0 * count + target) * count + target] }
    }
  }

  /// Columns of ITB with an entry for the target itself, as published: ρ times the others' sum, and the whole
  /// column scaled to its old sum.
  func shared(_ columns: [Double], _ ratios: [Double]) -> [Double] {
    let cells = ratios.count
    var made = columns
    for cell in 0..<cells {
      let target = cell / (cells / count)
      let others = (0..<count).filter { $0 != target }
      let rest = others.reduce(0) { $0 + columns[$1 * cells + cell] }
      let total = rest + columns[target * cells + cell]
      made[target * cells + cell] = ratios[cell] * rest
      let sum = rest + ratios[cell] * rest
      let scale = abs(sum) <= 1e-8 ? 1 : total / sum
      for source in 0..<count { made[source * cells + cell] *= scale }
    }
    return made
  }

  /// w_j / Σ_{i≠j} w_i of each column of a zero baseline.
  func zeroRatios(_ columns: [Double]) -> [Double] {
    let cells = columns.count / count
    return (0..<cells).map { cell in
      let target = cell / (cells / count)
      let rest = (0..<count).filter { $0 != target }
        .reduce(0) { $0 + columns[$1 * cells + cell] }
      return abs(rest) <= 1e-8 ? 0 : columns[target * cells + cell] / rest
    }
  }

  /// α / (1 − α) of each target's attention to itself: target, head.
  func mapRatios() throws -> [Double] {
    try selfAttention().map { abs(1 - $0) <= 1e-8 ? 0 : $0 / (1 - $0) }
  }
}
