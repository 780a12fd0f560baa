import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// What encoders need beside the sites that every family is compared at.
@Suite("Encoders")
struct EncoderTests {
  static let headed = [
    "albert", "albert-groups", "bert", "bert-untied", "camembert", "distilbert",
    "electra-generator", "mpnet", "roberta", "xlm-roberta",
  ]
  static let headless = [
    "albert-members", "bert-headless", "distilbert-headless", "electra-discriminator",
    "mpnet-headless", "roberta-headless",
  ]

  @Test("A model has a head where its checkpoint has one", arguments: headed + headless)
  func heads(name: String) throws {
    let model = try Reference(name, .float32).model
    #expect((model.head != nil) == Self.headed.contains(name))
    #expect(model.sites.contains(.logits) == Self.headed.contains(name))
    #expect(!model.isCausal)
  }

  @Test("A later token changes an earlier position", arguments: headed + headless)
  func bothWays(name: String) throws {
    let reference = try Reference(name, .float64)
    var ids = reference.ids("0.ids")
    let plain = try reference.model.run([ids]).residual.slice(0..<1, along: 1).values()
    ids[ids.count - 2] = 7
    let changed = try reference.model.run([ids]).residual.slice(0..<1, along: 1).values()
    #expect(distance(changed, plain).error > 1e-3)
  }

  @Test("A batch may mix texts with and without padding tokens", arguments: ["roberta", "mpnet"])
  func paddingInBatch(name: String) throws {
    let model = try Reference(name, .float64).model
    let texts = [[0, 1, 17, 30, 2], [0, 28, 17, 30, 2], [1, 1, 5, 1, 2]]
    let together = try model.run(texts).residual.values()
    let alone = try texts.flatMap { try model.run([$0]).residual.values() }
    let worst = distance(together, alone)
    #expect(worst.error <= 1e-12, "off by \(worst)")
  }

  @Test("A text may be as long as positions are left after the unused ones")
  func contexts() throws {
    let contexts = [("roberta", 24), ("roberta-headless", 22), ("mpnet", 24), ("bert", 24)]
    for (name, context) in contexts {
      let model = try Reference(name, .float32).model
      #expect(model.shape.contextLength == context, "\(name)")
      let longest = (0..<context).map { 5 + $0 % 20 }
      #expect(try model.run([longest]).residual.size(1) == context)
      #expect(
        message { _ = try model.run([longest + [5]]) }
          == "The text is \(context + 1) tokens long and the model's context holds \(context); "
          + "shorten the prompt or generate fewer tokens.")
    }
  }

  @Test("ALBERT's blocks share their weights")
  func sharing() throws {
    for (name, layers) in [("albert", 3), ("albert-groups", 3), ("albert-members", 4)] {
      let model = try Reference(name, .float32).model
      #expect(model.shape.layers == layers)
      #expect(model.sites.contains(.residual(layers - 1, .after)))
    }
  }

  @Test(
    "A GGUF file gives the encoder's states",
    arguments: [("bert", "bert"), ("roberta-headless", "bert"), ("distilbert-headless", "bert")])
  func gguf(name: String, architecture: String) throws {
    let reference = try Reference(name, .float64)
    let model = try loadNetwork(
      of: Checkpoint(Fixtures.url("models/\(name).gguf")), type: .float64)
    #expect(model.head == nil)
    #expect(model.shape.architecture == architecture)
    #expect(model.shape.contextLength == reference.model.shape.contextLength)
    // The second text has no padding token, whose row a GGUF file lacks.
    let layers = (0..<model.shape.layers).map { Site.residual($0, .after) }
    let run = try model.run([reference.ids("1.ids")], capturing: Set(layers))
    for (layer, site) in layers.enumerated() {
      let worst = distance(
        try run.activations[site].values(), reference.values("1.residual.\(layer).after"))
      #expect(worst.error <= 1e-10, "\(site) is off by \(worst)")
    }
  }

  // MARK: - What is refused

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was thrown"
    } catch { return "\(error)" }
  }

  @Test("What needs one direction, or a head, is refused with the reason")
  func refusals() throws {
    let model = try Reference("bert", .float32).model
    let bothWays =
      "bert reads a text both ways, so what it keeps of a part is not that of the whole; run whole "
      + "texts, and ask for predictions at their own positions."
    #expect(message { _ = try model.generate(from: [1, 2], atMost: 1) } == bothWays)
    #expect(
      message {
        _ = try model.run([[1]], cache: KeyValueCache(layers: 2, capacity: 4))
      } == bothWays)
    #expect(message { _ = try model.rerunContext(of: [1, 2], at: [1]) } == bothWays)
    let headless = try Reference("bert-headless", .float32).model
    #expect(
      message { _ = try headless.run([[1]], capturing: [.logits]) }
        == "bert has no site 'logits'; its layers are 0 to 1 (see its sites with "
        + "`LanguageModel.sites`).")
  }
}
