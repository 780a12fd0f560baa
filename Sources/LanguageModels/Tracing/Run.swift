public import Tensors

/// What a forward pass yields.
public struct Run {
  /// The residual stream that the final norm receives: [batch, position, width].
  public var residual: Tensor
  /// The values at the sites asked for.
  public var activations: Activations
}

/// Values of a run by site; inert.
public struct Activations {
  private var values: [Site: Tensor] = [:]

  /// The value at a site that was asked for.
  public internal(set) subscript(site: Site) -> Tensor {
    get {
      guard let value = values[site] else {
        preconditionFailure("\(site) was not asked for in this run")
      }
      return value
    }
    set { values[site] = newValue }
  }

  /// The sites present.
  public var sites: Set<Site> { Set(values.keys) }
}

extension Run {
  /// The run of one sequence of the batch.
  func row(_ row: Int) -> Run {
    var one = Activations()
    for site in activations.sites {
      one[site] = activations[site].slice(row..<row + 1, along: 0)
    }
    return Run(residual: residual.slice(row..<row + 1, along: 0), activations: one)
  }
}

extension LanguageModel {
  /// Runs the blocks once over token ids.
  ///
  /// - Parameters:
  ///   - ids: [batch][position], sequences of equal length.
  ///   - sites: values to return; `.finalNorm` and `.logits` are computed when they are among them.
  ///   - cache: keys and values of earlier positions; the new ones are appended.
  ///   - pass: what else is seen or replaced.
  /// - Returns: the residual stream before the final norm, and the values at `sites`.
  /// - Throws: `ModelError` for an id, a length or a site that the model does not have, and for a
  ///   cache with a model that reads both ways or of a text whose length turned its keys otherwise;
  ///   `EngineError` when memory runs out.
  /// - Complexity: one forward pass.
  public func run(
    _ ids: [[Int]], capturing sites: Set<Site> = [], cache: KeyValueCache? = nil,
    pass: Pass = .plain
  ) throws -> Run {
    if cache != nil && !isCausal { throw ModelError.readsBothWays(shape.architecture) }
    let past = cache?.length ?? 0
    try check(ids, after: past)
    if let held = cache?.textLength, past > 0, !keepsKeys(from: held, to: past + ids[0].count) {
      throw ModelError.lengthChangesKeys(from: held, to: past + ids[0].count)
    }
    try check(sites.union(pass.sites))
    try check(pass.rules)
    var activations = Activations()
    var observed = pass
    observed.sites.formUnion(sites)
    observed.visit = { site, value in
      let next = pass(site, value)
      if sites.contains(site) { activations[site] = next }
      return next
    }
    let residual = try withEngineErrors {
      let residual = forward(ids, cache: cache, pass: observed)
      if observed.wants(.finalNorm) || observed.wants(.logits) {
        if let closingNorm {
          _ = observed(.finalNorm, closingNorm(residual))
        } else {
          _ = unembedding.logits(residual, pass: observed)
        }
      }
      return residual
    }
    return Run(residual: residual, activations: activations)
  }

  /// Runs texts of any lengths, without padding.
  ///
  /// Texts of equal length run together. What a text gets is what it gets alone: no mask stands
  /// between texts, and no row is computed that is none's.
  ///
  /// - Parameters:
  ///   - texts: token ids, each of any length.
  ///   - sites: values to return.
  ///   - tokensAtOnce: the most tokens that run together, one text at least.
  /// - Returns: for each text, in order, a run of a batch of one.
  /// - Throws: as `run`, before anything runs.
  /// - Complexity: one forward pass over all texts' tokens.
  public func runs(
    of texts: [[Int]], capturing sites: Set<Site> = [], tokensAtOnce: Int = 4096
  ) throws -> [Run] {
    for text in texts { try check([text], after: 0) }
    try check(sites)
    var runs: [Run?] = Array(repeating: nil, count: texts.count)
    let groups = Dictionary(grouping: texts.indices) { texts[$0].count }
    for (length, group) in groups.sorted(by: { $0.key < $1.key }) {
      let size = max(1, tokensAtOnce / length)
      for start in stride(from: 0, to: group.count, by: size) {
        let places = group[start..<min(group.count, start + size)]
        let together = try run(places.map { texts[$0] }, capturing: sites)
        for (row, place) in places.enumerated() { runs[place] = together.row(row) }
      }
    }
    return runs.compactMap { $0 }
  }

  /// Checks that texts of one length can run.
  ///
  /// - Throws: `ModelError` for no text, lengths that differ, and ids or a length that the model does not have.
  package func checkTexts(_ ids: [[Int]]) throws { try check(ids, after: 0) }

  func check(_ ids: [[Int]], after past: Int) throws {
    guard let first = ids.first, !first.isEmpty else { throw ModelError.emptyPrompt }
    guard ids.allSatisfy({ $0.count == first.count }) else {
      throw ModelError(.usage, "The sequences of a batch differ in length; run them one by one.")
    }
    for id in ids.joined() where id < 0 || id >= shape.vocabulary {
      throw ModelError.tokenOutOfRange(id, vocabulary: shape.vocabulary)
    }
    let length = past + first.count
    if length > shape.contextLength {
      throw ModelError.tooLong(length, context: shape.contextLength)
    }
  }

  /// Refuses rules for a model that has something they do not know.
  package func check(_ rules: BackwardRules) throws {
    guard rules != .gradient, let gap = withoutRule else { return }
    throw ModelError(
      .usage,
      "Layer \(gap.layer) of \(shape.architecture) has \(gap.part), which no relevance rule knows; use the "
        + "gradient itself (--rules gradient).")
  }

  private func check(_ wanted: Set<Site>) throws {
    let missing = wanted.subtracting(sites)
    if let site = missing.min(by: { $0.description < $1.description }) {
      throw ModelError(
        .usage,
        "\(shape.architecture) has no site '\(site)'; its layers are 0 to "
          + "\(shape.layers - 1) (see its sites with `LanguageModel.sites`).")
    }
  }
}
