import Attribution
import Checkpoints
import Foundation
import LanguageModels
import Results
import TestSupport
import Testing

@Suite("Inspection")
struct InspectionTests {
  private func inspected(_ name: String) throws -> InspectResult {
    InspectResult(try Inspection(of: Fixtures.url("models/" + name)))
  }

  /// The same model's `config.json`, alone in a folder.
  private func configuration(of name: String) throws -> InspectResult {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "telescope-\(UUID().uuidString)/\(name)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    let file = folder.appending(path: "config.json")
    try FileManager.default.copyItem(
      at: Fixtures.url("models/\(name)/config.json"), to: file)
    let found = InspectResult(try Inspection(of: folder))
    #expect(try InspectResult(Inspection(of: file)) == found)
    return found
  }

  private static let names: [String] = {
    let models = Fixtures.url("models")
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
    return folders.filter {
      FileManager.default.fileExists(atPath: models.appending(path: $0 + "/config.json").path)
    }.sorted()
  }()

  @Test("A configuration alone tells what the model's own files tell", arguments: names)
  func alone(name: String) throws {
    var whole = try inspected(name)
    let alone = try configuration(of: name)
    #expect(alone.storage == nil && whole.storage != nil)
    whole.storage = nil
    // What only the weights say: whether a head that configurations leave open is there.
    if whole.head != nil || alone.head == nil {
      #expect(alone.sizes == whole.sizes && alone.blocks == whole.blocks)
      #expect(alone.sites == whole.sites && alone.methods == whole.methods)
    }
  }

  @Test("Every number of a model's files belongs to a part, and is counted once", arguments: names)
  func parameters(name: String) throws {
    let found = try inspected(name)
    let total = found.parameters[0]
    #expect(total.name == "total")
    #expect(found.parameters.dropFirst().reduce(0) { $0 + $1.count } == total.count)
    let stored = found.storage?.types.reduce(0) { $0 + $1.parameters } ?? 0
    // Files may hold what is not run: a pooler, a tied copy, a decoder.
    #expect(total.count <= stored, "\(name): \(total.count) of \(stored)")
    #expect(found.memory.map(\.count) == [4, 8, 2].map { $0 * total.count })
    #expect(found.memory.map(\.name) == ["float32", "float64", "bfloat16"])
  }

