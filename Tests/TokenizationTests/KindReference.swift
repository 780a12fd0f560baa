import Foundation
import StrictJSON
import Testing
import Tokenization

/// What the reference implementation makes of the corpus with one tokenizer, in compact form.
struct KindReference {
  let beginning: [Int]
  let ending: [Int]
  /// Ids of every line, special tokens being text.
  let plain: [[Int]]
  /// Ids with special tokens found, of lines where they differ.
  let special: [Int: [Int]]
  /// Ranges in bytes of the tokens of every sixth line, by line, without lines on which the reference
  /// loses its place: where a table of characters drops the start, its offsets are too small.
  let ranges: [Int: [Range<Int>]]
  /// A hash of what the ids of each line decode to.
  let decoded: [UInt32]

  init(_ name: String) {
    let file = Corpus.load(name + ".reference.json")
    func ids(_ value: JSON) -> [Int] { value.array!.map { $0.integer! } }
    func numbers<Number: FixedWidthInteger>(_ key: String, _: Number.Type) -> [Number] {
      let bytes = [UInt8](Data(base64Encoded: file[key]!.string!)!)
      let width = Number.bitWidth / 8
      return stride(from: 0, to: bytes.count, by: width).map { start in
        (0..<width).reversed().reduce(0) { $0 << 8 | Number(bytes[start + $1]) }
      }
    }
    beginning = ids(file["beginning"]!)
    ending = ids(file["ending"]!)
    special = Dictionary(
      uniqueKeysWithValues: file["special"]!.members!.map { (Int($0.key)!, ids($0.value)) })
    decoded = numbers("decoded", UInt32.self)
    let all = numbers("ids", UInt16.self).map(Int.init)
    var steps = Self.variable([UInt8](Data(base64Encoded: file["offsets"]!.string!)!))[...]
    var plain: [[Int]] = []
    var ranges: [Int: [Range<Int>]] = [:]
    var first = 0
    for (line, count) in numbers("counts", UInt16.self).enumerated() {
      plain.append(Array(all[first..<(first + Int(count))]))
      first += Int(count)
      guard line % 6 == 0 else { continue }
      var end = 0
      ranges[line] = (0..<Int(count)).map { _ in
        let step = steps.removeFirst()
        let start = step % 2 == 0 ? end + step / 2 : end - step / 2
        end = start + steps.removeFirst()
        return start..<end
      }
    }
    for line in ids(file["lost"]!) { ranges[line] = nil }
    self.plain = plain
    self.ranges = ranges
  }

  /// Numbers of seven bits a byte, the lowest first.
  private static func variable(_ bytes: [UInt8]) -> [Int] {
    var numbers: [Int] = []
    var (number, shift) = (0, 0)
    for byte in bytes {
      number |= Int(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 {
        numbers.append(number)
        (number, shift) = (0, 0)
      }
    }
    return numbers
  }

  /// FNV-1a, as the fixture has it.
  static func hash(_ text: String) -> UInt32 {
    text.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
  }

  /// Holds every line against the reference: ids both ways of treating special tokens, ranges, and
  /// what the ids decode to.
  func compare(_ tokenizer: Tokenizer, _ location: SourceLocation = #_sourceLocation) {
    #expect(tokenizer.beginning == beginning, sourceLocation: location)
    #expect(tokenizer.ending == ending, sourceLocation: location)
    #expect(plain.count == Corpus.lines.count, sourceLocation: location)
    var faults = 0
    func record(_ what: String) {
      faults += 1
      if faults < 8 { Issue.record("\(what)", sourceLocation: location) }
    }
    for (index, line) in Corpus.lines.enumerated() {
      let text = tokenizer.encode(line)
      if text.ids != plain[index] {
        record("line \(index) \(line.debugDescription): \(text.ids), not \(plain[index])")
        continue
      }
      let found = tokenizer.encode(line, specialTokens: true).ids
      let wanted = special[index] ?? plain[index]
      if found != wanted {
        record("special, line \(index) \(line.debugDescription): \(found), not \(wanted)")
      }
      let decoded = tokenizer.decode(text.ids)
      if Self.hash(decoded) != self.decoded[index] {
        record("line \(index) \(line.debugDescription) decodes to \(decoded.debugDescription)")
      }
      if let ranges = ranges[index], let what = Self.fault(text, ranges) {
        record("ranges, line \(index) \(line.debugDescription): \(what)")
      }
    }
    #expect(faults == 0, sourceLocation: location)
  }

  /// Where ranges are not the reference's.
  ///
  /// The reference knows whole characters only, and of several that normalization makes one it names
  /// one. Here a range is exact to the byte, and takes in all that the token was made from. So, widened
  /// to whole characters, a range must be the reference's, or hold it, and beyond it only what no token
  /// claims there or what tokens with the very same range do (marks that were put in order). Where the
  /// reference gives the bytes of a character, or a run of them, one range, each must lie in it.
  private static func fault(_ text: TokenizedText, _ wanted: [Range<Int>]) -> String? {
    let bytes = Array(text.text.utf8)
    func isBorder(_ index: Int) -> Bool { index == bytes.count || bytes[index] & 0xC0 != 0x80 }
    let found = text.ranges.map { range in
      var (low, high) = (range.lowerBound, range.upperBound)
      while !isBorder(low) { low -= 1 }
      while !isBorder(high) { high += 1 }
      return low..<high
    }
    var claims = [[Int]](repeating: [], count: bytes.count)
    for (index, range) in wanted.enumerated() { for byte in range { claims[byte].append(index) } }
    let all = found
    for (index, (found, wanted)) in zip(found, wanted).enumerated() {
      if found == wanted { continue }
      // A space put before the text stands for nothing; the reference names what comes after it.
      if found.isEmpty, index + 1 < all.count, all[index + 1].overlaps(wanted) { continue }
      let isShared = claims[wanted.lowerBound].count > 1
      if isShared, wanted.lowerBound <= found.lowerBound, found.upperBound <= wanted.upperBound {
        continue
      }
      let isWider =
        found.lowerBound <= wanted.lowerBound && found.upperBound >= wanted.upperBound
        && found.allSatisfy { byte in
          wanted.contains(byte) || claims[byte].allSatisfy { all[$0] == found }
        }
      if !isWider { return "token \(index) is \(found), not \(wanted)" }
    }
    return nil
  }
}
