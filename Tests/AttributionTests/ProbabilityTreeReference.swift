import Attribution
import Checkpoints
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// A tiny model and its stored trees (`Tests/Fixtures/tree`), made by autograd and plain loops.
struct TreeReference {
  static let names = ["llama-grouped-untied", "llama-biases", "qwen2", "gpt2", "llama-six-layers"]

  let name: String
  let explainer: Explainer

  init(_ name: String, _ type: ScalarType = .float64) throws {
    self.name = name
    explainer = try Self.explainer(Self.network(name, type))
  }

  static func network(_ name: String, _ type: ScalarType = .float64) throws -> any LanguageModel {
    let folder = name == "llama-six-layers" ? "tree/models/" : "models/"
    return try loadNetwork(of: Checkpoint(Fixtures.url(folder + name)), type: type)
  }

  static func explainer(_ model: any LanguageModel) throws -> Explainer {
    // Any tokenizer serves: these models are asked in ids.
    let tokenizer = try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: []))
    return try Explainer(LoadedModel(model: model, tokenizer: tokenizer, name: "tiny"))
  }

  func stored(_ file: String) throws -> JSON { try reference("tree/\(name)/\(file).json") }

  /// A stored case, its target given apart.
  func options(_ test: JSON, _ target: String, tolerance: Double = 1e-10) throws
    -> Explainer.Options
  {
    var options = Explainer.Options()
    options.continuation = .positions([try #require(test["position"]?.integer)])
    options.versus = test["versus"]?.integer
    options.layers = .these(test["layers"]?.integers ?? [])
    options.rule = .certified(tolerance: tolerance)
    options.method.target = try #require(IGLensTests.targets.first { $0.name == target })
    switch test["baseline"]?.string ?? "mean" {
    case "mean": options.baseline = .mean
    case "zero": options.baseline = .zero
    case "embedding": options.baseline = .embedding
    case "mean-nosink": options.baseline = .meanWithoutSink
    case let other: Issue.record("no baseline \(other)")
    }
    options.path = test["path"]?.string == "straight" ? .straight : .chain
    return options
  }

  /// The only prediction of a stored case.
  func explain(_ ids: [Int], _ options: Explainer.Options) throws -> Explanation {
    let result = try explainer.explain(.init(text: "", ids: ids), options)
    #expect(result.explanations.count == 1)
    return result.explanations[0]
  }
}

/// The parts of one layer's value by name, whichever way they are nested.
typealias NamedParts = [String: Double]

extension LayerAttribution {
  /// Every node at every level.
  var named: NamedParts { (parts ?? []).reduce(into: [:]) { $1.add(to: &$0, branch: "") } }
}

extension AttributionNode {
  fileprivate func add(to found: inout NamedParts, branch: String) {
    let name =
      switch kind {
      case .head: "head \(layer).\(head ?? -1)"
      case .source: "source \(layer).\(head ?? -1).\(source ?? -1)"
      case .neuron: "neuron \(layer).\(neuron ?? -1)"
      case .bias, .others: "\(branch) \(kind.rawValue) \(layer)"
      case .embedding, .mean, .translator: kind.rawValue
      case .expert: "expert \(layer).\(expert ?? -1)"
      case .attention, .mlp, .residual, .mixer: "\(kind.rawValue) \(layer)"
      }
    found[name] = found[name] == nil ? value : .nan
    for child in children ?? [] { child.add(to: &found, branch: kind.rawValue) }
  }

  /// This node and all below it.
  var all: [AttributionNode] { [self] + (children ?? []).flatMap(\.all) }
}

/// A stored segment's parts by the same names.
func named(_ segment: JSON) -> NamedParts {
  var found: NamedParts = [:]
  for key in ["embedding", "mean", "translator"] {
    if let value = segment[key]?.double { found[key] = value }
  }
  for block in segment["blocks"]?.array ?? [] {
    let layer = block["layer"]?.integer ?? -1
    for (key, name) in [
      ("attention", "attention"), ("mlp", "mlp"), ("attention_bias", "attention bias"),
      ("mlp_bias", "mlp bias"),
    ] {
      if let value = block[key]?.double { found["\(name) \(layer)"] = value }
    }
    for (head, value) in (block["heads"]?.numbers ?? []).enumerated() {
      found["head \(layer).\(head)"] = value
    }
    for (head, sources) in (block["sources"]?.array ?? []).enumerated() {
      for (source, value) in sources.numbers.enumerated() {
        found["source \(layer).\(head).\(source)"] = value
      }
    }
    for (neuron, value) in (block["neurons"]?.numbers ?? []).enumerated() {
      found["neuron \(layer).\(neuron)"] = value
    }
  }
  return found
}

/// The largest |Δ| / (1 + |expected|) of any part, and which; infinite where one is missing or extra.
func distance(_ found: NamedParts, _ expected: NamedParts) -> (error: Double, part: String) {
  if let wrong = Set(found.keys).symmetricDifference(expected.keys).min() {
    return (.infinity, wrong)
  }
  var worst = (error: 0.0, part: "")
  for (part, value) in expected {
    let error = abs((found[part] ?? .nan) - value) / (1 + abs(value))
    if !(error <= worst.error) { worst = (error.isNaN ? .infinity : error, part) }
  }
  return worst
}
