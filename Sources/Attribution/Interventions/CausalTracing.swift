internal import Foundation
public import LanguageModels
public import Results
internal import Tensors

// Causal tracing (Meng and others 2022): the tokens of a subject get Gaussian noise as they enter the first block, so
// that the model no longer knows the answer; then the state at one layer and token, or what a window of networks or
// attentions adds there, is what it was without the noise. How much of the answer's probability comes back says how
// much of what matters passes there. Numbers are means over draws of noise, all of which run together.
//
// The noise is in units of the standard deviation of what the first block receives, over the tokens up to the
// prediction and all coordinates; the paper takes three.

/// Causal tracing with noise.
public struct CausalTracing: Sendable {
  /// What is restored, and where.
  public var patching: ActivationPatching
  /// The noise's standard deviation, in units of the embeddings' own.
  public var scale: Double
  /// Draws that numbers are means over.
  public var samples: Int
  /// What draws them.
  public var seed: Int

  /// Chooses noise and what is restored.
  public init(
    _ patching: ActivationPatching = ActivationPatching(), scale: Double = 3, samples: Int = 10,
    seed: Int = 0
  ) {
    self.patching = patching
    self.scale = scale
    self.samples = samples
    self.seed = seed
  }

  /// Restores clean values in noisy runs.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - subject: The tokens that get noise.
  ///   - metric: What is measured.
  ///   - model: Any model with a head whose blocks have the units.
  ///   - progress: Told the share of the runs done.
  /// - Returns: The metric of each restored run, and the noise.
  /// - Throws: As `ActivationPatching.run(clean:corrupted:metric:in:progress:)`, and `AttributionError` for a subject
  ///   of no token.
  /// - Complexity: 1 + N forward passes, and for each cell of a grid N from its block on.
  public func run(
    of ids: [Int], subject: [Int], metric: Metric, in model: any LanguageModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> (outcome: ActivationPatching.Outcome, noise: NoiseDescription) {
    let subject = Set(subject).sorted()
    guard patching.direction == .denoise else {
      throw AttributionError(
        .usage, "Causal tracing restores clean values in noisy runs; its direction is denoise.")
    }
    guard let first = subject.first, let last = subject.last else {
      throw AttributionError(
        .usage, "No token gets noise; name the subject, or its positions.")
    }
    for position in [first, last] { try requirePosition(position, of: ids) }
    try metric.check(ids, in: model)
    _ = try patching.check(ids.count, in: model)
    let end = model.isCausal ? metric.position + 1 : ids.count
    let text = Array(ids[..<end])
    let clean = try PatchEnds([text], metric, keeping: patching.units, in: model)
    let deviation = try Self.deviation(of: clean.streams[0])
    let noise = try withEngineErrors {
      self.noise(subject.filter { $0 < end }, end, deviation, in: model)
    }
    let noisy = try PatchEnds(
      Array(repeating: text, count: samples), metric, keeping: [], in: model
    ) { $0 + noise }
    let outcome = try patching.grids(
      from: clean, into: noisy, clean: clean, corrupted: noisy, first: first, count: ids.count,
      metric, in: model, progress: progress)
    return (
      outcome,
      NoiseDescription(
        scale: scale, deviation: deviation, positions: subject, samples: samples, seed: seed)
    )
  }

  /// The standard deviation of what the first block receives.
  private static func deviation(of embedding: Tensor) throws -> Double {
    let values = try embedding.values()
    let mean = values.reduce(0, +) / Double(values.count)
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
      .squareRoot()
  }

  /// [sample, position, width].
  private func noise(
    _ positions: [Int], _ count: Int, _ deviation: Double, in model: any LanguageModel
  ) -> Tensor {
    let width = model.shape.width
    var numbers = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    var noise = [Double](repeating: 0, count: samples * count * width)
    for sample in 0..<samples {
      for position in positions {
        for coordinate in 0..<width {
          noise[(sample * count + position) * width + coordinate] =
            scale * deviation * Self.normal(&numbers)
        }
      }
    }
    return Tensor(noise, [samples, count, width], model.type, on: model.device)
  }

  /// A number of the normal distribution (Box and Muller 1958).
  private static func normal(_ numbers: inout SeededRandom) -> Double {
    let radius = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &numbers)
    let angle = Double.random(in: 0..<1, using: &numbers)
    return (-2 * log(radius)).squareRoot() * cos(2 * .pi * angle)
  }
}
