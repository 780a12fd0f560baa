internal import LanguageModels
internal import Tensors

// What a block's attention adds to the stream at token i is a sum over heads and sources,
//
//     Σ_h Σ_j α_hij W_Oʰ v_hj + b_O,
//
// v with the bias of the values: a row of α sums to 1, so that bias is of the sources as the paper's f(x) has it,
// and b_O is of none. Norms that the sum passes on its way into the stream (a branch's own, a post-norm block's)
// are linear at the scale that the run had, without their shifts, which are of none either.

/// What a block's attention did in a text, as vectors in the stream.
struct AttentionVectors {
  /// Query heads.
  let heads: Int
  /// Tokens.
  let count: Int
  /// α: [head, query, key].
  let pattern: Tensor
  /// W_Oʰ v: [head, key, width].
  let values: Tensor
  /// What entered the block: [query, width].
  let before: Tensor
  /// How a branch's sum reaches the stream, with the scales of each query.
  let way: BranchWay
  /// What leaves attention, less the shifts of post-norms: the stream, and all that attention adds to it:
  /// [query, width].
  let after: Tensor

  /// The sites of a block that are needed.
  static func sites(_ layer: Int) -> [Site] {
    [
      .residual(layer, .before), .attention(layer, .pattern), .attention(layer, .value),
      .attention(layer, .heads), .attention(layer, .output),
    ]
  }

  /// Reads a block's run, in double.
  init(_ branches: BlockBranches, _ layer: Int, _ seen: (Site) -> Tensor) {
    func wide(_ site: Site) -> Tensor {
      let value = seen(site)
      return value.reshaped(Array(value.shape.dropFirst())).to(.float64, on: .cpu)
    }
    let pattern = wide(.attention(layer, .pattern))
    let own = wide(.attention(layer, .value))
    heads = pattern.size(0)
    count = pattern.size(1)
    self.pattern = pattern
    let shared = own.repeatingEach(heads / own.size(0), along: 0)
    var branch = branches.attention
    branch.output.weight = branch.output.weight.to(.float64, on: .cpu)
    branch.output.bias = branch.output.bias?.to(.float64, on: .cpu)
    let width = branch.output.weight.size(0)
    let outputs = branch.output.weight.reshaped([width, heads, shared.size(2)])
      .transposed(0, 1).transposed(1, 2)
    values = shared.matmul(outputs)
    let before = wide(.residual(layer, .before))
    self.before = before
    let added = wide(.attention(layer, .output))
    let joined = wide(.attention(layer, .heads)).reshaped([count, heads * shared.size(2)])
    let post = branches.norms.map { [NormMap($0.attention.wide, at: before + added)] } ?? []
    way = BranchWay(
      Branch(output: branch.output, norm: branch.norm?.wide), at: joined, post: post)
    after = post.reduce(before + added) { $1($0) }
  }

  /// What the stream itself is of what leaves attention: [query, width].
  var stream: Tensor { way.post.reduce(before) { $1($0) } }

  /// What each of some sources gives each query, heads together: [source, query, width].
  func summed(_ sources: Range<Int>) -> Tensor {
    // [source, query, head] · [source, head, width]
    let weights = pattern.slice(sources, along: 2).transposed(0, 2)
    return way(weights.matmul(values.slice(sources, along: 1).transposed(0, 1)))
  }
}

extension LanguageModel {
  /// How each block's attention adds to the stream.
  ///
  /// - Throws: `AttributionError` that names the first block without attention, or whose attention is not
  ///   known to be a sum.
  func attentionBranches() throws -> [BlockBranches] {
    try requireAttention()
    return try (0..<shape.layers).map { layer in
      guard case .branches(let branches)? = rule(of: layer) else {
        throw AttributionError(
          .usage,
          "Block \(layer) of \(shape.architecture) has no rule that splits its update into attention and "
            + "feed-forward network, so what its heads add is not known; use rollout or attention-flow, "
            + "which need patterns alone.")
      }
      return branches
    }
  }
}

/// Shows blocks' attention while a text runs, each when all of it was seen.
final class AttentionWatch {
  private let branches: [BlockBranches]
  private let visit: (Int, AttentionVectors) throws -> Void
  private var held: [Site: Tensor] = [:]
  private var failure: (any Error)?

  init(
    _ branches: [BlockBranches], visit: @escaping (_ layer: Int, AttentionVectors) throws -> Void
  ) {
    self.branches = branches
    self.visit = visit
  }

  /// Runs the text once.
  func run(_ ids: [Int], in model: any LanguageModel) throws {
    let sites = Set(branches.indices.flatMap(AttentionVectors.sites))
    _ = try withRecording(false) {
      try model.run(
        [ids],
        pass: Pass(sites: sites) { [self] site, value in
          held[site] = value
          if case .attention(let layer, .output) = site, failure == nil {
            do {
              try visit(
                layer, AttentionVectors(branches[layer], layer) { held[$0] ?? value })
            } catch { failure = error }
            held = [:]
          }
          return value
        })
    }
    if let failure { throw failure }
  }
}
