/// One step of bringing a text into the form that the vocabulary is written in.
enum NormalizingStep: Sendable, Equatable {
  /// Brings into a normal form of Unicode.
  case form(NormalForm)
  /// Lowers every letter by itself.
  case lowercase
  /// Drops every mark.
  case dropMarks
  /// Drops the marks that take no space of their own.
  case dropNonspacingMarks
  /// Drops white space at the ends.
  case strip(start: Bool, end: Bool)
  /// Drops spaces at both ends, and all but the first of every run.
  case collapseSpaces
  /// Puts a text where a pattern matches.
  case replace(TextPattern, with: [UInt8])
  /// Puts a text before a text that is not empty.
  case prepend([UInt8])
  /// Replaces characters by SentencePiece's table.
  case characterMap(CharacterMap)
  /// BERT: drops control characters, and makes a space of all white space.
  case clean
  /// BERT: puts spaces around Chinese characters.
  case divideChinese
  /// SentencePiece's older rules: drops control characters, makes spaces of some others.
  case machineTranslation

  /// The steps of BERT's preparation of a text.
  static func bert(_ settings: WordPieceVocabulary.Preparation) -> [NormalizingStep] {
    var steps: [NormalizingStep] = []
    if settings.cleansText { steps.append(.clean) }
    if settings.dividesChinese { steps.append(.divideChinese) }
    if settings.stripsAccents ?? settings.lowercases {
      steps += [.form(.decomposed), .dropNonspacingMarks]
    }
    if settings.lowercases { steps.append(.lowercase) }
    return steps
  }

  /// A part of a text after all steps.
  static func apply(
    _ steps: [NormalizingStep], _ text: WorkingText, _ part: Range<Int>
  ) -> (WorkingText, Range<Int>) {
    var (text, part) = (text, part)
    for step in steps { (text, part) = step.apply(text, part) }
    return (text, part)
  }

  /// A text after all steps.
  static func apply(_ steps: [NormalizingStep], _ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    let (text, part) = apply(steps, WorkingText(bytes), 0..<bytes.count)
    return Array(text.bytes[part])
  }

  private func apply(_ text: WorkingText, _ part: Range<Int>) -> (WorkingText, Range<Int>) {
    switch self {
    case .form(let form):
      return form.apply(text, part)
    case .characterMap(let map):
      return map.apply(text, part)
    case .strip(let start, let end):
      return (text, Self.strip(text.bytes, part, start: start, end: end) { $0.isSpace })
    case .collapseSpaces:
      let inner = Self.strip(text.bytes, part, start: true, end: true) { $0 == " " }
      return Self.replace(Self.spaces, [0x20], text, inner)
    case .replace(let pattern, let replacement):
      return Self.replace(pattern, replacement, text, part)
    case .prepend(let prefix):
      guard !part.isEmpty else { return (text, part) }
      var writer = WorkingText.Writer(from: text, part)
      writer.write(prefix, for: part.lowerBound..<part.lowerBound)
      writer.keep(part)
      return (writer.finish(), 0..<writer.bytes.count)
    case .lowercase:
      return Self.rewrite(text, part) { scalar, range, writer in
        if scalar.value < 0x80 {
          writer.write(Unicode.Scalar(UInt8(scalar.value) | 0x20), for: range)
        } else {
          writer.write(scalar.properties.lowercaseMapping.utf8, for: range)
        }
      } unless: { scalar in
        scalar.value < 0x80
          ? !(0x41...0x5A).contains(scalar.value) : !scalar.properties.changesWhenLowercased
      }
    case .dropMarks:
      return Self.rewrite(text, part) { _, _, _ in
      } unless: {
        !$0.isMark
      }
    case .dropNonspacingMarks:
      return Self.rewrite(text, part) { _, _, _ in
      } unless: {
        $0.value < 0x300 || $0.properties.generalCategory != .nonspacingMark
      }
    case .clean:
      return Self.rewrite(text, part) { scalar, range, writer in
        if !Self.isCleaned(scalar) { writer.write(" ", for: range) }
      } unless: {
        $0 == " " || !$0.isSpace && !Self.isCleaned($0)
      }
    case .divideChinese:
      return Self.rewrite(text, part) { _, range, writer in
        writer.write(CollectionOfOne(0x20), for: range.lowerBound..<range.lowerBound)
        writer.keep(range)
        writer.write(CollectionOfOne(0x20), for: range.upperBound..<range.upperBound)
      } unless: {
        !Self.isChinese($0.value)
      }
    case .machineTranslation:
      return Self.rewrite(text, part) { scalar, range, writer in
        if Self.isOldSpace(scalar.value) { writer.write(" ", for: range) }
      } unless: {
        !Self.isOldControl($0.value) && !Self.isOldSpace($0.value)
      }
    }
  }

