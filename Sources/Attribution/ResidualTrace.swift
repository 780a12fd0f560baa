internal import LanguageModels
internal import Tensors

/// The residual stream at the explained positions of one text, layer by layer, from one forward
/// pass (or, for a greedy continuation, from the passes that generate it).
///
/// Only what is asked for is kept: chosen layers at explained positions, and every position of the
/// layer that the baseline averages.
struct ResidualTrace {
  /// Prompt and continuation.
  var text: [Int]
  /// The explained positions, ascending.
  var positions: [Int]
  /// By layer, −1 the embedding: [explained positions, width].
  var states: [Int: Tensor]
  /// The averaged layer at every position that was run: [position, width].
  var averaged: Tensor
  /// What the ordinary forward pass says at the explained positions.
  var ordinary: [OrdinaryReading]
}

/// Collects a trace while a model runs.
final class TraceRecorder {
  private let layers: Set<Int>
  private let averagedLayer: Int
  private let isExplained: (Int) -> Bool
  private var parts: [Int: [Tensor]] = [:]
  private var averagedParts: [Tensor] = []
  private var covered: [Int: Int] = [:]

  init(layers: Set<Int>, averagedLayer: Int, isExplained: @escaping (Int) -> Bool) {
    self.layers = layers
    self.averagedLayer = averagedLayer
    self.isExplained = isExplained
  }

  /// A pass that feeds this recorder.
  var pass: Pass {
    let wanted = layers.union([averagedLayer])
    let sites = Dictionary(uniqueKeysWithValues: wanted.map { (Self.site(of: $0), $0) })
    return Pass(sites: Set(sites.keys)) { [self] site, value in
      if let layer = sites[site] { record(value, layer) }
      return value
    }
  }

  /// Where a layer's state is seen.
  static func site(of layer: Int) -> Site {
    layer < 0 ? .embedding : .residual(layer, .after)
  }

  private func record(_ value: Tensor, _ layer: Int) {
    let count = value.size(1)
    let start = covered[layer, default: 0]
    covered[layer] = start + count
    let rows = value.reshaped([count, value.size(2)])
    if layer == averagedLayer { averagedParts.append(rows) }
    guard layers.contains(layer) else { return }
    let chosen = (0..<count).filter { isExplained(start + $0) }
    if !chosen.isEmpty { parts[layer, default: []].append(rows.selecting(chosen, along: 0)) }
  }

  func trace(text: [Int], positions: [Int], ordinary: [OrdinaryReading]) -> ResidualTrace {
    ResidualTrace(
      text: text, positions: positions,
      states: parts.mapValues { Tensor.concatenating($0, along: 0) },
      averaged: Tensor.concatenating(averagedParts, along: 0), ordinary: ordinary)
  }
}

extension LanguageModel {
  /// Traces a given text at these positions: one forward pass.
  ///
  /// With `whole`, the last token runs too: it predicts nothing here, but belongs to an average over
  /// all positions.
  func trace(
    _ text: [Int], positions: [Int], layers: Set<Int>, averagedLayer: Int, versus: Int?,
    whole: Bool
  ) throws -> ResidualTrace {
    let explained = Set(positions)
    let recorder = TraceRecorder(
      layers: layers, averagedLayer: averagedLayer, isExplained: explained.contains)
    let length = whole ? text.count : (positions.max() ?? 0) + 1
    let residual = try run([Array(text[0..<length])], pass: recorder.pass).residual
    // A few rows at a time: rows × vocabulary is never held.
    let vocabulary = shape.vocabulary
    var ordinary: [OrdinaryReading] = []
    for start in stride(from: 0, to: positions.count, by: 16) {
      let rows = Array(positions[start..<min(positions.count, start + 16)])
      let values = try withEngineErrors {
        try unembedding.logits(residual.selecting(rows, along: 1)).values()
      }
      for (row, position) in rows.enumerated() {
        ordinary.append(
          OrdinaryReading(
            values[row * vocabulary..<(row + 1) * vocabulary],
            next: position + 1 < text.count ? text[position + 1] : nil, versus: versus))
      }
    }
    return recorder.trace(text: text, positions: positions, ordinary: ordinary)
  }

  /// Traces the model's own greedy continuation while it is generated.
  func traceContinuation(
    of prompt: [Int], atMost count: Int, endingAt ends: Set<Int>, layers: Set<Int>,
    averagedLayer: Int, versus: Int?, progress: (Double) -> Void
  ) throws -> ResidualTrace {
    let recorder = TraceRecorder(
      layers: layers, averagedLayer: averagedLayer, isExplained: { $0 >= prompt.count - 1 })
    var ordinary: [OrdinaryReading] = []
    let added = try generate(from: prompt, atMost: count, endingAt: ends, pass: recorder.pass) {
      _, _, row in
      ordinary.append(OrdinaryReading(try row.values()[...], next: nil, versus: versus))
      progress(Double(ordinary.count) / Double(count))
    }
    // The run that found the end was seen too, but explains nothing.
    let positions = added.indices.map { prompt.count - 1 + $0 }
    return recorder.trace(
      text: prompt + added, positions: positions, ordinary: ordinary)
  }
}
