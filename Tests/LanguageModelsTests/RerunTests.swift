import Checkpoints
import Foundation
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Reruns against whole forward passes in which a visit overwrites numbers one by one.
@Suite("Reruns with a part replaced")
struct RerunTests {
  static let models = [
    "llama-grouped-untied", "llama-biases", "llama3-rope-scaling", "qwen2", "mistral-window",
    "gpt2",
  ]

  /// A part of every kind in every block, with random values.
  private func replacements(_ shape: ModelShape, seed: UInt64) throws -> [Replacement] {
    var random = SeededGenerator(seed: seed)
    var all: [Replacement.Part] = []
    for layer in 0..<shape.layers {
      all += [
        .layer(layer), .attention(layer), .mlp(layer), .head(layer, 0),
        .head(layer, shape.heads - 1), .neurons(layer, [shape.hidden - 1, 0, 3]),
        .neurons(layer, Array(0..<shape.hidden)),
      ]
    }
    return all.shuffled(using: &random).map { part in
      let size: Int =
        switch part {
        case .layer, .attention, .mlp: shape.width
        case .head: shape.headWidth
        case .neurons(_, let neurons): neurons.count
        }
      return Replacement(part, by: (0..<size).map { _ in .random(in: -1...1, using: &random) })
    }
  }

  /// The last state at a position, from one whole forward pass with the part overwritten at `rows`.
  private func slow(
    _ model: any LanguageModel, _ ids: [Int], _ replacement: Replacement, at rows: [Int],
    read position: Int
  ) throws -> [Double] {
    let shape = model.shape
    let layer = replacement.part.layer
    let value = replacement.value
    var before: [Double] = []
    let site: Site
    // Where number k of the value stands in a row of the site.
    let place: (Int) -> Int
    switch replacement.part {
    case .layer: (site, place) = (.residual(layer, .after), { $0 })
    case .attention: (site, place) = (.attention(layer, .output), { $0 })
    case .mlp: (site, place) = (.feedForward(layer, .output), { $0 })
    case .head(_, let head):
      (site, place) = (.attention(layer, .heads), { head * shape.headWidth + $0 })
    case .neurons(_, let neurons):
      (site, place) = (.feedForward(layer, .hidden), { neurons[$0] })
    }
    let pass = Pass(sites: [.residual(layer, .before), site]) { seen, tensor in
      guard var values = try? tensor.values() else { return tensor }
      if seen != site {
        before = values
        return tensor
      }
      let size = values.count / ids.count
      for row in rows {
        for k in value.indices {
          var new = value[k]
          if case .layer = replacement.part { new += before[row * size + k] }
          values[row * size + place(k)] = new
        }
      }
      return Tensor(values, tensor.shape, tensor.type)
    }
    let residual = try model.run([ids], pass: pass).residual.values()
    return Array(residual[position * shape.width..<(position + 1) * shape.width])
  }

