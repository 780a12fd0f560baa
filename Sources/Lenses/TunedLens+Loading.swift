internal import Checkpoints
public import Foundation
public import LanguageModels
internal import StrictJSON
internal import Tensors

// Two layouts are read. Telescope's own is a safetensors file with tensors `i.weight` and `i.bias` and
// its provenance among the remarks. The published one (the `tuned-lens` package) is `params.pt` with
// the same names, or `layer_translators.` before them, and `config.json` beside it; it names the
// model, but not the model's file.

extension TunedLens {
  /// Loads a lens for a model: a safetensors file, a published `params.pt`, or the folder of one.
  ///
  /// - Parameters:
  ///   - url: the file or folder.
  ///   - loaded: the model that the lens must fit.
  ///   - modelHash: the SHA-256 of the model's file, as `ModelHash` gives it.
  ///   - unverified: whether the person vouches for a lens that does not name this very model file.
  /// - Throws: `CheckpointError` for a file that cannot be read; `LensError` for one that does not
  ///   fit the model, or was trained for another; `EngineError` when memory runs out.
  /// - Complexity: reads every number of the file once, and the file's hash.
  public init(
    at url: URL, for loaded: LoadedModel, modelHash: String, unverified: Bool = false
  ) throws {
    let file = try LensFile(url)
    try file.checkConfiguration(loaded)
    let provenance = try Provenance(Remarks(file: file.name, text: file.remarks))
    if !unverified { try file.check(provenance, loaded, modelHash) }
    let model = loaded.model
    let translators = try withEngineErrors {
      try file.translators(
        loaded, type: model.type == .float64 ? .float64 : .float32, on: model.device)
    }
    self.init(
      translators,
      origin: Origin(
        file: file.name, sha256: try ModelHash().hash(of: [file.url]), provenance: provenance))
  }
}

/// A lens file, whatever its layout.
private struct LensFile {
  let url: URL
  let name: String
  let remarks: [String: String]
  private let tensors: [String: StoredTensor]
  private let configuration: JSON?

  /// The largest `config.json` that is read, in bytes.
  private static let largestConfiguration = 1 << 20

