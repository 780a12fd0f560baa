/// Text as a terminal can show it: nothing that moves the cursor, and a known number of columns.
package enum DisplayText {
  /// The columns that a terminal gives to this scalar; where terminals differ, the most.
  package static func columns(_ scalar: Unicode.Scalar) -> Int {
    let code = scalar.value
    // Letters, punctuation, lines and blocks: most of every report.
    if code < 0x300 || (0x2010...0x2027).contains(code) || (0x2500...0x259F).contains(code) {
      return 1
    }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark:
      // The emoji selector can widen the symbol before it by a column.
      return code == 0xFE0F ? 1 : 0
    case .format: return 0
    default: break
    }
    if (0x1160...0x11FF).contains(code) { return 0 }
    return properties.isEmojiPresentation || wide.contains { $0.contains(code) } ? 2 : 1
  }

  /// The columns of a text that holds no control characters.
  package static func columns(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + columns($1) }
  }

  /// The text with every character visible.
  ///
  /// Line breaks become ↵, controls their pictures, marks that would reorder or hide text their
  /// code, and a space at either end ␣.
  ///
  /// - Parameters:
  ///   - text: Text from anywhere.
  ///   - ascii: Writes everything outside ASCII as `\u{…}`.
  ///   - spaces: Shows the spaces at both ends; off inside quotation marks, which show them.
  /// - Returns: Text without control or format characters.
  package static func visible(_ text: String, ascii: Bool = false, spaces: Bool = true) -> String {
    var shown = ""
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      // A mark at the start gets a circle to stand on; a joiner between emoji is part of the emoji.
      if previous == nil, !ascii, isMark(scalar) { shown += "\u{25CC}" }
      let joins =
        scalar.value == 0x200D
        && previous.map { columns($0) == 2 || $0.value == 0xFE0F }
          ?? false
      shown += joins && !ascii ? String(scalar) : visible(scalar, ascii: ascii)
      previous = scalar
    }
    guard spaces else { return shown }
    let mark = ascii ? "_" : "␣"
    let body = shown.drop { $0 == " " }
    let lead = shown.count - body.count
    var tail = 0
    var end = body
    while end.last == " " {
      end.removeLast()
      tail += 1
    }
    return String(repeating: mark, count: lead) + end + String(repeating: mark, count: tail)
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    let category = scalar.properties.generalCategory
    return category == .nonspacingMark || category == .enclosingMark
  }

  /// Bytes that are not text, from their hex: `‹E2 80›`.
  package static func bytes(_ hex: String, to width: Int, ascii: Bool = false) -> String {
    let digits = Array(hex.uppercased().prefix(2 * 64).filter(\.isHexDigit))
    let pairs = stride(from: 0, to: digits.count, by: 2).map {
      String(digits[$0..<min($0 + 2, digits.count)])
    }
    let text = (ascii ? "<" : "‹") + pairs.joined(separator: " ") + (ascii ? ">" : "›")
    return cut(text, to: width, ellipsis: ascii ? "..." : "…")
  }

  private static func visible(_ scalar: Unicode.Scalar, ascii: Bool) -> String {
    let code = scalar.value
    if ascii {
      switch code {
      case 0x0A: return "\\n"
      case 0x0D: return "\\r"
      case 0x09: return "\\t"
      case 0x20..<0x7F: return String(scalar)
      default: return "\\u{" + String(code, radix: 16, uppercase: true) + "}"
      }
    }
    switch code {
    case 0x0A: return "↵"
    case 0x09: return "⇥"
    case 0..<0x20: return String(Unicode.Scalar(0x2400 + code) ?? "␦")
    case 0x7F: return "␡"
    case 0xFE0F: return String(scalar)
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
      .surrogate:
      return "⟨U+" + String(code, radix: 16, uppercase: true) + "⟩"
    case .spaceSeparator where code != 0x20:
      return "⟨U+" + String(code, radix: 16, uppercase: true) + "⟩"
    default:
      return String(scalar)
    }
  }

  /// The text cut to a width, with an ellipsis where something is missing.
  package static func cut(_ text: String, to width: Int, ellipsis: String = "…") -> String {
    guard columns(text) > width else { return text }
    let room = width - columns(ellipsis)
    guard room > 0 else { return String(ellipsis.prefix(max(0, width))) }
    var kept = String.UnicodeScalarView()
    var used = 0
    for scalar in text.unicodeScalars {
      used += columns(scalar)
      if used > room { break }
      kept.append(scalar)
    }
    return String(kept) + ellipsis
  }

  /// The end of the text that fits, with an ellipsis before it where something is missing.
  package static func tail(_ text: String, to width: Int, ellipsis: String = "…") -> String {
    guard columns(text) > width else { return text }
    let room = width - columns(ellipsis)
    guard room > 0 else { return String(ellipsis.prefix(max(0, width))) }
    var kept: [Unicode.Scalar] = []
    var used = 0
    for scalar in text.unicodeScalars.reversed() {
      used += columns(scalar)
      if used > room { break }
      kept.append(scalar)
    }
    // A mark must not come to stand on the ellipsis.
    while let last = kept.last, columns(last) == 0 { kept.removeLast() }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: kept.reversed())
    return ellipsis + String(view)
  }

  /// The text filled with spaces to a width; longer text is cut.
  package static func padded(
    _ text: String, to width: Int, right: Bool = false, ellipsis: String = "…"
  ) -> String {
    let text = cut(text, to: width, ellipsis: ellipsis)
    let space = String(repeating: " ", count: max(0, width - columns(text)))
    return right ? space + text : text + space
  }

  /// The text broken at spaces into lines of at most this width; words that are longer are cut up.
  package static func wrapped(_ text: String, to width: Int, indent: String = "") -> [String] {
    var lines: [String] = []
    var line = ""
    let room = max(1, width - columns(indent))
    func start() -> String { lines.isEmpty ? "" : indent }
    for word in text.split(separator: " ").map(String.init) {
      let joined = line.isEmpty ? word : line + " " + word
      if columns(joined) <= (lines.isEmpty ? width : room) {
        line = joined
        continue
      }
      if !line.isEmpty {
        lines.append(start() + line)
        line = ""
      }
      var rest = Substring(word)
      while columns(String(rest)) > room {
        var part = ""
        while let character = rest.first, columns(part + String(character)) <= room {
          part.append(character)
          rest.removeFirst()
        }
        // One character can be wider than the line.
        if part.isEmpty, rest.popFirst() != nil { part = "?" }
        lines.append(start() + part)
      }
      line = String(rest)
    }
    if !line.isEmpty { lines.append(start() + line) }
    return lines
  }

  /// Phrases joined by a separator, broken between phrases where they can be.
  package static func joined(
    _ phrases: [String], by separator: String, to width: Int, indent: String = ""
  ) -> [String] {
    var lines: [String] = []
    var line = ""
    for phrase in phrases {
      let joined = line + separator + phrase
      if line.isEmpty {
        line = phrase
      } else if columns(joined) <= width {
        line = joined
      } else {
        lines += columns(line) <= width ? [line] : wrapped(line, to: width, indent: indent)
        line = indent + phrase
      }
    }
    return lines + (columns(line) <= width ? [line] : wrapped(line, to: width, indent: indent))
  }

  /// Wide and full-width scalars that are not emoji by default (Unicode East Asian Width W and F).
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2329...0x232A, 0x2630...0x2637, 0x268A...0x268F, 0x2E80...0x303E,
    0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE1F,
    0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF,
    0x1D300...0x1D376, 0x1F000...0x1FAFF, 0x20000...0x3FFFD,
  ]
}
