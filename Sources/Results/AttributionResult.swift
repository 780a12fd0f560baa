public import Foundation

/// What `telescope attribute` found: the JSON schema `telescope/attribution/1`.
public struct AttributionResult: SchemaDocument, Equatable {
  /// Always `telescope/attribution/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The text as the person gave it.
  public var text: String
  /// Its tokens.
  public var tokens: [TokenDescription]
  /// The other text that paths start from or that is patched in, where there is one.
  public var contrast: ContrastText?
  /// The number that is attributed.
  public var metric: MetricDescription
  /// The method, and all that decides its numbers.
  public var method: AttributionMethod
  /// The scores, coarse to fine; the first is what a person sees first.
  public var scores: [AttributionScores]
  /// How many runs it took.
  public var passes: PassCount
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/attribution/1"
  /// The command that writes it.
  public static let writer = "telescope attribute --json"

  /// Gathers the values.
  public init(
    schema: String = AttributionResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, text: String, tokens: [TokenDescription], contrast: ContrastText? = nil,
    metric: MetricDescription, method: AttributionMethod, scores: [AttributionScores],
    passes: PassCount, warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.text = text
    self.tokens = tokens
    self.contrast = contrast
    self.metric = metric
    self.method = method
    self.scores = scores
    self.passes = passes
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, text, tokens, contrast, metric, method, scores, passes, warnings
    case timingsMs = "timings_ms"
  }

  /// The result as JSON: keys sorted, numbers in the shortest form that reads back exactly.
  ///
  /// The same result always gives the same bytes. The text ends in a line break.
  ///
  /// - Parameters:
  ///   - reproducible: Drops the timings, the one part that differs from run to run.
  ///   - indented: One field a line, and one layer's scores or one unit a line, for people; without
  ///     it, all of it is one line.
  /// - Returns: UTF-8 text.
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded(reproducible: Bool = false, indented: Bool = true) throws -> Data {
    let line = try encoded(reproducible, [])
    return indented ? JSONLayout.indented(line, lines: ["top", "certificates"]) : line
  }

  /// Checks that positions and layers exist, and that every array has the axes and extents it should have.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    try metric.check(tokens, "metric")
    try method.check("method")
    try passes.check("passes")
    for (index, scores) in scores.enumerated() {
      try scores.check(tokens, model, "scores[\(index)]")
    }
  }
}

/// A second text.
public struct ContrastText: Codable, Sendable, Equatable {
  /// As the person gave it.
  public var text: String
  /// Its tokens.
  public var tokens: [TokenDescription]

  /// Pairs them.
  public init(text: String, tokens: [TokenDescription]) {
    self.text = text
    self.tokens = tokens
  }
}

/// The number m that is attributed: a function of one position's logits.
public struct MetricDescription: Codable, Sendable, Equatable {
  /// `logit`, `logit-diff`, `prob` or `logprob`.
  public var name: String
  /// The token y.
  public var token: TokenDescription
  /// The token x of a difference.
  public var versus: TokenDescription?
  /// Where it is predicted.
  public var position: Int
  /// m of the text.
  public var value: Double
  /// m of where paths start or of the other text, where there is one.
  public var start: Double?

  /// Gathers the values.
  public init(
    name: String, token: TokenDescription, versus: TokenDescription? = nil, position: Int,
    value: Double, start: Double? = nil
  ) {
    self.name = name
    self.token = token
    self.versus = versus
    self.position = position
    self.value = value
    self.start = start
  }

  func check(_ tokens: [TokenDescription], _ path: String) throws {
    try RangeCheck.position(position, of: tokens, path + ".position")
  }
}

/// A method with all that decides its numbers; nil where a choice does not exist.
public struct AttributionMethod: Codable, Sendable, Equatable {
  /// The name in commands: `ig`, `relp`, `conductance`.
  public var name: String
  /// Along what values move: `input`, `layer`, `node`; nil without a path.
  public var path: String?
  /// `left`, `right`, `midpoint`, `trapezoid`, `gauss-legendre`, `adaptive`.
  public var quadrature: String?
  /// Nodes, or samples of what is random.
  public var steps: Int?
  /// What integrals are refined to.
  public var tolerance: Double?
  /// How steps are weighed: `end-point`, `stieltjes`, `squared-share`, `influence`.
  public var estimator: String?
  /// The rules of the backward pass: `gradient`, `relp`, `relp-jafari`, `cp-lrp`.
  public var rules: String?
  /// The run at which the gradient is taken: `clean` or `patch`; nil along a path.
  public var linearisedAt: String?
  /// Where paths start: `zero`, `mean`, `contrast`.
  public var baseline: String?
  /// The seed of anything random.
  public var seed: Int?

  /// Gathers the values.
  public init(
    name: String, path: String? = nil, quadrature: String? = nil, steps: Int? = nil,
    tolerance: Double? = nil, estimator: String? = nil, rules: String? = nil,
    linearisedAt: String? = nil, baseline: String? = nil, seed: Int? = nil
  ) {
    self.name = name
    self.path = path
    self.quadrature = quadrature
    self.steps = steps
    self.tolerance = tolerance
    self.estimator = estimator
    self.rules = rules
    self.linearisedAt = linearisedAt
    self.baseline = baseline
    self.seed = seed
  }

  func check(_ path: String) throws {
    if let steps { try RangeCheck.natural(steps, path + ".steps") }
  }

