internal import LanguageModels

/// Why a flow cannot be made.
public struct FlowError: Error, Sendable, CustomStringConvertible, Equatable {
  /// The kind of failure.
  public enum Code: String, Sendable {
    /// The request does not fit the model or the text.
    case usage
    /// The model produced numbers that are not finite.
    case notFinite
    /// The flows would need more memory than allowed.
    case memory
  }

  /// The kind of failure.
  public let code: Code
  /// What, where and what to do.
  public let message: String

  /// The message.
  public var description: String { message }
}

// The sentences, in one place.
extension FlowError {
  static func notBlockwise(_ architecture: String) -> FlowError {
    FlowError(
      code: .usage,
      message:
        "\(architecture) cannot be run block by block, so nothing flows within one; use a model "
        + "whose blocks telescope inspect lists.")
  }

  static func outOfRange(_ noun: String, _ value: Int, _ count: Int, _ owner: String) -> FlowError {
    guard count > 0 else {
      return FlowError(
        code: .usage,
        message: "\(owner.capitalizedFirst) has no \(noun.lowercased())s; leave them out.")
    }
    return FlowError(
      code: .usage,
      message:
        "\(noun) \(value) is out of range; \(owner) has \(noun.lowercased())s 0 to \(count - 1)."
    )
  }

  static func none(_ noun: String) -> FlowError {
    FlowError(
      code: .usage,
      message: "No \(noun.lowercased()) was named; name at least one, or leave it out for all.")
  }

  static let tolerance = FlowError(
    code: .usage, message: "The tolerance must be a positive number, such as 1e-3.")

  static func nodes(_ count: Int, from least: Int) -> FlowError {
    FlowError(
      code: .usage, message: "\(count) nodes cannot integrate a path; give \(least) to 4096.")
  }

  static let noMap = FlowError(
    code: .usage, message: "No map was named; name attention, feed-forward or layer.")

  static func noHeads(_ architecture: String, layer: Int, _ what: String) -> FlowError {
    FlowError(
      code: .usage,
      message:
        "Block \(layer) of \(architecture) has no attention heads, so there is no \(what); ask for "
        + "layer.")
  }

  static func noMiddle(_ architecture: String, layer: Int) -> FlowError {
    FlowError(
      code: .usage,
      message:
        "Block \(layer) of \(architecture) has no stream between its branches, so it has no published "
        + "boundary; use strict.")
  }

  static func slices(_ architecture: String, width: Int, heads: Int) -> FlowError {
    FlowError(
      code: .usage,
      message:
        "\(architecture) has a stream of \(width) numbers and \(heads) heads, so it has no slices by "
        + "head at the published boundary; use strict.")
  }

  static func memory(needed: Int, allowed: Int) -> FlowError {
    FlowError(
      code: .memory,
      message:
        "These flows take \(megabytes(needed)) beside the weights, more than the \(megabytes(allowed)) "
        + "that --memory leaves; ask for fewer --layers or --targets, or allow more.")
  }

  static func noSplit(_ architecture: String, layer: Int) -> FlowError {
    FlowError(
      code: .usage,
      message:
        "Block \(layer) of \(architecture) carries between tokens beside its heads, so what passes "
        + "through them is not all; leave out exact.")
  }

  static func notFinite(layer: Int) -> FlowError {
    FlowError(
      code: .notFinite,
      message:
        "The flows of layer \(layer) are not finite; use --dtype float32 or float64, and check the "
        + "model with telescope verify.")
  }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
