import Checkpoints
import Foundation
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// GGUF files as llama.cpp's converter lays them out, made of the reference models.
@Suite("GGUF files of every family")
struct GGUFFamilyTests {
  /// Models of which the file holds a sum, a function or a setting rounded to a single: 1 + w of
  /// Gemma's norms, −eʷ of Mamba's decay, worked-out factors of rope, factors of attention.
  ///
  /// Then the tolerance is that of singles; all others keep the numbers of the checkpoint. A mistake
  /// changes values by more than 1e-3.
  static let rounded: Set = [
    "gemma", "gemma2", "gemma3", "gemma3-rope-parameters", "llama-yarn-attention-factor",
    "llama3-rope-parameters", "llama3-rope-scaling", "mamba", "phi3-long-rope",
  ]

  private func load(_ bytes: [UInt8]) throws -> any LanguageModel {
    let folder = try TemporaryFolder()
    let file = try folder.write(bytes, as: "model.gguf")
    return try loadNetwork(of: Checkpoint(file), type: .float64)
  }

  /// The values that a model must give: the reference's, or where GGUF has no word for part of the
  /// configuration, those of the checkpoint with what llama.cpp takes it to be.
  private func expected(
    _ reference: Reference, _ name: String, _ configuration: JSONObject?, _ sequence: String
  ) throws -> [Site: [Double]] {
    guard let configuration else {
      var found: [Site: [Double]] = [:]
      for name in reference.names where name.hasPrefix(sequence + ".") {
        if let site = Reference.site(name) { found[site] = reference.values(name) }
      }
      return found
    }
    let folder = Fixtures.url("models/" + name)
    let changed = try TemporaryFolder()
    // Of encoders the converter takes no head.
    var writer = SafetensorsWriter()
    for tensor in try Checkpoint(folder).tensors.values
    where !tensor.name.hasPrefix("head.") && !tensor.name.hasPrefix("decoder.") {
      writer.add(tensor)
    }
    try writer.write(to: changed.url.appending(path: "model.safetensors"))
    var members = try #require(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: folder.appending(path: "config.json"))) as? [String: Any])
    for member in configuration.members {
      members[member.key] = member.value.integer ?? member.value.array?.compactMap(\.string)
    }
    try changed.write(JSONSerialization.data(withJSONObject: members), as: "config.json")
    let model = try loadNetwork(of: Checkpoint(changed.url), type: .float64)
    let run = try model.run([reference.ids(sequence + ".ids")], capturing: model.sites)
    return try Dictionary(
      uniqueKeysWithValues: model.sites.map { ($0, try run.activations[$0].values()) })
  }

  @Test(
    "A file gives the values of the checkpoint it was made of", arguments: GGUFRecipe.names)
  func sites(name: String) throws {
    let recipe = try GGUFRecipe(name)
    let model = try load(try #require(try recipe.bytes()))
    let reference = try Reference(name, .float64)
    let tolerance = Self.rounded.contains(name) ? 2e-6 : 1e-10
    for sequence in ["0", "1"] {
      let expected = try expected(reference, name, recipe.configuration, sequence)
      if sequence == "0" {
        #expect(Set(expected.keys.filter(\.isStored)) == model.sites.filter(\.isStored))
      }
      let run = try model.run(
        [reference.ids(sequence + ".ids")], capturing: Set(expected.keys))
      for (site, values) in expected {
        let worst = distance(try run.activations[site].values(), values)
        #expect(worst.error <= tolerance, "\(site) is off by \(worst)")
      }
    }
  }

  /// The changes that recipes make.
  static let changes: [(String, GGUFRecipe.Change)] = GGUFRecipe.names.flatMap { name in
    GGUFRecipe.Change.allCases.filter {
      (try? GGUFRecipe(name).bytes(without: $0)) != .some(nil)
    }.map { (name, $0) }
  }

  @Test("A file laid out otherwise gives other values", arguments: changes)
  func undone(name: String, change: GGUFRecipe.Change) throws {
    let recipe = try GGUFRecipe(name)
    let ids = try Reference(name, .float64).ids("0.ids")
    func values(_ bytes: [UInt8]?) throws -> [Double] {
      try load(try #require(bytes)).run([ids]).residual.values()
    }
    let apart = distance(
      try values(recipe.bytes(without: change)), try values(recipe.bytes())
    ).error
    #expect(apart > 1e-3, "\(change) changes values by \(apart) only")
  }
}
