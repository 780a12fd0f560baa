internal import Foundation
internal import Tensors

/// Rotary position embedding (Su and others 2021): pair (i, i + half) of a head turns by position · ωᵢ.
public struct RotaryEmbedding: Sendable, Hashable {
  /// How the frequencies ωᵢ = base^(−2i/width) are changed for long contexts.
  public enum Scaling: Sendable, Hashable {
    /// As trained.
    case none
    /// Every frequency divided by a factor (Chen and others 2023).
    case linear(factor: Double)
    /// Llama 3.1: wavelengths beyond the original context are stretched by `factor`, those well
    /// inside it kept, and those between blended.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Double)
    /// Each frequency divided by a published factor of its own (the `rope_freqs` of GGUF files).
    case divided(by: [Double])
  }

  /// The rotated dimensions of a head.
  public var width: Int
  /// θ.
  public var base: Double
  /// How frequencies are changed for long contexts.
  public var scaling: Scaling

  /// Describes an embedding.
  ///
  /// - Parameters:
  ///   - width: the rotated dimensions of a head.
  ///   - base: θ.
  ///   - scaling: how the frequencies are changed for long contexts.
  public init(width: Int, base: Double, scaling: Scaling = .none) {
    self.width = width
    self.base = base
    self.scaling = scaling
  }

  /// ωᵢ for each pair, in a text of so many tokens.
  public func frequencies(length: Int) -> [Double] {
    stride(from: 0, to: width, by: 2).map { i in
      let plain = pow(base, -Double(i) / Double(width))
      switch scaling {
      case .none: return plain
      case .linear(let factor): return plain / factor
      case .divided(let factors): return plain / factors[i / 2]
      case .llama3(let factor, let low, let high, let context):
        let wavelength = 2 * Double.pi / plain
        if wavelength < context / high { return plain }
        if wavelength > context / low { return plain / factor }
        let blend = (context / wavelength - low) / (high - low)
        return (1 - blend) * plain / factor + blend * plain
      }
    }
  }

  /// Cosines and sines of positions in a text of so many tokens, each [position, pair].
  func angles(
    _ positions: some Collection<Int>, length: Int, _ type: ScalarType, on device: Device
  ) -> (cosine: Tensor, sine: Tensor) {
    let frequencies = frequencies(length: length)
    let angles = positions.flatMap { position in frequencies.map { Double(position) * $0 } }
    let shape = [positions.count, frequencies.count]
    return (
      Tensor(angles.map(cos), shape, type, on: device),
      Tensor(angles.map(sin), shape, type, on: device)
    )
  }
}
