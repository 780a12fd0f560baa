internal import LanguageModels
internal import Results
internal import Tensors

// From what a forward pass showed to paths b → h_ℓ1 → … → h_ℓk that a method can walk: the states,
// where they start, and which parts make up each segment.

/// The way from the baseline to the model's state.
public enum PathChoice: Sendable, Equatable {
  /// Through every chosen layer's state.
  case chain
  /// One straight line; each layer's update scores by its mean gradient.
  case straight
  /// The layers' updates in all orders, or in this many sampled ones where they are more than 10.
  case shapley(orders: Int)

  /// The name in commands and results.
  public var name: String {
    switch self {
    case .chain: "chain"
    case .straight: "straight"
    case .shapley: "shapley"
    }
  }
}

extension PathChoice {
  /// How many orders are sampled; nil for paths that sample none.
  var orders: Int? {
    if case .shapley(let orders) = self { orders } else { nil }
  }
}

/// Where paths start, by explained position.
struct PathStart {
  /// In the residual stream: [explained positions, width].
  var raw: Tensor
  /// As it is read: the same, where states are read as they are.
  var read: Tensor
  /// What a reader should know about it.
  var warnings: [String]
}

extension Explainer {
  /// The baseline of each explained position.
  func start(
    _ trace: ResidualTrace, _ baseline: Baseline, _ options: Options, _ path: StatePath
  ) throws -> PathStart {
    let width = loaded.model.shape.width
    let type = readout.type
    let count = trace.positions.count
    func repeated(_ row: Tensor) -> Tensor {
      Tensor.concatenating(
        Array(repeating: row.reshaped([1, width]).to(type), count: count), along: 0)
    }
    func read(_ raw: Tensor, after layer: Int, _ warnings: [String] = []) -> PathStart {
      PathStart(
        raw: raw, read: options.reading.map { $0.read(raw, layer).to(type) } ?? raw,
        warnings: warnings)
    }
    if let mean = options.reading?.start {
      return read(repeated(Tensor(mean, [width], type, on: loaded.model.device)), after: -1)
    }
    switch baseline {
    case .zero:
      let zero = Tensor(repeating: 0, [count, width], type, on: loaded.model.device)
      return PathStart(raw: zero, read: zero, warnings: [])
    case .embedding:
      return read(path.state(-1, trace, loaded.model).to(type), after: -1)
    case .finalOf:
      let run = try loaded.model.run([options.baselineIDs])
      let last = repeated(
        run.residual.slice(
          options.baselineIDs.count - 1..<options.baselineIDs.count, along: 1))
      return PathStart(raw: last, read: last, warnings: [])
    case .mean, .meanAll, .meanWithoutSink:
      let states = path.averagedState(trace, loaded.model)
      let average = try RunningMeans(states.values(), width: width)
      let ranges = trace.positions.map {
        baseline.averaged(
          at: $0, length: states.size(0), isCausal: loaded.model.isCausal) ?? 0..<1
      }
      let layer = path.layers.first ?? 0
      return read(
        Tensor(ranges.flatMap(average.mean), [ranges.count, width], type, on: loaded.model.device),
        after: layer,
        average.warnings(baseline, ranges, positions: trace.positions, layer: layer))
    }
  }

  /// The states of the chosen layers as they are read: [layer][explained positions, width].
  private func states(
    _ trace: ResidualTrace, _ options: Options, _ path: StatePath
  ) -> (raw: [Tensor], read: [Tensor]) {
    let raw = path.layers.map { path.state($0, trace, loaded.model).to(readout.type) }
    guard let reading = options.reading else { return (raw, raw) }
    return (raw, zip(path.layers, raw).map { reading.read($1, $0).to(readout.type) })
  }

  /// b, h_ℓ1, …, h_ℓk for each explained position.
  func predictions(
    _ trace: ResidualTrace, _ targets: [Int], _ start: PathStart, _ options: Options,
    _ path: StatePath
  ) -> [IGLens.Prediction] {
    let states = [start.read] + states(trace, options, path).read
    return targets.enumerated().map { index, token in
      IGLens.Prediction(
        token: token, versus: path.versus,
        path: Tensor.concatenating(
          states.map { $0.slice(index..<index + 1, along: 0) }, along: 0))
    }
  }

