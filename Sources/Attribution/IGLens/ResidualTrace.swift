internal import LanguageModels
internal import Tensors

/// What the forward pass showed of one text (or, for a greedy continuation, the passes that generate
/// it): chosen sites at explained positions, and some at every position.
struct ResidualTrace {
  /// Prompt and continuation.
  var text: [Int]
  /// The explained positions, ascending.
  var positions: [Int]
  /// Values at the explained positions: [explained positions, …].
  var rows: [Site: Tensor]
  /// Values at every position that was run: [position, …].
  var whole: [Site: Tensor]
  /// By layer and explained position, attention probabilities: [heads, keyPosition].
  var patterns: [Int: [Tensor]]
  /// What the ordinary forward pass says at the explained positions.
  var ordinary: [OrdinaryReading]

  /// The residual stream after a block, −1 the embedding, at explained positions.
  func state(_ layer: Int) -> Tensor {
    guard let state = rows[Site.state(after: layer)] else {
      preconditionFailure("layer \(layer) was not traced")
    }
    return state
  }
}

extension Site {
  /// Where the residual stream after a block is seen; −1 is the embedding.
  static func state(after layer: Int) -> Site {
    layer < 0 ? .embedding : .residual(layer, .after)
  }
}

/// What a trace is to keep.
struct TraceRequest {
  /// Sites kept at explained positions.
  var rows: Set<Site>
  /// Sites kept at every position.
  var whole: Set<Site>
  /// Whether the last token runs too: it predicts nothing here, but belongs to an average over all
  /// positions.
  var includesEnd: Bool
}

/// Collects a trace while a model runs.
final class TraceRecorder {
  private let request: TraceRequest
  private let isExplained: (Int) -> Bool
  private var rows: [Site: [Tensor]] = [:]
  private var whole: [Site: [Tensor]] = [:]
  private var patterns: [Int: [Tensor]] = [:]
  private var covered: [Site: Int] = [:]

  init(_ request: TraceRequest, isExplained: @escaping (Int) -> Bool) {
    self.request = request
    self.isExplained = isExplained
  }

  /// A pass that feeds this recorder.
  var pass: Pass {
    Pass(sites: request.rows.union(request.whole)) { [self] site, value in
      record(value, site)
      return value
    }
  }

  private func record(_ value: Tensor, _ site: Site) {
    switch site {
    case .attention(let layer, .pattern):
      let chosen = explained(value.size(2), site)
      for query in chosen {
        // [heads, keyPosition]; a copy, so that the whole pattern can go.
        patterns[layer, default: []].append(
          value.selecting([query], along: 2).reshaped([value.size(1), value.size(3)]))
      }
    case .attention(_, .value):
      // [batch, heads, position, headWidth] → [position, heads · headWidth]
      let count = value.size(2)
      keep(value.transposed(1, 2).reshaped([count, value.size(1) * value.size(3)]), site)
    default:
      keep(value.reshaped([value.size(1), -1]), site)
    }
  }

  private func keep(_ values: Tensor, _ site: Site) {
    if request.whole.contains(site) { whole[site, default: []].append(values) }
    let chosen = explained(values.size(0), site)
    guard request.rows.contains(site), !chosen.isEmpty else { return }
    rows[site, default: []].append(values.selecting(chosen, along: 0))
  }

  /// Which of the positions that now ran are explained.
  private func explained(_ count: Int, _ site: Site) -> [Int] {
    let start = covered[site, default: 0]
    covered[site] = start + count
    return (0..<count).filter { isExplained(start + $0) }
  }

  func trace(text: [Int], positions: [Int], ordinary: [OrdinaryReading]) -> ResidualTrace {
    // The run that found the end of a text was seen too, but explains nothing.
    ResidualTrace(
      text: text, positions: positions,
      rows: rows.mapValues {
        Tensor.concatenating($0, along: 0).slice(0..<positions.count, along: 0)
      },
      whole: whole.mapValues { Tensor.concatenating($0, along: 0) },
      patterns: patterns.mapValues { Array($0.prefix(positions.count)) }, ordinary: ordinary)
  }
}

extension LanguageModel {
  /// Traces a given text at these positions: one forward pass.
  ///
  /// `tokens` are what is explained there; nil for what follows in the text, or else the most probable.
  func trace(
    _ text: [Int], positions: [Int], tokens: [Int]? = nil, _ request: TraceRequest, versus: Int?
  ) throws -> ResidualTrace {
    let explained = Set(positions)
    let recorder = TraceRecorder(request, isExplained: explained.contains)
    let length = request.includesEnd || !isCausal ? text.count : (positions.max() ?? 0) + 1
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
            next: tokens.map { $0[start + row] } ?? following(position, of: text), versus: versus))
      }
    }
    return recorder.trace(text: text, positions: positions, ordinary: ordinary)
  }

  /// The token that a decoder's text has after a position.
  private func following(_ position: Int, of text: [Int]) -> Int? {
    isCausal && position + 1 < text.count ? text[position + 1] : nil
  }

  /// Traces the model's own greedy continuation while it is generated.
  func traceContinuation(
    of prompt: [Int], atMost count: Int, endingAt ends: Set<Int>, _ request: TraceRequest,
    versus: Int?, progress: (Double) -> Void
  ) throws -> ResidualTrace {
    let recorder = TraceRecorder(request, isExplained: { $0 >= prompt.count - 1 })
    var ordinary: [OrdinaryReading] = []
    let added = try generate(from: prompt, atMost: count, endingAt: ends, pass: recorder.pass) {
      _, _, row in
      ordinary.append(OrdinaryReading(try row.values()[...], next: nil, versus: versus))
      progress(Double(ordinary.count) / Double(count))
    }
    let positions = added.indices.map { prompt.count - 1 + $0 }
    return recorder.trace(text: prompt + added, positions: positions, ordinary: ordinary)
  }
}
