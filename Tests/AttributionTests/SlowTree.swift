import LanguageModels
import Tensors
import TestSupport

/// The probability tree of one prediction from its definition: path-mean gradients by autograd through the
/// model's own head at many nodes, and every part's vector written out in plain loops.
struct SlowTree {
  let model: any LanguageModel
  let ids: [Int]
  let position: Int
  private let run: Run
  private let width: Int

  init(_ model: any LanguageModel, _ ids: [Int], at position: Int) throws {
    self.model = model
    self.ids = ids
    self.position = position
    width = model.shape.width
    run = try model.run([ids], capturing: model.sites)
  }

  /// A site's numbers at the prediction's position.
  private func row(_ site: Site) throws -> [Double] {
    try run.activations[site].slice(position..<position + 1, along: 1).values()
  }

  private func state(_ layer: Int) throws -> [Double] {
    try row(layer < 0 ? .embedding : .residual(layer, .after))
  }

  /// ∫₀¹ ∇F(a + t (b − a)) dt for F = p_y, with so many Gauss–Legendre nodes of each half.
  func gradient(_ a: [Double], _ b: [Double], token: Int, nodes: [Double], _ weights: [Double])
    -> [Double]
  {
    withRecording(true) {
      let path = nodes.flatMap { t in zip(a, b).map { $0 + t * ($1 - $0) } }
      let states = Tensor(path, [1, nodes.count, width], .float64).requiringGradient()
      let logits = model.unembedding.logits(states)
      let probability = logits.softmax(along: -1).slice(token..<token + 1, along: 2).sum
      let gradients =
        (try? probability.gradient(withRespectTo: [states])[0].values())
        ?? [Double](repeating: .nan, count: path.count)
      return (0..<width).map { k in
        weights.indices.reduce(0) { $0 + weights[$1] * gradients[$1 * width + k] }
      }
    }
  }

  /// The parts of a layer's update by the names of `NamedParts`, as vectors.
  func parts(of layer: Int) throws -> [String: [Double]] {
    let before = try state(layer - 1)
    let after = try state(layer)
    guard case .branches(let branches) = model.rule(of: layer) else {
      return ["mixer \(layer)": zip(after, before).map { $0 - $1 }]
    }
    let attention = try row(.attention(layer, .output))
    let network = try row(.feedForward(layer, .output))
    // What becomes of a vector that joins the stream where a branch does.
    var fromAttention: ([Double]) throws -> [Double] = { $0 }
    var fromNetwork = fromAttention
    var found: [String: [Double]] = [:]
    if let norms = branches.norms {
      let seen = zip(before, attention).map { $0 + $1 }
      let middle = try row(.residual(layer, .middle))
      let whole = zip(middle, network).map { $0 + $1 }
      fromNetwork = { try scaled($0, norms.feedForward, as: whole) }
      fromAttention = { try fromNetwork(scaled($0, norms.attention, as: seen)) }
      let first = try norms.attention.bias?.values() ?? Array(repeating: 0, count: width)
      let second = try norms.feedForward.bias?.values() ?? Array(repeating: 0, count: width)
      let carried = try fromAttention(before)
      let shift = try fromNetwork(first)
      found["residual \(layer)"] = (0..<width).map {
        carried[$0] + shift[$0] + second[$0] - before[$0]
      }
    }
    found["attention \(layer)"] = try fromAttention(attention)
    found["mlp \(layer)"] = try fromNetwork(network)
    let shape = model.shape
    let mixes = try row(.attention(layer, .heads))
    let weight = try branches.attention.output.weight.values()
    let inputs = shape.heads * shape.headWidth
    // A branch's own norm is between what is projected and what is added.
    if let norm = branches.attention.norm {
      let whole = try projected(mixes, branches.attention.output)
      fromAttention = { try scaled($0, norm, as: whole) }
    }
    func through(_ head: Int, _ mix: [Double]) throws -> [Double] {
      try fromAttention(
        (0..<width).map { out in
          mix.enumerated().reduce(0) {
            $0 + weight[out * inputs + head * shape.headWidth + $1.offset] * $1.element
          }
        })
    }
    let pattern = try run.activations[.attention(layer, .pattern)].values()
    let values = try run.activations[.attention(layer, .value)].values()
    for head in 0..<shape.heads {
      let own = mixes[head * shape.headWidth..<(head + 1) * shape.headWidth]
      found["head \(layer).\(head)"] = try through(head, Array(own))
      let group = head / (shape.heads / shape.keyValueHeads)
      for source in 0..<(model.isCausal ? position + 1 : ids.count) {
        let share = pattern[(head * ids.count + position) * ids.count + source]
        let start = (group * ids.count + source) * shape.headWidth
        found["source \(layer).\(head).\(source)"] = try through(
          head, values[start..<start + shape.headWidth].map { share * $0 })
      }
    }
    if let bias = try branches.attention.output.bias?.values() {
      found["attention bias \(layer)"] = try fromAttention(bias)
    }
    if let branch = branches.feedForward {
      let neurons = try row(.feedForward(layer, .hidden))
      if let norm = branch.norm {
        let whole = try projected(neurons, branch.output)
        fromNetwork = { try scaled($0, norm, as: whole) }
      }
      let columns = try branch.output.weight.values()
      for (neuron, value) in neurons.enumerated() {
        found["neuron \(layer).\(neuron)"] = try fromNetwork(
          (0..<width).map { columns[$0 * neurons.count + neuron] * value })
      }
      if let bias = try branch.output.bias?.values() {
        found["mlp bias \(layer)"] = try fromNetwork(bias)
      }
    } else {
      let experts = try row(.feedForward(layer, .experts))
      for expert in 0..<experts.count / width {
        found["expert \(layer).\(expert)"] = Array(
          experts[expert * width..<(expert + 1) * width])
      }
    }
    return found
  }

  /// What a branch's output projection makes of its input.
  private func projected(_ input: [Double], _ output: Linear) throws -> [Double] {
    let weight = try output.weight.values()
    let bias = try output.bias?.values() ?? Array(repeating: 0, count: width)
    return (0..<width).map { out in
      input.indices.reduce(bias[out]) { $0 + weight[out * input.count + $1] * input[$1] }
    }
  }

  /// A norm's linear part at the scale that another vector has.
  private func scaled(
    _ vector: [Double], _ norm: Norm, as other: [Double]
  ) throws -> [Double] {
    let weight = try norm.weight.values()
    func centred(_ x: [Double]) -> [Double] {
      let mean = norm.kind == .layer ? x.reduce(0, +) / Double(width) : 0
      return x.map { $0 - mean }
    }
    let square = centred(other).reduce(0) { $0 + $1 * $1 } / Double(width) + norm.epsilon
    return zip(centred(vector), weight).map { $0 * $1 / square.squareRoot() }
  }

  /// The scores of a layer's parts from the state before it (or from `start`), and F's change.
  func scores(
    of layer: Int, token: Int, from start: [Double]? = nil, nodes: [Double], weights: [Double]
  ) throws -> NamedParts {
    let gradient = try gradient(
      start ?? state(layer - 1), state(layer), token: token, nodes: nodes, weights)
    var parts = try parts(of: layer)
    if let start { parts["embedding"] = zip(try state(-1), start).map { $0 - $1 } }
    return parts.mapValues { zip($0, gradient).reduce(0) { $0 + $1.0 * $1.1 } }
  }
}
