internal import StrictJSON

// Rotary settings, in the spelling of transformers 4 (`rope_theta` and `rope_scaling` beside it) or 5
// (`rope_parameters`, which holds θ too, and where layers differ an object for each kind of them).
extension ConfigurationReader {
  /// Where the settings of some layers are.
  struct RotaryKeys {
    /// θ, in the older spelling.
    var base = "rope_theta"
    /// The scaling, in the older spelling; nil where these layers have none there.
    var scaling: String? = "rope_scaling"
    /// The rotated part of a head, in the older spelling.
    var share = "partial_rotary_factor"
    /// Which of the objects within `rope_parameters`; nil where it describes all layers.
    var kind: String?
  }

  /// θ and its scaling.
  ///
  /// - Parameters:
  ///   - headWidth: the width of a head.
  ///   - defaultBase: θ where none is stated.
  ///   - share: the part of a head that is rotated where none is stated; nil in families that rotate
  ///     all of it.
  ///   - keys: where the settings are.
  /// - Returns: the rotation.
  /// - Throws: `ModelError` for a kind or a setting that cannot be computed with.
  func rotary(
    width headWidth: Int, base defaultBase: Double = 10_000, share: Double? = nil,
    keys: RotaryKeys = RotaryKeys()
  ) throws -> RotaryEmbedding {
    let topBase = try optionalNumber(keys.base)
    let topShare = share == nil ? nil : try optionalNumber(keys.share)
    let settings = try rotarySettings(keys)
    let prefix = settings?.key ?? ""
    let base = try settings?.reader.optionalNumber("\(prefix).rope_theta") ?? topBase ?? defaultBase
    guard base > 1 else { throw bad(keys.base, .number(.real(base)), "a base above 1 is expected") }
    let shareKey = "\(prefix).partial_rotary_factor"
    let ownShare = try settings?.reader.optionalNumber(shareKey)
    guard share != nil || ownShare ?? 1 == 1 else {
      throw bad(shareKey, .number(.real(ownShare ?? 1)), "this family rotates whole heads")
    }
    let turned = topShare ?? ownShare ?? share ?? 1
    let width = Int(Double(headWidth) * min(turned, 2))
    guard width > 0, width <= headWidth, width % 2 == 0 else {
      throw bad(
        keys.share, .number(.real(turned)),
        "an even part of the \(headWidth) dimensions of a head is expected")
    }
    var rotary = RotaryEmbedding(width: width, base: base)
    if let settings {
      try settings.reader.scale(&rotary, settings.key, whole: self)
      try settings.reader.finish()
    }
    return rotary
  }

  /// The object that describes some layers' rotary positions, or nil if there is none.
  private func rotarySettings(
    _ keys: RotaryKeys
  ) throws -> (key: String, reader: ConfigurationReader)? {
    let older = keys.scaling.flatMap { value($0) }
    let newer = value("rope_parameters")
    if let newer, older != nil {
      throw bad("rope_parameters", newer, "it and rope_scaling exclude each other")
    }
    guard let value = newer ?? older else { return nil }
    var key = newer == nil ? keys.scaling ?? "" : "rope_parameters"
    guard var object = value.object else { throw bad(key, value, "an object is expected") }
    if newer != nil, let kind = keys.kind {
      for other in object.members
      where !["full_attention", "sliding_attention"].contains(other.key) {
        throw bad(
          "\(key).\(other.key)", other.value,
          "settings of full_attention and sliding_attention are expected")
      }
      key += "." + kind
      guard let own = object[kind] else { throw ModelError.missingKey(key, file: file) }
      guard let members = own.object else { throw bad(key, own, "an object is expected") }
      object = members
    }
    let members = object.members.map { ("\(key).\($0.key)", $0.value) }
    return (key, ConfigurationReader(members, file: file, exempt: exempt))
  }

  /// Reads the scaling that an object of settings describes.
  private func scale(
    _ rotary: inout RotaryEmbedding, _ key: String, whole: ConfigurationReader
  ) throws {
    let kind = try string("\(key).rope_type") ?? string("\(key).type") ?? "default"
    ignore(["\(key).type", "\(key).rope_type"])
    func context() throws -> Double {
      let name = "original_max_position_embeddings"
      let own = try optionalNumber("\(key).\(name)")
      return try whole.optionalNumber(name) ?? own ?? whole.number("max_position_embeddings")
    }
    /// How much longer texts become, where it is not stated.
    func factor(_ context: Double) throws -> Double {
      try optionalNumber("\(key).factor") ?? whole.number("max_position_embeddings") / context
    }
    switch kind {
    case "default": break
    case "linear": rotary.scaling = .linear(factor: try number("\(key).factor"))
    case "dynamic":
      guard rotary.width > 2 else {
        throw bad("\(key).rope_type", .string(kind), "heads wider than 2 are expected")
      }
      rotary.scaling = .dynamic(
        factor: try atLeastOne("\(key).factor"),
        context: try whole.number("max_position_embeddings"))
    case "yarn":
      let context = try context()
      var yarn = RotaryEmbedding.YaRN(factor: try factor(context), originalContext: context)
      yarn.fast = try optionalNumber("\(key).beta_fast") ?? yarn.fast
      yarn.slow = try optionalNumber("\(key).beta_slow") ?? yarn.slow
      yarn.truncates = try flag("\(key).truncate") ?? true
      rotary.scaling = .yarn(yarn)
      let shares = (
        try optionalNumber("\(key).mscale"), try optionalNumber("\(key).mscale_all_dim")
      )
      if let stated = try optionalNumber("\(key).attention_factor") {
        rotary.amplitude = stated
      } else if case (let above?, let below?) = shares {
        rotary.amplitude =
          RotaryEmbedding.YaRN.amplitude(factor: yarn.factor, share: above)
          / RotaryEmbedding.YaRN.amplitude(factor: yarn.factor, share: below)
      } else {
        rotary.amplitude = RotaryEmbedding.YaRN.amplitude(factor: yarn.factor)
      }
    case "longrope", "su":
      let context = try context()
      rotary.scaling = .longRoPE(
        short: try factors("\(key).short_factor", rotary.width / 2),
        long: try factors("\(key).long_factor", rotary.width / 2), originalContext: context)
      let growth = try factor(context)
      rotary.amplitude =
        try optionalNumber("\(key).attention_factor")
        ?? RotaryEmbedding.longRoPEAmplitude(factor: growth, originalContext: context)
    case "llama3":
      rotary.scaling = .llama3(
        factor: try number("\(key).factor"),
        low: try number("\(key).low_freq_factor"),
        high: try number("\(key).high_freq_factor"),
        originalContext: try context())
    default:
      throw bad(
        "\(key).rope_type", .string(kind),
        "Telescope computes default, linear, dynamic, yarn, longrope and llama3")
    }
  }

  private func atLeastOne(_ key: String) throws -> Double {
    let found = try number(key)
    guard found >= 1 else {
      throw bad(key, .number(.real(found)), "a factor of at least 1 is expected")
    }
    return found
  }

  /// Positive numbers, one for each rotated pair.
  private func factors(_ key: String, _ count: Int) throws -> [Double] {
    guard let value = value(key) else { throw ModelError.missingKey(key, file: file) }
    let found = value.array?.compactMap(\.double).filter { $0 > 0 && $0.isFinite } ?? []
    guard found.count == count, value.array?.count == count else {
      throw bad(key, value, "\(count) numbers above 0 are expected, one for each rotated pair")
    }
    return found
  }
}
