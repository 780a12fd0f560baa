import StrictJSON

/// `tokenizer.json`: vocabulary, merges and the steps around them.
struct TokenizerFile {
  let file: String
  let root: JSON

  func parts() throws(TokenizationError) -> TokenizerParts {
    guard root.object != nil else {
      throw malformed("the text is \(root.kind), not an object")
    }
    guard let model = root["model"], model.object != nil else {
      throw malformed("'model' is missing")
    }
    let kind = model["type"]?.string ?? (model["merges"] == nil ? "without a type" : "BPE")
    guard kind == "BPE" else {
      throw unsupported("model", kind, known: "byte-level BPE")
    }
    try refuse(model, "dropout", unless: { $0.double == 0 })
    try refuse(model, "continuing_subword_prefix", unless: { $0.string == "" })
    try refuse(model, "end_of_word_suffix", unless: { $0.string == "" })
    try refuse(model, "byte_fallback", unless: { $0.boolean == false })
    let tokens = try vocabulary(model)
    let added = try addedTokens(limit: Self.limit(tokens.count))
    var steps: [PreTokenizer] = []
    let bytesSeen = try appendSteps(root["pre_tokenizer"], to: &steps)
    guard bytesSeen else {
      throw unsupported(
        "pre_tokenizer", "without ByteLevel", known: "byte-level BPE, which has one")
    }
    try checkDecoder(root["decoder"])
    // A token that the vocabulary holds too is spelled out there, not in the alphabet.
    let isAdded = Set(added.map(\.id))
    var bytePairs = try BytePairModel(
      tokens: tokens, isText: { isAdded.contains($0) }, merges: try merges(model),
      ignoresMerges: try flag(model, "ignore_merges") ?? false, file: file)
    bytePairs.fusesUnknown = try flag(model, "fuse_unk") ?? false
    var parts = TokenizerParts(model: bytePairs, steps: steps, added: added)
    parts.composes = try composes(root["normalizer"])
    if let unknown = model["unk_token"], !unknown.isNull {
      guard let text = unknown.string, let id = id(of: text, parts) else {
        throw malformed("the unknown token 'unk_token' is not in the vocabulary")
      }
      parts.unknown = id
      parts.model.unknown = UInt32(id)
    }
    if let begin = try beginning(root["post_processor"]) {
      guard begin < tokens.count || isAdded.contains(begin) else {
        throw malformed("the 'post_processor' begins with the token \(begin), which there is not")
      }
      parts.bos = begin
      parts.addsBOS = true
    }
    return parts
  }

  /// The id of a token by its spelling in the files.
  func id(of text: String, _ parts: TokenizerParts) -> Int? {
    let bytes = Array(text.utf8)
    if let added = parts.added.last(where: { $0.text.utf8.elementsEqual(bytes) }) {
      return added.id
    }
    return bytes.withUnsafeBufferPointer { parts.model.spellings.number(of: $0) }
  }

  // MARK: Vocabulary and merges

  /// What every id must be below, given the number of tokens.
  private static func limit(_ count: Int) -> Int { 2 * count + 65_536 }

  private func vocabulary(_ model: JSON) throws(TokenizationError) -> [String] {
    guard let members = model["vocab"]?.members else {
      throw malformed("'model.vocab' is missing or not an object")
    }
    // Ids are an index: one far beyond the number of tokens is a lie that would cost memory.
    let limit = Self.limit(members.count)
    var tokens: [String] = []
    tokens.reserveCapacity(members.count)
    var taken = [Bool](repeating: false, count: members.count)
    for member in members {
      guard let id = member.value.integer, id >= 0, id < limit else {
        throw malformed(
          "the id of the token '\(printable(member.key))' is not a whole number below \(limit)")
      }
      while tokens.count <= id { tokens.append("") }
      while taken.count <= id { taken.append(false) }
      guard !taken[id] else {
        throw malformed(
          "the tokens '\(printable(tokens[id]))' and '\(printable(member.key))' have the same id "
            + "\(id)")
      }
      taken[id] = true
      tokens[id] = member.key
    }
    return tokens
  }

