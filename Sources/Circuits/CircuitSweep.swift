public import Attribution
public import LanguageModels
internal import Results
internal import Tensors

// C(x) is the run of x in which every unit that is not of the circuit is given another value. Units are replaced
// in the order of the forward pass: a unit of the circuit is computed from what stands before it, replaced or
// not. With F the mean of the metric over the prompts,
//
//     faithfulness(C) = (F(C) − F(∅)) / (F(M) − F(∅)),     completeness(C) = faithfulness(M ∖ C),
//
// ratios of means. What does not depend on the circuit is made once: F(M), F(∅) and the values that stand in.
// That is three runs over all prompts together (two with zeros, which need no changed prompts); each circuit is
// one more, and its complement another. They are ordinary runs: a site is one multiplication and one addition
// with tensors that are made before, a layer whose units are all of the circuit is not visited, and a layer of
// which none is takes the stand-in as it is.

/// Runs circuits of one kind of unit over prompts.
public struct CircuitSweep {
  /// What is replaced.
  public let kind: UnitKind
  /// What stands in.
  public let ablation: Ablation
  /// Whether a unit stands for all positions.
  public let sumsPositions: Bool
  /// F(M): the metric's mean with nothing replaced.
  public let full: Double
  /// F(∅): the metric's mean with every unit replaced.
  public let empty: Double
  /// The runs over all prompts so far made for every circuit: full, empty, and the one for stand-ins.
  public let sharedPasses: Double

  private let model: any LanguageModel
  private let layers: [Int]
  private let batches: [Batch]

  /// Below this share of |F(M)| or |F(∅)|, the larger, their difference is too small to divide by.
  public static let tolerance = 1e-3

  private struct Batch {
    let prompts: PairBatch
    /// By layer: [rows or 1, positions or 1, …]; empty for zeros.
    let others: [Int: Tensor]
  }

  /// Runs the prompts as they are and with every unit replaced.
  ///
  /// - Parameters:
  ///   - kind: what is replaced.
  ///   - pairs: the prompts, of one length where positions are told apart; their changed prompts give what
  ///     stands in.
  ///   - ablation: what stands in.
  ///   - sumsPositions: whether a unit stands for all positions.
  ///   - model: the model.
  ///   - tokensAtOnce: the most tokens that run together, one prompt at least.
  /// - Throws: `CircuitError` for prompts that do not fit each other or the ablation, or a kind that the model
  ///   does not have; `ModelError` for ids that it does not have; `EngineError` when memory runs out.
  /// - Complexity: three runs over all prompts, two with zeros.
  public init(
    of kind: UnitKind, over pairs: [PromptPair], replacedBy ablation: Ablation = .mean,
    summingPositions sumsPositions: Bool = false, in model: any LanguageModel,
    tokensAtOnce: Int = 4096
  ) throws {
    let layers = try model.layers(with: kind)
    let prompts = try PairBatch.batches(of: pairs, tokensAtOnce: tokensAtOnce)
    if !sumsPositions { try PairBatch.checkLength(prompts) }
    if ablation != .zero, let index = pairs.firstIndex(where: { $0.patch == nil }) {
      throw CircuitError.noPatch(index)
    }
    self.kind = kind
    self.ablation = ablation
    self.sumsPositions = sumsPositions
    self.model = model
    self.layers = layers
    (full, empty, batches) = try withRecording(false) {
      let standIns = try StandIns(
        kind, layers, prompts, ablation, acrossPositions: sumsPositions, in: model)
      let batches = zip(prompts, standIns.others).map { Batch(prompts: $0, others: $1) }
      let run = { try Self.mean(batches, kind, layers, model, edits: $0) }
      let nothing: (Batch) -> [Int: Edit] = { _ in [:] }
      let everything: (Batch) -> [Int: Edit] = { batch in
        Dictionary(uniqueKeysWithValues: layers.map { ($0, .whole(batch.others[$0])) })
      }
      return (try run(nothing), try run(everything), batches)
    }
    sharedPasses = ablation == .zero ? 2 : 3
  }

  /// How many units there are to choose from.
  public var unitCount: Int {
    layers.count * (sumsPositions ? 1 : batches[0].prompts.length) * kind.count(in: model.shape)
  }

  /// F(M) − F(∅), where that can be divided by.
  var range: Double? {
    let range = full - empty
    return abs(range) > Self.tolerance * max(abs(full), abs(empty)) ? range : nil
  }

  /// F(C): the metric's mean with every unit replaced that is not in a set.
  ///
  /// - Parameter circuit: the set, of the prompts' positions.
  /// - Returns: the mean.
  /// - Throws: `CircuitError` for a set of other units; `EngineError` when memory runs out.
  /// - Complexity: one run over all prompts; none for the empty set and the whole.
  public func metric(of circuit: NodeSet) throws -> Double {
    try check(circuit)
    let count = circuit.count
    if count == 0 { return empty }
    if count == unitCount { return full }
    return try withRecording(false) {
      // Masks are made once for all batches.
      let units = kind.count(in: model.shape)
      var masks: [Int: KeptUnits] = [:]
      var replaced: Set<Int> = []
      for layer in layers {
        let isIn = circuit.isIn[layer]
        if isIn.allSatisfy(\.self) { continue }
        replaced.insert(layer)
        guard isIn.contains(true) else { continue }
        masks[layer] = KeptUnits(isIn, [1, isIn.count / units, units], kind, for: model)
      }
      return try Self.mean(batches, kind, layers, model) { batch in
        var edits: [Int: Edit] = [:]
        for layer in replaced {
          let other = batch.others[layer]
          edits[layer] =
            masks[layer].map { .part($0.keep, other.map { [drop = $0.drop] in $0 * drop }) }
            ?? .whole(other)
        }
        return edits
      }
    }
  }

