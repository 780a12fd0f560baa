public import Tensors

/// A network over tokens: its sizes, its sites, its blocks and, where it has one, its head.
public protocol LanguageModel {
  /// The sizes.
  var shape: ModelShape { get }
  /// The sites that a pass can visit.
  var sites: Set<Site> { get }
  /// What turns the residual stream into logits; nil for an encoder without one.
  var head: Unembedding? { get }
  /// The norm after the last block of an encoder without a head, where the family has one.
  var closingNorm: Norm? { get }
  /// Whether positions see only those before them, so that logits are of the next token; otherwise
  /// they are of the position's own.
  var isCausal: Bool { get }
  /// The element type of the weights.
  var type: ScalarType { get }
  /// Where the weights are.
  var device: Device { get }

  /// The residual stream that the head receives, [batch, position, width].
  ///
  /// For use through `run`, which checks ids, sites and cache first.
  func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor

  /// How what a block adds to the residual stream is a sum; nil where the block cannot be split by the
  /// rules that there are.
  func rule(of layer: Int) -> BlockRule?

  /// What no backward rule knows, for an error: a block and what is in it; nil where each nonlinearity has one.
  var withoutRule: (layer: Int, part: String)? { get }

  /// Whether keys that were computed in a text of one length are right in one of the other: rotary
  /// positions may go by the length of the text.
  func keepsKeys(from length: Int, to other: Int) -> Bool

}

/// A model that can be run again in part: from any block on, and, where positions see only those
/// before them, at one position.
public protocol BlockwiseModel: LanguageModel {
  /// What the first block receives: [batch, position, width], for tokens that stand from `start` on.
  func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor

  /// Some of the blocks, in order, on what the first of them receives: [batch, row, width].
  ///
  /// Keys and values are appended to the cache, which is not advanced.
  func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor
}

extension BlockwiseModel {
  /// The residual stream before the head: the embedding, then every block.
  public func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
    let past = cache?.length ?? 0
    let count = ids[0].count
    let x = blocks(
      0..<shape.layers, embed(ids, from: past, pass: pass),
      positions(past..<past + count, of: cache?.textLength), cache: cache, pass: pass)
    cache?.advance(by: count)
    return x
  }

  /// Where the rows of a text stand, which may go on after them.
  package func positions(_ range: Range<Int>, of textLength: Int? = nil) -> Positions {
    isCausal
      ? Positions(range, of: max(range.upperBound, textLength ?? 0), type, on: device)
      : Positions(both: range.count, type, on: device)
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
  /// The tokens that can run together, nothing recorded, in so many bytes: some vectors of the stream, of the heads and
  /// of the network for each.
  package func tokensAtOnce(_ most: Int, within memory: Int?) -> Int {
    guard let memory else { return most }
    let each = 12 * shape.width + 4 * shape.heads * shape.headWidth + 4 * shape.hidden
    return max(1, min(most, memory / (each * type.bytes)))
  }

  /// Most positions do not depend on what follows them.
  public func keepsKeys(from length: Int, to other: Int) -> Bool { true }

  /// Rules know no model that does not say so.
  public var withoutRule: (layer: Int, part: String)? { (0, "blocks of a kind of its own") }

  /// No rule.
  public func rule(of layer: Int) -> BlockRule? { nil }

  /// Whether some block's update splits into attention heads; a model of mixers has none.
  public var hasHeads: Bool {
    (0..<shape.layers).contains { if case .branches? = rule(of: $0) { true } else { false } }
  }

  /// None.
  public var closingNorm: Norm? { nil }
  /// Decoders are what most models are.
  public var isCausal: Bool { true }
  /// That of the head's weights.
  public var type: ScalarType { unembedding.weight.type }
  /// That of the head's weights.
  public var device: Device { unembedding.weight.device }

  /// The head of a model that has one, which is checked where a model is loaded or a method begins.
  public var unembedding: Unembedding {
    guard let head else { preconditionFailure("\(shape.architecture) has no language-model head") }
    return head
  }
}
