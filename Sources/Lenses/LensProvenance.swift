internal import Foundation

extension TunedLens {
  /// What a lens that Telescope trained says of its making; the remarks of its safetensors file.
  public struct Provenance: Sendable, Equatable {
    /// The model's name.
    public var modelName: String
    /// The SHA-256 of the model's file, in hex; of a sharded model, of its shards' hashes.
    public var modelSHA256: String
    /// The SHA-256 of the training text.
    public var textSHA256: String
    /// The version of Telescope.
    public var toolVersion: String
    /// How it was trained.
    public var options: LensTrainer.Options
    /// The tokens that were held out.
    public var heldOutTokens: Int
    /// KL(model ‖ lens) of the held-out tokens in bits per token, by translator.
    public var heldOut: [HeldOut]

    /// Gathers the values.
    public init(
      modelName: String, modelSHA256: String, textSHA256: String, toolVersion: String,
      options: LensTrainer.Options, heldOutTokens: Int, heldOut: [HeldOut]
    ) {
      self.modelName = modelName
      self.modelSHA256 = modelSHA256
      self.textSHA256 = textSHA256
      self.toolVersion = toolVersion
      self.options = options
      self.heldOutTokens = heldOutTokens
      self.heldOut = heldOut
    }
  }

  /// What training gained for one translator.
  public struct HeldOut: Sendable, Equatable {
    /// Of the logit lens: bits per token.
    public var before: Double
    /// Of the tuned lens: bits per token.
    public var after: Double

    /// Pairs the values.
    public init(before: Double, after: Double) {
      self.before = before
      self.after = after
    }
  }
}

extension TunedLens.Provenance {
  static let format = "telescope/tuned-lens/1"

  /// As remarks of a safetensors file.
  var remarks: [String: String] {
    [
      "format": Self.format,
      "capture": "residual before block i",
      "translator": "h + A h + b",
      "model": modelName,
      "model_sha256": modelSHA256,
      "text_sha256": textSHA256,
      "tool_version": toolVersion,
      "held_out_tokens": String(heldOutTokens),
      "held_out_bits_before": heldOut.map { String($0.before) }.joined(separator: " "),
      "held_out_bits_after": heldOut.map { String($0.after) }.joined(separator: " "),
    ].merging(options.remarks) { own, _ in own }
  }

  /// From the remarks of a safetensors file; nil where they are of another program.
  init?(_ remarks: Remarks) throws {
    guard let format = remarks.text["format"], format.hasPrefix("telescope/tuned-lens/") else {
      return nil
    }
    guard format == Self.format else {
      throw LensError(
        .badData,
        "\(remarks.file): the lens is stored as '\(format)' and this version of Telescope reads "
          + "'\(Self.format)'; use the version that trained it.")
    }
    modelName = try remarks.string("model")
    modelSHA256 = try remarks.string("model_sha256")
    textSHA256 = try remarks.string("text_sha256")
    toolVersion = try remarks.string("tool_version")
    options = try LensTrainer.Options(remarks)
    heldOutTokens = try remarks.integer("held_out_tokens")
    heldOut = zip(
      try remarks.numbers("held_out_bits_before"), try remarks.numbers("held_out_bits_after")
    ).map { TunedLens.HeldOut(before: $0, after: $1) }
  }
}

/// The remarks of a file, read with errors that name it.
struct Remarks {
  let file: String
  let text: [String: String]

  func string(_ key: String) throws -> String {
    guard let value = text[key] else {
      throw LensError(
        .badData, "\(file): its remarks lack '\(key)'; the file is damaged, get it again.")
    }
    return value
  }

  func integer(_ key: String) throws -> Int { try parse(key, "a whole number") { Int($0) } }

  func number(_ key: String) throws -> Double {
    try parse(key, "a number") { Double($0).flatMap { $0.isFinite ? $0 : nil } }
  }

  func numbers(_ key: String) throws -> [Double] {
    try parse(key, "a list of numbers") { text in
      let found = text.split(separator: " ").map { Double($0) }
      return found.allSatisfy { $0?.isFinite == true } ? found.compactMap(\.self) : nil
    }
  }

  private func parse<Value>(
    _ key: String, _ expected: String, _ read: (String) -> Value?
  ) throws -> Value {
    let text = try string(key)
    guard let value = read(text) else {
      throw LensError(
        .badData,
        "\(file): the remark '\(key)' is '\(text.prefix(40))' where \(expected) is expected; the "
          + "file is damaged, get it again.")
    }
    return value
  }
}
