public import LanguageModels
internal import Tensors

// Steering goes on with another value at a site: multiplied, set, or with a vector added (Turner and others 2023). In
// generation with a cache a run sees only its own tokens, so the change is told where they stand, and reaches every
// new token as it does those of the text.

/// A change of a value on its way through a model.
public struct Steering: Sendable, Equatable {
  /// What becomes of the value.
  public enum Change: Sendable, Equatable {
    /// It is multiplied.
    case scale(Double)
    /// It is replaced.
    case set(Double)
    /// A vector is added: all numbers of one position, in their order.
    case add([Double])
  }

  /// Where.
  public var site: Site
  /// What becomes of the value.
  public var change: Change
  /// Heads, where the site has them, experts or coordinates; nil for all.
  public var units: [Int]?
  /// Positions, the continuation's counted on from the text's; nil for all.
  public var positions: [Int]?

  /// Describes a change.
  public init(
    _ change: Change, at site: Site, units: [Int]? = nil, positions: [Int]? = nil
  ) {
    self.change = change
    self.site = site
    self.units = units
    self.positions = positions
  }

  /// The same place with a change that changes nothing.
  ///
  /// The same site is seen, so that the model runs by the same operations.
  public var idle: Steering { Steering(.scale(1), at: site, units: units, positions: positions) }

  /// What a model says under a change.
  public struct Reading: Sendable {
    /// The logits of one position, by token.
    public var logits: [Double]
    /// The greedy continuation.
    public var continuation: [Int]
  }

  /// Runs a text under the change.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose logits are read.
  ///   - count: The most tokens of the continuation; 0 in an encoder.
  ///   - ends: Tokens that end a text; the one that does is not added.
  ///   - model: Any model with a head.
  /// - Returns: Logits, and the greedy continuation.
  /// - Throws: `AttributionError` for a site, unit, position or vector that does not fit the model; `ModelError` for
  ///   a text that it cannot run; `EngineError` when memory runs out.
  /// - Complexity: One forward pass over the text, and one per token of the continuation with a cache.
  public func read(
    _ ids: [Int], at position: Int, continuing count: Int = 0, endingAt ends: Set<Int> = [],
    in model: any LanguageModel
  ) throws -> Reading {
    try check(in: model)
    try requirePosition(position, of: ids)
    return try withRecording(false) {
      guard model.isCausal else {
        let run = try model.run([ids], pass: pass(from: 0, in: model))
        return Reading(logits: try logits(run, position, from: 0, in: model), continuation: [])
      }
      return try generate(ids, position, count, ends, in: model)
    }
  }

  private func generate(
    _ ids: [Int], _ position: Int, _ count: Int, _ ends: Set<Int>, in model: any LanguageModel
  ) throws -> Reading {
    let room = min(count, model.shape.contextLength - ids.count)
    func emptyCache(_ length: Int) -> KeyValueCache {
      KeyValueCache(
        layers: model.shape.layers, capacity: ids.count + room, textLength: length)
    }
    var cache = emptyCache(ids.count)
    var run = try model.run([ids], cache: cache, pass: pass(from: 0, in: model))
    var start = 0
    let own = try logits(run, position, from: 0, in: model)
    var added: [Int] = []
    while added.count < room {
      let last = ids.count + added.count - 1
      let logits = last == position ? own : try logits(run, last, from: start, in: model)
      let token = logits.indices.max { logits[$0] < logits[$1] } ?? 0
      if ends.contains(token) { break }
      added.append(token)
      guard added.count < room else { break }
      start = last + 1
      if !model.keepsKeys(from: cache.textLength, to: start + 1) {
        // Rotary positions that go by the length of the text: what is kept was turned otherwise.
        cache = emptyCache(start + 1)
        _ = try model.run(
          [ids + added.dropLast()], cache: cache, pass: pass(from: 0, in: model))
      }
      run = try model.run([[token]], cache: cache, pass: pass(from: start, in: model))
    }
    return Reading(logits: own, continuation: added)
  }

  /// The logits of a position of a run whose first stands at `start`.
  private func logits(
    _ run: Run, _ position: Int, from start: Int, in model: any LanguageModel
  ) throws -> [Double] {
    try withEngineErrors {
      let row = run.residual.slice(position - start..<position - start + 1, along: 1)
      return try model.unembedding.logits(row, pass: pass(from: position, in: model))
        .reshaped([-1]).values()
    }
  }

