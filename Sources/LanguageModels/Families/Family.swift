internal import StrictJSON

/// A family of models: what its configuration says and how its weights make a ``Transformer``.
///
/// Each family is one file: the configuration keys it handles and those it knowingly ignores, the names
/// of its weights, and its wiring.
struct Family: Sendable {
  /// Makes the model that a configuration describes of weights by Hugging Face's names.
  typealias Build =
    @Sendable (
      _ architecture: String, _ configuration: ConfigurationReader, _ weights: WeightReader
    ) throws -> Transformer

  /// The values of `model_type` that it reads.
  let names: [String]
  /// How it is made.
  let build: Build
  /// How GGUF files tell of it.
  let dialects: [GGUFDialect]

  init(_ names: [String], gguf dialects: [GGUFDialect] = [], build: @escaping Build) {
    self.names = names
    self.dialects = dialects
    self.build = build
  }

  /// All that can be loaded.
  static let all: [Family] = [.gpt2, .llama, .mistral, .qwen2]
}
