/// A word, literal or sign of a template, or the text between.
struct TemplateToken: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case text(String)
    case variableBegin
    case variableEnd
    case blockBegin
    case blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case real(Double)
    case sign(String)
    case end
  }

  var kind: Kind
  var line: Int

  /// What messages call the token.
  var shown: String {
    switch kind {
    case .text: "text"
    case .variableBegin: "'{{'"
    case .variableEnd: "'}}'"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .string(let text): "the text '\(printable(text))'"
    case .integer(let value): "'\(value)'"
    case .real(let value): "'\(value)'"
    case .sign(let sign): "'\(sign)'"
    case .end: "the end of the template"
    }
  }
}

/// Divides a template into tokens, with the white-space rules of `trim_blocks` and `lstrip_blocks`.
///
/// The line break after a block or comment goes, and so do the spaces before one that begins its
/// line; `-` beside a delimiter takes all white space there, `+` keeps it.
struct TemplateLexer {
  private let source: [Unicode.Scalar]
  private var index = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// Whether what was read last ended a line, so that spaces now begin one.
  private var isLineStart = true

  private enum Delimiter {
    case variable
    case block
    case comment
  }

  /// The tokens of a template, the last of them `end`.
  static func tokens(_ source: String) throws(TokenizationError) -> [TemplateToken] {
    var lexer = TemplateLexer(source)
    while try lexer.next() {}
    lexer.add(.end)
    return lexer.tokens
  }

