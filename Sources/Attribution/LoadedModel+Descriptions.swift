package import LanguageModels
package import Results
internal import Tensors
internal import Tokenization

// What results say of a model and of its tokens.

extension LoadedModel {
  /// The model, without its hash, which costs a read of the whole file.
  package var modelDescription: ModelDescription {
    ModelDescription(
      name: name, sha256: "", architecture: model.shape.architecture, layers: model.shape.layers,
      dtype: model.type.name, causal: model.isCausal ? nil : false)
  }

  /// A token, with its bytes where they are no text.
  package func describe(_ id: Int) -> TokenDescription {
    let bytes = tokenizer.bytes(of: id)
    let isText = String(validating: bytes, as: UTF8.self) != nil
    return TokenDescription(
      id: id, text: tokenizer.text(of: id),
      bytes: isText ? nil : bytes.map { hexadecimal($0) }.joined())
  }
}

private func hexadecimal(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.count == 1 ? "0" + digits : digits
}
