import StrictJSON

extension TokenizerFile {
  /// The steps of a decoder; `nil` if the file has none.
  func decoder(_ value: JSON?) throws(TokenizationError) -> [DecodingStep]? {
    guard let value, !value.isNull else { return nil }
    let part = "decoder"
    switch try kind(value, part) {
    case "Sequence":
      var steps: [DecodingStep] = []
      for entry in try entries(value, "decoders", part) { steps += try decoder(entry) ?? [] }
      return steps
    case "ByteLevel": return [.byteLevel]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "WordPiece":
      return [
        .wordPiece(
          prefix: Array(try text(value, "prefix", part).utf8),
          cleansUp: try flag(value, "cleanup") ?? true)
      ]
    case "Metaspace":
      let spaces = try spaces(value, part)
      return [.spaces(mark: spaces.mark, dropsFirst: spaces.prefix != .never)]
    case "BPEDecoder":
      return [.suffix(Array(try text(value, "suffix", part).utf8))]
    case "Strip":
      guard let start = value["start"]?.integer, let end = value["stop"]?.integer, start >= 0,
        end >= 0
      else { throw malformed("a 'decoder' of the type Strip has no 'start' and 'stop'") }
      let content = try text(value, "content", part)
      guard !content.isEmpty else { throw malformed("a 'decoder' strips an empty text") }
      return [.strip(Array(content.utf8), start: start, end: end)]
    case "Replace":
      return [
        .replace(
          try pattern(value, part), with: Array(try text(value, "content", part).utf8))
      ]
    case let other:
      throw unsupported(
        part, other,
        known: "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip and "
          + "WordPiece")
    }
  }
}