  private init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      if scalar == "\r" {
        scalars.append("\n")
      } else if scalar != "\n" || previous != "\r" {
        scalars.append(scalar)
      }
      previous = scalar
    }
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  private mutating func add(_ kind: TemplateToken.Kind) {
    tokens.append(TemplateToken(kind: kind, line: line))
  }

  private func at(_ offset: Int = 0) -> Unicode.Scalar? {
    index + offset < source.count ? source[index + offset] : nil
  }

  private func matches(_ text: String, at start: Int) -> Bool {
    var position = start
    for scalar in text.unicodeScalars {
      guard position < source.count, source[position] == scalar else { return false }
      position += 1
    }
    return true
  }

  /// Moves to an index, counting lines.
  private mutating func move(to end: Int) {
    while index < end {
      if source[index] == "\n" { line += 1 }
      index += 1
    }
  }

  private mutating func skipSpace() {
    var end = index
    while end < source.count, source[end].isTemplateSpace { end += 1 }
    move(to: end)
  }

  private func syntax(_ what: String) -> TokenizationError {
    .template(.templateSyntax, line, what)
  }

  // MARK: Text

  /// Reads the text up to the next delimiter and what stands in it; `false` at the end.
  private mutating func next() throws(TokenizationError) -> Bool {
    var begin = index
    var delimiter: Delimiter?
    while begin + 1 < source.count {
      if source[begin] == "{" {
        switch source[begin + 1] {
        case "{": delimiter = .variable
        case "%": delimiter = .block
        case "#": delimiter = .comment
        default: break
        }
        if delimiter != nil { break }
      }
      begin += 1
    }
    guard let delimiter else {
      addText(source[index...], strip: nil, isBlock: false)
      move(to: source.count)
      return false
    }
    let mark = begin + 2 < source.count ? source[begin + 2] : nil
    let strip: Unicode.Scalar? = mark == "-" || mark == "+" ? mark : nil
    addText(source[index..<begin], strip: strip, isBlock: delimiter != .variable)
    move(to: begin + 2 + (strip == nil ? 0 : 1))
    switch delimiter {
    case .comment: try comment()
    case .variable: try expression(until: .variable)
    case .block: if try !raw() { try expression(until: .block) }
    }
    isLineStart = source[index - 1] == "\n"
    return true
  }

  private mutating func addText(
    _ text: ArraySlice<Unicode.Scalar>, strip: Unicode.Scalar?, isBlock: Bool
  ) {
    var text = text
    if strip == "-" {
      while let last = text.last, last.isTemplateSpace { text.removeLast() }
    } else if strip == nil, isBlock {
      let lineBreak = text.lastIndex(of: "\n")
      let start = lineBreak.map { $0 + 1 } ?? text.startIndex
      if lineBreak != nil || isLineStart, text[start...].allSatisfy(\.isTemplateSpace) {
        text = text[..<start]
      }
    }
    guard !text.isEmpty else { return }
    var result = String.UnicodeScalarView()
    result.append(contentsOf: text)
    add(.text(String(result)))
  }

  private mutating func comment() throws(TokenizationError) {
    var end = index
    while end < source.count, !matches("#}", at: end) { end += 1 }
    guard end < source.count else { throw syntax("a comment has no '#}'") }
    let mark = end > index ? source[end - 1] : nil
    move(to: end + 2)
    afterBlock(mark)
  }

  private mutating func afterBlock(_ mark: Unicode.Scalar?) {
    if mark == "-" {
      skipSpace()
    } else if mark != "+", at() == "\n" {
      move(to: index + 1)
    }
  }

  /// Reads `{% raw %}…{% endraw %}` after its `{%`.
  private mutating func raw() throws(TokenizationError) -> Bool {
    let start = index
    let startLine = line
    guard let mark = tag("raw") else {
      (index, line) = (start, startLine)
      return false
    }
    // Unlike other blocks, raw keeps the line break after it.
    if mark == "-" { skipSpace() }
    let content = index
    var end = index
    while end < source.count {
      guard matches("{%", at: end) else {
        end += 1
        continue
      }
      let sign = end + 2 < source.count ? source[end + 2] : nil
      let strip: Unicode.Scalar? = sign == "-" || sign == "+" ? sign : nil
      move(to: end + 2 + (strip == nil ? 0 : 1))
      if let mark = tag("endraw") {
        isLineStart = content > 0 && source[content - 1] == "\n"
        addText(source[content..<end], strip: strip, isBlock: true)
        afterBlock(mark)
        return true
      }
      end += 2
    }
    line = startLine
    throw syntax("'raw' has no 'endraw'")
  }

  /// Reads a tag without arguments up to its `%}` and returns the mark before that, or a space.
  private mutating func tag(_ name: String) -> Unicode.Scalar? {
    skipSpace()
    guard matches(name, at: index) else { return nil }
    move(to: index + name.unicodeScalars.count)
    skipSpace()
    if matches("%}", at: index) {
      move(to: index + 2)
      return " "
    }
    guard let mark = at(), mark == "-" || mark == "+", matches("%}", at: index + 1) else {
      return nil
    }
    move(to: index + 3)
    return mark
  }

  // MARK: Inside delimiters

  private mutating func expression(until delimiter: Delimiter) throws(TokenizationError) {
    let isBlock = delimiter == .block
    let start = line
    add(isBlock ? .blockBegin : .variableBegin)
    let closing = isBlock ? "%}" : "}}"
    var open: [Unicode.Scalar] = []
    while true {
      skipSpace()
      guard let scalar = at() else {
        line = start
        throw syntax("'\(isBlock ? "{%" : "{{")' has no '\(closing)'")
      }
      if open.isEmpty {
        if matches(closing, at: index) {
          add(isBlock ? .blockEnd : .variableEnd)
          move(to: index + 2)
          if isBlock { afterBlock(nil) }
          return
        }
        if scalar == "-" || (scalar == "+" && isBlock), matches(closing, at: index + 1) {
          add(isBlock ? .blockEnd : .variableEnd)
          move(to: index + 3)
          if scalar == "-" { skipSpace() }
          return
        }
      }
      switch scalar {
      case "a"..."z", "A"..."Z", "_": name()
      case "0"..."9": try number()
      case "'", "\"": try string(scalar)
      default: try sign(&open)
      }
    }
  }

  private mutating func name() {
    var name = ""
    while let scalar = at(), scalar.isTemplateName {
      name.unicodeScalars.append(scalar)
      index += 1
    }
    add(.name(name))
  }

  private mutating func digits() -> String {
    var digits = ""
    while let scalar = at(), ("0"..."9").contains(scalar) || scalar == "_" {
      if scalar != "_" { digits.unicodeScalars.append(scalar) }
      index += 1
    }
    return digits
  }

  private mutating func number() throws(TokenizationError) {
    func isDigit(_ scalar: Unicode.Scalar?) -> Bool {
      scalar.map { ("0"..."9").contains($0) } ?? false
    }
    var text = digits()
    var isReal = false
    if at() == ".", isDigit(at(1)) {
      isReal = true
      index += 1
      text += "." + digits()
    }
    if at() == "e" || at() == "E" {
      let signed = at(1) == "+" || at(1) == "-"
      if isDigit(at(signed ? 2 : 1)) {
        isReal = true
        text += "e" + (at(1) == "-" ? "-" : "")
        index += signed ? 2 : 1
        text += digits()
      }
    }
    guard at().map({ !$0.isTemplateName }) ?? true else {
      throw syntax("'\(text)\(at()!)' is not a number this subset of Jinja knows")
    }
    if isReal, let value = Double(text), value.isFinite {
      add(.real(value))
    } else if !isReal, let value = Int(text) {
      add(.integer(value))
    } else {
      throw syntax("the number \(printable(text)) is too large")
    }
  }

  private mutating func string(_ quote: Unicode.Scalar) throws(TokenizationError) {
    let start = line
    var text = ""
    move(to: index + 1)
    while true {
      guard let scalar = at() else {
        line = start
        throw syntax("a text has no closing quote")
      }
      move(to: index + 1)
      if scalar == quote { break }
      if scalar == "\\", let escaped = at() {
        move(to: index + 1)
        try escape(escaped, into: &text)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    add(.string(text))
  }

  private mutating func escape(
    _ scalar: Unicode.Scalar, into text: inout String
  ) throws(TokenizationError) {
    switch scalar {
    case "n": text += "\n"
    case "t": text += "\t"
    case "r": text += "\r"
    case "a": text += "\u{07}"
    case "b": text += "\u{08}"
    case "f": text += "\u{0C}"
    case "v": text += "\u{0B}"
    case "\\", "'", "\"": text.unicodeScalars.append(scalar)
    case "\n": break
    case "x": try hex(2, into: &text)
    case "u": try hex(4, into: &text)
    case "U": try hex(8, into: &text)
    default:
      guard !("0"..."7").contains(scalar) else {
        throw syntax("the escape '\\\(scalar)' is not one this subset of Jinja knows")
      }
      text += "\\"
      text.unicodeScalars.append(scalar)
    }
  }

  private mutating func hex(_ count: Int, into text: inout String) throws(TokenizationError) {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard let scalar = at(), let digit = UInt32(String(scalar), radix: 16), value >> 28 == 0
      else { throw syntax("an escape lacks \(count) hexadecimal digits") }
      value = value << 4 | digit
      index += 1
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw syntax("an escape names half of a surrogate pair or no character")
    }
    text.unicodeScalars.append(scalar)
  }

  private mutating func sign(_ open: inout [Unicode.Scalar]) throws(TokenizationError) {
    for sign in ["//", "**", "==", "!=", "<=", ">="] where matches(sign, at: index) {
      add(.sign(sign))
      index += 2
      return
    }
    let scalar = source[index]
    switch scalar {
    case "(": open.append(")")
    case "[": open.append("]")
    case "{": open.append("}")
    case ")", "]", "}":
      guard open.popLast() == scalar else { throw syntax("'\(scalar)' closes nothing") }
    case "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",": break
    default:
      throw syntax("'\(printable(String(scalar)))' has no meaning in a template")
    }
    add(.sign(String(scalar)))
    index += 1
  }
}

extension Unicode.Scalar {
  /// White space as Python sees it.
  var isTemplateSpace: Bool {
    value < 0x80
      ? value == 0x20 || (value >= 0x09 && value <= 0x0D) || (value >= 0x1C && value <= 0x1F)
      : properties.isWhitespace
  }

  fileprivate var isTemplateName: Bool {
    ("a"..."z").contains(self) || ("A"..."Z").contains(self) || ("0"..."9").contains(self)
      || self == "_"
  }
}

extension TokenizationError {
  /// An error in a template, with its line and the way out.
  static func template(_ code: Code, _ line: Int, _ what: String) -> TokenizationError {
    TokenizationError(
      code,
      "chat template, line \(line): \(what); correct the template or pass the prompt as plain text."
    )
  }
}
