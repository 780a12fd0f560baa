public import Tensors

// What a model says when a part of it is replaced, at the cost of what the replacement can change.
//
// A part that is replaced at position i alone leaves every earlier position as it was, keys and
// values included, and later positions do not matter to the prediction at i. So one forward pass
// over the text is kept: its keys and values, and the residual stream at i before each block. A
// replacement in block ℓ is then one row that joins at block ℓ with the kept state, and rows run
// together as *alternatives*: queries at the same position i, each of which sees the kept past and,
// of the new keys, its own. L replacements, one in each block, are L·(L + 1)/2 rows through a block
// instead of L·L, and nothing of the past is recomputed.
//
// A part that is replaced at every position changes keys and values too: whole sequences are run
// again, from the block of the replacement on, some at a time.

/// One forward pass over a text, kept so that parts of it can be run again.
public struct RerunContext {
  /// The text.
  public let ids: [Int]
  /// The positions at which parts can be replaced, ascending.
  public let positions: [Int]
  /// The residual stream before the final norm at those positions: [positions, width].
  public let residual: Tensor
  let cache: KeyValueCache
  /// By block: [1, positions, width] before it.
  let states: [Tensor]
}

extension LanguageModel {
  /// Runs a text once and keeps what reruns at some of its positions need.
  ///
  /// - Parameters:
  ///   - ids: the text.
  ///   - positions: where parts will be replaced.
  ///   - pass: what else is seen in this run; it must replace nothing.
  /// - Returns: keys and values of the whole text, and the states at the positions.
  /// - Throws: as `run`; `ModelError` for a position outside of the text, and for a family whose
  ///   blocks cannot be run one by one.
  /// - Complexity: one forward pass over the text up to the last position.
  public func rerunContext(
    of ids: [Int], at positions: [Int], pass: Pass = .plain
  ) throws -> RerunContext {
    _ = try asBlockwise()
    let chosen = Set(positions).sorted()
    guard let last = chosen.last, let first = chosen.first, first >= 0, last < ids.count else {
      throw ModelError(
        .usage,
        "A rerun needs positions from 0 to \(ids.count - 1), where the text is; it was asked for "
          + "\(chosen.isEmpty ? "none" : chosen.map(String.init).joined(separator: ", ")).")
    }
    let cache = KeyValueCache(layers: shape.layers, capacity: last + 1)
    var states: [Tensor] = []
    let entering = Set((0..<shape.layers).map { Site.residual($0, .before) })
    let observed = Pass(sites: entering.union(pass.sites)) { site, value in
      let value = pass(site, value)
      if entering.contains(site) { states.append(value.selecting(chosen, along: 1)) }
      return value
    }
    let run = try self.run([Array(ids[...last])], cache: cache, pass: observed)
    return RerunContext(
      ids: ids, positions: chosen,
      residual: try withEngineErrors {
        run.residual.selecting(chosen, along: 1).reshaped([chosen.count, shape.width])
      },
      cache: cache, states: states)
  }

  /// The residual stream at one position when a part is replaced there, for each of many
  /// replacements by itself.
  ///
  /// - Parameters:
  ///   - replacements: one for each row; they do not add up.
  ///   - position: one of the context's.
  ///   - context: the text.
  ///   - rowsAtOnce: the most rows that run together; more take more memory.
  /// - Returns: [replacements, width], before the final norm.
  /// - Throws: `ModelError` for a part or position that there is not, or a value of another size;
  ///   `EngineError` when memory runs out.
  /// - Complexity: each replacement is one row through the blocks from its own on.
  public func rerun(
    _ replacements: [Replacement], at position: Int, of context: RerunContext,
    rowsAtOnce: Int = 256
  ) throws -> Tensor {
    let model = try asBlockwise()
    try check(replacements)
    guard let place = context.positions.firstIndex(of: position) else {
      throw ModelError(
        .usage,
        "Position \(position) was not kept for reruns; name it when the context is made.")
    }
    return try withEngineErrors {
      let past = KeyValueCache(firstOf: context.cache, position)
      let rows = Positions(
        alternatives: max(1, min(rowsAtOnce, replacements.count)), at: position, type, on: device)
      let rerun = JoiningRows(model: model, axis: 1, cache: past) { rows.first($0) }
      return rerun.run(replacements, rowsAtOnce: max(1, rowsAtOnce)) {
        context.states[$0].slice(place..<place + 1, along: 1)
      }
    }
  }

  /// The residual stream at a text's last position when a part is replaced at every position, for
  /// each of many replacements by itself.
  ///
  /// - Parameters:
  ///   - replacements: one for each row; a value is the same at every position.
  ///   - ids: the text up to the position that predicts.
  ///   - tokensAtOnce: the most tokens that run together, one sequence at least.
  /// - Returns: [replacements, width], before the final norm.
  /// - Throws: `ModelError` for ids or a part that the model does not have, or a value of another
  ///   size; `EngineError` when memory runs out.
  /// - Complexity: each replacement runs the whole text through the blocks from its own on; beside
  ///   them the text runs once unchanged.
  public func rerun(
    _ replacements: [Replacement], throughout ids: [Int], tokensAtOnce: Int = 1024
  ) throws -> Tensor {
    let model = try asBlockwise()
    try check(replacements)
    try check([ids], after: 0)
    return try withEngineErrors {
      let sequence = model.positions(0..<ids.count)
      let plain = PlainStates(model, ids, sequence)
      let rerun = JoiningRows(model: model, axis: 0, cache: nil) { _ in sequence }
      return rerun.run(
        replacements, rowsAtOnce: max(1, tokensAtOnce / ids.count), state: plain.state)
    }
  }

  private func asBlockwise() throws -> any BlockwiseModel {
    guard let model = self as? any BlockwiseModel else {
      throw ModelError(
        .usage,
        "\(shape.architecture) cannot be run again in part, so nothing of it can be replaced; "
          + "leave out --check.")
    }
    return model
  }

  private func check(_ replacements: [Replacement]) throws {
    for replacement in replacements {
      let expected = try size(of: replacement.part)
      guard replacement.value.count == expected else {
        throw ModelError(
          .usage,
          "A replacement in layer \(replacement.part.layer) has \(replacement.value.count) numbers; "
            + "the part has \(expected).")
      }
    }
  }
}

/// The states of the unchanged text before one block after another; asked for in ascending order.
private final class PlainStates {
  private let model: any BlockwiseModel
  private let positions: Positions
  private var layer = 0
  private var current: Tensor
  private var previous: Tensor?

  init(_ model: any BlockwiseModel, _ ids: [Int], _ positions: Positions) {
    self.model = model
    self.positions = positions
    current = model.embed([ids], from: 0, pass: .plain)
  }

  /// [1, position, width] before a block: one asked for before, the one below it, or a later one.
  func state(before wanted: Int) -> Tensor {
    while layer < wanted {
      previous = current
      current = model.blocks(layer..<layer + 1, current, positions, cache: nil, pass: .plain)
      layer += 1
    }
    return wanted == layer ? current : previous ?? current
  }
}