  @Test(
    "Rows together are whole passes with the same edit, at the first, a middle and the last position",
    arguments: models)
  func position(name: String) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let ids = reference.ids("0.ids")
    let context = try model.rerunContext(of: ids, at: [ids.count - 1, 0, 5])
    #expect(context.positions == [0, 5, ids.count - 1])
    let plain = try model.run([ids]).residual.selecting(context.positions, along: 1).values()
    #expect(distance(try context.residual.values(), plain).error <= 1e-12)
    for position in context.positions {
      let all = try replacements(model.shape, seed: UInt64(position))
      let expected = try all.flatMap {
        try slow(model, ids, $0, at: [position], read: position)
      }
      for rows in [256, 4] {
        let found = try model.rerun(all, at: position, of: context, rowsAtOnce: rows)
        #expect(found.shape == [all.count, model.shape.width])
        let worst = distance(try found.values(), expected)
        #expect(worst.error <= 1e-12, "\(name) at \(position), \(rows) rows: off by \(worst)")
      }
      let alone = try all.flatMap {
        try model.rerun([$0], at: position, of: context).values()
      }
      #expect(distance(alone, expected).error <= 1e-12)
    }
  }

  @Test(
    "A part replaced at every position gives what whole passes with the same edit give",
    arguments: models)
  func everywhere(name: String) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let ids = reference.ids("0.ids")
    for length in [1, ids.count] {
      let text = Array(ids[..<length])
      let all = try replacements(model.shape, seed: 40)
      let expected = try all.flatMap {
        try slow(model, text, $0, at: Array(text.indices), read: length - 1)
      }
      for tokens in [1024, 3 * length, 1] {
        let found = try model.rerun(all, throughout: text, tokensAtOnce: tokens)
        let worst = distance(try found.values(), expected)
        #expect(worst.error <= 1e-12, "\(name), \(tokens) tokens at once: off by \(worst)")
      }
    }
  }

  @Test("Reruns leave their context as it was", arguments: ["llama-grouped-untied", "gpt2"])
  func unchanged(name: String) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let ids = reference.ids("0.ids")
    let context = try model.rerunContext(of: ids, at: [2, 8])
    let kept = try context.residual.values()
    let all = try replacements(model.shape, seed: 3)
    let first = try model.rerun(all, at: 8, of: context).values()
    _ = try model.rerun(all.reversed(), at: 2, of: context)
    _ = try model.rerun(all, throughout: ids)
    #expect(try model.rerun(all, at: 8, of: context).values() == first)
    #expect(try context.residual.values() == kept)
  }

  @Test("Replacing a part by what it is changes nothing", arguments: models)
  func identity(name: String) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let ids = reference.ids("0.ids")
    let (position, layer) = (6, 1)
    let run = try model.run(
      [ids],
      capturing: [
        .residual(layer, .before), .residual(layer, .after), .attention(layer, .output),
        .attention(layer, .heads), .feedForward(layer, .output), .feedForward(layer, .hidden),
      ])
    func row(_ site: Site) throws -> [Double] {
      try run.activations[site].slice(position..<position + 1, along: 1).values()
    }
    let update = zip(try row(.residual(layer, .after)), try row(.residual(layer, .before)))
      .map { $0 - $1 }
    let width = model.shape.headWidth
    let all = [
      Replacement(.layer(layer), by: update),
      Replacement(.attention(layer), by: try row(.attention(layer, .output))),
      Replacement(.mlp(layer), by: try row(.feedForward(layer, .output))),
      Replacement(
        .head(layer, 2), by: Array(try row(.attention(layer, .heads))[2 * width..<3 * width])),
      Replacement(
        .neurons(layer, [1, 7]),
        by: try [1, 7].map { try row(.feedForward(layer, .hidden))[$0] }),
    ]
    let context = try model.rerunContext(of: ids, at: [position])
    let plain = try context.residual.values()
    let found = try model.rerun(all, at: position, of: context).values()
    #expect(distance(found, all.flatMap { _ in plain }).error <= 1e-12)
  }

  @Test(
    "A head replaced by zero everywhere is a model whose weights lack that head",
    arguments: ["llama-grouped-untied", "gpt2"])
  func editedModel(name: String) throws {
    let reference = try Reference(name, .float64)
    let shape = reference.model.shape
    let ids = reference.ids("0.ids")
    for (layer, head) in [(0, 0), (1, shape.heads - 1)] {
      let edited = try model(name, withoutHead: head, of: layer, shape)
      let expected = try edited.run([ids]).residual
        .slice(ids.count - 1..<ids.count, along: 1).values()
      let zero = Replacement(
        .head(layer, head), by: Array(repeating: 0, count: shape.headWidth))
      let found = try reference.model.rerun([zero], throughout: ids).values()
      #expect(distance(found, expected).error <= 1e-12)
      // The difference is there to be seen.
      let plain = try reference.model.run([ids]).residual
        .slice(ids.count - 1..<ids.count, along: 1).values()
      #expect(distance(plain, expected).error > 1e-3)
    }
  }

  /// The model with a head's slice of W_O zeroed in its file.
  private func model(
    _ name: String, withoutHead head: Int, of layer: Int, _ shape: ModelShape
  ) throws -> any LanguageModel {
    let source = Fixtures.url("models/" + name)
    var file = try Data(contentsOf: source.appending(path: "model.safetensors"))
    let length = (0..<8).reduce(0) { $0 | Int(file[$1]) << (8 * $1) }
    let header = try JSON.parse([UInt8](file[8..<8 + length]))
    let (matrix, inputsFirst) =
      name == "gpt2"
      ? ("transformer.h.\(layer).attn.c_proj.weight", true)
      : ("model.layers.\(layer).self_attn.o_proj.weight", false)
    let start = 8 + length + (header[matrix]?["data_offsets"]?[0]?.integer ?? 0)
    #expect(header[matrix]?["dtype"]?.string == "F32")
    let inputs = shape.heads * shape.headWidth
    for out in 0..<shape.width {
      for input in head * shape.headWidth..<(head + 1) * shape.headWidth {
        let element = inputsFirst ? input * shape.width + out : out * inputs + input
        for byte in 0..<4 { file[start + 4 * element + byte] = 0 }
      }
    }
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "telescope-rerun-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try file.write(to: folder.appending(path: "model.safetensors"))
    try FileManager.default.copyItem(
      at: source.appending(path: "config.json"), to: folder.appending(path: "config.json"))
    return try loadNetwork(of: Checkpoint(folder), type: .float64)
  }

  @Test("In float32 the same rows agree to rounding", arguments: ["mistral-window", "gpt2"])
  func float32(name: String) throws {
    let (single, double) = (try Reference(name, .float32), try Reference(name, .float64))
    let ids = single.ids("0.ids")
    let all = try replacements(single.model.shape, seed: 9)
    func rows(_ model: any LanguageModel) throws -> [Double] {
      try model.rerun(all, at: 8, of: model.rerunContext(of: ids, at: [8])).values()
    }
    #expect(distance(try rows(single.model), try rows(double.model)).error < 1e-5)
  }

  // MARK: - What is refused

  /// A model that runs only as a whole.
  private struct Whole: LanguageModel {
    let other: any LanguageModel
    var shape: ModelShape { other.shape }
    var sites: Set<Site> { other.sites }
    var head: Unembedding? { other.head }
    func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
      other.forward(ids, cache: cache, pass: pass)
    }
  }

  @Test("What cannot be replaced is refused before anything runs")
  func refusals() throws {
    let model = try Reference("gpt2", .float64).model
    let context = try model.rerunContext(of: [1, 2, 3], at: [1])
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "nothing was thrown"
      } catch { return "\(error)" }
    }
    func message(_ part: Replacement.Part, _ value: [Double] = [0]) -> String {
      message { _ = try model.rerun([Replacement(part, by: value)], at: 1, of: context) }
    }
    #expect(message(.layer(3)) == "There is no layer 3 in this gpt2; its layers are 0 to 2.")
    #expect(message(.mlp(-1)) == "There is no layer -1 in this gpt2; its layers are 0 to 2.")
    #expect(message(.head(0, 4)) == "There is no head 4 in this gpt2; its heads are 0 to 3.")
    #expect(
      message(.neurons(0, [2, 40]))
        == "There is no neuron 40 in this gpt2; its neurons are 0 to 39.")
    let none = "The neurons to replace in layer 0 are none, or some twice; name each once."
    #expect(message(.neurons(0, [])) == none)
    #expect(message(.neurons(0, [2, 2]), [0, 0]) == none)
    #expect(
      message(.head(0, 1)) == "A replacement in layer 0 has 1 numbers; the part has 6.")
    #expect(
      message { _ = try model.rerun([], at: 2, of: context) }
        == "Position 2 was not kept for reruns; name it when the context is made.")
    #expect(
      message { _ = try model.rerunContext(of: [1, 2], at: [2, 0]) }
        == "A rerun needs positions from 0 to 1, where the text is; it was asked for 0, 2.")
    #expect(
      message { _ = try model.rerunContext(of: [1, 2], at: []) }
        == "A rerun needs positions from 0 to 1, where the text is; it was asked for none.")
    #expect(
      message { _ = try model.rerun([], throughout: [1, 97]) }
        == "Token id 97 is out of range; this model's vocabulary has ids 0 to 96.")
    #expect(
      message { _ = try Whole(other: model).rerunContext(of: [1], at: [0]) }
        == "gpt2 cannot be run again in part, so nothing of it can be replaced; leave out --check.")
    #expect(try model.rerun([], at: 1, of: context).shape == [0, 24])
  }
}
