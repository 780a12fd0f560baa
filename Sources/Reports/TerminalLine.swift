/// How text should stand out; a terminal without colour shows all of it alike.
enum Emphasis {
  case plain
  case strong
  case quiet
  case gain
  case loss

  fileprivate var code: String? {
    switch self {
    case .plain: nil
    case .strong: "1"
    case .quiet: "2"
    // Blue and orange of the 256-colour cube: told apart by everyone, legible on dark and light.
    case .gain: "38;5;33"
    case .loss: "38;5;208"
    }
  }
}

/// One line of a terminal, as pieces of text with their emphasis.
struct TerminalLine {
  private var pieces: [(text: String, emphasis: Emphasis)] = []
  private(set) var columns = 0

  init(_ text: String = "", _ emphasis: Emphasis = .plain) { append(text, emphasis) }

  mutating func append(_ text: String, _ emphasis: Emphasis = .plain) {
    guard !text.isEmpty else { return }
    pieces.append((text, emphasis))
    columns += DisplayText.columns(text)
  }

  /// Spaces up to a column.
  mutating func advance(to column: Int) {
    append(String(repeating: " ", count: max(0, column - columns)))
  }

  /// The line, cut where it would pass the width, without spaces at its end.
  func text(style: TerminalStyle) -> String {
    var shown: [(text: String, emphasis: Emphasis)] = []
    var room = style.width
    for piece in pieces {
      let text =
        columns <= style.width
        ? piece.text : DisplayText.cut(piece.text, to: room, ellipsis: style.glyphs.ellipsis)
      room -= DisplayText.columns(text)
      shown.append((text, piece.emphasis))
      if room <= 0 { break }
    }
    while let last = shown.last {
      let end = last.text.lastIndex { $0 != " " }
      guard let end else {
        shown.removeLast()
        continue
      }
      shown[shown.count - 1].text = String(last.text[...end])
      break
    }
    return shown.map { piece in
      guard style.color, let code = piece.emphasis.code, piece.text.contains(where: { $0 != " " })
      else { return piece.text }
      return "\u{1B}[\(code)m\(piece.text)\u{1B}[0m"
    }.joined()
  }
}

/// The signs that a report is drawn with.
struct Glyphs: Sendable {
  var ellipsis: String
  var dash: String
  var dot: String
  var arrow: String
  var onset: String
  var rule: String
  var none: String
  var isASCII: Bool

  static let unicode = Glyphs(
    ellipsis: "…", dash: "–", dot: " · ", arrow: " → ", onset: "▸", rule: "─", none: "·",
    isASCII: false)
  static let ascii = Glyphs(
    ellipsis: "...", dash: "-", dot: ", ", arrow: " -> ", onset: ">", rule: "-", none: ".",
    isASCII: true)

  /// Our own words in these signs; token text is made safe before it comes here.
  func words(_ text: String) -> String {
    guard isASCII else { return text }
    var plain = ""
    for character in text {
      switch character {
      case "−": plain += "-"
      case "Σ": plain += "sum"
      case "Δ": plain += "d"
      case "…": plain += "..."
      case "–": plain += "-"
      case "·": plain += "."
      case "×": plain += "x"
      default:
        plain +=
          character.isASCII
          ? String(character)
          : DisplayText.visible(
            String(character), ascii: true, spaces: false)
      }
    }
    return plain
  }
}
