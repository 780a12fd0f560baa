public import LanguageModels
public import Results
internal import Tensors

// The causal check of an attribution. A part c of the residual stream at the explained position is
// scored ⟨ḡ, c⟩ along a path of the readout; what it does in the model is another matter. Give it
// another value c′ (nothing, its mean, its value elsewhere), run again what depends on it, and compare
//
//     predicted Δ = ⟨ḡ, M (c − c′)⟩        actual Δ = F(model) − F(model with c′ for c).
//
// M is the part's linear way into the residual stream. For a layer, attention or an MLP it is the
// identity; for a head's mix of values its slice of W_O, for neurons their columns of W_down, followed
// by the branch's own norm, where it has one, at the scale that the run had. M is applied to ḡ rather
// than to every part: Mᵀḡ is one product per block, and each head or neuron a short dot product.
//
// The gap is not an error of either side. ḡ sees the readout alone, so that what later blocks make of
// the part is in the actual change and not in the predicted one.

/// Replaces parts of a model one at a time, and compares the predicted change with the actual one.
public struct AblationStudy: Sendable {
  /// What is explained.
  public var target: Target
  /// What parts are replaced by, one check for each.
  public var replacements: [CausalCheck.Replacement]
  /// Where parts are replaced.
  public var scope: CausalCheck.Scope
  /// Texts whose positions give means and resamples; with none, the positions up to the explained
  /// one of the text itself.
  public var reference: [[Int]]
  /// The seed of resampled places.
  public var seed: Int
  /// The most rows that run through the blocks together.
  public var rowsAtOnce: Int
  /// The most rows that are read in one sweep over the vocabulary.
  public var rowsPerSweep: Int

  /// A study with its parameters.
  public init(
    target: Target = .probability, replacements: [CausalCheck.Replacement] = [.mean],
    scope: CausalCheck.Scope = .position, reference: [[Int]] = [], seed: Int = 0,
    rowsAtOnce: Int = 512, rowsPerSweep: Int = 512
  ) {
    self.target = target
    self.replacements = replacements
    self.scope = scope
    self.reference = reference
    self.seed = seed
    self.rowsAtOnce = rowsAtOnce
    self.rowsPerSweep = rowsPerSweep
  }

  /// One prediction, and the parts of it to check.
  public struct Subject: Sendable {
    /// The position that predicts.
    public var position: Int
    /// The token y.
    public var token: Int
    /// The token x of a difference.
    public var versus: Int?
    /// The path-mean gradient ḡ of each block, [block][width].
    public var gradients: [[Double]]
    /// What is replaced, each by itself.
    public var parts: [Replacement.Part]

    /// Describes a prediction.
    public init(
      position: Int, token: Int, versus: Int? = nil, gradients: [[Double]],
      parts: [Replacement.Part]
    ) {
      self.position = position
      self.token = token
      self.versus = versus
      self.gradients = gradients
      self.parts = parts
    }
  }

  /// Checks the parts of predictions in one text.
  ///
  /// - Parameters:
  ///   - subjects: the predictions.
  ///   - text: the ids that ran.
  ///   - model: the model.
  ///   - readout: its readout.
  ///   - progress: told the share of the work done.
  /// - Returns: for each subject, one check per replacement. A resample is left out where there is
  ///   no other position to take it from: at position 0 without reference texts.
  /// - Throws: `ModelError` for parts, positions or families that cannot be replaced,
  ///   `AttributionError` where the model's numbers are not finite, `EngineError` when memory runs out.
  /// - Complexity: one forward pass over the text, and one for each reference text; for each part
  ///   and replacement one row through the blocks from its own on (for scope `all`, the whole text up
  ///   to the position) and one row through the head.
  public func check(
    _ subjects: [Subject], of text: [Int], in model: any LanguageModel, with readout: Readout,
    progress: (Double) -> Void = { _ in }
  ) throws -> [[CausalCheck]] {
    try withRecording(false) {
      try checked(subjects, text, model, readout, progress)
    }
  }