  /// What stands at a site at a text's last position, as a vector to add.
  ///
  /// - Parameters:
  ///   - site: Where.
  ///   - ids: The text.
  ///   - model: The model.
  /// - Returns: All numbers of the position, in their order.
  /// - Throws: `ModelError` for a text or site that the model has not, `EngineError` when memory runs out.
  /// - Complexity: One forward pass.
  public static func vector(
    at site: Site, of ids: [Int], in model: any LanguageModel
  ) throws -> [Double] {
    let run = try withRecording(false) { try model.run([ids], capturing: [site]) }
    let axis = Steering(.scale(1), at: site).positionAxis
    return try withEngineErrors {
      try run.activations[site].slice(ids.count - 1..<ids.count, along: axis).reshaped([-1])
        .values()
    }
  }

  // MARK: - The change

  /// A pass over tokens of which the first stands at `start`.
  func pass(from start: Int, in model: any LanguageModel) -> Pass {
    // A product with 1 would have the same numbers in another layout, of which sums can round otherwise.
    Pass(sites: [site]) { _, value in change == .scale(1) ? value : changed(value, from: start) }
  }

  /// The axis, batch included, of what units count.
  private var unitAxis: Int {
    let axes = site.axes
    let named = axes.firstIndex { [.heads, .keyValueHeads, .experts].contains($0) }
    return 1 + (named ?? axes.count - 1)
  }

  /// The axis, batch included, of positions.
  private var positionAxis: Int {
    1 + (site.axes.firstIndex { $0 == .position || $0 == .queryPosition } ?? 0)
  }

  /// The value with the change, of tokens of which the first stands at `start`.
  private func changed(_ value: Tensor, from start: Int) -> Tensor {
    let shape = value.shape
    func along(_ axis: Int, _ chosen: [Int]?, from start: Int) -> Tensor {
      var extents = [Int](repeating: 1, count: shape.count)
      extents[axis] = shape[axis]
      let isChosen = chosen.map(Set.init)
      return Tensor(
        (0..<shape[axis]).map { isChosen?.contains($0 + start) ?? true ? 1 : 0 }, extents,
        value.type, on: value.device)
    }
    let mask =
      along(positionAxis, positions, from: start) * along(unitAxis, units, from: 0)
    switch change {
    case .scale(let factor): return value * (mask * factor + (mask * -1 + 1))
    case .set(let number): return value * (mask * -1 + 1) + mask * number
    case .add(let vector):
      var extents = shape
      extents[0] = 1
      extents[positionAxis] = 1
      return value + mask * Tensor(vector, extents, value.type, on: value.device)
    }
  }

  /// How many numbers a vector has that is added; nil where a site's size is not the model's own.
  ///
  /// - Parameter model: The model.
  /// - Returns: The numbers of one position.
  public func size(in model: any LanguageModel) -> Int? {
    let shape = model.shape
    let extents = site.axes.filter { $0 != .position }.map { axis -> Int? in
      switch axis {
      case .heads: shape.heads
      case .keyValueHeads: shape.keyValueHeads
      case .headWidth: shape.headWidth
      case .width: shape.width
      case .hidden: shape.hidden
      case .vocabulary: shape.vocabulary
      case .position, .queryPosition, .keyPosition, .experts: nil
      }
    }
    return extents.contains(nil) ? nil : extents.compactMap(\.self).reduce(1, *)
  }

  /// Checks that the model has what is named.
  private func check(in model: any LanguageModel) throws {
    guard model.head != nil else {
      throw AttributionError(
        .usage,
        "\(model.shape.architecture) without a language-model head gives no logits, so there is nothing to "
          + "steer; use a checkpoint that has one.")
    }
    guard model.sites.contains(site) else {
      throw AttributionError(
        .usage, "\(model.shape.architecture) has no site '\(site)' to steer.")
    }
    if case .add(let vector) = change {
      guard let size = size(in: model) else {
        throw AttributionError(
          .usage,
          "A vector cannot be added at '\(site)', whose size is not the model's own; scale or set it."
        )
      }
      guard vector.count == size else {
        throw AttributionError(
          .usage,
          "The vector to add has \(vector.count) numbers, and '\(site)' \(size) at each position.")
      }
    }
    if let wrong = positions?.first(where: { $0 < 0 }) {
      throw AttributionError(.usage, "Position \(wrong) is no place; positions count from 0.")
    }
    guard let units else { return }
    // How many experts there are is the value's own to say.
    let seen = try withRecording(false) { try model.run([[0]], capturing: [site]) }
    let count = seen.activations[site].size(unitAxis)
    if let wrong = units.first(where: { !(0..<count).contains($0) }) {
      throw AttributionError(
        .usage,
        "Unit \(wrong) is out of range; '\(site)' has \(site.axes[unitAxis - 1].rawValue) 0 to "
          + "\(count - 1).")
    }
  }
}