  @Test("The sites are the loaded model's, in all its layers", arguments: names)
  func sites(name: String) throws {
    let model = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)))
    let found = try inspected(name)
    let sites = found.sites.flatMap { site in
      site.layers.map { $0.map { "\(site.name).\($0)" } } ?? [site.name]
    }
    #expect(Set(sites) == Set(model.sites.map(\.description)))
    #expect(found.causal == model.isCausal)
    #expect((found.head == nil) == (model.head == nil))
    for layer in 0..<model.shape.layers {
      #expect(found.blocks.filter { $0.layers.contains(layer) }.count == 1)
    }
    try found.checkRanges()
    #expect(try InspectResult.decoded(from: found.encoded()) == found)
  }

  @Test("Gemma 2: sandwich norms of 1 + w, windows in turn, caps, a scaled embedding")
  func gemma2() throws {
    let found = try inspected("gemma2")
    #expect(found.blocks.map(\.wiring) == ["sandwich", "sandwich"])
    #expect(
      found.blocks.map(\.layers) == [[0, 2], [1, 3]] || found.blocks.map(\.layers) == [[0], [1]])
    #expect(found.blocks[0].attention?.window != nil && found.blocks[1].attention?.window == nil)
    #expect(found.blocks[0].attention?.softCap != nil && found.head?.softCap != nil)
    #expect(
      found.blocks[0].norms.map(\.place)
        == ["before attention", "after attention", "before feed-forward", "after feed-forward"])
    #expect(found.blocks[0].norms.allSatisfy { $0.kind == "rms" && $0.onePlusWeight && !$0.bias })
    #expect(
      abs(found.embedding.scale - Double(found.sizes.width).squareRoot()) < 1e-3
        * found.embedding.scale)
    #expect(found.head?.kind == "tied" && found.head?.norms.map(\.onePlusWeight) == [true])
    #expect(found.methods.allSatisfy { $0.supported })
  }

  @Test("Wirings: parallel, branch norms, post-norm, state space; each with its boundaries")
  func wirings() throws {
    func first(_ name: String) throws -> (InspectedBlocks, InspectedBoundary) {
      let found = try inspected(name)
      return (found.blocks[0], found.boundaries[0])
    }
    let neox = try first("gpt-neox")
    #expect(neox.0.wiring == "parallel" && neox.1.u == "attention.heads")
    #expect(
      neox.1.note == "the feed-forward network reads z and not u: what it adds goes from z to z′ "
        + "beside the heads")
    #expect(neox.0.attention?.rope.map { $0.width < (neox.0.attention?.headWidth ?? 0) } == true)
    #expect(try first("gpt-neox-sequential").0.wiring == "pre-norm")
    let olmo = try first("olmo2").0
    #expect(olmo.wiring == "branch-norm")
    #expect(olmo.norms.map(\.place) == ["after attention", "after feed-forward"])
    #expect(olmo.attention?.norms.map(\.place) == ["all heads' queries joined, and keys"])
    let bert = try first("bert")
    #expect(bert.0.wiring == "post-norm" && bert.0.attention?.rope == nil)
    #expect(
      bert.1.mlp == "output projection, residual, feed-forward network, the norms over stream and "
        + "branch; z held where it is added")
    let mamba = try first("mamba")
    #expect(mamba.0.wiring == "state-space" && mamba.0.mixer != nil && mamba.0.attention == nil)
    #expect(mamba.1.u == nil && mamba.1.attention == nil && mamba.1.next == "residual.after")
    let mixtral = try first("mixtral").0.feedForward
    #expect(mixtral?.experts != nil && mixtral?.chosen == 2 && mixtral?.gated == true)
    #expect(try first("qwen2-moe").0.feedForward?.sharedHidden != nil)
    #expect(try first("qwen3").0.attention?.norms.map(\.place) == ["each head's query and key"])
    #expect(try first("mpnet").0.attention?.relative != nil)
  }

  @Test("What a method lacks is said")
  func methods() throws {
    func reasons(_ name: String) throws -> [String: String] {
      Dictionary(
        uniqueKeysWithValues: try inspected(name).methods.compactMap { method in
          method.reason.map { (method.name, $0) }
        })
    }
    #expect(try reasons("llama-tied").isEmpty)
    #expect(
      try reasons("bert") == [
        "explain --check": "every position sees every other, so none can be changed alone",
        "explain --contrast": "it fills in masks and continues no text",
        "dla": "the head has a nonlinear layer before its norm",
        "compare": "the head has a nonlinear layer before its norm",
      ])
    #expect(
      try reasons("mamba") == [
        "explain --depth head, token": "no block has attention heads",
        "flow --granularity all": "no block has attention heads",
        "attribute relp": "layer 0 has a selective state space, which no relevance rule knows",
        "attribute rollout": "no block has attention heads",
        "circuit": "no block shows its neurons",
      ])
    let headless = try reasons("bert-headless")
    #expect(
      Set(headless.keys)
        == [
          "explain", "explain --depth block", "explain --depth head, token", "explain --check",
          "explain --contrast", "dla", "compare", "lens show", "lens train", "attribute",
          "attribute relp", "attribute rollout", "circuit", "patch", "steer",
        ])
    #expect(
      Set(headless.values) == [
        "there is no language-model head, so no token has a probability"
      ])
  }

  @Test("Shared layers count once: ALBERT")
  func shared() throws {
    let found = try inspected("albert")
    #expect(found.blocks.count == 1 && found.blocks[0].layers.count == found.sizes.layers)
    #expect(found.embedding.width != nil)
    let attention = found.parameters.first { $0.name == "attention" }?.count ?? 0
    let width = found.sizes.width
    // One block's four maps with their biases.
    #expect(attention == 4 * width * (width + 1))
  }
}