  /// How these paths' values are split; nil where they are not.
  func split(
    _ trace: ResidualTrace, _ start: PathStart, _ options: Options, _ path: StatePath
  ) throws -> PathSplit? {
    let isStraight = options.path == .straight
    guard options.splits || isStraight || options.check != nil else { return nil }
    let (raw, read) = states(trace, options, path)
    let wide = { (x: Tensor) in x.to(.float64, on: .cpu) }
    var vectors: [Tensor] = []
    var extras: [(segment: Int, kind: AttributionNode.Kind)] = []
    if options.splits {
      extras.append((0, .embedding))
      vectors.append(wide(trace.state(-1).to(readout.type)) - wide(start.raw))
      if let reading = options.reading {
        // o_ℓj − o_ℓ(j−1), with o_0 what reading adds to the baseline.
        let added =
          [wide(start.read) - wide(start.raw)] + zip(read, raw).map { wide($0) - wide($1) }
        for segment in raw.indices {
          extras.append((segment, reading.kind == .completion ? .mean : .translator))
          vectors.append(added[segment + 1] - added[segment])
        }
      }
    } else {
      // Whole updates: no block is looked into.
      let all = [start.read] + read
      for segment in read.indices {
        extras.append((segment, .others))
        vectors.append(wide(all[segment + 1]) - wide(all[segment]))
      }
    }
    return PathSplit(
      components: options.splits
        ? try Components(
          loaded.model, trace, depth: options.depth, neurons: options.neurons) : nil,
      blocks: options.splits
        ? path.updates : Array(repeating: 0..<0, count: path.layers.count), extras: extras,
      extraVectors: trace.positions.indices.map { index in
        Tensor.concatenating(
          vectors.map { $0.slice(index..<index + 1, along: 0) }, along: 0)
      }, rule: options.rule, isStraight: isStraight)
  }

  /// Walks the chosen path.
  func explain(
    _ trace: ResidualTrace, _ targets: [Int], _ start: PathStart, _ options: Options,
    _ method: IGLens, _ path: StatePath, progress: (Double) -> Void = { _ in }
  ) throws -> [IGLens.Explanation] {
    let predictions = predictions(trace, targets, start, options, path)
    if case .shapley(let orders) = options.path {
      return try method.shapley(
        predictions, with: readout, orders: orders, seed: UInt64(options.seed),
        progress: progress)
    }
    return try method.explain(
      predictions, with: readout, split: split(trace, start, options, path), progress: progress)
  }
}

extension Explainer.Options {
  /// Whether layers' values are split into parts.
  var splits: Bool { depth != .layer || neurons != .none }

  /// Whether anything random takes part.
  var isSampled: Bool {
    ([path] + otherPaths).contains { if case .shapley = $0 { true } else { false } }
      || check?.replacements.contains(.resample) == true
  }

  /// Refuses choices that contradict each other.
  func validate() throws {
    func refuse(_ message: String) -> AttributionError { AttributionError(.usage, message) }
    let walks = splits || path != .chain || reading != nil || check != nil
    if compatible && (walks || !otherPaths.isEmpty || !otherBaselines.isEmpty) {
      throw refuse(
        "--compat iglens reads states that no path of the model visits; leave out --depth, "
          + "--neurons, --path, --paths, --baselines, --completion, --lens and --check.")
    }
    if (splits || path != .chain || check != nil) && method.estimator != .observed {
      throw refuse(
        "--estimator is for whole layers on the chain; parts and other paths have integrals of their "
          + "own (--tol): leave one out.")
    }
    if check != nil, case .shapley = path {
      throw refuse(
        "--check predicts with a path's gradient, and --path shapley has no one gradient; use --path "
          + "chain or straight.")
    }
    if splits, case .shapley = path {
      throw refuse(
        "--path shapley has a value for each layer but no one gradient to split it by; use --depth "
          + "layer, or --path chain or straight.")
    }
  }
}
