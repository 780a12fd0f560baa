/// What `telescope verify` found: the JSON schema `telescope/verify/1`.
public struct VerifyResult: Codable, Sendable, Equatable {
  /// Always `telescope/verify/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The text that ran.
  public var prompt: String
  /// Its tokens.
  public var tokens: [TokenDescription]
  /// One per invariant, in the order that they were tried.
  public var invariants: [Invariant]
  /// Whether none failed.
  public var passed: Bool
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/verify/1"

  /// Gathers the values.
  public init(
    schema: String = VerifyResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, prompt: String, tokens: [TokenDescription], invariants: [Invariant],
    passed: Bool, warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.prompt = prompt
    self.tokens = tokens
    self.invariants = invariants
    self.passed = passed
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, prompt, tokens, invariants, passed, warnings
    case timingsMs = "timings_ms"
  }
}

extension VerifyResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope verify --json"

  /// Checks that each verdict is one that its numbers bear out.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    for (index, invariant) in invariants.enumerated() {
      let path = "invariants[\(index)]"
      if let tolerance = invariant.tolerance, tolerance < 0 {
        throw ResultsError.outOfRange("\(path).tolerance", tolerance, "0 or more")
      }
    }
  }
}

/// One thing that must hold of every model, and by how much it does.
public struct Invariant: Codable, Sendable, Equatable {
  /// A short name: `causality`.
  public var name: String
  /// What must hold, in words.
  public var claim: String
  /// Whether it holds.
  public var verdict: Verdict
  /// By how much it is missed; absent where it was not tried.
  public var measured: Double?
  /// By how much it may be missed at most, or where `exceeds` is set must be.
  public var tolerance: Double?
  /// Whether `measured` must be above `tolerance`.
  public var exceeds: Bool
  /// Where it is missed most, or why it was not tried.
  public var detail: String?

  /// The verdicts.
  public enum Verdict: String, Codable, Sendable, CaseIterable {
    /// It holds.
    case pass
    /// It does not.
    case fail
    /// It says nothing of this model.
    case none = "not-applicable"
  }

  /// Gathers the values.
  public init(
    name: String, claim: String, verdict: Verdict, measured: Double? = nil,
    tolerance: Double? = nil, exceeds: Bool = false, detail: String? = nil
  ) {
    self.name = name
    self.claim = claim
    self.verdict = verdict
    self.measured = measured
    self.tolerance = tolerance
    self.exceeds = exceeds
    self.detail = detail
  }
}

extension Invariant.Verdict {
  /// Reads a verdict by its name.
  ///
  /// - Throws: ``ResultsError`` that names a verdict which this version does not know.
  public init(from decoder: any Decoder) throws { self = try known(by: decoder) }
}
