import Foundation
import Results

/// What an explanation's numbers are: their short name, and how many decimals they deserve.
struct Quantity {
  /// The name of a level: `p`, `log p`, `logit`.
  let symbol: String
  /// The name in words.
  let name: String
  /// Decimals that show about five significant digits of the largest level.
  let decimals: Int

  init(method: MethodDescription, explanation: Explanation) {
    let isSpan = explanation.target.span != nil
    switch isSpan ? "logprob" : method.target {
    case "prob": (symbol, name) = ("p", "probability")
    case "logprob": (symbol, name) = ("log p", "log-probability")
    case "logit": (symbol, name) = ("logit", "logit")
    case "prob-diff": (symbol, name) = ("Δp", "difference of probabilities")
    case "logit-diff": (symbol, name) = ("Δlogit", "difference of logits")
    case "entropy": (symbol, name) = ("H", "entropy of the next token, in nats")
    case "kl": (symbol, name) = ("KL", "divergence from the model's output, in nats")
    default: (symbol, name) = (method.target, method.target)
    }
    var largest = max(abs(explanation.modelValue), abs(explanation.baselineValue))
    for layer in explanation.attributions {
      largest = max(largest, abs(layer.value), abs(layer.lens))
    }
    let share = symbol == "p" || symbol == "Δp"
    decimals = Self.decimals(for: largest, least: share ? 5 : 4)
  }

  /// Decimals for numbers of this size.
  static func decimals(for largest: Double, least: Int) -> Int {
    guard largest.isFinite, largest > 0 else { return least }
    return min(12, max(least, 4 - Int(log10(largest).rounded(.down))))
  }

  /// A level, with − as the sign of what is below zero.
  func level(_ value: Double) -> String { Self.fixed(value, decimals, signed: false) }

  /// A change, always with its sign.
  func change(_ value: Double) -> String { Self.fixed(value, decimals, signed: true) }

  /// A number with fixed decimals; beyond 15 digits, with an exponent.
  static func fixed(_ value: Double, _ decimals: Int, signed: Bool) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value > 0 ? "+inf" : "−inf" }
    let value = Rounding(decimals: decimals).rounded(value)
    let text =
      abs(value) < 1e9
      ? String(format: "%.\(decimals)f", abs(value)) : String(format: "%.4e", abs(value))
    let isZero = !text.contains { "123456789".contains($0) }
    if value < 0, !isZero { return "−" + text }
    return signed && !isZero ? "+" + text : signed ? " " + text : text
  }

  /// A small signed number, such as a certificate: two digits and an exponent.
  static func tiny(_ value: Double) -> String {
    guard value.isFinite else { return fixed(value, 0, signed: true) }
    if value == 0 { return "0" }
    return (value < 0 ? "−" : "+") + String(format: "%.1e", abs(value))
  }
}

/// Rounding to fixed decimals, such that differences of what is shown are what is shown.
struct Rounding {
  private let scale: Double

  init(decimals: Int) {
    var scale = 1.0
    for _ in 0..<max(0, decimals) { scale *= 10 }
    self.scale = scale
  }

  func rounded(_ value: Double) -> Double {
    let units = value * scale
    return units.isFinite && abs(units) < 9e15 ? units.rounded() / scale : value
  }

  /// The difference of two levels as they are shown.
  func difference(_ start: Double, _ end: Double) -> Double {
    let from = start * scale
    let to = end * scale
    guard abs(from) < 4e15, abs(to) < 4e15 else { return end - start }
    return (to.rounded() - from.rounded()) / scale
  }
}
