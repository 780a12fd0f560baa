public import LanguageModels
public import Results
internal import Tensors

// A straight path leads through vectors that no word has. Here each token goes by way of words (Sanyal and Ren 2021):
// from its vector w, with b the baseline's, the next word is the one among the nearest neighbours of the last that lies
// most between,
//
//     a* = argmin_a ‖a − mono(a)‖,    mono(a)_d = a_d where it lies between w_d and b_d, else w_d − (w_d − b_d)/n,
//
// with n the steps that are left, so that the path arrives (the published code divides by all steps, and a third of
// the way remains for the last). The path goes on at mono(a*), so that every coordinate moves towards b and none back. Along the points x_k,
// from the text to the baseline, A = Σ_k ∂m/∂x_k ⊙ (x_k − x_{k+1}).

/// Discretized integrated gradients at the embeddings, greedy.
public struct DiscretizedIG: GradientMethod {
  /// Words on the way.
  public var steps: Int
  /// Words that are looked at for each step.
  public var neighbours: Int

  /// Steps and neighbours.
  public init(steps: Int = 30, neighbours: Int = 500) {
    self.steps = steps
    self.neighbours = neighbours
  }

  /// The scores; a pass each way at every step, and T · vocabulary · width multiplications at every step.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    guard sites == [.embedding], setting.batch == 1 else {
      throw AttributionError(
        .usage,
        "Discretized integrated gradients score the tokens of one text; leave out other units.")
    }
    guard let words = (setting.model as? Transformer)?.embedding.words else {
      throw AttributionError(
        .usage,
        "\(setting.model.shape.architecture) normalises its embeddings, so no word's vector stands in the stream; "
          + "use ig.")
    }
    return try withEngineErrors {
      let points = try path(through: words, setting) { progress(0.5 * $0) }
      return try sum(along: points, setting) { progress(0.5 + 0.5 * $0) }
    }
  }

  /// `dig`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "dig", path: "input", quadrature: "left", steps: steps, estimator: "end-point",
      rules: "gradient", baseline: setting.start.name)
  }

  /// It sums to the metric's change, as far as its steps are small.
  public func noSum(at site: Site) -> String? { nil }

  private func sum(
    along points: [Tensor], _ setting: GradientSetting, _ progress: (Double) -> Void
  ) throws -> SiteScores {
    let function = setting.function()
    var sum: Tensor?
    var metrics: [Double] = []
    for chunk in Array(points.indices).chunked(setting.rowsAtOnce) {
      let (slopes, metric) = withRecording(true) {
        let x = Tensor.concatenating(chunk.map { points[$0] }, along: 0).requiringGradient()
        let metric = function(x, .plain)
        return (metric.gradient(withRespectTo: [x])[0], metric.detached)
      }
      metrics += try metric.values()
      for (row, place) in chunk.enumerated() where place + 1 < points.count {
        let step = slopes.slice(row..<row + 1, along: 0) * (points[place] - points[place + 1])
        sum = sum.map { $0 + step } ?? step
      }
      progress(Double(metrics.count) / Double(points.count))
    }
    guard let sum, let whole = metrics.first, let rest = metrics.last else {
      preconditionFailure("a path has two ends")
    }
    return SiteScores(
      values: [.embedding: sum], end: [whole], start: [rest],
      expected: [.embedding: whole - rest], nodes: points.count - 1,
      passes: PassCount(forward: Double(points.count), backward: Double(points.count - 1)))
  }

  /// The points of all tokens' paths, from the text to the baseline: [1, position, width] each.
  private func path(
    through words: Tensor, _ setting: GradientSetting, _ progress: (Double) -> Void
  ) throws -> [Tensor] {
    let shape = setting.embedding.shape
    let (tokens, width) = (shape[1], shape[2])
    let table = Neighbourhood(words, count: min(neighbours, words.size(0)))
    var current = try setting.embedding.values()
    let target = try setting.startEmbedding.values()
    var anchors = setting.ids[0]
    var points = [setting.embedding]
    for step in 0..<steps - 1 {
      for token in 0..<tokens {
        let place = token * width..<(token + 1) * width
        // What else stands at the token's place: its position's vector.
        let first = try table.vector(setting.ids[0][token])
        let added = zip(try setting.embedding.row(token), first).map { $0 - $1 }
        let (from, to) = (Array(current[place]), Array(target[place]))
        guard
          let next = try table.most(between: from, to, added, near: anchors[token], steps - step)
        else { continue }
        anchors[token] = next.word
        current.replaceSubrange(place, with: next.vector)
      }
      points.append(Tensor(current, shape, setting.embedding.type, on: setting.embedding.device))
      progress(Double(step + 1) / Double(steps))
    }
    return points + [setting.startEmbedding]
  }
}

extension Tensor {
  /// A row of [1, rows, width].
  fileprivate func row(_ row: Int) throws -> [Double] {
    try slice(row..<row + 1, along: 1).values()
  }
}

/// Words and those nearest to them, found when asked for and kept.
private final class Neighbourhood {
  private let words: Tensor
  private let count: Int
  private let squares: Tensor
  private var vectors: [Int: [Double]] = [:]
  private var nearest: [Int: (ids: [Int], vectors: [Double])] = [:]

  init(_ words: Tensor, count: Int) {
    self.words = words
    self.count = count
    squares = (words * words).sum(along: -1)
  }

  func vector(_ word: Int) throws -> [Double] {
    if let known = vectors[word] { return known }
    let found = try words.selecting([word], along: 0).values()
    vectors[word] = found
    return found
  }

  /// The neighbour of a word that lies most between two vectors, with its coordinates made to.
  func most(
    between from: [Double], _ to: [Double], _ added: [Double], near word: Int,
    _ left: Int
  ) throws -> (word: Int, vector: [Double])? {
    let (ids, rows) = try neighbours(of: word)
    let width = from.count
    var best: (distance: Double, place: Int)?
    for (place, id) in ids.enumerated() where id != word {
      var distance = 0.0
      for d in 0..<width {
        let a = rows[place * width + d] + added[d]
        guard a < min(from[d], to[d]) || a > max(from[d], to[d]) else { continue }
        let moved = from[d] - (from[d] - to[d]) / Double(left)
        distance += (a - moved) * (a - moved)
        if let best, distance >= best.distance { break }
      }
      if best.map({ distance < $0.distance }) ?? true { best = (distance, place) }
    }
    guard let best else { return nil }
    let vector = (0..<width).map { d in
      let a = rows[best.place * width + d] + added[d]
      return a < min(from[d], to[d]) || a > max(from[d], to[d])
        ? from[d] - (from[d] - to[d]) / Double(left) : a
    }
    return (ids[best.place], vector)
  }

  private func neighbours(of word: Int) throws -> (ids: [Int], vectors: [Double]) {
    if let known = nearest[word] { return known }
    // ‖e − w‖² = ‖e‖² − 2 ⟨e, w⟩ + ‖w‖², of which the last is the same for all.
    let distances = try
      (squares - words.matmul(words.selecting([word], along: 0).reshaped([-1, 1])).reshaped([-1])
      * 2)
      .values()
    let least = distances.sorted()[count - 1]
    let ids = Array(distances.indices.filter { distances[$0] <= least }.prefix(count))
    let found = (ids, try words.selecting(ids, along: 0).values())
    nearest[word] = found
    return found
  }
}
