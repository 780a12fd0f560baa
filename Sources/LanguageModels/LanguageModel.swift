public import Tensors

/// A transformer that predicts tokens: its sizes, its sites, its blocks and its readout.
public protocol LanguageModel {
  /// The sizes.
  var shape: ModelShape { get }
  /// The sites that a pass can visit.
  var sites: Set<Site> { get }
  /// The final norm and the head.
  var unembedding: Unembedding { get }

  /// The residual stream that the final norm receives, [batch, position, width].
  ///
  /// For use through `run`, which checks ids and sites first.
  func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor

  /// How a block's heads and neurons add to the residual stream; nil where they do not add, and
  /// the block cannot be split by the rules that there are.
  func branches(of layer: Int) -> BlockBranches?
}

/// A model whose blocks see other positions through causal attention alone, so that it can be run
/// again in part: from any block on, at one position or at all.
public protocol Decoder: LanguageModel {
  /// What the first block receives: [batch, position, width], for tokens that stand from `start` on.
  func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor

  /// Some of the blocks, in order, on what the first of them receives: [batch, row, width].
  ///
  /// Keys and values are appended to the cache, which is not advanced.
  func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor
}

extension Decoder {
  /// The residual stream before the final norm: the embedding, then every block.
  public func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
    let past = cache?.length ?? 0
    let count = ids[0].count
    let positions = Positions(past..<past + count, type, on: device)
    let x = blocks(
      0..<shape.layers, embed(ids, from: past, pass: pass), positions, cache: cache, pass: pass)
    cache?.advance(by: count)
    return x
  }
}

/// A model's sizes.
public struct ModelShape: Sendable, Equatable {
  /// The family as the checkpoint names it: `llama`, `gpt2`.
  public var architecture: String
  /// Blocks.
  public var layers: Int
  /// The width of the residual stream.
  public var width: Int
  /// Query heads per block.
  public var heads: Int
  /// Key-value heads per block.
  public var keyValueHeads: Int
  /// The width of a head.
  public var headWidth: Int
  /// The width of the feed-forward network.
  public var hidden: Int
  /// Tokens in the vocabulary.
  public var vocabulary: Int
  /// The longest text.
  public var contextLength: Int
}

extension LanguageModel {
  /// No rule.
  public func branches(of layer: Int) -> BlockBranches? { nil }

  /// The element type of the weights.
  public var type: ScalarType { unembedding.weight.type }
  /// Where the weights are.
  public var device: Device { unembedding.weight.device }

  /// The sites of a block-structured decoder; `gated` tells whether its feed-forward has a gate.
  static func decoderSites(layers: Int, gated: Bool) -> Set<Site> {
    var sites: Set<Site> = [.embedding, .finalNorm, .logits]
    for layer in 0..<layers {
      sites.formUnion(Site.Moment.allCases.map { .residual(layer, $0) })
      sites.formUnion(Site.AttentionPart.allCases.map { .attention(layer, $0) })
      sites.formUnion(
        Site.FeedForwardPart.allCases.filter { gated || $0 != .gate }
          .map { .feedForward(layer, $0) })
    }
    return sites
  }
}
