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
    blocks.enumerated().reduce(
      into: head == nil ? [.embedding] : [.embedding, .finalNorm, .logits]
    ) { $0.formUnion($1.element.sites(at: $1.offset)) }
  }

  /// The element type of the weights.
  public var type: ScalarType { embedding.tokens.type }
  /// Where the weights are.
  public var device: Device { embedding.tokens.device }

  /// The rule of the block, where there is one.
  public func branches(of layer: Int) -> BlockBranches? { blocks[layer].branches }

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
