import Foundation
import LanguageModels
import Lenses
import Tensors
import TestSupport
import Testing

/// A model whose blocks are affine maps, r ← r + B r + c: what translators must find is known.
private struct AffineModel: LanguageModel {
  let shape: ModelShape
  let head: Unembedding?
  let embedding: Tensor
  let maps: [Map]
  var sites: Set<Site> {
    Set([.embedding] + (0..<shape.layers).map { .residual($0, .after) })
  }

  init(width: Int, layers: Int, vocabulary: Int) throws {
    var shape = try sixLayers().model.shape
    (shape.width, shape.layers, shape.vocabulary) = (width, layers, vocabulary)
    self.shape = shape
    head = Unembedding(
      norm: Norm(
        kind: .rms, weight: Tensor(noise(width, seed: 1).map { 1 + 0.3 * $0 }, [width], .float64),
        bias: nil, epsilon: 1e-6),
      weight: Tensor(noise(vocabulary * width, seed: 2), [vocabulary, width], .float64), bias: nil,
      softCap: nil)
    embedding = Tensor(noise(vocabulary * width, seed: 3), [vocabulary, width], .float64)
    maps = (0..<layers).map { layer in
      AffineModel.map(width, seed: UInt64(10 + layer))
    }
  }

  struct Map {
    var weight: Tensor
    var bias: Tensor
    func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight, bias: bias) }
  }

  private static func map(_ width: Int, seed: UInt64) -> Map {
    Map(
      weight: Tensor(noise(width * width, seed: seed).map { 0.4 * $0 }, [width, width], .float64),
      bias: Tensor(noise(width, seed: seed + 50).map { 0.3 * $0 }, [width], .float64))
  }

  func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
    let rows = embedding.selecting(Array(ids.joined()), along: 0)
    var x = pass(.embedding, rows.reshaped([ids.count, ids[0].count, shape.width]))
    for (layer, map) in maps.enumerated() {
      x = pass(.residual(layer, .after), x + map(x))
    }
    return x
  }

  /// I + A and b of the map from the input of a block to the last state, row by row.
  func planted(_ block: Int) throws -> [Double] {
    let width = shape.width
    var matrix = (0..<width * width).map { $0 % (width + 1) == 0 ? 1.0 : 0.0 }
    var shift = [Double](repeating: 0, count: width)
    for map in maps[block...] {
      let (b, c) = (try map.weight.values(), try map.bias.values())
      var (next, moved) = (matrix, zip(shift, c).map(+))
      for i in 0..<width {
        for k in 0..<width {
          moved[i] += b[i * width + k] * shift[k]
          for j in 0..<width { next[i * width + j] += b[i * width + k] * matrix[k * width + j] }
        }
      }
      (matrix, shift) = (next, moved)
    }
    return matrix + shift
  }
}

@Suite("Training a tuned lens")
struct LensTrainerTests {
  @Test("A planted affine map is recovered, up to the scale that the norm takes away")
  func planted() throws {
    let network = try AffineModel(width: 6, layers: 3, vocabulary: 40)
    var options = LensTrainer.Options()
    options.steps = 1500
    options.tokensPerStep = 64
    options.learningRate = 0.03
    options.weightDecay = 0
    options.heldOut = 0.2
    let text = tokens(20, of: 8, vocabulary: 40, seed: 5)
    let trainer = try LensTrainer(loaded(network, "affine"), text, options)
    let lens = try trainer.train(modelHash: "", toolVersion: "1")
    let provenance = try #require(lens.origin.provenance)
    for block in 0..<3 {
      var found = try lens.translators[block].weight.values()
      for index in 0..<6 { found[7 * index] += 1 }
      found += try lens.translators[block].bias?.values() ?? []
      let expected = try network.planted(block)
      func product(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let cosine =
        product(found, expected)
        / (product(found, found) * product(expected, expected)).squareRoot()
      #expect(cosine > 0.995, "translator \(block): \(cosine)")
      #expect(provenance.heldOut[block].before > 0.05)
      #expect(provenance.heldOut[block].after < 2e-5, "\(provenance.heldOut[block])")
    }
  }

  @Test(
    "The closed form of the gradient is autograd's, in float64",
    arguments: [Norm.Kind.rms, .layer],
    [nil, 3.0] as [Double?])
  func gradient(_ kind: Norm.Kind, _ cap: Double?) throws {
    let (rows, width, vocabulary) = (5, 8, 33)
    func random(_ shape: [Int], _ seed: UInt64) -> Tensor {
      Tensor(noise(shape.reduce(1, *), seed: seed), shape, .float64)
    }
    let head = Unembedding(
      norm: Norm(
        kind: kind, weight: random([width], 1) + 1.5,
        bias: kind == .layer ? random([width], 2) : nil,
        epsilon: 1e-5),
      weight: random([vocabulary, width], 3), bias: random([vocabulary], 4), softCap: cap)
    let (states, final) = (random([rows, width], 5), random([rows, width], 6))
    let loss = LensLoss(head, .float64)
    let value = withRecording(false) { loss(states, loss.model(final), gradient: true) }
    let (expected, slope) = withRecording(true) { () -> (Tensor, Tensor) in
      let leaf = states.requiringGradient()
      let model = head.logits(final).logSoftmax(along: -1)
      let divergence = (model.exp * (model - head.logits(leaf).logSoftmax(along: -1)))
        .sum(along: -1)
      return (divergence.detached, divergence.gradient(withRespectTo: [leaf])[0])
    }
    #expect(try distance(value.divergence.values(), expected.values()).error < 1e-12)
    #expect(try distance(#require(value.gradient).values(), slope.values()).error < 1e-12)
    let plain = withRecording(false) { loss(states, loss.model(final), gradient: false) }
    #expect(try distance(plain.divergence.values(), expected.values()).error < 1e-12)
    #expect(plain.gradient == nil)
  }

  /// Six steps in a tiny model, from the beginning or from a checkpoint.
  private func trainer(_ change: (inout LensTrainer.Options) -> Void = { _ in }) throws
    -> LensTrainer
  {
    var options = LensTrainer.Options()
    options.steps = 6
    options.tokensPerStep = 24
    options.heldOut = 0.25
    options.seed = 3
    change(&options)
    return try LensTrainer(
      tinyModel("tree/models/llama-six-layers", .float32),
      tokens(5, of: 12, vocabulary: 97, seed: 8), options)
  }

  @Test("A resumed training ends in the very bytes of an uninterrupted one")
  func resuming() throws {
    let folder = try Folder()
    let (whole, resumed) = (folder / "whole.safetensors", folder / "resumed.safetensors")
    let checkpoint = folder / "lens.checkpoint"
    let first = try trainer()
    try first.train(modelHash: "aa", toolVersion: "1") { _ in
    } checkpoint: {
      if $0.step == 4 { try first.save($0, to: checkpoint, modelHash: "aa") }
    }.save(to: whole)

    struct Interruption: Error {}
    let second = try trainer()
    #expect(throws: Interruption.self) {
      _ = try second.train(modelHash: "aa", toolVersion: "1") { _ in
      } checkpoint: {
        if $0.step == 3 {
          try second.save($0, to: checkpoint, modelHash: "aa")
          throw Interruption()
        }
      }
    }
    let third = try trainer()
    let state = try third.load(checkpoint, modelHash: "aa")
    #expect(state.step == 3)
    try third.train(from: state, modelHash: "aa", toolVersion: "1").save(to: resumed)
    #expect(try Data(contentsOf: resumed) == Data(contentsOf: whole))
    #expect(
      try folder.names() == ["lens.checkpoint", "resumed.safetensors", "whole.safetensors"])

