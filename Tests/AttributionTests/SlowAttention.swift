import Attribution
import LanguageModels
import Tensors

/// What each head brings each token from each other, with loops over plain numbers.
struct SlowAttention {
  private let count: Int
  private let heads: Int
  private let width: Int
  private var values: [Site: [Double]] = [:]
  private let shared: Int
  private let headWidth: Int
  private let norms: [(own: PlainNorm?, post: PlainNorm?)]
  /// Whether both branches read what enters the block, and what leaves it is the sum of the three.
  private let isParallel: Bool
  private let outputs: [(weight: [Double], bias: [Double]?)]

  /// A norm as plain numbers.
  struct PlainNorm {
    var kind: Norm.Kind
    var weight: [Double]
    var epsilon: Double

    init(_ norm: Norm) throws {
      kind = norm.kind
      weight = try norm.weight.values()
      epsilon = norm.epsilon
    }

    /// The linear part, at the scale that another vector has.
    func linear(_ x: [Double], at y: [Double]) -> [Double] {
      func centred(_ v: [Double]) -> [Double] {
        guard kind == .layer else { return v }
        let mean = v.reduce(0, +) / Double(v.count)
        return v.map { $0 - mean }
      }
      let own = centred(y)
      let scale = (own.reduce(0) { $0 + $1 * $1 } / Double(own.count) + epsilon).squareRoot()
      return zip(centred(x), weight).map { $0 * $1 / scale }
    }
  }

  init(_ ids: [Int], in model: any LanguageModel) throws {
    count = ids.count
    heads = model.shape.heads
    shared = model.shape.keyValueHeads
    headWidth = model.shape.headWidth
    width = model.shape.width
    isParallel = !model.sites.contains(.residual(0, .middle))
    let rules: [BlockBranches] = (0..<model.shape.layers).compactMap {
      if case .branches(let branches)? = model.rule(of: $0) { branches } else { nil }
    }
    norms = try rules.map {
      (try $0.attention.norm.map(PlainNorm.init), try $0.norms.map { try PlainNorm($0.attention) })
    }
    outputs = try rules.map {
      (try $0.attention.output.weight.values(), try $0.attention.output.bias?.values())
    }
    let sites = Set(
      (0..<model.shape.layers).flatMap { layer -> [Site] in
        [
          .residual(layer, .before), .attention(layer, .pattern), .attention(layer, .value),
          .attention(layer, .output), .feedForward(layer, .output), .residual(layer, .after),
        ]
      })
    let run = try model.run([ids], capturing: sites)
    for site in sites { values[site] = try run.activations[site].reshaped([-1]).values() }
  }

  private func row(_ site: Site, _ token: Int) -> [Double] {
    let all = values[site] ?? []
    return Array(all[token * width..<(token + 1) * width])
  }

  /// W_O of one head's share of a source, before any norm.
  private func brought(_ layer: Int, _ head: Int, _ query: Int, _ source: Int) -> [Double] {
    let pattern = values[.attention(layer, .pattern)] ?? []
    let value = values[.attention(layer, .value)] ?? []
    let weight = outputs[layer].weight
    let alpha = pattern[(head * count + query) * count + source]
    let group = head / (heads / shared)
    return (0..<width).map { row in
      (0..<headWidth).reduce(0.0) { sum, k in
        sum + weight[row * heads * headWidth + head * headWidth + k] * alpha
          * value[(group * count + source) * headWidth + k]
      }
    }
  }

  /// All of a branch's sum, with its bias: what its own norm sees.
  private func sum(_ layer: Int, _ query: Int) -> [Double] {
    var sum = outputs[layer].bias ?? [Double](repeating: 0, count: width)
    for head in 0..<heads {
      for source in 0..<count {
        for (k, number) in brought(layer, head, query, source).enumerated() { sum[k] += number }
      }
    }
    return sum
  }

  /// A vector of the branch or of the stream as it reaches the stream behind the block's attention.
  private func arrived(
    _ vector: [Double], _ layer: Int, _ query: Int, isOfBranch: Bool
  ) -> [Double] {
    var vector = vector
    if isOfBranch, let own = norms[layer].own {
      vector = own.linear(vector, at: sum(layer, query))
    }
    guard let post = norms[layer].post else { return vector }
    let whole = zip(row(.residual(layer, .before), query), row(.attention(layer, .output), query))
      .map { $0 + $1 }
    return post.linear(vector, at: whole)
  }

  /// [query · count + source].
  func norms(_ layer: Int, ofBlock: Bool) -> [Double] {
    (0..<count * count).map { place in
      let (query, source) = (place / count, place % count)
      var vector = [Double](repeating: 0, count: width)
      for head in 0..<heads {
        for (k, number) in brought(layer, head, query, source).enumerated() { vector[k] += number }
      }
      vector = arrived(vector, layer, query, isOfBranch: true)
      if ofBlock, query == source {
        let own = arrived(
          row(.residual(layer, .before), query), layer, query, isOfBranch: false)
        for k in vector.indices { vector[k] += own[k] }
      }
      return vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
  }

  /// The importances of what arrives at a token behind a block's attention, or, where its branches read the same stream,
  /// behind the block: by `residual`, `feed-forward` and `head source`.
  func importances(_ layer: Int, at query: Int) -> [String: Double] {
    let stream = arrived(row(.residual(layer, .before), query), layer, query, isOfBranch: false)
    var terms: [String: [Double]] = ["residual": stream]
    for head in 0..<heads {
      for source in 0..<count {
        terms["\(head) \(source)"] = arrived(
          brought(layer, head, query, source), layer, query, isOfBranch: true)
      }
    }
    var whole = zip(
      row(.residual(layer, .before), query), row(.attention(layer, .output), query)
    ).map { $0 + $1 }
    if isParallel {
      terms["feed-forward"] = row(.feedForward(layer, .output), query)
      whole = row(.residual(layer, .after), query)
    } else if norms[layer].post != nil {
      whole = arrived(whole, layer, query, isOfBranch: false)
    }
    func length(_ x: [Double]) -> Double { x.reduce(0) { $0 + abs($1) } }
    let near = terms.mapValues { term in
      max(0, length(whole) - length(zip(whole, term).map { $0 - $1 }))
    }
    let sum = near.values.reduce(0, +)
    return near.mapValues { $0 / sum }
  }
}
