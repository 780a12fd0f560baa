public import LanguageModels
public import Results
internal import Tensors

/// Activation patching of two texts as grids of layers and tokens (Vig and others 2020; Meng and others 2022).
public struct ActivationPatching: Sendable {
  /// What is patched, a grid for each.
  public var units: [PatchUnit]
  /// The blocks; nil for all.
  public var layers: [Int]?
  /// The tokens, each by itself or, of heads, all at once; nil for all.
  public var positions: [Int]?
  /// Which run goes into which.
  public var direction: PatchDirection
  /// How many blocks in a row are patched together; of the residual stream, always one.
  public var window: Int
  /// The most tokens that run together; one text at least, and in causal tracing a cell's draws.
  public var tokensAtOnce: Int

  /// Chooses what is patched.
  public init(
    units: [PatchUnit] = [.residual], layers: [Int]? = nil, positions: [Int]? = nil,
    direction: PatchDirection = .denoise, window: Int = 1, tokensAtOnce: Int = 1024
  ) {
    self.units = units
    self.layers = layers
    self.positions = positions
    self.direction = direction
    self.window = window
    self.tokensAtOnce = tokensAtOnce
  }

  /// What patching found.
  public struct Outcome: Sendable {
    /// m of the clean run.
    public var clean: Double
    /// m of the corrupted run, a mean over samples of noise.
    public var corrupted: Double
    /// One for each kind of unit.
    public var grids: [PatchGrid]
    /// How many runs it took.
    public var passes: PassCount
  }

  /// Patches one text's values into the other's run.
  ///
  /// - Parameters:
  ///   - clean: The clean text.
  ///   - corrupted: The corrupted one, of as many tokens.
  ///   - metric: What is measured, in the clean text's tokens.
  ///   - model: Any model with a head whose blocks have the units.
  ///   - progress: Told the share of the runs done.
  /// - Returns: The metric of each patched run, and its share of the way between the two.
  /// - Throws: `AttributionError` for texts of unequal length and for a metric, position, layer or unit that there
  ///   is not; `ModelError` for a text that the model cannot run; `EngineError` when memory runs out.
  /// - Complexity: Two forward passes, and for each cell of a grid one from its block on.
  public func run(
    clean: [Int], corrupted: [Int], metric: Metric, in model: any LanguageModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> Outcome {
    guard clean.count == corrupted.count else {
      throw AttributionError.unequal(clean.count, corrupted.count)
    }
    try metric.check(clean, in: model)
    _ = try check(clean.count, in: model)
    let end = model.isCausal ? metric.position + 1 : clean.count
    let cleanEnds = try PatchEnds([Array(clean[..<end])], metric, keeping: units, in: model)
    let otherEnds = try PatchEnds([Array(corrupted[..<end])], metric, keeping: units, in: model)
    let first = clean.indices.first { clean[$0] != corrupted[$0] } ?? clean.count
    let (source, base) =
      direction == .denoise ? (cleanEnds, otherEnds) : (otherEnds, cleanEnds)
    return try grids(
      from: source, into: base, clean: cleanEnds, corrupted: otherEnds, first: first,
      count: clean.count, metric, in: model, progress: progress)
  }

  /// The layers and positions of the grids, once all that is asked for is there.
  func check(
    _ count: Int, in model: any LanguageModel
  ) throws -> (model: any BlockwiseModel, layers: [Int], positions: [Int]) {
    let layers = self.layers ?? Array(0..<model.shape.layers)
    let positions = self.positions ?? Array(0..<count)
    if let wrong = positions.first(where: { !(0..<count).contains($0) }) {
      throw AttributionError.positionOutOfRange(wrong, count: count)
    }
    return (try model.requirePatching(units, layers: layers), layers, positions)
  }

  /// The grids of two runs, whatever made them differ from the token `first` on.
  func grids(
    from source: PatchEnds, into base: PatchEnds, clean: PatchEnds, corrupted: PatchEnds,
    first: Int, count: Int, _ metric: Metric, in model: any LanguageModel,
    progress: (Double) -> Void
  ) throws -> Outcome {
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let (blockwise, layers, positions) = try check(count, in: model)
    var outcome = Outcome(
      clean: mean(clean.values), corrupted: mean(corrupted.values), grids: [],
      passes: PassCount(
        forward: Double(clean.values.count + corrupted.values.count), backward: 0))
    for (index, unit) in units.enumerated() {
      let window = unit == .residual ? 1 : self.window
      let runs = PatchedRuns(
        model: blockwise, metric: metric, unit: unit, window: window, streams: base.streams,
        source: source.units[unit] ?? [], baseValue: mean(base.values),
        firstChange: model.isCausal ? first : 0, tokensAtOnce: tokensAtOnce)
      let (values, passes) = try runs.values(layers: layers, positions: positions) {
        progress((Double(index) + $0) / Double(units.count))
      }
      outcome.passes.forward += passes
      outcome.grids.append(
        PatchGrid(
          unit, layers: layers, window: window, positions: positions, values: values,
          clean: outcome.clean, corrupted: outcome.corrupted))
    }
    return outcome
  }
}
