import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport

/// A tiny random model with the values that the Hugging Face implementation gives for it.
struct Reference {
  let model: any LanguageModel
  private let stored: Safetensors

  static let names = [
    "llama-grouped-untied", "llama-tied", "llama3-rope-scaling", "llama3-rope-parameters",
    "llama-linear-rope", "llama-biases", "llama-sharded", "llama-bfloat16-stored", "qwen2",
    "mistral-window", "gpt2", "gpt2-bare-names",
  ]

  init(_ name: String, _ type: ScalarType) throws {
    let folder = Fixtures.url("models/" + name)
    model = try loadNetwork(of: Checkpoint(folder), type: type)
    stored = try Safetensors(folder.appending(path: "reference-\(type.name).safetensors"))
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
