internal import Foundation
internal import Tensors

/// Rotary position embedding (Su and others 2021): pair (i, i + half) of a head turns by position · ωᵢ.
public struct RotaryEmbedding: Sendable {
  /// How the frequencies ωᵢ = base^(−2i/width) are changed for long contexts.
  public enum Scaling: Sendable, Equatable {
    /// As trained.
    case none
    /// Every frequency divided by a factor (Chen and others 2023).
    case linear(factor: Double)
    /// Llama 3.1: wavelengths beyond the original context are stretched by `factor`, those well
    /// inside it kept, and those between blended.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Double)
  }

  /// ωᵢ for each pair.
  public let frequencies: [Double]

  /// Frequencies for a head.
  ///
  /// - Parameters:
  ///   - width: the rotated dimensions of a head.
  ///   - base: θ.
  ///   - scaling: how the frequencies are changed for long contexts.
  public init(width: Int, base: Double, scaling: Scaling = .none) {
    frequencies = stride(from: 0, to: width, by: 2).map { i in
      let plain = pow(base, -Double(i) / Double(width))
      switch scaling {
      case .none: return plain
      case .linear(let factor): return plain / factor
      case .llama3(let factor, let low, let high, let context):
        let wavelength = 2 * Double.pi / plain
        if wavelength < context / high { return plain }
        if wavelength > context / low { return plain / factor }
        let blend = (context / wavelength - low) / (high - low)
        return (1 - blend) * plain / factor + blend * plain
      }
    }
  }

  /// Frequencies divided by published factors, one per pair (the `rope_freqs` of GGUF files).
  init(width: Int, base: Double, dividing factors: [Double]) {
    frequencies = zip(stride(from: 0, to: width, by: 2), factors).map { i, factor in
      pow(base, -Double(i) / Double(width)) / factor
    }
  }

  /// Cosines and sines of positions, each [position, pair].
  func angles(
    _ positions: some Collection<Int>, _ type: ScalarType, on device: Device
  ) -> (cosine: Tensor, sine: Tensor) {
    let angles = positions.flatMap { position in frequencies.map { Double(position) * $0 } }
    let shape = [positions.count, frequencies.count]
    return (
      Tensor(angles.map(cos), shape, type, on: device),
      Tensor(angles.map(sin), shape, type, on: device)
    )
  }
}
