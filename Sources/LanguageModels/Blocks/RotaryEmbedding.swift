internal import Foundation
internal import Tensors

// Rotary position embedding (Su and others 2021): pair (i, i + half) of a head at position p turns by
// p · ωᵢ, with ωᵢ = θ^(−2i/width). A model is run beyond the context it was trained for by changing the
// frequencies ωᵢ; each published way is a case of `Scaling`.
//
// Two of them go by the length of the text that is run, and not by the position: dynamic scaling
// beyond the context, and the two lists of LongRoPE. In such a model no position is computed apart
// from the positions after it: one more token may turn every query and key of the text by other
// angles, and with them every state above the first attention. Keys of a shorter text are then not
// keys of the longer one, and cannot be made so by turning them further. Hence the rule: a
// `KeyValueCache` is of a text of a stated length, and is only continued while `agrees` says that
// the angles stay; beyond, the text is run again from its beginning (`generate` does that by itself,
// `run` refuses).

/// Rotary position embedding (Su and others 2021): pair (i, i + half) of a head turns by position · ωᵢ.
public struct RotaryEmbedding: Sendable, Hashable {
  /// How the frequencies ωᵢ = base^(−2i/width) are changed for long contexts.
  public enum Scaling: Sendable, Hashable {
    /// As trained.
    case none
    /// Every frequency divided by a factor (Chen and others 2023).
    case linear(factor: Double)
    /// A larger base in texts longer than the context, growing with their length.
    case dynamic(factor: Double, context: Double)
    /// Fast pairs kept, slow ones divided by a factor, those between blended (Peng and others 2023).
    case yarn(YaRN)
    /// Each frequency divided by a factor of its own, from one list in texts up to the original
    /// context and from another in longer ones (Ding and others 2024).
    case longRoPE(short: [Double], long: [Double], originalContext: Double)
    /// Llama 3.1: wavelengths beyond the original context are stretched by `factor`, those well
    /// inside it kept, and those between blended.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Double)
  }

  /// The values of YaRN.
  public struct YaRN: Sendable, Hashable {
    /// What slow pairs are divided by.
    public var factor: Double
    /// Turns within the original context from which a pair is kept.
    public var fast = 32.0
    /// Turns within the original context up to which a pair is divided.
    public var slow = 1.0
    /// The context of the training.
    public var originalContext: Double
    /// Whether the pairs at which the blend begins and ends are made whole numbers.
    public var truncates = true
  }

  /// The rotated dimensions of a head.
  public var width: Int
  /// θ.
  public var base: Double
  /// How frequencies are changed for long contexts.
  public var scaling: Scaling
  /// What rotated queries and keys are multiplied by.
  public var amplitude: Double

  /// Describes an embedding.
  ///
  /// - Parameters:
  ///   - width: the rotated dimensions of a head.
  ///   - base: θ.
  ///   - scaling: how the frequencies are changed for long contexts.
  ///   - amplitude: what rotated queries and keys are multiplied by.
  public init(width: Int, base: Double, scaling: Scaling = .none, amplitude: Double = 1) {
    self.width = width
    self.base = base
    self.scaling = scaling
    self.amplitude = amplitude
  }

  /// ωᵢ for each pair, in a text of so many tokens.
  public func frequencies(length: Int) -> [Double] {
    let exponents = stride(from: 0, to: width, by: 2).map { -Double($0) / Double(width) }
    let plain = exponents.map { pow(base, $0) }
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .dynamic(let factor, let context):
      let stretch = factor * max(Double(length), context) / context - (factor - 1)
      let larger = base * pow(stretch, Double(width) / Double(width - 2))
      return exponents.map { pow(larger, $0) }
    case .yarn(let yarn):
      return zip(plain, yarn.shares(width: width, base: base)).map {
        $0 / yarn.factor * $1 + $0 * (1 - $1)
      }
    case .longRoPE(let short, let long, let context):
      return zip(plain, Double(length) > context ? long : short).map(/)
    case .llama3(let factor, let low, let high, let context):
      return plain.map {
        let wavelength = 2 * Double.pi / $0
        if wavelength < context / high { return $0 }
        if wavelength > context / low { return $0 / factor }
        let blend = (context / wavelength - low) / (high - low)
        return (1 - blend) * $0 / factor + blend * $0
      }
    }
  }

  /// Whether texts of both lengths have the same frequencies.
  public func agrees(_ length: Int, _ other: Int) -> Bool {
    switch scaling {
    case .none, .linear, .yarn, .llama3: true
    case .dynamic(_, let context): max(Double(length), context) == max(Double(other), context)
    case .longRoPE(let short, let long, let context):
      short == long || (Double(length) > context) == (Double(other) > context)
    }
  }

  /// What LongRoPE multiplies queries and keys by: √(1 + ln(factor) / ln(context)).
  static func longRoPEAmplitude(factor: Double, originalContext: Double) -> Double {
    factor <= 1 ? 1 : (1 + log(factor) / log(originalContext)).squareRoot()
  }

  /// The context that the scaling makes of a model's own: configurations state the one or the other.
  var extendedContext: Int? {
    switch scaling {
    case .dynamic(let factor, let context): Self.whole(factor * context)
    case .yarn(let yarn): Self.whole(yarn.factor * yarn.originalContext)
    case .none, .linear, .longRoPE, .llama3: nil
    }
  }

  private static func whole(_ context: Double) -> Int { Int(min(context, 1e9)) }

  /// Cosines and sines of positions in a text of so many tokens, each [position, pair].
  func angles(
    _ positions: some Collection<Int>, length: Int, _ type: ScalarType, on device: Device
  ) -> (cosine: Tensor, sine: Tensor) {
    let frequencies = frequencies(length: length)
    let angles = positions.flatMap { position in frequencies.map { Double(position) * $0 } }
    let shape = [positions.count, frequencies.count]
    return (
      Tensor(angles.map { amplitude * cos($0) }, shape, type, on: device),
      Tensor(angles.map { amplitude * sin($0) }, shape, type, on: device)
    )
  }
}

extension RotaryEmbedding.YaRN {
  /// How much of each pair is divided: 0 for fast pairs, 1 for slow ones, and a ramp between.
  ///
  /// Pair i makes context · base^(−2i/width) / 2π turns; the ramp goes from the pair with `fast`
  /// turns to that with `slow`.
  func shares(width: Int, base: Double) -> [Double] {
    func pair(_ turns: Double) -> Double {
      Double(width) * log(originalContext / (turns * 2 * .pi)) / (2 * log(base))
    }
    let (first, last) = (pair(fast), pair(slow))
    let start = max(truncates ? first.rounded(.down) : first, 0)
    var end = min(truncates ? last.rounded(.up) : last, Double(width - 1))
    if end == start { end += 0.001 }
    return (0..<width / 2).map { min(1, max(0, (Double($0) - start) / (end - start))) }
  }

  /// What queries and keys are multiplied by for a factor: 0.1 · share · ln(factor) + 1.
  static func amplitude(factor: Double, share: Double = 1) -> Double {
    factor <= 1 ? 1 : 0.1 * share * log(factor) + 1
  }
}
