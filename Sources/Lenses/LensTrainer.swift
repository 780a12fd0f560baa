internal import Attribution
internal import Foundation
public import LanguageModels
internal import Tensors

/// Trains a tuned lens (Belrose and others 2023): all translators, from one forward pass per step.
///
/// The translators start at the logit lens, A = 0 and b = 0, and Adam lowers the mean of
/// KL(model ‖ lens) over the tokens of a step, for every layer on its own. The same text, options,
/// device and number of threads give the same bytes.
public struct LensTrainer {
  /// The model.
  public let loaded: LoadedModel
  /// The training text.
  public let text: LensText
  /// How.
  public let options: Options

  /// The sequences that are trained on, and those held out, by index.
  let training: [Int]
  let heldOut: [Int]
  let loss: LensLoss
  /// The rows of a chunk, whose logits are held.
  let rows: Int
  /// The sequences of a run.
  private let together: Int

  /// Prepares training.
  ///
  /// - Throws: `LensError` for a text that leaves nothing to train on or to hold out, and where
  ///   memory does not suffice; `ModelError` for a model without a language-model head;
  ///   `EngineError` when memory runs out.
  public init(_ loaded: LoadedModel, _ text: LensText, _ options: Options = Options()) throws {
    try loaded.requireHead()
    self.loaded = loaded
    self.text = text
    self.options = options
    let count = text.sequences.count
    guard count > 1 else {
      throw LensError(
        .usage,
        "The text is \(text.tokens) tokens long, which is one sequence of \(text.length); training "
          + "needs one and another to hold out: give a longer text, or a shorter --sequence.")
    }
    var generator = SeededRandom(seed: options.seed)
    let shuffled = Array(0..<count).shuffled(using: &generator)
    let held = min(count - 1, max(1, Int((options.heldOut * Double(count)).rounded())))
    heldOut = shuffled[0..<held].sorted()
    training = Array(shuffled[held...])
    (rows, together) = try Self.plan(options, loaded.model, sequence: text.length)
    loss = try withEngineErrors {
      withRecording(false) {
        LensLoss(loaded.model.unembedding, loaded.model.type == .float64 ? .float64 : .float32)
      }
    }
  }

  /// The tokens that are held out.
  public var heldOutTokens: Int { heldOut.count * text.length }
  /// The tokens of one step: whole sequences.
  public var tokensPerStep: Int { sequencesPerStep * text.length }
  private var sequencesPerStep: Int { max(1, options.tokensPerStep / text.length) }

  /// The multiplications of the whole training: forward passes aside, two products with the
  /// unembedding per token and translator, one where tokens are held out.
  public var multiplications: Double {
    let shape = loaded.model.shape
    let trained = Double(options.steps) * Double(tokensPerStep)
    return (2 * trained + 2 * Double(heldOutTokens)) * Double(shape.layers)
      * Double(shape.width * shape.vocabulary)
  }

  /// How much goes through the network and the head together: what suits the device, or fits the
  /// budget.
  ///
  /// Fixed are the translators, their gradients and Adam's three moments, and a second copy of the
  /// unembedding; each token of a run has its states; each row of a chunk holds the vocabulary four
  /// times.
  private static func plan(
    _ options: Options, _ model: any LanguageModel, sequence: Int
  ) throws -> (rows: Int, together: Int) {
    let shape = model.shape
    let bytes = model.type == .float64 ? 8 : 4
    let best = model.device == .cpu ? 128 : 4096
    let together = max(1, best / sequence)
    func fixed(_ together: Int) -> Int {
      5 * shape.layers * shape.width * (shape.width + 1) * bytes
        + shape.vocabulary * shape.width * bytes
        + together * sequence * ((shape.layers + 4) * shape.width + 3 * shape.hidden) * bytes
    }
    let perRow = (4 * shape.vocabulary + 16 * shape.width) * bytes
    let rows = min(best, together * sequence)
    guard let memory = options.memory, fixed(together) + rows * perRow > memory else {
      return (rows, together)
    }
    guard fixed(1) + perRow <= memory else {
      throw LensError(
        .memory,
        "Training needs about \(megabytes(fixed(1) + perRow)) beyond the model and --memory allows "
          + "\(megabytes(max(0, memory))); allow more, or use a smaller model.")
    }
    return (min(best, sequence, (memory - fixed(1)) / perRow), 1)
  }
}

// MARK: - Training

extension LensTrainer {
  /// What is told while training.
  public enum Event: Sendable {
    /// The share of the held-out tokens read, before training or after it.
    case measuring(Double)
    /// Steps taken, and the mean loss of the last one over all translators, in bits per token.
    case step(Int, bits: Double)
  }

  /// Where training stands: all that its continuation depends on.
  public struct State {
    /// Steps taken.
    public internal(set) var step = 0
    /// Of the held-out tokens under the logit lens, by layer: bits per token.
    public internal(set) var before: [Double] = []
    let adam: Adam
  }