    // Another seed takes another order, and so ends elsewhere.
    let other = folder / "other.safetensors"
    try trainer { $0.seed = 4 }.train(modelHash: "aa", toolVersion: "1").save(to: other)
    #expect(try Data(contentsOf: other) != Data(contentsOf: whole))
  }

  @Test("The budget changes neither the loss nor, beyond rounding, the lens")
  func budget() throws {
    let free = try trainer().train(modelHash: "", toolVersion: "1")
    let tight = try trainer { $0.memory = 150_000 }.train(modelHash: "", toolVersion: "1")
    for (a, b) in zip(tight.translators, free.translators) {
      #expect(try distance(a.weight.values(), b.weight.values()).error < 1e-4)
    }
    expectLensError(
      .memory,
      "Training needs about 101 kB beyond the model and --memory allows 90 kB; allow more, or use a "
        + "smaller model."
    ) { try trainer { $0.memory = 90_000 } }
  }

  @Test("A checkpoint of another training is refused, and names what differs")
  func otherCheckpoint() throws {
    let folder = try Folder()
    let checkpoint = folder / "lens.checkpoint"
    let first = try trainer()
    _ = try first.train(modelHash: "aa", toolVersion: "1") { _ in
    } checkpoint: {
      if $0.step == 1 { try first.save($0, to: checkpoint, modelHash: "aa") }
    }
    for (name, change) in [
      ("seed 3 and this run has 4", { $0.seed = 4 }),
      ("learning_rate 0.001 and this run has 0.5", { $0.learningRate = 0.5 }),
      ("steps 6 and this run has 7", { $0.steps = 7 }),
    ] as [(String, (inout LensTrainer.Options) -> Void)] {
      expectLensError(
        .usage,
        "lens.checkpoint: the checkpoint was trained with \(name); resume with what it began with, or "
          + "leave --resume out to begin anew."
      ) { try trainer(change).load(checkpoint, modelHash: "aa") }
    }
    expectLensError(
      .usage,
      "lens.checkpoint: the checkpoint was trained with model_sha256 aa and this run has bb; resume "
        + "with what it began with, or leave --resume out to begin anew."
    ) { try first.load(checkpoint, modelHash: "bb") }
    let lens = folder / "lens.safetensors"
    try first.train(modelHash: "aa", toolVersion: "1").save(to: lens)
    expectLensError(
      .badData,
      "lens.safetensors: this is no checkpoint of a lens's training; leave --resume out to begin anew."
    ) { try first.load(lens, modelHash: "aa") }
  }

  @Test("A text of one sequence leaves nothing to hold out")
  func shortText() throws {
    expectLensError(
      .usage,
      "The text is 12 tokens long, which is one sequence of 12; training needs one and another to hold "
        + "out: give a longer text, or a shorter --sequence."
    ) { try LensTrainer(sixLayers(), tokens(1, of: 12, vocabulary: 97, seed: 1)) }
  }
}