  private func merges(_ model: JSON) throws(TokenizationError) -> MergeList {
    guard let entries = model["merges"]?.array else {
      throw malformed("'model.merges' is missing or not an array")
    }
    if entries.first?.string != nil {
      var merges: [String] = []
      merges.reserveCapacity(entries.count)
      for (rank, entry) in entries.enumerated() {
        guard let merge = entry.string else { throw malformed("merge \(rank) is \(entry.kind)") }
        merges.append(merge)
      }
      return .joined(merges)
    }
    var merges: [(left: String, right: String)] = []
    merges.reserveCapacity(entries.count)
    for (rank, entry) in entries.enumerated() {
      guard let pair = entry.array, pair.count == 2, let left = pair[0].string,
        let right = pair[1].string
      else { throw malformed("merge \(rank) is not two tokens") }
      merges.append((left, right))
    }
    return .pairs(merges)
  }

  private func addedTokens(limit: Int) throws(TokenizationError) -> [AddedTokens.Token] {
    guard let value = root["added_tokens"], !value.isNull else { return [] }
    guard let entries = value.array else { throw malformed("'added_tokens' is \(value.kind)") }
    var tokens: [AddedTokens.Token] = []
    for (index, entry) in entries.enumerated() {
      guard let id = entry["id"]?.integer, id >= 0, id < limit,
        let text = entry["content"]?.string
      else {
        throw malformed("added token \(index) has no 'content' or no 'id' below \(limit)")
      }
      tokens.append(
        AddedTokens.Token(
          id: id, text: text, isSpecial: try flag(entry, "special") ?? false,
          isWord: try flag(entry, "single_word") ?? false,
          takesSpaceBefore: try flag(entry, "lstrip") ?? false,
          takesSpaceAfter: try flag(entry, "rstrip") ?? false,
          isNormalized: try flag(entry, "normalized") ?? false))
    }
    return tokens
  }

  // MARK: The steps around the model

  private func kind(_ value: JSON, _ part: String) throws(TokenizationError) -> String {
    guard let kind = value["type"]?.string else { throw malformed("a '\(part)' has no 'type'") }
    return kind
  }

  /// Appends the steps of a pre-tokenizer and returns whether one maps to bytes.
  private func appendSteps(
    _ value: JSON?, to steps: inout [PreTokenizer]
  ) throws(TokenizationError) -> Bool {
    guard let value, !value.isNull else { return false }
    switch try kind(value, "pre_tokenizer") {
    case "Sequence":
      var bytesSeen = false
      for entry in value["pretokenizers"]?.array ?? [] {
        guard !bytesSeen else {
          throw unsupported("pre_tokenizer", "after ByteLevel", known: "ByteLevel as the last step")
        }
        bytesSeen = try appendSteps(entry, to: &steps)
      }
      return bytesSeen
    case "ByteLevel":
      if try flag(value, "add_prefix_space") ?? true { steps.append(.prefixSpace) }
      if try flag(value, "use_regex") ?? true { steps.append(.split(.words)) }
      return true
    case "Digits":
      let apart = try flag(value, "individual_digits") ?? false
      steps.append(apart ? .split(.numbers(maximumDigits: 1)) : .numberRuns)
      return false
    case "Split":
      steps.append(try split(value))
      return false
    case let other:
      throw unsupported("pre_tokenizer", other, known: "ByteLevel, Digits, Split and Sequence")
    }
  }

