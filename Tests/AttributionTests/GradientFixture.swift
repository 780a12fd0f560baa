import Attribution
import Checkpoints
import Foundation
import LanguageModels
import StrictJSON
import Tensors
import TestSupport

/// A tiny model with what the judge says of it: see `Tests/Fixtures/gradients/README.md`.
struct GradientFixture {
  let name: String
  let model: any LanguageModel
  let stored: Safetensors
  /// The scored sites, with the numbers of each at a position, in the order of the files.
  let sites: [(site: Site, units: Int)]
  let clean: [Int]
  let patch: [Int]
  let metric: Metric
  /// The steps of its paths.
  let steps: Int

  static let names = [
    "bert", "gemma2", "gpt-neox", "gpt2", "llama-biases", "llama-grouped-untied", "mixtral",
    "olmo2", "qwen3",
  ]
  /// Those with paths.
  static let withPaths = ["bert", "gemma2", "gpt2", "llama-biases"]
  /// Of |found − known| / (1 + |known|).
  static let tolerance = 1e-9

  init(_ name: String) throws {
    self.name = name
    model = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: .float64)
    stored = try Safetensors(Fixtures.url("gradients/\(name).safetensors"))
    let listed = try JSON.parse([UInt8]((stored.remarks["sites"] ?? "").utf8)).array ?? []
    sites = listed.compactMap { entry in
      guard let words = entry.array?.first?.string?.split(separator: "."),
        let units = entry.array?.last?.integer
      else { return nil }
      let layer = words.count > 1 ? Int(words[1]) ?? -1 : -1
      let site: Site =
        switch words[0] {
        case "embedding": .embedding
        case "heads": .attention(layer, .heads)
        case "attention": .attention(layer, .output)
        case "hidden": .feedForward(layer, .hidden)
        case "mlp": .feedForward(layer, .output)
        default: .residual(layer, .after)
        }
      return (site, units)
    }
    steps = Int(stored.remarks["steps"] ?? "") ?? 0
    let stored = stored
    func whole(_ name: String) -> [Int] { Self.numbers(stored, name).map { Int($0) } }
    clean = whole("clean.ids")
    patch = whole("patch.ids")
    let asked = whole("metric")
    metric = Metric(.logit, token: asked[0], versus: asked[1], position: asked[2])
  }

  /// Numbers of the file.
  func numbers(_ name: String) -> [Double] { Self.numbers(stored, name) }

  private static func numbers(_ file: Safetensors, _ name: String) -> [Double] {
    guard let tensor = file.tensors[name] else { return [] }
    guard tensor.type == .i64 else {
      return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
        if let base = buffer.baseAddress { tensor.read(into: base) }
        count = tensor.elementCount
      }
    }
    return tensor.withBytes { bytes in
      (0..<bytes.count / 8).map {
        Double(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
      }
    }
  }

  /// What a vector of sites has of one: [position · unit].
  func part(_ vector: [Double], of site: Site) -> [Double] {
    var start = 0
    for (other, units) in sites {
      let size = clean.count * units
      if other == site {
        return start + size <= vector.count ? Array(vector[start..<start + size]) : []
      }
      start += size
    }
    return []
  }

  /// The numbers of a stored vector of sites at one.
  func numbers(_ name: String, at site: Site) -> [Double] { part(numbers(name), of: site) }

  /// clean − patch of a site's values.
  func difference(at site: Site) -> [Double] {
    zip(numbers("clean.value", at: site), numbers("patch.value", at: site)).map { $0 - $1 }
  }

  /// Gradients of a file's name times clean − patch.
  func scores(_ name: String, at site: Site) -> [Double] {
    zip(difference(at: site), numbers(name, at: site)).map { $0 * $1 }
  }
}

/// The rule sets by the names of the fixtures.
let judgedRules: [(name: String, rules: BackwardRules)] =
  BackwardRules.named.map { ($0.name, $0.rules) } + [
    ("half-off", BackwardRules(norm: .frozen, pattern: .frozen, activation: .ratio)),
    (
      "direct",
      BackwardRules(
        norm: .frozen, pattern: .frozen, product: .half, activation: .ratio, feedForward: .stop)
    ),
  ]

/// A run under rules, with its coefficients.
struct RuledRun {
  var metric: Double
  var values: [Site: [Double]] = [:]
  var coefficients: [Site: [Double]] = [:]
  /// What each block's biases hold of the metric, the head's last.
  var biases: [Double] = []

  /// Runs a text once forwards and once backwards.
  ///
  /// - Parameters:
  ///   - ids: the text.
  ///   - model: the network.
  ///   - rules: what stands for derivatives.
  ///   - sites: where coefficients are wanted.
  ///   - change: what takes the place of a site's value.
  ///   - outcome: the number, from the last residual stream.
  /// - Throws: as the run.
  init(
    _ ids: [Int], in model: any LanguageModel, _ rules: BackwardRules, at sites: [Site],
    changing change: (Site, Tensor) -> Tensor = { $1 },
    outcome: (Tensor, Pass) -> Tensor
  ) throws {
    var found: [Site: Tensor] = [:]
    let shares = Tensor(
      [Double](repeating: 1, count: model.shape.layers + 1), [model.shape.layers + 1], model.type
    ).requiringGradient()
    let (metric, gradients) = try withoutActuallyEscaping(change) { change in
      try withRecording(true) {
        var pass = Pass(sites: Set(sites + [.embedding]), rules: rules) { site, value in
          var value = change(site, value)
          // Behind a network that is stopped, nothing else carries a gradient to what it makes.
          if !value.isRecorded { value = value.requiringGradient() }
          found[site] = value
          return value
        }
        pass.biasShares = shares
        let m = outcome(try model.run([ids], pass: pass).residual, pass)
        return (m, m.gradient(withRespectTo: sites.map { found[$0] ?? shares } + [shares]))
      }
    }
    self.metric = try metric.scalar()
    for (site, gradient) in zip(sites, gradients) {
      values[site] = try found[site]?.values()
      coefficients[site] = try gradient.values()
    }
    biases = try gradients.last?.values() ?? []
  }

  /// A run of a metric.
  init(
    _ ids: [Int], in model: any LanguageModel, _ rules: BackwardRules, at sites: [Site],
    of metric: Metric
  ) throws {
    try self.init(ids, in: model, rules, at: sites) { metric($0, in: model, pass: $1) }
  }

  /// ⟨value, coefficient⟩ of a site.
  func relevance(of site: Site) -> Double {
    zip(values[site] ?? [], coefficients[site] ?? []).reduce(0) { $0 + $1.0 * $1.1 }
  }
}

extension SiteScores {
  /// The scores of a site, one text after the other.
  func numbers(at site: Site) throws -> [Double] { try values[site]?.values() ?? [] }
}
