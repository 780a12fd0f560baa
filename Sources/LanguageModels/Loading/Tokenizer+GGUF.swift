internal import Checkpoints
internal import Tokenization

extension Tokenizer {
  /// The tokenizer that a GGUF file carries.
  ///
  /// - Throws: `TokenizationError` for a vocabulary that is damaged or of a kind Telescope does not
  ///   know; `ModelError` for a token that is no text.
  init(ggufMetadata metadata: [String: GGUFValue], file: String) throws {
    var values: [String: VocabularyValue] = [:]
    for (name, value) in metadata where name.hasPrefix("tokenizer.") {
      values[name] = try VocabularyValue(value, name, file)
    }
    try self.init(gguf: values, file: file)
  }
}

extension VocabularyValue {
  /// The plain value of a GGUF value; nil for those that no vocabulary holds.
  fileprivate init?(_ value: GGUFValue, _ name: String, _ file: String) throws {
    switch value {
    case .integer(let value): self = .integer(value)
    case .boolean(let value): self = .boolean(value)
    case .string(let value): self = .text(value)
    case .integers(let values): self = .integers(values)
    case .reals(let values): self = .reals(values)
    case .strings(let strings):
      var texts: [String] = []
      texts.reserveCapacity(strings.count)
      for index in 0..<strings.count {
        guard let text = strings.string(at: index) else {
          throw ModelError(
            .badData, "\(file): text \(index) of '\(name)' is not UTF-8; the file is damaged.")
        }
        texts.append(text)
      }
      self = .texts(texts)
    default: return nil
    }
  }
}
