public import Tensors

/// A model made of blocks: an embedding, the blocks in order, and a head.
///
/// Families differ in the values they put here (`Families/`), not in code of their own.
public struct Transformer: BlockwiseModel {
  /// The sizes.
  public let shape: ModelShape
  package var embedding: Embedding
  package var blocks: [any Block]
  /// What turns the residual stream into logits; nil for an encoder without one.
  public package(set) var head: Unembedding?
  /// The norm after the last block of an encoder without a head, where the family has one.
  public package(set) var closingNorm: Norm?
  /// Whether positions see only those before them.
  public let isCausal: Bool

  init(
    shape: ModelShape, embedding: Embedding, blocks: [any Block], head: Unembedding?,
    isCausal: Bool = true
  ) {
    self.shape = shape
    self.embedding = embedding
    self.blocks = blocks
    self.head = head
    self.isCausal = isCausal
  }

  /// All that the blocks show, the embedding, and what the head does.
  public var sites: Set<Site> {
    var around: Set<Site> = [.embedding]
    if head != nil || closingNorm != nil { around.insert(.finalNorm) }
    if head != nil { around.insert(.logits) }
    return blocks.enumerated().reduce(into: around) {
      $0.formUnion($1.element.sites(at: $1.offset))
    }
  }

  /// The element type of the weights.
  public var type: ScalarType { embedding.tokens.type }
  /// Where the weights are.
  public var device: Device { embedding.tokens.device }

  /// Whether no block's rotary scaling tells the lengths apart.
  public func keepsKeys(from length: Int, to other: Int) -> Bool {
    length == other || blocks.allSatisfy { $0.rotary?.agrees(length, other) ?? true }
  }

  /// The first block that has something without a rule.
  public var withoutRule: (layer: Int, part: String)? {
    blocks.indices.lazy.compactMap { layer in
      blocks[layer].withoutRule.map { (layer, $0) }
    }.first
  }

  /// The rule of the block, where there is one.
  public func rule(of layer: Int) -> BlockRule? { blocks[layer].rule }

  /// The tokens' vectors, with what else the family puts there.
  public func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
    pass(.embedding, embedding(ids, from: start))
  }

  /// Some of the blocks, in order.
  public func blocks(
    _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
  ) -> Tensor {
    range.reduce(x) { blocks[$1]($0, $1, positions, cache, pass) }
  }
}
