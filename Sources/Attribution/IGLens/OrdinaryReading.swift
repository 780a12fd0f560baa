internal import Foundation

/// What the model's ordinary forward pass says at one position: the whole that the parts must meet.
///
/// By other code than the attributions': plain sums over one row of logits.
struct OrdinaryReading {
  /// The explained token: the next of the text, or the most probable one.
  let token: Int
  let targetLogit: Double
  let versusLogit: Double
  let logPartition: Double
  /// In nats.
  let entropy: Double

  /// Reads a row of logits; `next` is nil where the text ends.
  init(_ logits: ArraySlice<Double>, next: Int?, versus: Int?) {
    let start = logits.startIndex
    let best = logits.indices.max { logits[$0] < logits[$1] } ?? start
    let token = next ?? best - start
    let largest = logits[best]
    // Σ e and Σ e·z in one pass: log Z = largest + log Σ e, and H = log Z − Σ e·z / Σ e.
    var (mass, moment) = (0.0, 0.0)
    for logit in logits {
      let e = exp(logit - largest)
      mass += e
      moment += e * (logit - largest)
    }
    self.token = token
    targetLogit = logits[start + token]
    versusLogit = versus.map { logits[start + $0] } ?? 0
    logPartition = largest + log(mass)
    entropy = log(mass) - moment / mass
  }
}
