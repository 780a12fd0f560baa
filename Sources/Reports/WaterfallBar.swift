/// One bar of a waterfall, drawn in text to an eighth of a column.
struct WaterfallBar {
  /// The lowest level of the axis.
  let low: Double
  /// The highest level of the axis.
  let high: Double
  /// The columns of the axis.
  let width: Int
  /// Draws with `#`, `=` and `|` alone.
  let isASCII: Bool

  /// An axis that holds these levels, and zero where zero is a bound of the quantity.
  init(levels: [Double], quantity: Quantity, width: Int, isASCII: Bool) {
    let bounded = ["p", "Δp", "Δlogit", "H", "KL"].contains(quantity.symbol)
    let all = levels.filter(\.isFinite) + (bounded ? [0] : [])
    let low = all.min() ?? 0
    let high = all.max() ?? 1
    self.low = low
    self.high = high > low ? high : low + 1
    self.width = max(1, width)
    self.isASCII = isASCII
  }

  /// An axis for signed values, which bars leave from zero; zero stands between two columns.
  init(values: [Double], width: Int, isASCII: Bool) {
    let all = values.filter(\.isFinite)
    let least = min(0, all.min() ?? 0)
    let most = max(0, all.max() ?? 0)
    self.width = max(1, width)
    self.isASCII = isASCII
    guard most > least else {
      (low, high) = (0, 1)
      return
    }
    let share = Double(self.width) * (least / (least - most))
    // Both sides have a column if they have a value at all.
    let left = min(self.width - (most > 0 ? 1 : 0), max(least < 0 ? 1 : 0, Int(share.rounded())))
    let right = self.width - left
    let column = max(
      left > 0 ? -least / Double(left) : 0, right > 0 ? most / Double(right) : 0)
    low = -column * Double(left)
    high = column * Double(right)
  }

  /// Where totals start: zero where the axis has it, else its low end.
  var origin: Double { low <= 0 && high >= 0 ? 0 : low }

  /// The cells of a bar between two levels; a thin mark where they are too close to tell apart.
  ///
  /// A bar that falls is hatched, so that it reads without colour.
  func cells(from start: Double, to end: Double) -> String {
    let first = eighths(min(start, end))
    let last = eighths(max(start, end))
    let full = end < start ? (isASCII ? "=" : "▒") : (isASCII ? "#" : "█")
    var cells = ""
    let lastCell = first == last ? min(first / 8, width - 1) : (last - 1) / 8
    for cell in 0...lastCell {
      let from = max(first, cell * 8) - cell * 8
      let to = min(last, cell * 8 + 8) - cell * 8
      if first == last, cell == lastCell {
        cells += isASCII ? "|" : from < 4 ? "▏" : "▕"
      } else if to <= from {
        cells += " "
      } else if isASCII {
        cells += to - from >= 4 ? full : first / 8 == lastCell ? "|" : " "
      } else {
        cells += glyph(from: from, to: to, full: full)
      }
    }
    return cells
  }

  private func eighths(_ level: Double) -> Int {
    let share = (level - low) / (high - low)
    // Levels so far apart that their difference is infinite have no place on an axis.
    guard share.isFinite else { return 0 }
    return Int((min(1, max(0, share)) * Double(width * 8)).rounded())
  }

  /// The block that covers these eighths of a column best; blocks exist from the left in eighths,
  /// from the right as a half and an eighth.
  private func glyph(from: Int, to: Int, full: String) -> String {
    let left = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    if from == 0 { return to == 8 ? full : left[to] }
    if to == 8 { return from <= 2 ? full : from <= 5 ? "▐" : "▕" }
    if to - from >= 5 { return full }
    if to - from <= 2 { return from + to < 8 ? "▏" : "▕" }
    return from + to < 8 ? "▌" : "▐"
  }
}
