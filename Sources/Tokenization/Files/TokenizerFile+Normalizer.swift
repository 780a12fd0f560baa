import Foundation
import StrictJSON

extension TokenizerFile {
  /// The steps of a normalizer.
  func normalizer(_ value: JSON?) throws(TokenizationError) -> [NormalizingStep] {
    guard let value, !value.isNull else { return [] }
    let part = "normalizer"
    switch try kind(value, part) {
    case "Sequence":
      var steps: [NormalizingStep] = []
      for entry in try entries(value, "normalizers", part) { steps += try normalizer(entry) }
      return steps
    case "NFC": return [.form(.composed)]
    case "NFD": return [.form(.decomposed)]
    case "NFKC": return [.form(.compatibilityComposed)]
    case "NFKD": return [.form(.compatibilityDecomposed)]
    case "Lowercase": return [.lowercase]
    case "StripAccents": return [.dropMarks]
    case "Nmt": return [.machineTranslation]
    case "Strip":
      return [
        .strip(
          start: try flag(value, "strip_left") ?? true, end: try flag(value, "strip_right") ?? true)
      ]
    case "Prepend":
      return [.prepend(Array(try text(value, "prepend", part).utf8))]
    case "Replace":
      return [
        .replace(
          try pattern(value, part), with: Array(try text(value, "content", part).utf8))
      ]
    case "BertNormalizer":
      return NormalizingStep.bert(
        .init(
          cleansText: try flag(value, "clean_text") ?? true,
          dividesChinese: try flag(value, "handle_chinese_chars") ?? true,
          stripsAccents: try flag(value, "strip_accents"),
          lowercases: try flag(value, "lowercase") ?? true))
    case "Precompiled":
      guard let table = value["precompiled_charsmap"], !table.isNull, table.string != "" else {
        return []
      }
      guard let text = table.string, let bytes = Data(base64Encoded: text) else {
        throw malformed("the 'precompiled_charsmap' is not base64")
      }
      return [.characterMap(try CharacterMap(Array(bytes), matching: .clusters, file: file))]
    case let other:
      throw unsupported(
        part, other,
        known:
          "BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, "
          + "Sequence, Strip and StripAccents")
    }
  }
}
