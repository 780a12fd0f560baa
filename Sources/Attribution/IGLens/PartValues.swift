internal import LanguageModels
internal import Results
internal import Tensors

// What a part c is, and the values c′ that replace it, from the same forward passes that the reruns
// need anyway: while a pass goes by, each wanted value is read once, averaged, and dropped.

/// A value of a run that parts are cut from.
enum PartSource: Hashable {
  /// What a block adds: its output less its input.
  case update(Int)
  case attention(Int)
  case mlp(Int)
  /// All heads of a block, joined.
  case heads(Int)
  case neurons(Int)

  /// Where a part's numbers are found.
  init(_ part: Replacement.Part) {
    switch part {
    case .layer(let layer): self = .update(layer)
    case .attention(let layer): self = .attention(layer)
    case .mlp(let layer): self = .mlp(layer)
    case .head(let layer, _): self = .heads(layer)
    case .neurons(let layer, _): self = .neurons(layer)
    }
  }

  /// The site whose value completes this.
  var site: Site {
    switch self {
    case .update(let layer): .residual(layer, .after)
    case .attention(let layer): .attention(layer, .output)
    case .mlp(let layer): .feedForward(layer, .output)
    case .heads(let layer): .attention(layer, .heads)
    case .neurons(let layer): .feedForward(layer, .hidden)
    }
  }
}

extension Replacement.Part {
  /// The part's own numbers, from all those of its source.
  func cut(from values: [Double], headWidth: Int) -> [Double] {
    switch self {
    case .layer, .attention, .mlp: values
    case .head(_, let head): Array(values[head * headWidth..<(head + 1) * headWidth])
    case .neurons(_, let neurons): neurons.map { values[$0] }
    }
  }
}

/// Reads the sources of parts while a text runs.
final class PartRecorder {
  /// Receives a source's values at every position, [position, size].
  typealias Visit = (_ source: PartSource, _ values: [Double], _ size: Int) throws -> Void

  private let sources: [Site: [PartSource]]
  private let visit: Visit
  private var before: Tensor?
  /// What a visit threw; the run cannot be left before its end.
  private var failure: (any Error)?

  init(_ sources: Set<PartSource>, visit: @escaping Visit) {
    self.sources = Dictionary(grouping: sources, by: \.site)
    self.visit = visit
  }

  /// The pass to run under.
  var pass: Pass {
    var sites = Set(sources.keys)
    for site in sources.keys {
      if case .residual(let layer, _) = site { sites.insert(.residual(layer, .before)) }
    }
    return Pass(sites: sites) { [self] site, value in
      record(site, value)
      return value
    }
  }

  private func record(_ site: Site, _ value: Tensor) {
    if case .residual(_, .before) = site {
      before = value
      return
    }
    guard failure == nil else { return }
    for source in sources[site] ?? [] {
      var found = value
      if case .update = source, let before { found = value - before }
      let positions = found.size(1)
      do {
        let values = try found.reshaped([-1]).values()
        try visit(source, values, values.count / positions)
      } catch { failure = error }
    }
  }

  /// Throws what a visit threw.
  func finish() throws {
    if let failure { throw failure }
  }
}

/// What the parts of one prediction are, and what replaces them, by source.
struct PartValues {
  /// c, at the explained position.
  var own: [PartSource: [Double]] = [:]
  /// Its mean.
  var mean: [PartSource: [Double]] = [:]
  /// Its value somewhere else.
  var resample: [PartSource: [Double]] = [:]

  /// c and c′ of a part; nil where there is nothing to take c′ from.
  func pair(
    _ part: Replacement.Part, _ replacement: CausalCheck.Replacement, headWidth: Int
  ) -> (value: [Double], replacement: [Double])? {
    let source = PartSource(part)
    guard let own = own[source] else { return nil }
    let other: [Double]? =
      switch replacement {
      case .zero: Array(repeating: 0, count: own.count)
      case .mean: mean[source]
      case .resample: resample[source]
      }
    return other.map {
      (part.cut(from: own, headWidth: headWidth), part.cut(from: $0, headWidth: headWidth))
    }
  }
}

/// Means of sources over whole texts, and their values at sampled places.
struct ReferenceValues {
  /// The mean over all positions of all texts.
  let mean: [PartSource: [Double]]
  /// By place, in the order asked for.
  let samples: [[PartSource: [Double]]]

  /// Runs the texts: one forward pass each.
  init(
    _ texts: [[Int]], _ sources: Set<PartSource>, places: [CausalCheck.Place],
    in model: any LanguageModel
  ) throws {
    var sums: [PartSource: [Double]] = [:]
    var samples = [[PartSource: [Double]]](repeating: [:], count: places.count)
    for (index, text) in texts.enumerated() {
      let recorder = PartRecorder(sources) { source, values, size in
        var sum = sums[source] ?? Array(repeating: 0, count: size)
        for start in stride(from: 0, to: values.count, by: size) {
          for k in 0..<size { sum[k] += values[start + k] }
        }
        sums[source] = sum
        for (sample, place) in places.enumerated() where place.text == index {
          samples[sample][source] = row(place.position, of: values, size)
        }
      }
      _ = try model.run([text], pass: recorder.pass)
      try recorder.finish()
    }
    let total = Double(texts.reduce(0) { $0 + $1.count })
    mean = sums.mapValues { $0.map { $0 / total } }
    self.samples = samples
  }
}

/// One position of [position, size] values.
func row(_ position: Int, of values: [Double], _ size: Int) -> [Double] {
  Array(values[position * size..<(position + 1) * size])
}
