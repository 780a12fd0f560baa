/// The normal forms of Unicode (UAX #15).
enum NormalForm: Sendable, Equatable {
  case composed
  case decomposed
  case compatibilityComposed
  case compatibilityDecomposed

  private var isComposed: Bool { self == .composed || self == .compatibilityComposed }
  private var isCompatibility: Bool {
    self == .compatibilityComposed || self == .compatibilityDecomposed
  }

  /// The least lead byte of a scalar that the form can change.
  private var leastLead: UInt8 {
    switch self {
    // Below U+0300 nothing composes with what stands before it.
    case .composed: 0xCC
    case .decomposed: 0xC3
    case .compatibilityComposed, .compatibilityDecomposed: 0xC2
    }
  }

  /// A scalar of a decomposed text.
  private struct Entry {
    var scalar: UInt32
    var combiningClass: UInt8
    /// The bytes it came from.
    var range: Range<Int>
  }

  /// A part of a text in this form.
  func apply(_ text: WorkingText, _ part: Range<Int>) -> (WorkingText, Range<Int>) {
    let lead = leastLead
    guard text.bytes[part].contains(where: { $0 >= lead }) else { return (text, part) }
    return text.bytes.withUnsafeBufferPointer { bytes in
      var entries = decompose(bytes, part)
      Self.order(&entries)
      if isComposed { Self.compose(&entries) }
      return write(entries, bytes, text, part)
    }
  }

  private func decompose(_ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>) -> [Entry] {
    let table = isCompatibility ? Decompositions.compatibility : Decompositions.canonical
    var entries: [Entry] = []
    entries.reserveCapacity(part.count)
    Scalars.each(bytes, part) { scalar, range in
      if scalar.value < 0xA0 {
        entries.append(Entry(scalar: scalar.value, combiningClass: 0, range: range))
      } else if Hangul.isSyllable(scalar.value) {
        for part in Hangul.parts(scalar.value) {
          entries.append(Entry(scalar: part, combiningClass: 0, range: range))
        }
      } else if let parts = table[scalar.value] {
        for part in parts { entries.append(Self.entry(part, range)) }
      } else {
        entries.append(Self.entry(scalar, range))
      }
    }
    return entries
  }

  private static func entry(_ scalar: Unicode.Scalar, _ range: Range<Int>) -> Entry {
    let combining = scalar.value < 0x300 ? 0 : scalar.properties.canonicalCombiningClass.rawValue
    return Entry(scalar: scalar.value, combiningClass: combining, range: range)
  }

  /// Sorts every run of marks by their class, and keeps the order of equals.
  private static func order(_ entries: inout [Entry]) {
    var index = 0
    while index < entries.count {
      guard entries[index].combiningClass != 0 else {
        index += 1
        continue
      }
      let start = index
      var isOrdered = true
      while index < entries.count, entries[index].combiningClass != 0 {
        if index > start, entries[index].combiningClass < entries[index - 1].combiningClass {
          isOrdered = false
        }
        index += 1
      }
      guard !isOrdered else { continue }
      let sorted = entries[start..<index].enumerated().sorted {
        ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
      }
      // Ranges must not run backwards: each of the marks stands for all of them.
      let whole = entries[start].range.lowerBound..<entries[index - 1].range.upperBound
      for (offset, entry) in sorted.enumerated() {
        entries[start + offset] = entry.element
        entries[start + offset].range = whole
      }
    }
  }

  /// Joins every mark that is not blocked to the starter before it, where the two are one scalar.
  private static func compose(_ entries: inout [Entry]) {
    var count = 0
    var starter = -1
    var lastClass: UInt8 = 0
    for index in entries.indices {
      let entry = entries[index]
      let isBlocked =
        starter < 0 || count - 1 > starter && (lastClass == 0 || lastClass >= entry.combiningClass)
      if !isBlocked,
        let joined = Hangul.compose(entries[starter].scalar, entry.scalar)
          ?? Decompositions.composite(entries[starter].scalar, entry.scalar)
      {
        let range = entries[starter].range
        entries[starter].scalar = joined
        entries[starter].range =
          min(
            range.lowerBound, entry.range.lowerBound)..<max(
            range.upperBound, entry.range.upperBound)
        continue
      }
      entries[count] = entry
      if entry.combiningClass == 0 { starter = count }
      lastClass = entry.combiningClass
      count += 1
    }
    entries.removeSubrange(count...)
  }

  private func write(
    _ entries: [Entry], _ bytes: UnsafeBufferPointer<UInt8>, _ text: WorkingText, _ part: Range<Int>
  ) -> (WorkingText, Range<Int>) {
    func isSame(_ entry: Entry) -> Bool {
      let (scalar, length) = Scalars.at(entry.range.lowerBound, bytes)
      return scalar.value == entry.scalar && length == entry.range.count
    }
    var end = part.lowerBound
    let isUnchanged = entries.allSatisfy { entry in
      defer { end = entry.range.upperBound }
      return entry.range.lowerBound == end && isSame(entry)
    }
    if isUnchanged { return (text, part) }
    var writer = WorkingText.Writer(from: text, part)
    for entry in entries {
      if isSame(entry) {
        writer.keep(entry.range)
      } else {
        writer.write(Unicode.Scalar(entry.scalar) ?? "\u{FFFD}", for: entry.range)
      }
    }
    return (writer.finish(), 0..<writer.bytes.count)
  }
}

/// The syllables of Hangul, which compose by arithmetic (Unicode, section 3.12).
private enum Hangul {
  private static let syllables: UInt32 = 0xAC00
  private static let leads: UInt32 = 0x1100
  private static let vowels: UInt32 = 0x1161
  private static let tails: UInt32 = 0x11A7

  static func isSyllable(_ scalar: UInt32) -> Bool { scalar &- syllables < 11_172 }

  static func parts(_ scalar: UInt32) -> [UInt32] {
    let index = scalar - syllables
    let pair = [leads + index / 588, vowels + index % 588 / 28]
    return index % 28 == 0 ? pair : pair + [tails + index % 28]
  }

  static func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if first &- leads < 19, second &- vowels < 21 {
      return syllables + ((first - leads) * 21 + second - vowels) * 28
    }
    if isSyllable(first), (first - syllables) % 28 == 0, second > tails, second - tails < 28 {
      return first + second - tails
    }
    return nil
  }
}
