import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport

/// A tiny random model with the values that the Hugging Face implementation gives for it in float64.
///
/// What a fixture can show follows from the model: without a head there are no logits, and where
/// positions see both ways there is no cache and no continuation.
struct Reference {
  let model: any LanguageModel
  private let stored: Safetensors

  /// Every folder of reference models.
  static let names: [String] = {
    let folders =
      (try? FileManager.default.contentsOfDirectory(atPath: Fixtures.url("models").path)) ?? []
    return folders.filter {
      FileManager.default.fileExists(atPath: reference($0).path)
    }.sorted()
  }()

  /// Those that continue a text.
  static let decoders = names.filter {
    (try? Safetensors(reference($0)))?.tensors["0.greedy"] != nil
  }

  /// Those whose positions see both ways.
  static let encoders = names.filter { !decoders.contains($0) }

  private static func reference(_ name: String) -> URL {
    Fixtures.url("models/\(name)/reference.safetensors")
  }

  init(_ name: String, _ type: ScalarType) throws {
    model = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
    stored = try Safetensors(Self.reference(name))
  }

  /// What a run ends with: logits, or the residual stream of a model without a head.
  var outcome: Site { model.head == nil ? .residual(model.shape.layers - 1, .after) : .logits }

  /// The outcome's width.
  var outcomeWidth: Int { model.head == nil ? model.shape.width : model.shape.vocabulary }

  /// The outcome of a run, [position, outcomeWidth] for each row.
  func outcome(
    of ids: [[Int]], cache: KeyValueCache? = nil, pass: Pass = .plain
  ) throws -> [Double] {
    try model.run(ids, capturing: [outcome], cache: cache, pass: pass)
      .activations[outcome].values()
  }

  /// The stored outcome of a sequence.
  func outcome(_ sequence: String) -> [Double] {
    let site =
      model.head == nil ? "residual.\(model.shape.layers - 1).after" : "logits"
    return values("\(sequence).\(site)")
  }

  var names: [String] { stored.tensors.keys.sorted() }

  func values(_ name: String) -> [Double] {
    guard let tensor = stored.tensors[name] else { return [] }
    return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
      if let base = buffer.baseAddress { tensor.read(into: base) }
      count = tensor.elementCount
    }
  }

  func ids(_ name: String) -> [Int] {
    guard let tensor = stored.tensors[name] else { return [] }
    return tensor.withBytes { bytes in
      (0..<bytes.count / 8).map {
        Int(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
      }
    }
  }

  /// The site that a stored name speaks of, or nil for ids and gradients.
  static func site(_ name: String) -> Site? {
    let parts = name.split(separator: ".").dropFirst().map(String.init)
    switch parts.first {
    case "embedding": return .embedding
    case "finalNorm": return .finalNorm
    case "logits": return .logits
    case "residual":
      return Site.Moment(rawValue: parts[2]).map { .residual(Int(parts[1]) ?? -1, $0) }
    case "attention":
      return Site.AttentionPart(rawValue: parts[2]).map { .attention(Int(parts[1]) ?? -1, $0) }
    case "feedForward":
      return Site.FeedForwardPart(rawValue: parts[2]).map { .feedForward(Int(parts[1]) ?? -1, $0) }
    default: return nil
    }
  }

  /// The stated tolerance of |Δ| / (1 + |x|).
  static func tolerance(_ type: ScalarType) -> Double { type == .float64 ? 1e-10 : 1e-5 }
}
