/// Why an explanation cannot be made.
public struct AttributionError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public enum Code: String, Sendable {
    /// The request does not fit the model or the text.
    case usage
    /// The model produced numbers that are not finite.
    case notFinite
    /// The run would need more memory than allowed.
    case memory
  }

  /// The kind of failure.
  public let code: Code
  /// What, where and what to do.
  public let message: String

  /// Describes a failure.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }

  static func layerOutOfRange(_ layer: Int, count: Int) -> AttributionError {
    AttributionError(
      .usage,
      "Layer \(layer) is out of range; this model has layers 0 to \(count - 1), and "
        + "'embedding' for what enters layer 0.")
  }

  static func noRule(_ architecture: String, layer: Int) -> AttributionError {
    AttributionError(
      .usage,
      "Block \(layer) of \(architecture) has no rule that splits its update into attention and "
        + "feed-forward network; use --depth layer.")
  }

  static func noHeads(_ architecture: String) -> AttributionError {
    AttributionError(
      .usage,
      "No block of \(architecture) has attention heads, so its parts end at blocks; use --depth block."
    )
  }

  static var metricNotFinite: AttributionError {
    AttributionError(
      .notFinite,
      "The metric is not a finite number at an end of the path; try --dtype float32 or float64, or another "
        + "baseline.")
  }

  package static var scoresNotFinite: AttributionError {
    AttributionError(
      .notFinite,
      "Gradients grow out of all bounds along the path: at a zero embedding each norm multiplies by 1/√ε. Start "
        + "elsewhere (--contrast, --baseline mean), or hold the first token (--hold 0).")
  }

  static var nothingToExplain: AttributionError {
    AttributionError(
      .usage,
      "The model ends the text at once, so there is no continuation to explain; give one "
        + "with --answer, or use --every-token.")
  }
}
