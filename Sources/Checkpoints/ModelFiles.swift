import Foundation

/// The names that files of a model have in a Hugging Face folder.
package enum ModelFiles {
  package static let configuration = "config.json"
  /// What a GGUF file says of its model, without its weights.
  package static let vocabulary = "tokenizer.gguf"

  /// The file that holds the weights, or the index that says where they are.
  struct Weights: Equatable {
    let name: String
    let isIndex: Bool
  }

  /// In the order of preference: safetensors before files of `torch.save`, whole before shards.
  private static let preferred = [
    Weights(name: "model.safetensors", isIndex: false),
    Weights(name: "model.safetensors.index.json", isIndex: true),
    Weights(name: "pytorch_model.bin", isIndex: false),
    Weights(name: "pytorch_model.bin.index.json", isIndex: true),
  ]

  /// What else a model is run with: its configuration, its tokenizer, its chat template.
  static let companions: Set<String> = [
    configuration, "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model", "vocab.json",
    "vocab.txt", "merges.txt", "bpe.codes", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json", vocabulary,
  ]

  /// The names, without extension, that say nothing of the model.
  static let plainStems = Set(
    (preferred.map(\.name) + [configuration]).map {
      URL(filePath: $0).deletingPathExtension().lastPathComponent
    })

  /// The weights among the files of a folder, if it is one of Hugging Face's.
  static func weights(among names: some Collection<String>) -> Weights? {
    let names = Set(names)
    return preferred.first { names.contains($0.name) }
  }

  /// The GGUF files of a folder.
  static func gguf(among names: [String]) -> [String] {
    names.filter { $0.lowercased().hasSuffix(".gguf") }
  }
}

/// Whether there is a folder, perhaps behind a link.
func isFolder(_ url: URL) -> Bool {
  var isFolder: ObjCBool = false
  return FileManager.default.fileExists(atPath: url.plainPath, isDirectory: &isFolder)
    && isFolder.boolValue
}