  private func check(_ circuit: NodeSet) throws {
    let units = kind.count(in: model.shape)
    let positions = sumsPositions ? 1 : batches[0].prompts.length
    let expected = (0..<model.shape.layers).map { layers.contains($0) ? positions * units : 0 }
    let found = circuit.isIn.map(\.count)
    guard found == expected else {
      throw CircuitError.scores(
        "\(found.count) layers with \(found.max() ?? 0) units",
        "\(expected.count) layers with \(expected.max() ?? 0)")
    }
  }

  // MARK: - Runs

  /// What becomes of a layer's value.
  private enum Edit {
    /// kept · value + the rest.
    case part(Tensor, Tensor?)
    /// Another value, or zero.
    case whole(Tensor?)
  }

  private static func mean(
    _ batches: [Batch], _ kind: UnitKind, _ layers: [Int], _ model: any LanguageModel,
    edits: (Batch) -> [Int: Edit]
  ) throws -> Double {
    var values: [Double] = []
    for batch in batches {
      let changes = edits(batch)
      let bySite = Dictionary(uniqueKeysWithValues: changes.map { (kind.site($0), $1) })
      let pass = Pass(sites: Set(bySite.keys)) { site, value in
        switch bySite[site] {
        case .part(let keep, let rest): rest.map { value * keep + $0 } ?? value * keep
        case .whole(let other?): other.expanded(value.shape)
        case .whole(nil): Tensor(repeating: 0, value.shape, value.type, on: value.device)
        case nil: value
        }
      }
      let residual = try residual(of: batch.prompts, changes, kind, pass, model)
      values += try withEngineErrors { try batch.prompts.metric(residual, in: model) }
    }
    return values.reduce(0, +) / Double(values.count)
  }

  /// What the blocks leave; a stream that is replaced whole forgets what came before it, which need not run.
  private static func residual(
    of prompts: PairBatch, _ changes: [Int: Edit], _ kind: UnitKind, _ pass: Pass,
    _ model: any LanguageModel
  ) throws -> Tensor {
    let whole = changes.filter { if case .whole = $0.value { true } else { false } }
    guard kind == .residual, let layer = whole.keys.max(), case .whole(let other)? = changes[layer],
      let blockwise = model as? any BlockwiseModel
    else { return try model.run(prompts.clean, pass: pass).residual }
    let shape = [prompts.pairs.count, prompts.length, model.shape.width]
    return try withEngineErrors {
      let stream =
        other?.expanded(shape) ?? Tensor(repeating: 0, shape, model.type, on: model.device)
      return blockwise.blocks(
        layer + 1..<model.shape.layers, stream, blockwise.positions(0..<prompts.length), cache: nil,
        pass: pass)
    }
  }
}

/// The values that stand in for units: one pass over the changed prompts, or none.
private struct StandIns {
  /// For each batch, by layer.
  var others: [[Int: Tensor]]

  init(
    _ kind: UnitKind, _ layers: [Int], _ batches: [PairBatch], _ ablation: Ablation,
    acrossPositions: Bool, in model: any LanguageModel
  ) throws {
    others = Array(repeating: [:], count: batches.count)
    guard ablation != .zero else { return }
    let sites = Dictionary(uniqueKeysWithValues: layers.map { (kind.site($0), $0) })
    var sums: [Int: Tensor] = [:]
    var rows = 0
    for (index, batch) in batches.enumerated() {
      guard let patch = batch.patch else { continue }
      var seen: [Int: Tensor] = [:]
      _ = try model.run(
        patch,
        pass: Pass(sites: Set(sites.keys)) { site, value in
          guard let layer = sites[site] else { return value }
          if ablation == .resample {
            seen[layer] = value
          } else {
            let wide = value.to(model.type == .float64 ? .float64 : .float32)
            let sum = wide.sum(along: 0, keepingDimension: true)
            seen[layer] = acrossPositions ? sum.sum(along: 1, keepingDimension: true) : sum
          }
          return value
        })
      if ablation == .resample {
        others[index] = seen
      } else {
        try withEngineErrors {
          for (layer, sum) in seen { sums[layer] = sums[layer].map { $0 + sum } ?? sum }
        }
        rows += batch.pairs.count * (acrossPositions ? batch.length : 1)
      }
    }
    guard ablation == .mean else { return }
    try withEngineErrors {
      let means = sums.mapValues { ($0 * (1 / Double(rows))).to(model.type) }
      others = batches.map { _ in means }
    }
  }
}