  private static let spaces = TextPattern(regex: " {2,}")!

  // MARK: Ways to change a text

  /// Changes the scalars that are not as they should be; a text with none of them is left as it is.
  private static func rewrite(
    _ text: WorkingText, _ part: Range<Int>,
    _ change: (Unicode.Scalar, Range<Int>, inout WorkingText.Writer) -> Void,
    unless isKept: (Unicode.Scalar) -> Bool
  ) -> (WorkingText, Range<Int>) {
    text.bytes.withUnsafeBufferPointer { bytes in
      var first = part.lowerBound
      while first < part.upperBound {
        let (scalar, length) = Scalars.at(first, bytes)
        if !isKept(scalar) { break }
        first += length
      }
      guard first < part.upperBound else { return (text, part) }
      var writer = WorkingText.Writer(from: text, part)
      var kept = part.lowerBound
      Scalars.each(bytes, first..<part.upperBound) { scalar, range in
        guard !isKept(scalar) else { return }
        writer.keep(kept..<range.lowerBound)
        change(scalar, range, &writer)
        kept = range.upperBound
      }
      writer.keep(kept..<part.upperBound)
      return (writer.finish(), 0..<writer.bytes.count)
    }
  }

  private static func replace(
    _ pattern: TextPattern, _ replacement: [UInt8], _ text: WorkingText, _ part: Range<Int>
  ) -> (WorkingText, Range<Int>) {
    text.bytes.withUnsafeBufferPointer { bytes in
      let matches = pattern.matches(bytes, part)
      guard !matches.isEmpty else { return (text, part) }
      var writer = WorkingText.Writer(from: text, part)
      var kept = part.lowerBound
      for match in matches {
        writer.keep(kept..<match.lowerBound)
        writer.write(replacement, for: match)
        kept = match.upperBound
      }
      writer.keep(kept..<part.upperBound)
      return (writer.finish(), 0..<writer.bytes.count)
    }
  }

  private static func strip(
    _ bytes: [UInt8], _ part: Range<Int>, start: Bool, end: Bool, _ goes: (Unicode.Scalar) -> Bool
  ) -> Range<Int> {
    bytes.withUnsafeBufferPointer { bytes in
      var (lower, upper) = (part.lowerBound, part.upperBound)
      while start, lower < upper {
        let (scalar, length) = Scalars.at(lower, bytes)
        guard goes(scalar) else { break }
        lower += length
      }
      while end, lower < upper {
        var last = upper - 1
        while last > lower, bytes[last] & 0xC0 == 0x80 { last -= 1 }
        guard goes(Scalars.at(last, bytes).scalar) else { break }
        upper = last
      }
      return lower..<upper
    }
  }

  // MARK: Which characters

  /// Whether BERT drops a character: controls, but for the tabulator and line breaks.
  private static func isCleaned(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x80 {
      return scalar.value < 0x20 && scalar != "\t" && scalar != "\n" && scalar != "\r"
        || scalar.value == 0x7F
    }
    if scalar.value == 0xFFFD { return true }
    switch scalar.properties.generalCategory {
    case .control, .format, .privateUse: return true
    default: return false
    }
  }

  private static func isChinese(_ scalar: UInt32) -> Bool {
    guard scalar >= 0x3400 else { return false }
    switch scalar {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
      0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
      return true
    default:
      return false
    }
  }

  private static func isOldControl(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: true
    default: false
    }
  }

  private static func isOldSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
      true
    default: false
    }
  }
}
