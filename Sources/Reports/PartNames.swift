import Results

/// What the parts of an explanation are called on screen.
struct PartNames {
  private let result: ExplainResult
  private let style: TerminalStyle
  private let textWidth: Int

  /// Names parts for a terminal; a token's text takes a third of a line at most.
  init(in result: ExplainResult, style: TerminalStyle) {
    self.result = result
    self.style = style
    textWidth = min(28, max(8, style.width / 3))
  }

  /// The name of a part; with its block where the parts around it are from several.
  func name(_ node: AttributionNode, withLayer: Bool) -> String {
    let block = withLayer && node.layer >= 0 ? "layer \(node.layer) " : ""
    switch node.kind {
    case .attention: return block + "attention"
    case .mlp: return block + "MLP"
    case .head: return block + "head " + number(node.head)
    case .neuron: return block + "neuron " + number(node.neuron)
    case .source: return source(node.source)
    case .bias: return block + "bias"
    case .embedding: return style.glyphs.words("embedding − baseline")
    case .mean: return block + style.glyphs.words("mean update, taken back")
    case .translator: return block + "translator"
    case .residual: return block + "what the block leaves"
    case .expert: return block + "expert " + number(node.expert)
    case .mixer: return block + "mixer"
    case .others: return block + "others"
    }
  }

  /// What a list's parts are, for the line that counts those not listed.
  static func plural(_ kinds: some Sequence<AttributionNode.Kind>) -> String {
    let all = Set(kinds)
    guard all.count == 1, let kind = all.first else { return "parts" }
    return switch kind {
    case .head: "heads"
    case .neuron: "neurons"
    case .source: "tokens"
    case .expert: "experts"
    default: "parts"
    }
  }

  /// A position that a head reads from, with its text: `← " France" (3)`.
  private func source(_ position: Int?) -> String {
    let glyphs = style.glyphs
    let arrow = glyphs.isASCII ? "<- " : "← "
    guard let position, result.tokens.indices.contains(position) else {
      return arrow + "position " + number(position)
    }
    let token = result.tokens[position]
    let text =
      token.bytes.map { DisplayText.bytes($0, to: textWidth, ascii: glyphs.isASCII) }
      ?? TerminalReport.quoted(token.text, style: style, to: textWidth)
    return arrow + text + " (\(position))"
  }

  private func number(_ index: Int?) -> String { index.map(String.init) ?? "?" }
}
