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
    let partition = largest + log(logits.reduce(0) { $0 + exp($1 - largest) })
    self.token = token
    targetLogit = logits[start + token]
    versusLogit = versus.map { logits[start + $0] } ?? 0
    logPartition = partition
    entropy = logits.reduce(0) { $0 - exp($1 - partition) * ($1 - partition) }
  }
}
