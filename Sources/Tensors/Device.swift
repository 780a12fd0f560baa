internal import CTorch

/// Where a tensor lives and its operations run.
public enum Device: Int32, Sendable, CaseIterable {
  /// The processor.
  case cpu = 0
  /// The first NVIDIA GPU; its library is loaded when it is first asked for.
  case cuda
  /// The GPU of an Apple machine.
  case mps

  /// The name in commands and results: `cpu`.
  public var name: String { String(describing: self) }

  /// Makes the device ready.
  ///
  /// - Throws: `EngineError` with code `.deviceUnavailable` when it is not there.
  public func prepare() throws {
    switch self {
    case .cpu: return
    case .cuda:
      guard ct_load_cuda("libtorch_cuda.so") == 0 else {
        throw EngineError(
          .deviceUnavailable,
          "--device cuda: the GPU cannot be used (\(firstLine(lastEngineText()))); "
            + "use --device cpu, or install libtorch with CUDA and an NVIDIA driver.")
      }
    case .mps:
      guard ct_mps_available() else {
        throw EngineError(
          .deviceUnavailable,
          "--device mps: this machine has no Metal GPU that libtorch can use; use --device cpu.")
      }
    }
  }
}