  enum CodingKeys: String, CodingKey {
    case name, path, quadrature, steps, tolerance, estimator, rules
    case linearisedAt = "linearised_at"
    case baseline, seed
  }
}

/// Scores of one kind of unit; positive supports the metric.
public struct AttributionScores: Codable, Sendable, Equatable {
  /// `token`, `residual`, `attention`, `mlp`, `head` or `neuron`.
  public var unit: String
  /// Sums over what is inside a unit.
  ///
  /// The axes are `position` of tokens, else `layer` and `position`, and `head` of heads. Of neurons it
  /// holds the sum over each layer's.
  public var array: AxisArray
  /// The layers that the axis `layer` counts; nil without it.
  public var layers: [Int]?
  /// The units of the largest magnitude, largest first, where there are too many to list.
  public var top: [ScoredUnit]?
  /// What the scores sum to beside what they must.
  ///
  /// One for all of tokens, one for each layer otherwise; nil where the method promises no sum.
  public var certificates: [SumCertificate]?
  /// Why there is no certificate, in one sentence.
  public var reason: String?

  /// Gathers the values.
  public init(
    unit: String, array: AxisArray, layers: [Int]? = nil, top: [ScoredUnit]? = nil,
    certificates: [SumCertificate]? = nil, reason: String? = nil
  ) {
    self.unit = unit
    self.array = array
    self.layers = layers
    self.top = top
    self.certificates = certificates
    self.reason = reason
  }

  func check(_ tokens: [TokenDescription], _ model: ModelDescription, _ path: String) throws {
    let wanted: [String] =
      switch unit {
      case "token": ["position"]
      case "head": ["layer", "position", "head"]
      default: ["layer", "position"]
      }
    guard array.axes == wanted else {
      throw ResultsError.axes(path + ".array.axes", array.axes, wanted: wanted)
    }
    // The numbers stand in the JSON: a reader has no second file to look into.
    guard array.tensor == nil else { throw ResultsError.missing(path + ".array.values") }
    let hasLayers = wanted[0] == "layer"
    if hasLayers {
      guard let layers else { throw ResultsError.missing(path + ".layers") }
      for (index, layer) in layers.enumerated() {
        try RangeCheck.layer(layer, of: model, from: -1, "\(path).layers[\(index)]")
      }
      try RangeCheck.counts(
        array.shape[0], path + ".array.values", as: layers.count, of: path + ".layers")
    }
    // Below an axis of nothing there are no lists whose lengths could be read.
    if !hasLayers || array.shape[0] > 0 {
      try RangeCheck.counts(
        array.shape[hasLayers ? 1 : 0], path + ".array.values", as: tokens.count, of: "tokens")
    }
    if let certificates {
      let sums = hasLayers ? array.shape[0] : 1
      guard certificates.count == sums else {
        throw ResultsError.count(
          path + ".certificates", certificates.count, hasLayers ? path + ".layers" : "one sum", sums
        )
      }
    }
    for (index, unit) in (top ?? []).enumerated() {
      let path = "\(path).top[\(index)]"
      try RangeCheck.layer(unit.layer, of: model, from: -1, path + ".layer")
      try RangeCheck.position(unit.position, of: tokens, path + ".position")
      if let unit = unit.unit { try RangeCheck.natural(unit, path + ".unit") }
    }
  }
}

/// One unit with its score.
public struct ScoredUnit: Codable, Sendable, Equatable {
  /// The block; −1 for the embedding.
  public var layer: Int
  /// The token.
  public var position: Int
  /// The neuron, head or coordinate; nil for a whole branch.
  public var unit: Int?
  /// Its score; positive supports the metric.
  public var score: Double
  /// Its value in the text's run, where it is one number.
  public var value: Double?

  /// Gathers the values.
  public init(layer: Int, position: Int, unit: Int?, score: Double, value: Double? = nil) {
    self.layer = layer
    self.position = position
    self.unit = unit
    self.score = score
    self.value = value
  }
}

/// A sum beside what it must be.
public struct SumCertificate: Codable, Sendable, Equatable {
  /// Σ of the scores.
  public var sum: Double
  /// What biases and other constants hold of the whole, where the method counts them apart.
  public var constants: Double?
  /// What sum and constants must come to, known apart from the scores.
  public var expected: Double
  /// |sum + constants − expected|.
  public var residual: Double

  /// Forms the residual.
  public init(sum: Double, constants: Double? = nil, expected: Double) {
    self.sum = sum
    self.constants = constants
    self.expected = expected
    residual = abs(sum + (constants ?? 0) - expected)
  }
}

/// Runs of the model over the text.
public struct PassCount: Codable, Sendable, Equatable {
  /// Forward.
  public var forward: Double
  /// Backward.
  public var backward: Double

  /// Counts passes; a run through half of the blocks is half a pass.
  public init(forward: Double, backward: Double) {
    self.forward = forward
    self.backward = backward
  }

  func check(_ path: String) throws {
    for (name, count) in [("forward", forward), ("backward", backward)] where !(count >= 0) {
      throw ResultsError.outOfRange("\(path).\(name)", count, "0 or more")
    }
  }

  /// Both added.
  public static func + (a: PassCount, b: PassCount) -> PassCount {
    PassCount(forward: a.forward + b.forward, backward: a.backward + b.backward)
  }
}