  private func split(_ value: JSON) throws(TokenizationError) -> PreTokenizer {
    guard let regex = value["pattern"]?["Regex"]?.string else {
      throw unsupported("pre_tokenizer", "Split without Regex", known: "Split by a known Regex")
    }
    let behavior = value["behavior"]?.string ?? ""
    let inverted = try flag(value, "invert") ?? false
    guard let pattern = PiecePattern(regex: regex) else {
      throw TokenizationError(
        .unsupported,
        "\(file): the splitting pattern '\(printable(regex, 300))' is not one Telescope knows; it "
          + "knows those of GPT-2, Llama 3 and Qwen 2.")
    }
    // Removing what is between the matches leaves the matches, which fill the text.
    var keepsAll = (behavior == "Isolated" && !inverted)
    if case .numbers = pattern {
    } else {
      keepsAll = keepsAll || (behavior == "Removed" && inverted)
    }
    guard keepsAll else {
      throw unsupported(
        "pre_tokenizer", "Split \(behavior)\(inverted ? " inverted" : "")", known: "Split Isolated")
    }
    return .split(pattern)
  }

  /// Whether a normalizer composes (NFC).
  private func composes(_ value: JSON?) throws(TokenizationError) -> Bool {
    guard let value, !value.isNull else { return false }
    switch try kind(value, "normalizer") {
    case "NFC":
      return true
    case "Sequence":
      var composes = false
      for entry in value["normalizers"]?.array ?? [] where try self.composes(entry) {
        composes = true
      }
      return composes
    case let other:
      throw unsupported("normalizer", other, known: "NFC and Sequence")
    }
  }

  /// The token that a post-processor puts before a text.
  private func beginning(_ value: JSON?) throws(TokenizationError) -> Int? {
    guard let value, !value.isNull else { return nil }
    switch try kind(value, "post_processor") {
    case "ByteLevel":
      return nil
    case "Sequence":
      var beginning: Int?
      for entry in value["processors"]?.array ?? [] {
        if let id = try self.beginning(entry) { beginning = id }
      }
      return beginning
    case "TemplateProcessing":
      var beginning: Int?
      var textSeen = false
      for item in value["single"]?.array ?? [] {
        if item["Sequence"] != nil {
          textSeen = true
          continue
        }
        guard !textSeen, beginning == nil, let name = item["SpecialToken"]?["id"]?.string else {
          throw unsupported(
            "post_processor", "TemplateProcessing beyond a beginning",
            known: "one token before the text")
        }
        guard let ids = value["special_tokens"]?[name]?["ids"]?.array, ids.count == 1,
          let id = ids[0].integer, id >= 0
        else { throw malformed("the 'post_processor' does not say the id of '\(printable(name))'") }
        beginning = id
      }
      return beginning
    case let other:
      throw unsupported(
        "post_processor", other, known: "ByteLevel, TemplateProcessing and Sequence")
    }
  }

  private func checkDecoder(_ value: JSON?) throws(TokenizationError) {
    guard let value, !value.isNull else { return }
    switch try kind(value, "decoder") {
    case "ByteLevel":
      return
    case "Sequence":
      for entry in value["decoders"]?.array ?? [] { try checkDecoder(entry) }
    case let other:
      throw unsupported("decoder", other, known: "ByteLevel")
    }
  }

  // MARK: Reading

  private func flag(_ value: JSON, _ key: String) throws(TokenizationError) -> Bool? {
    guard let found = value[key], !found.isNull else { return nil }
    guard let flag = found.boolean else {
      throw malformed("'\(key)' is \(found.kind), not true or false")
    }
    return flag
  }

  private func refuse(
    _ model: JSON, _ key: String, unless isHarmless: (JSON) -> Bool
  ) throws(TokenizationError) {
    guard let value = model[key], !value.isNull, !isHarmless(value) else { return }
    throw unsupported("model", "BPE with '\(key)'", known: "byte-level BPE without it")
  }

  private func malformed(_ what: String) -> TokenizationError {
    TokenizationError(.malformed, "\(file): \(what); the file is damaged or not a tokenizer.")
  }

  private func unsupported(_ part: String, _ kind: String, known: String) -> TokenizationError {
    TokenizationError(
      .unsupported,
      "\(file): the \(part) '\(printable(kind))' is not one Telescope knows; it reads \(known).")
  }
}