  init(_ given: URL) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: given.path, isDirectory: &isFolder)
    let url = exists && isFolder.boolValue ? given.appending(path: "params.pt") : given
    self.url = url
    name = url.lastPathComponent
    let mapped = try MappedFile(url)
    let isSafetensors = mapped.withBytes { $0.count >= 9 && $0[8] == UInt8(ascii: "{") }
    if isSafetensors {
      let file = try Safetensors(mapped)
      remarks = file.remarks
      tensors = file.tensors
      configuration = nil
    } else {
      remarks = [:]
      tensors = try TorchArchive(mapped).tensors
      configuration = try Self.configuration(beside: url)
    }
  }

  private static func configuration(beside file: URL) throws -> JSON? {
    let url = file.deletingLastPathComponent().appending(path: "config.json")
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    let mapped = try MappedFile(url)
    func bad(_ what: String) -> LensError {
      LensError(.badData, "\(url.path): \(what); get the lens's config.json again.")
    }
    guard mapped.count <= largestConfiguration else {
      throw bad("the file has \(mapped.count) bytes and a lens's at most \(largestConfiguration)")
    }
    let data = mapped.withBytes { Data($0) }
    guard let value = try? JSON.parse(data), value.object != nil else {
      throw bad("the file is no JSON object")
    }
    return value
  }

  /// Compares what `config.json` says with the model.
  func checkConfiguration(_ loaded: LoadedModel) throws {
    guard let configuration else { return }
    let shape = loaded.model.shape
    for (key, expected, size) in [
      ("d_model", shape.width, "is \(shape.width) wide"),
      ("num_hidden_layers", shape.layers, "has \(shape.layers) blocks"),
    ] {
      guard let found = configuration[key], found.integer != expected else { continue }
      throw LensError(
        .badData,
        "\(name): its config.json says '\(key)' \(found.integer.map(String.init) ?? found.kind) "
          + "where \(loaded.name) \(size); the lens is for another model.")
    }
    if let kind = configuration["lens_type"], kind.string != "linear_tuned_lens" {
      throw LensError(
        .badData,
        "\(name): its config.json says 'lens_type' \(kind.string.map { "'\($0)'" } ?? kind.kind); "
          + "Telescope reads 'linear_tuned_lens'.")
    }
  }

  /// Whether the lens says that it was trained for this very model file.
  func check(_ provenance: TunedLens.Provenance?, _ loaded: LoadedModel, _ hash: String) throws {
    guard let provenance else {
      let model = configuration?["base_model_name_or_path"]?.string
      throw LensError(
        .badData,
        "\(name): the lens "
          + (model.map { "says that it is for '\($0)' but " } ?? "")
          + "does not name its model's file by hash, so whether it fits \(loaded.name) cannot be "
          + "checked; if you know that it does, add --unverified-lens.")
    }
    guard provenance.modelSHA256 == hash else {
      throw LensError(
        .badData,
        "\(name): the lens was trained for \(provenance.modelName) with SHA-256 "
          + "\(provenance.modelSHA256.prefix(12))… and \(loaded.name) has \(hash.prefix(12))…; use "
          + "that model, train a lens for this one with telescope lens train, or, if you know that "
          + "the lens fits, add --unverified-lens.")
    }
  }

  /// The translators, each of the model's width, one for each block.
  func translators(
    _ loaded: LoadedModel, type: ScalarType, on device: Device
  ) throws -> [TunedLens.Translator] {
    let (count, width) = (loaded.model.shape.layers, loaded.model.shape.width)
    var parts: [Int: [String: StoredTensor]] = [:]
    for (key, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let plain = key.hasPrefix("layer_translators.") ? String(key.dropFirst(18)) : key
      let words = plain.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2, let index = Int(words[0]), (0..<tensors.count).contains(index),
        String(index) == words[0],
        ["weight", "bias"].contains(words[1])
      else {
        throw LensError(
          .badData,
          "\(name): tensor '\(key)' is no part of a tuned lens, whose tensors are 'i.weight' and "
            + "'i.bias'; name the file of a tuned lens.")
      }
      parts[index, default: [:]][words[1]] = tensor
    }
    let found = (parts.keys.max() ?? -1) + 1
    guard found == count else {
      throw LensError(
        .badData,
        "\(name): the lens has \(found == 1 ? "1 translator" : "\(found) translators") and "
          + "\(loaded.name) \(count) blocks; a lens has one for the input of each block, and none for "
          + "the state after the last. The lens is for another model.")
    }
    let isBiased = parts.values.contains { $0["bias"] != nil }
    return try (0..<count).map { index in
      func part(_ kind: String, _ shape: [Int]) throws -> Tensor {
        guard let tensor = parts[index]?[kind] else {
          throw LensError(
            .badData,
            "\(name): translator \(index) has no \(kind); the file is incomplete, get it again.")
        }
        guard tensor.shape == shape else {
          throw LensError(
            .badData,
            "\(name): the \(kind) of translator \(index) is \(tensor.shape) and \(loaded.name) is "
              + "\(width) wide, so \(shape) is expected; the lens is for another model.")
        }
        return try read(tensor, "the \(kind) of translator \(index)", type, device)
      }
      return TunedLens.Translator(
        weight: try part("weight", [width, width]),
        bias: isBiased ? try part("bias", [width]) : nil)
    }
  }

  private func read(
    _ stored: StoredTensor, _ what: String, _ type: ScalarType, _ device: Device
  ) throws -> Tensor {
    // A number that is not finite makes the sum of squares so; float64 holds every finite sum.
    let tensor = stored.tensor(type, on: device)
    let wide = tensor.to(.float64)
    guard try (wide * wide).sum.scalar().isFinite else {
      throw LensError(
        .badData,
        "\(name): \(what) holds a number that is not finite; the file is damaged, get it again.")
    }
    return tensor
  }
}
