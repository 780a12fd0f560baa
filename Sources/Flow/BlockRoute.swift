internal import LanguageModels
internal import Tensors

// A block by way of its sites alone, for any family: run on any stream, seen at its heads, with anything put in
// their place. Gradients are automatic.

/// One block of a model as a function of the stream that enters, seen at its heads.
struct BlockRoute {
  let model: any BlockwiseModel
  let layer: Int
  let positions: Positions
  /// The type of the computation; the model's own where that is no narrower than single precision.
  let type: ScalarType

  /// Whether the block has heads that can be seen.
  var hasHeads: Bool { model.sites.contains(.attention(layer, .heads)) }

  /// Runs the block on streams [batch, position, width].
  func callAsFunction(_ stream: Tensor, _ pass: Pass = .plain) -> Tensor {
    model.blocks(
      layer..<layer + 1, stream.to(model.type), positions, cache: nil, pass: pass
    ).to(type)
  }

  /// Runs the block and returns with the result what its heads mix: [batch, position, heads, headWidth].
  ///
  /// - Parameters:
  ///   - stream: what enters.
  ///   - isCut: whether the rest of the block gets a copy of the mixes, as a leaf of its own.
  /// - Returns: the stream that leaves, the mixes, and the copy.
  func seen(
    _ stream: Tensor, cut isCut: Bool = false
  ) -> (after: Tensor, mixes: Tensor, leaf: Tensor) {
    var mixes = stream
    var leaf = stream
    let after = self(
      stream,
      Pass(sites: [.attention(layer, .heads)]) { _, value in
        mixes = value
        leaf = isCut ? value.detached.requiringGradient() : value
        return leaf
      })
    return (after, mixes, leaf)
  }

  /// Runs the block with other values at a site.
  func replacing(_ site: Site, with value: Tensor, on stream: Tensor) -> Tensor {
    self(stream, Pass(sites: [site]) { _, _ in value.to(model.type) })
  }
}
