/// Small bars of values on one axis that holds zero, drawn in text to half a column.
///
/// What takes away runs to the left of zero and is hatched, so that it reads without colour.
struct ValueBar {
  /// The columns of the axis.
  let width: Int
  private let isASCII: Bool
  /// The columns left of zero, and how many halves of a column one unit takes.
  private let zero: Int
  private let scale: Double

  /// An axis for these values; zero is at the edge of a column.
  init(values: [Double], width: Int, isASCII: Bool) {
    let finite = values.filter(\.isFinite)
    let low = -min(0, finite.min() ?? 0)
    let high = max(0, finite.max() ?? 0)
    self.width = max(1, width)
    self.isASCII = isASCII
    let left =
      low > 0 && self.width > 1 ? Int((Double(self.width) * (low / (low + high))).rounded(.up)) : 0
    zero = high > 0 ? min(left, self.width - 1) : left
    // The tighter of the two sides rules.
    let sides = [
      low > 0 && zero > 0 ? Double(zero) / low : nil,
      high > 0 ? Double(self.width - zero) / high : nil,
    ].compactMap { $0 }
    scale = 2 * (sides.min() ?? 0)
  }

  /// The bar from zero to a value, as wide as the axis.
  func cells(_ value: Double) -> String { cells(value, low: value, high: value) }

  /// The bar to a mean: full up to the nearer end of its interval, lighter from there to the mean,
  /// and lightest from the mean to the further end.
  func cells(_ mean: Double, low: Double, high: Double) -> String {
    guard mean.isFinite, low.isFinite, high.isFinite, scale.isFinite, scale > 0 else {
      return String(repeating: " ", count: width)
    }
    let near = mean < 0 ? max(mean, min(0, high)) : min(mean, max(0, low))
    let full = span(halves(0), halves(near))
    let to = span(halves(0), halves(mean))
    let interval = span(halves(low), halves(high))
    let isLoss = mean < 0
    var cells = ""
    for cell in 0..<width {
      let half = (cell * 2..<cell * 2 + 2)
      func share(_ span: Range<Int>) -> [Bool] { half.map(span.contains) }
      let bar = share(to)
      let sure = share(full)
      let spread = share(interval)
      if bar == [false, false] {
        // An end between the halves of a column would not show; a full column may only be light.
        cells += spread == [false, false] ? thin(cell, to, isLoss: isLoss) : isASCII ? "-" : "░"
      } else if sure == [false, false], spread != [false, false] {
        cells += isASCII ? "+" : "▓"
      } else {
        cells += block(bar, isLoss: isLoss)
      }
    }
    return cells
  }

  private func block(_ halves: [Bool], isLoss: Bool) -> String {
    let full = isLoss ? (isASCII ? "=" : "▒") : (isASCII ? "#" : "█")
    if isASCII || halves == [true, true] { return full }
    return halves[0] ? "▌" : "▐"
  }

  /// The mark of a value too small for half a column, at zero.
  private func thin(_ cell: Int, _ bar: Range<Int>, isLoss: Bool) -> String {
    let isLeft = (isLoss && zero > 0) || zero == width
    guard bar.isEmpty, cell == (isLeft ? zero - 1 : zero) else { return " " }
    return isASCII ? "|" : isLeft ? "▕" : "▏"
  }

  private func span(_ first: Int, _ second: Int) -> Range<Int> {
    min(first, second)..<max(first, second)
  }

  /// The place of a value on the axis, in halves of a column.
  private func halves(_ value: Double) -> Int {
    let place = (value * scale).rounded() + Double(2 * zero)
    return Int(min(Double(2 * width), max(0, place)))
  }
}

/// Values in order that show exact sums: each is the difference of the rounded levels around it.
struct AddedUp {
  /// The level that the next value starts from.
  private(set) var level: Double
  private let rounding: Rounding

  init(from level: Double, decimals: Int) {
    self.level = level
    rounding = Rounding(decimals: decimals)
  }

  /// The next value as it is shown.
  mutating func next(_ value: Double) -> Double { next(to: level + value) }

  /// The value up to a level, as it is shown.
  mutating func next(to end: Double) -> Double {
    defer { level = end }
    return rounding.difference(level, end)
  }
}
