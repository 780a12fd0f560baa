import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// What a mixture of experts shows, and what it makes of replacements.
@Suite("Mixtures of experts")
struct MixtureOfExpertsTests {
  static let models = [("mixtral", 1), ("qwen2-moe", 1), ("qwen3-moe", 1)]

  @Test("What the experts add is the output, seen or not", arguments: models)
  func sum(name: String, layer: Int) throws {
    let reference = try Reference(name, .float64)
    let ids = [reference.ids("0.ids")]
    let seen = try reference.model.run(
      ids, capturing: [.feedForward(layer, .experts), .feedForward(layer, .output)])
    let plain = try reference.model.run(ids, capturing: [.feedForward(layer, .output)])
    let sum = try seen.activations[.feedForward(layer, .experts)].sum(along: 2).values()
    for run in [seen, plain] {
      let output = try run.activations[.feedForward(layer, .output)].values()
      #expect(distance(output, sum).error < 1e-13)
    }
  }

  @Test(
    "Each token uses as many experts as the configuration says, and those of the largest logits")
  func choice() throws {
    let reference = try Reference("qwen3-moe", .float64)
    let ids = [reference.ids("0.ids")]
    let run = try reference.model.run(
      ids, capturing: [.feedForward(1, .experts), .feedForward(1, .router)])
    let logits = try run.activations[.feedForward(1, .router)].values()
    let width = reference.model.shape.width
    let added = try run.activations[.feedForward(1, .experts)].values()
    for token in ids[0].indices {
      let row = Array(logits[token * 5..<token * 5 + 5])
      let used = (0..<5).filter { expert in
        let start = (token * 5 + expert) * width
        return added[start..<start + width].contains { $0 != 0 }
      }
      #expect(used == (0..<5).sorted { row[$0] > row[$1] }.prefix(3).sorted())
    }
  }

  @Test("Replaced contributions are what the mixture adds from then on", arguments: models)
  func replaced(name: String, layer: Int) throws {
    let reference = try Reference(name, .float64)
    let ids = [reference.ids("0.ids")]
    var kept: Tensor?
    let pass = Pass(sites: [.feedForward(layer, .experts)]) { _, value in
      // Without the first expert, and the last twice.
      let terms = value.size(2)
      let weights = Tensor(
        (0..<terms).map { $0 == 0 ? 0 : $0 == terms - 1 ? 2 : 1 }, [terms, 1], .float64)
      kept = value * weights
      return value * weights
    }
    let run = try reference.model.run(
      ids,
      capturing: [
        .feedForward(layer, .output), .residual(layer, .middle), .residual(layer, .after),
      ], pass: pass)
    let expected = try #require(kept).sum(along: 2)
    let output = run.activations[.feedForward(layer, .output)]
    #expect(try distance(output.values(), expected.values()).error < 1e-13)
    let after = try (run.activations[.residual(layer, .middle)] + expected).values()
    #expect(
      try distance(run.activations[.residual(layer, .after)].values(), after).error < 1e-13)
  }

  @Test("Replaced router logits choose the experts")
  func routed() throws {
    let reference = try Reference("mixtral", .float64)
    let ids = [reference.ids("0.ids")]
    let pass = Pass(sites: [.feedForward(0, .router)]) { _, value in
      value * 0 + Tensor([0, 50, 0, 49], [4], .float64)
    }
    let run = try reference.model.run(
      ids, capturing: [.feedForward(0, .experts), .feedForward(0, .output)], pass: pass)
    let experts = run.activations[.feedForward(0, .experts)]
    for unused in [0, 2] {
      #expect(
        try experts.slice(unused..<unused + 1, along: 2).values().allSatisfy { $0 == 0 })
    }
    // The weights of the two are those of their logits: e : 1.
    let pair = try [1, 3].map { try experts.slice($0..<$0 + 1, along: 2).values() }
    let even = Pass(sites: [.feedForward(0, .router)]) { _, value in
      value * 0 + Tensor([0, 50, 0, 50], [4], .float64)
    }
    let halves = try reference.model.run(
      ids, capturing: [.feedForward(0, .experts)], pass: even
    ).activations[.feedForward(0, .experts)]
    let share = 1 / (1 + exp(-1.0))
    for (place, weight) in [(0, share), (1, 1 - share)] {
      let half = try halves.slice(2 * place + 1..<2 * place + 2, along: 2).values()
      #expect(distance(pair[place], half.map { 2 * weight * $0 }).error < 1e-12)
    }
  }

  @Test(
    "Experts in one tensor are those that have weights of their own",
    arguments: [("mixtral", "block_sparse_moe", ["w1", "w3", "w2"]), ("qwen2-moe", "mlp", names)])
  func fused(name: String, room: String, names: [String]) throws {
    let source = Fixtures.url("models/" + name)
    let file = try Safetensors(source.appending(path: "model.safetensors"))
    func floats(_ tensor: StoredTensor) -> [Float] {
      [Float](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
        if let base = buffer.baseAddress { tensor.read(into: base) }
        count = tensor.elementCount
      }
    }
    var writer = SafetensorsWriter()
    for (name, tensor) in file.tensors where !name.contains(".experts.") {
      // The router moves to `mlp` as well.
      writer.add(tensor, as: name.replacing(".\(room).", with: ".mlp."))
    }
    for layer in 0..<2 {
      let place = "model.layers.\(layer)."
      func matrix(_ expert: Int, _ map: String) throws -> StoredTensor {
        try #require(file.tensors["\(place)\(room).experts.\(expert).\(map).weight"])
      }
      let shape = try matrix(0, names[0]).shape
      writer.add(
        place + "mlp.experts.gate_up_proj", shape: [4, 2 * shape[0], shape[1]],
        try (0..<4).flatMap { expert in
          try names[..<2].flatMap { floats(try matrix(expert, $0)) }
        })
      writer.add(
        place + "mlp.experts.down_proj", shape: [4, shape[1], shape[0]],
        try (0..<4).flatMap { floats(try matrix($0, names[2])) })
    }
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "telescope-experts-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(
      at: source.appending(path: "config.json"), to: folder.appending(path: "config.json"))
    try writer.write(to: folder.appending(path: "model.safetensors"))
    let reference = try Reference(name, .float64)
    let ids = [reference.ids("0.ids")]
    let model = try loadNetwork(of: Checkpoint(folder), type: .float64)
    #expect(
      try model.run(ids).residual.values() == reference.model.run(ids).residual.values())
  }

  private static let names = ["gate_proj", "up_proj", "down_proj"]
}
