import StrictJSON

extension TokenizerFile {
  /// The steps of a pre-tokenizer, and whether one of them maps to bytes.
  func preTokenizer(
    _ value: JSON?
  ) throws(TokenizationError) -> (steps: [PreTokenizer], seesBytes: Bool) {
    var steps: [PreTokenizer] = []
    var seesBytes = false
    try append(value, to: &steps, &seesBytes)
    return (steps, seesBytes)
  }

  private func append(
    _ value: JSON?, to steps: inout [PreTokenizer], _ seesBytes: inout Bool
  ) throws(TokenizationError) {
    guard let value, !value.isNull else { return }
    let part = "pre_tokenizer"
    let kind = try kind(value, part)
    if kind == "Sequence" {
      for entry in try entries(value, "pretokenizers", part) {
        try append(entry, to: &steps, &seesBytes)
      }
    } else if seesBytes {
      steps.append(try stepOverBytes(value, kind))
    } else if kind == "ByteLevel" {
      if try flag(value, "add_prefix_space") ?? true { steps.append(.prefixSpace) }
      if try flag(value, "use_regex") ?? true { steps.append(.pieces(.words)) }
      seesBytes = true
    } else {
      steps.append(try step(value, kind))
    }
  }

  private func step(_ value: JSON, _ kind: String) throws(TokenizationError) -> PreTokenizer {
    let part = "pre_tokenizer"
    switch kind {
    case "Digits":
      let apart = try flag(value, "individual_digits") ?? false
      return .split(.number, apart ? .isolated : .contiguous, inverted: false)
    case "Punctuation":
      let behavior =
        value["behavior"] == nil ? Delimiter.Behavior.isolated : try self.behavior(value)
      return .split(.punctuation, behavior, inverted: false)
    case "BertPreTokenizer":
      return .bert
    case "Whitespace":
      return .split(.words, .removed, inverted: true)
    case "WhitespaceSplit":
      return .split(.space, .removed, inverted: false)
    case "CharDelimiterSplit":
      let delimiter = try text(value, "delimiter", part)
      guard delimiter.unicodeScalars.count == 1 else {
        throw malformed("the 'delimiter' of a 'pre_tokenizer' is not one character")
      }
      return .split(.text(TextPattern(text: delimiter)), .removed, inverted: false)
    case "Metaspace":
      let space = try spaces(value, part)
      return .spaces(
        as: space.mark, prefix: space.prefix, splits: try flag(value, "split") ?? true,
        doubles: false)
    case "Split":
      return try split(value)
    case let other:
      throw unsupported(
        part, other,
        known: "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, "
          + "Sequence, Split, Whitespace and WhitespaceSplit")
    }
  }

  /// A step that follows ByteLevel and sees its alphabet (Falcon).
  private func stepOverBytes(
    _ value: JSON, _ kind: String
  ) throws(TokenizationError) -> PreTokenizer {
    switch kind {
    case "Digits":
      let apart = try flag(value, "individual_digits") ?? false
      return .split(.alphabetNumber, apart ? .isolated : .contiguous, inverted: false)
    case "Split" where value["pattern"]?["Regex"]?.string == "[0-9][0-9][0-9]":
      return try split(value)
    default:
      throw unsupported(
        "pre_tokenizer", "\(kind) after ByteLevel",
        known: "Digits and Split by [0-9][0-9][0-9] there")
    }
  }

  private func split(_ value: JSON) throws(TokenizationError) -> PreTokenizer {
    let delimiter: Delimiter
    if let regex = value["pattern"]?["Regex"]?.string, let known = PiecePattern(regex: regex) {
      delimiter = .pieces(known)
    } else {
      delimiter = .text(try pattern(value, "pre_tokenizer"))
    }
    let behavior = try behavior(value)
    let inverted = try flag(value, "invert") ?? false
    if case .pieces(let known) = delimiter, known.fillsText {
      // Removing what is between the matches leaves the matches, which fill the text.
      if behavior == .isolated || behavior == .removed && inverted { return .pieces(known) }
    }
    return .split(delimiter, behavior, inverted: inverted)
  }

  private func behavior(_ value: JSON) throws(TokenizationError) -> Delimiter.Behavior {
    let name = try text(value, "behavior", "pre_tokenizer")
    guard let behavior = Delimiter.Behavior(rawValue: name) else {
      throw unsupported(
        "pre_tokenizer", "Split \(name)",
        known: "Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous")
    }
    return behavior
  }

  /// The settings that the pre-tokenizer and the decoder called Metaspace share.
  func spaces(
    _ value: JSON, _ part: String
  ) throws(TokenizationError) -> (mark: [UInt8], prefix: SentencePieceText.Prefix) {
    let mark = value["replacement"] == nil ? "\u{2581}" : try text(value, "replacement", part)
    guard mark.unicodeScalars.count == 1 else {
      throw malformed("the 'replacement' of a '\(part)' is not one character")
    }
    let prefix: SentencePieceText.Prefix
    switch value["prepend_scheme"]?.string {
    case "always": prefix = .always
    case "first": prefix = .first
    case "never": prefix = .never
    case let other?:
      throw unsupported(part, "Metaspace \(other)", known: "always, first and never")
    case nil:
      prefix = .always
    }
    // Files of older versions say only this.
    let adds = try flag(value, "add_prefix_space") ?? true
    return (Array(mark.utf8), adds ? prefix : .never)
  }
}
