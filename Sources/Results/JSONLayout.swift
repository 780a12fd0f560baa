import Foundation

/// JSON laid out for people, without the cost that trees and long lists of numbers would have.
///
/// One field a line. A part of a tree or a row of a check is one line, with what it is made of on
/// the lines below it, and a list of numbers is one line: a tree of 100,000 nodes takes 11 MB so,
/// where one field a line takes 26.
struct JSONLayout {
  /// How the inside of an object or a list is laid out.
  private enum Style {
    /// Each field or element on its own line.
    case open
    /// A list with one element a line, each of them inline.
    case lines
    /// An object on one line; the list of its children has lines of its own.
    case inline
    /// All on one line.
    case flat
  }

  private static let listed = ["parts", "rows", "children"].map { Array($0.utf8) }
  private static let flat = [
    "values", "standard_errors", "nodes", "converged", "neurons", "totals", "completeness_error",
    "self_share", "unconverged", "axes", "shape", "targets", "heads",
  ].map { Array($0.utf8) }

  /// What else, of this result, has one element a line.
  private var lined: [[UInt8]] = []
  private var text: [UInt8] = []
  private var styles: [Style] = []
  private var depth = 0

  /// Lays out JSON that has no space outside its strings; the lists of these names have one element
  /// a line too.
  static func indented(_ json: Data, lines: [String] = []) -> Data {
    var layout = JSONLayout()
    layout.lined = lines.map { Array($0.utf8) }
    layout.write(Array(json))
    return Data(layout.text)
  }

  private mutating func write(_ json: [UInt8]) {
    text.reserveCapacity(json.count + json.count / 2)
    var key = 0..<0
    var string = 0..<0
    var index = 0
    while index < json.count {
      let byte = json[index]
      switch byte {
      case UInt8(ascii: "\""):
        let end = Self.end(of: index, in: json)
        string = index + 1..<end - 1
        text += json[index..<end]
        index = end
        continue
      case UInt8(ascii: ":"):
        key = string
        text += styles.last == .open ? Array(" : ".utf8) : [byte]
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        // Nothing inside: nothing to lay out.
        if index + 1 < json.count, json[index + 1] == byte + 2 {
          text += [byte, byte + 2]
          index += 2
          continue
        }
        text.append(byte)
        // Of nested lists of numbers, one row a line.
        let isNested = index + 1 < json.count && json[index + 1] == UInt8(ascii: "[")
        open(style(of: byte, key: json[key], isNested: isNested))
        // A key speaks for what follows it directly, not for the elements inside that.
        key = 0..<0
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        close()
        text.append(byte)
      case UInt8(ascii: ","):
        text.append(byte)
        if isBroken(styles.last) { breakLine() }
      default:
        text.append(byte)
      }
      index += 1
    }
  }

  private func style(of byte: UInt8, key: ArraySlice<UInt8>, isNested: Bool) -> Style {
    let isList = byte == UInt8(ascii: "[")
    let isListed = isList && (Self.listed + lined).contains { $0.elementsEqual(key) }
    switch styles.last {
    case .open where isListed: return .lines
    case .open:
      guard isList, Self.flat.contains(where: { $0.elementsEqual(key) }) else { return .open }
      return isNested ? .lines : .flat
    case .lines: return isList ? .flat : .inline
    case .inline: return isListed ? .lines : .flat
    case .flat: return .flat
    case nil: return .open
    }
  }

  private mutating func open(_ style: Style) {
    styles.append(style)
    guard isBroken(style) else { return }
    depth += 1
    breakLine()
  }

  private mutating func close() {
    guard isBroken(styles.popLast()) else { return }
    depth -= 1
    breakLine()
  }

  private func isBroken(_ style: Style?) -> Bool { style == .open || style == .lines }

  private mutating func breakLine() {
    text.append(UInt8(ascii: "\n"))
    text += repeatElement(UInt8(ascii: " "), count: 2 * depth)
  }

  /// The index after the string that starts here.
  private static func end(of start: Int, in json: [UInt8]) -> Int {
    var index = start + 1
    while index < json.count, json[index] != UInt8(ascii: "\"") {
      index += json[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(index + 1, json.count)
  }
}
