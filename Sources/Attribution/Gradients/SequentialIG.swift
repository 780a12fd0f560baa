public import LanguageModels
public import Results
internal import Tensors

// Each token by itself: the path moves its embedding alone, from what stands for it to its own, while the other tokens
// are there (Enguehard 2023). A token's score sums over the embedding to the change that putting the token back makes,
//
//     Σ_d SIG_{i,d} = m(x) − m(x with x_i = x′_i)
//
// which is occlusion, known in one forward pass a token. What the integral adds is how a coordinate shares in it.

/// Sequential integrated gradients at the embeddings.
public struct SequentialIG: GradientMethod {
  /// The points of each token's path.
  public var rule: PathRule

  /// A path rule with a fixed number of steps.
  public init(_ rule: PathRule = .gaussLegendre(20)) { self.rule = rule }

  /// The scores; a pass each way at every node for each token.
  public func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void = { _ in }
  ) throws -> SiteScores {
    guard sites == [.embedding], setting.batch == 1 else {
      throw AttributionError(
        .usage,
        "Sequential integrated gradients score the tokens of one text; leave out other units.")
    }
    let tokens = setting.ids[0].count
    let (x, start) = (setting.embedding, setting.startEmbedding)
    var rows: [Tensor] = []
    var (expected, whole, passes, nodes) = (0.0, [Double](), PassCount(forward: 0, backward: 0), 0)
    for token in 0..<tokens {
      let from = try withEngineErrors {
        Tensor.concatenating(
          [
            x.slice(0..<token, along: 1), start.slice(token..<token + 1, along: 1),
            x.slice(token + 1..<tokens, along: 1),
          ].filter { $0.size(1) > 0 }, along: 1)
      }
      let path = PathIntegral(
        .embedding, from: from, to: x, rowsAtOnce: setting.rowsAtOnce, of: setting.function())
      let found = try path.scores(of: [.embedding], rule, .endPoint)
      if let values = found.values[.embedding] {
        rows.append(values.slice(token..<token + 1, along: 1))
      }
      expected += zip(found.end, found.start).reduce(0) { $0 + $1.0 - $1.1 }
      whole = found.end
      passes = passes + found.passes
      nodes = max(nodes, found.nodes)
      progress(Double(token + 1) / Double(tokens))
    }
    return SiteScores(
      values: [.embedding: Tensor.concatenating(rows, along: 1)], end: whole,
      expected: [.embedding: expected], nodes: nodes, passes: passes)
  }

  /// `sequential-ig`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(
      name: "sequential-ig", path: "input", rule, estimator: .endPoint,
      baseline: setting.start.name)
  }

  /// It sums to the sum of what the tokens change, one by one.
  public func noSum(at site: Site) -> String? { nil }
}
