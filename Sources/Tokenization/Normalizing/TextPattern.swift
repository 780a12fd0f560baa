/// What a replacement looks for: a text, or one of a few characters some number of times.
///
/// Patterns are those that published tokenizers replace by, such as ` {2,}` and `\s{2,}|[\n\r\t]`; they
/// are matched in one pass without backtracking.
struct TextPattern: Sendable, Equatable {
  /// Which characters a run is made of.
  private struct CharacterSet: Sendable, Equatable {
    var hasSpaces = false
    var scalars: [ClosedRange<UInt32>] = []
    var isInverted = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
      let isIn =
        hasSpaces && scalar.isSpace || scalars.contains { $0.contains(scalar.value) }
      return isIn != isInverted
    }
  }

  /// A run of characters of a set.
  private struct Run: Sendable, Equatable {
    var set: CharacterSet
    var minimum = 1
    var maximum = 1
  }

  /// The greatest number of times a pattern may ask for at least: work on a text grows with it.
  private static let longestMinimum = 256

  /// Alternatives, of which the first that fits is taken; each some runs one after another.
  private let alternatives: [[Run]]

  /// A pattern that matches just this text.
  init(text: String) {
    alternatives = [
      text.unicodeScalars.map { Run(set: CharacterSet(scalars: [$0.value...$0.value])) }
    ]
  }

  /// The pattern of a regular expression; `nil` if it needs more than sets, repeats and `|`.
  init?(regex: String) {
    var alternatives: [[Run]] = [[]]
    var rest = Substring(regex).unicodeScalars
    while let first = rest.popFirst() {
      if first == "|" {
        alternatives.append([])
        continue
      }
      guard var run = Self.run(first, &rest) else { return nil }
      guard Self.repeats(&run, &rest) else { return nil }
      // A run of open length that others follow might have to give back what it took.
      if let last = alternatives[alternatives.count - 1].last, last.minimum != last.maximum {
        return nil
      }
      alternatives[alternatives.count - 1].append(run)
    }
    guard alternatives.allSatisfy({ $0.contains { $0.minimum > 0 } }) else { return nil }
    self.alternatives = alternatives
  }

  private static func run(
    _ first: Unicode.Scalar, _ rest: inout Substring.UnicodeScalarView
  ) -> Run? {
    var set = CharacterSet()
    switch first {
    case "[":
      if rest.first == "^" {
        set.isInverted = true
        rest.removeFirst()
      }
      while let scalar = rest.popFirst(), scalar != "]" {
        guard scalar != "[", scalar != "&", scalar != "-", add(scalar, &rest, to: &set) else {
          return nil
        }
        if rest.first == "-", !addRange(&rest, to: &set) { return nil }
      }
      guard set.hasSpaces || !set.scalars.isEmpty else { return nil }
    case "(", ")", ".", "*", "+", "?", "{", "}", "^", "$", "]":
      return nil
    default:
      guard add(first, &rest, to: &set) else { return nil }
    }
    return Run(set: set)
  }

  /// Adds a character, an escape or a range; returns whether it is known.
  private static func add(
    _ scalar: Unicode.Scalar, _ rest: inout Substring.UnicodeScalarView, to set: inout CharacterSet
  ) -> Bool {
    var scalar = scalar
    if scalar == "\\" {
      guard let escaped = rest.popFirst() else { return false }
      switch escaped {
      case "s":
        set.hasSpaces = true
        return true
      case "n": scalar = "\n"
      case "r": scalar = "\r"
      case "t": scalar = "\t"
      default:
        guard !escaped.properties.isAlphabetic, !escaped.isNumber else { return false }
        scalar = escaped
      }
    }
    set.scalars.append(scalar.value...scalar.value)
    return true
  }

  /// Makes a range of the last character of a set and the one after a `-`.
  private static func addRange(
    _ rest: inout Substring.UnicodeScalarView, to set: inout CharacterSet
  ) -> Bool {
    rest.removeFirst()
    guard let first = set.scalars.popLast()?.lowerBound, let last = rest.popFirst(), last != "\\",
      last != "]", first <= last.value
    else { return false }
    set.scalars.append(first...last.value)
    return true
  }

  private static func repeats(_ run: inout Run, _ rest: inout Substring.UnicodeScalarView) -> Bool {
    switch rest.first {
    case "+":
      run.maximum = .max
      rest.removeFirst()
    case "{":
      guard let end = rest.firstIndex(of: "}") else { return false }
      let inner = String(rest[rest.index(after: rest.startIndex)..<end])
      let bounds = inner.split(separator: ",", omittingEmptySubsequences: false)
      guard (1...2).contains(bounds.count), let minimum = Int(bounds[0]),
        (1...Self.longestMinimum).contains(minimum)
      else { return false }
      run.minimum = minimum
      run.maximum = minimum
      if bounds.count == 2 {
        guard let maximum = bounds[1].isEmpty ? .max : Int(bounds[1]), maximum >= minimum else {
          return false
        }
        run.maximum = maximum
      }
      rest = rest[rest.index(after: end)...]
    default:
      return true
    }
    return rest.first != "+" && rest.first != "?" && rest.first != "*" && rest.first != "{"
  }

  /// The matches in a part of a text, from left to right.
  func matches(_ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var index = part.lowerBound
    while index < part.upperBound {
      if let end = match(bytes, index, part.upperBound), end > index {
        matches.append(index..<end)
        index = end
      } else {
        index += Scalars.at(index, bytes).length
      }
    }
    return matches
  }

  private func match(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
    for runs in alternatives {
      var index = start
      let fits = runs.allSatisfy { run in
        var count = 0
        while count < run.maximum, index < end {
          let (scalar, length) = Scalars.at(index, bytes)
          guard run.set.contains(scalar) else { break }
          index += length
          count += 1
        }
        return count >= run.minimum
      }
      if fits { return index }
    }
    return nil
  }
}