  /// Trains from the beginning, or on from a state.
  ///
  /// - Parameters:
  ///   - earlier: a state that `load(_:)` read; nil to begin.
  ///   - modelHash: the SHA-256 of the model's file, for the record.
  ///   - toolVersion: the version of Telescope, for the record.
  ///   - event: told what happens.
  ///   - checkpoint: receives the state after each step; what it throws ends the training.
  /// - Returns: the lens, with its provenance.
  /// - Throws: `ModelError`, `LensError` or `EngineError`, and what `checkpoint` throws.
  /// - Complexity: per step one forward pass over its tokens and, per token and translator, two
  ///   products with the unembedding; before and after, one per held-out token and translator.
  public func train(
    from earlier: State? = nil, modelHash: String, toolVersion: String,
    event: (Event) -> Void = { _ in }, checkpoint: (State) throws -> Void = { _ in }
  ) throws -> TunedLens {
    try withRecording(false) {
      var state = try earlier ?? State(adam: start())
      if state.before.isEmpty {
        state.before = try measure(nil) { event(.measuring($0)) }
      }
      while state.step < options.steps {
        let bits = try step(&state)
        event(.step(state.step, bits: bits))
        try checkpoint(state)
      }
      let translators = translators(state.adam)
      let after = try measure(translators) { event(.measuring($0)) }
      return TunedLens(
        translators,
        origin: .init(
          file: "", sha256: "",
          provenance: .init(
            modelName: loaded.name, modelSHA256: modelHash, textSHA256: text.sha256,
            toolVersion: toolVersion, options: options, heldOutTokens: heldOutTokens,
            heldOut: zip(state.before, after).map { .init(before: $0, after: $1) })))
    }
  }

  /// Adam over A_0, b_0, A_1, …, all zero.
  func start() throws -> Adam {
    let (layers, width) = (loaded.model.shape.layers, loaded.model.shape.width)
    var settings = Adam.Options()
    settings.weightDecay = options.weightDecay
    return try withEngineErrors {
      let device = loaded.model.device
      return Adam(
        (0..<layers).flatMap { _ in
          [
            Tensor(repeating: 0, [width, width], loss.type, on: device),
            Tensor(repeating: 0, [width], loss.type, on: device),
          ]
        }, settings)
    }
  }

  private func translators(_ adam: Adam) -> [TunedLens.Translator] {
    let parameters = adam.parameters
    return stride(from: 0, to: parameters.count, by: 2).map {
      .init(weight: parameters[$0], bias: parameters[$0 + 1])
    }
  }

  /// Takes a step; returns its mean loss over all translators, in bits per token.
  private func step(_ state: inout State) throws -> Double {
    let translators = translators(state.adam)
    let batch = (0..<sequencesPerStep).map { sequence(state.step * sequencesPerStep + $0) }
    let scale = 1 / Double(tokensPerStep)
    var gradients: [Tensor] = []
    var total = 0.0
    try visit(batch) { inputs, model in
      for (layer, translator) in translators.enumerated() {
        let value = loss(translator(inputs[layer]), model, gradient: true)
        total += try value.divergence.sum.scalar()
        guard let slope = value.gradient.map({ $0 * scale }) else { continue }
        let weight = slope.transposed(0, 1).matmul(inputs[layer])
        let bias = slope.sum(along: 0)
        if gradients.count > 2 * layer {
          gradients[2 * layer] = gradients[2 * layer] + weight
          gradients[2 * layer + 1] = gradients[2 * layer + 1] + bias
        } else {
          gradients += [weight, bias]
        }
      }
    }
    guard total.isFinite else {
      throw LensError(
        .notFinite,
        "The loss is not finite after \(state.step) steps; train with a smaller --lr, or, if it is "
          + "so from the start, get the model's file again.")
    }
    try withEngineErrors {
      state.adam.step(gradients, learningRate: options.learningRate(at: state.step))
    }
    state.step += 1
    return total * scale / Double(translators.count) / log(2)
  }

  /// The sequence at a place of the endless order: each round over the text is shuffled anew.
  private func sequence(_ place: Int) -> [Int] {
    let (round, index) = place.quotientAndRemainder(dividingBy: training.count)
    var generator = SeededRandom(seed: options.seed &+ UInt64(round &+ 1) &* 0x9E37_79B9)
    return text.sequences[training.shuffled(using: &generator)[index]]
  }

  /// The mean divergence of the held-out tokens by layer, in bits; nil for the logit lens.
  private func measure(
    _ translators: [TunedLens.Translator]?, _ progress: (Double) -> Void
  ) throws -> [Double] {
    var sums = [Double](repeating: 0, count: loaded.model.shape.layers)
    try visit(heldOut.map { text.sequences[$0] }, progress) { inputs, model in
      for layer in sums.indices {
        let state = translators?[layer](inputs[layer]) ?? inputs[layer]
        sums[layer] += try loss(state, model, gradient: false).divergence.sum.scalar()
      }
    }
    guard sums.allSatisfy(\.isFinite) else { throw LensError.modelNotFinite }
    return sums.map { $0 / Double(heldOutTokens) / log(2) }
  }

  /// Runs sequences and shows the inputs of all blocks, [rows, width], and the model's own output,
  /// some rows at a time.
  private func visit(
    _ sequences: [[Int]], _ progress: (Double) -> Void = { _ in },
    _ body: (_ inputs: [Tensor], _ model: LensLoss.Model) throws -> Void
  ) throws {
    let layers = loaded.model.shape.layers
    let sites = Set([Site.embedding] + (0..<layers).map { .residual($0, .after) })
    for first in stride(from: 0, to: sequences.count, by: together) {
      let batch = Array(sequences[first..<min(sequences.count, first + together)])
      let count = batch.count * text.length
      var states = [Tensor?](repeating: nil, count: layers + 1)
      let pass = Pass(sites: sites) { site, value in
        let layer = if case .residual(let block, _) = site { block + 1 } else { 0 }
        states[layer] = value.reshaped([count, -1]).to(loss.type)
        return value
      }
      _ = try loaded.model.run(batch, pass: pass)
      let seen = states.compactMap(\.self)
      for start in stride(from: 0, to: count, by: rows) {
        let range = start..<min(count, start + rows)
        try withEngineErrors {
          let chunk = seen.map { $0.slice(range, along: 0) }
          try body(Array(chunk[0..<layers]), loss.model(chunk[layers]))
        }
        progress(
          (Double(first * text.length) + Double(range.upperBound))
            / Double(sequences.count * text.length))
      }
    }
  }
}