  private func checked(
    _ subjects: [Subject], _ text: [Int], _ model: any LanguageModel, _ readout: Readout,
    _ progress: (Double) -> Void
  ) throws -> [[CausalCheck]] {
    for part in Set(subjects.flatMap(\.parts)) { _ = try model.size(of: part) }
    guard !subjects.isEmpty, !replacements.isEmpty else { return subjects.map { _ in [] } }
    let places = subjects.map(place)
    let (values, context) = try observed(subjects, text, places, model)
    let slopes = try pulledBack(subjects, values, model)

    var checks = subjects.map { _ in [CausalCheck]() }
    var sweep = AblationSweep(
      target: target, rows: rowsPerSweep, readout: readout, subjects: subjects.count)
    for (index, subject) in subjects.enumerated() {
      var rows: [Replacement] = []
      for replacement in replacements {
        let pairs = subject.parts.map {
          values[index].pair($0, replacement, headWidth: model.shape.headWidth)
        }
        // Only a resample can lack a source, and then it does for every part.
        if pairs.contains(where: { $0 == nil }) { continue }
        var parts: [CheckedPart] = []
        for case (let part, let (own, other)?) in zip(subject.parts, pairs) {
          let slope = part.cut(
            from: slopes[index][PartSource(part)] ?? [], headWidth: model.shape.headWidth)
          var predicted = 0.0
          for k in own.indices { predicted += slope[k] * (own[k] - other[k]) }
          parts.append(CheckedPart(part, predicted: predicted))
          rows.append(Replacement(part, by: other))
        }
        checks[index].append(
          CausalCheck(
            replacement: replacement, scope: scope, rows: parts, agreement: [],
            source: replacement == .resample ? places[index] : nil))
      }
      let place = context.positions.firstIndex(of: subject.position) ?? 0
      let states =
        switch scope {
        case .position:
          try model.rerun(rows, at: subject.position, of: context, rowsAtOnce: rowsAtOnce)
        case .all:
          try model.rerun(
            rows, throughout: Array(text[...subject.position]), tokensAtOnce: rowsAtOnce)
        }
      try sweep.add(
        states, of: subject, index, own: context.residual.slice(place..<place + 1, along: 0))
      progress(0.9 * Double(index + 1) / Double(subjects.count))
    }
    let changes = try sweep.finish()
    for index in subjects.indices {
      var row = 0
      for check in checks[index].indices {
        for part in checks[index][check].rows.indices {
          checks[index][check].rows[part].actual = changes[index][row]
          checks[index][check].rows[part].gap =
            checks[index][check].rows[part].predicted - changes[index][row]
          row += 1
        }
        checks[index][check].agreement = CheckAgreement.byKind(checks[index][check].rows)
      }
    }
    progress(1)
    return checks
  }

  // MARK: - What parts are, and what replaces them

  /// Where a prediction's resample comes from; the same whatever else is checked.
  private func place(_ subject: Subject) -> CausalCheck.Place? {
    guard replacements.contains(.resample) else { return nil }
    let choices = reference.isEmpty ? subject.position : reference.reduce(0) { $0 + $1.count }
    guard choices > 0 else { return nil }
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)) &+ UInt64(subject.position))
    var choice = Int(random.next() % UInt64(choices))
    if reference.isEmpty { return CausalCheck.Place(position: choice) }
    for (text, ids) in reference.enumerated() {
      if choice < ids.count { return CausalCheck.Place(text: text, position: choice) }
      choice -= ids.count
    }
    return nil
  }

  /// Runs the text and the reference texts.
  private func observed(
    _ subjects: [Subject], _ text: [Int], _ places: [CausalCheck.Place?], _ model: any LanguageModel
  ) throws -> ([PartValues], RerunContext) {
    let wanted = subjects.map { Set($0.parts.map(PartSource.init)) }
    let sources = wanted.reduce(into: Set()) { $0.formUnion($1) }
    var values = subjects.map { _ in PartValues() }
    let ownMeans = reference.isEmpty && replacements.contains(.mean)
    let recorder = PartRecorder(sources) { source, all, size in
      let means = ownMeans ? RunningMeans(all, width: size) : nil
      for (index, subject) in subjects.enumerated() where wanted[index].contains(source) {
        values[index].own[source] = row(subject.position, of: all, size)
        values[index].mean[source] = means?.mean(0..<subject.position + 1)
        if reference.isEmpty, let place = places[index] {
          values[index].resample[source] = row(place.position, of: all, size)
        }
      }
    }
    let context = try model.rerunContext(
      of: text, at: subjects.map(\.position), pass: recorder.pass)
    try recorder.finish()
    if !reference.isEmpty, replacements.contains(where: { $0 != .zero }) {
      let found = try ReferenceValues(
        reference, sources, places: places.compactMap { $0 }, in: model)
      var sample = 0
      for index in subjects.indices {
        values[index].mean = found.mean
        if places[index] != nil {
          values[index].resample = found.samples[sample]
          sample += 1
        }
      }
    }
    return (values, context)
  }
}

extension CheckedPart {
  /// A part whose actual change is not known yet.
  init(_ part: Replacement.Part, predicted: Double) {
    let kind: Kind
    var head: Int?
    var neurons: [Int]?
    switch part {
    case .layer: kind = .layer
    case .attention: kind = .attention
    case .mlp: kind = .mlp
    case .head(_, let number): (kind, head) = (.head, number)
    case .neurons(_, let numbers): (kind, neurons) = (.neurons, numbers)
    }
    self.init(
      kind: kind, layer: part.layer, head: head, neurons: neurons, predicted: predicted,
      actual: 0, gap: predicted)
  }
}

extension CheckAgreement {
  /// One for each kind of part that there is.
  static func byKind(_ rows: [CheckedPart]) -> [CheckAgreement] {
    CheckedPart.Kind.allCases.compactMap { kind in
      let rows = rows.filter { $0.kind == kind }
      guard !rows.isEmpty else { return nil }
      let (predicted, actual) = (rows.map(\.predicted), rows.map(\.actual))
      return CheckAgreement(
        kind: kind, count: rows.count, spearman: RankAgreement.spearman(predicted, actual),
        signAgreement: RankAgreement.signAgreement(predicted, actual))
    }
  }
}
