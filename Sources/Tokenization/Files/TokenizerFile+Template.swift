import StrictJSON

extension TokenizerFile {
  /// The tokens that a post-processor puts before and after a single text.
  func template(
    _ value: JSON?
  ) throws(TokenizationError) -> (beginning: [Int], ending: [Int]) {
    guard let value, !value.isNull else { return ([], []) }
    let part = "post_processor"
    switch try kind(value, part) {
    case "ByteLevel":
      return ([], [])
    case "Sequence":
      var whole: (beginning: [Int], ending: [Int]) = ([], [])
      for entry in try entries(value, "processors", part) {
        let outer = try template(entry)
        whole = (outer.beginning + whole.beginning, whole.ending + outer.ending)
      }
      return whole
    case "BertProcessing", "RobertaProcessing":
      return ([try token(value, "cls")], [try token(value, "sep")])
    case "TemplateProcessing":
      return try single(value)
    case let other:
      throw unsupported(
        part, other,
        known: "BertProcessing, ByteLevel, RobertaProcessing, Sequence and TemplateProcessing")
    }
  }

  /// The id in `["[CLS]", 101]`.
  private func token(_ value: JSON, _ key: String) throws(TokenizationError) -> Int {
    guard let pair = value[key]?.array, pair.count == 2, let id = pair[1].integer, id >= 0 else {
      throw malformed("the 'post_processor' has no token '\(key)'")
    }
    return id
  }

  private func single(
    _ value: JSON
  ) throws(TokenizationError) -> (beginning: [Int], ending: [Int]) {
    guard let items = value["single"]?.array else {
      throw malformed("the 'post_processor' has no 'single'")
    }
    var beginning: [Int] = []
    var ending: [Int] = []
    var isTextSeen = false
    for item in items {
      if item["Sequence"] != nil {
        guard !isTextSeen else {
          throw unsupported(
            "post_processor", "TemplateProcessing with a text twice", known: "one text")
        }
        isTextSeen = true
        continue
      }
      guard let name = item["SpecialToken"]?["id"]?.string else {
        throw malformed("the 'single' of the 'post_processor' holds neither text nor token")
      }
      guard let entries = value["special_tokens"]?[name]?["ids"]?.array else {
        throw malformed("the 'post_processor' does not say the id of '\(printable(name))'")
      }
      for entry in entries {
        guard let id = entry.integer, id >= 0 else {
          throw malformed("the 'post_processor' does not say the id of '\(printable(name))'")
        }
        if isTextSeen { ending.append(id) } else { beginning.append(id) }
      }
    }
    return (beginning, ending)
  }
}
