import Results

/// How far the paths and baselines that were computed differ on a layer: an error bar in digits.
struct LayerRange {
  private let explanation: Explanation
  private let others: [[Double]]
  private let decimals: Int
  private let glyphs: Glyphs

  /// Takes two digits fewer than the change: it is a spread, and nothing adds up to it.
  init(of explanation: Explanation, decimals: Int, glyphs: Glyphs) {
    self.explanation = explanation
    others = (explanation.alternatives ?? []).map(\.values).filter {
      $0.count == explanation.attributions.count
    }
    self.decimals = max(2, decimals - 2)
    self.glyphs = glyphs
  }

  /// The least and the largest change of a layer, or of the sum of several; nothing where only one
  /// way was computed.
  func text(of group: Range<Int>) -> String? {
    let layers = explanation.attributions[group]
    if layers.count == 1, let layer = layers.first {
      guard let low = layer.low, let high = layer.high else { return nil }
      return text(low) + between + text(high)
    }
    guard !others.isEmpty, layers.allSatisfy({ $0.low != nil }) else { return nil }
    let sums = others.map { $0[group].reduce(0, +) } + [layers.reduce(0) { $0 + $1.value }]
    return text(sums.min() ?? 0) + between + text(sums.max() ?? 0)
  }

  private var between: String { glyphs.isASCII ? " .. " : " … " }

  private func text(_ value: Double) -> String {
    glyphs.words(Quantity.fixed(value, decimals, signed: true))
  }
}
