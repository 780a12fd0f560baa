import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite("Families against the Hugging Face implementation")
struct FamilyReferenceTests {
  @Test(
    "Every site and the logits are the reference's", arguments: Reference.names,
    [ScalarType.float32, .float64])
  func sites(name: String, type: ScalarType) throws {
    let reference = try Reference(name, type)
    for sequence in ["0", "1"] {
      let stored = reference.names.filter { $0.hasPrefix(sequence + ".") }
      let sites = Dictionary(
        uniqueKeysWithValues: stored.compactMap { name in
          Reference.site(name).map { (name, $0) }
        })
      #expect(sites.count >= (sequence == "0" ? 27 : 4))
      let run = try reference.model.run(
        [reference.ids(sequence + ".ids")], capturing: Set(sites.values))
      for (name, site) in sites {
        let worst = distance(try run.activations[site].values(), reference.values(name))
        #expect(
          worst.error <= Reference.tolerance(type), "\(name) is off by \(worst)")
      }
    }
  }

  @Test("Fused attention gives the logits of attention written out", arguments: Reference.names)
  func fused(name: String) throws {
    let reference = try Reference(name, .float64)
    for sequence in ["0", "1"] {
      let run = try reference.model.run([reference.ids(sequence + ".ids")], capturing: [.logits])
      let worst = distance(
        try run.activations[.logits].values(), reference.values(sequence + ".logits"))
      #expect(worst.error <= 1e-10, "off by \(worst)")
    }
  }

  @Test(
    "Gradients of a logit are the reference's", arguments: Reference.names,
    [ScalarType.float32, .float64])
  func gradients(name: String, type: ScalarType) throws {
    let reference = try Reference(name, type)
    let model = reference.model
    for sequence in ["0", "1"] {
      let of = reference.ids(sequence + ".gradient.of")
      let layers = (0..<model.shape.layers).map { Site.residual($0, .after) }
      try withRecording(true) {
        let pass = Pass(sites: [.embedding]) { _, value in value.requiringGradient() }
        let run = try model.run(
          [reference.ids(sequence + ".ids")], capturing: Set([Site.embedding, .logits] + layers),
          pass: pass)
        let logit = run.activations[.logits]
          .slice(of[0]..<of[0] + 1, along: 1).slice(of[1]..<of[1] + 1, along: 2)
        // Of the second sequence the layers' gradients alone are stored.
        let places = (sequence == "0" ? [Site.embedding] : []) + layers
        let gradients = logit.gradient(withRespectTo: places.map { run.activations[$0] })
        for (site, gradient) in zip(places, gradients) {
          let stored: String =
            if case .residual(let layer, _) = site {
              "\(sequence).gradient.residual.\(layer).after"
            } else {
              "\(sequence).gradient.embedding"
            }
          let worst = distance(try gradient.values(), reference.values(stored))
          #expect(worst.error <= Reference.tolerance(type), "\(stored) is off by \(worst)")
        }
      }
    }
  }

  @Test("The fixture tells each known mistake apart", arguments: Reference.names)
  func mistakes(name: String) throws {
    let reference = try Reference(name, .float64)
    let logits = reference.values("0.logits")
    let last = Array(logits.suffix(reference.model.shape.vocabulary))
    let wrong = reference.names.filter { $0.hasPrefix("wrong.") }
    #expect(wrong.count >= 3)
    for mistake in wrong {
      let apart = distance(reference.values(mistake), last).error
      #expect(apart > 100 * Reference.tolerance(.float32), "\(mistake) differs by only \(apart)")
    }
  }

  @Test("Greedy continuations are the reference's, with a cache", arguments: Reference.names)
  func greedy(name: String) throws {
    let reference = try Reference(name, .float64)
    for sequence in ["0", "1"] {
      let found = try reference.model.generate(
        from: reference.ids(sequence + ".ids"), atMost: 8)
      #expect(found == reference.ids(sequence + ".greedy"))
    }
  }

  @Test(
    "A cache gives what a whole pass gives, however the text is cut", arguments: Reference.names,
    [1, 4, 8])
  func cache(name: String, cut: Int) throws {
    let reference = try Reference(name, .float64)
    let ids = reference.ids("0.ids")
    let cache = KeyValueCache(layers: reference.model.shape.layers, capacity: ids.count)
    var logits: [Double] = []
    for part in [Array(ids[..<cut]), Array(ids[cut...])] {
      let run = try reference.model.run([part], capturing: [.logits], cache: cache)
      logits += try run.activations[.logits].values()
    }
    let worst = distance(logits, reference.values("0.logits"))
    #expect(worst.error <= 1e-10, "off by \(worst)")
    #expect(cache.length == ids.count)
  }

  @Test("A batch gives what single runs give", arguments: Reference.names)
  func batch(name: String) throws {
    let reference = try Reference(name, .float64)
    let first = reference.ids("1.ids")
    let second = Array(reference.ids("0.ids").prefix(first.count))
    let together = try reference.model.run([first, second], capturing: [.logits])
    let alone = try [first, second].flatMap {
      try reference.model.run([$0], capturing: [.logits]).activations[.logits].values()
    }
    let worst = distance(try together.activations[.logits].values(), alone)
    #expect(worst.error <= 1e-12, "off by \(worst)")
  }

  @Test("Future tokens change nothing before them, past ones do", arguments: Reference.names)
  func causality(name: String) throws {
    let reference = try Reference(name, .float64)
    let vocabulary = reference.model.shape.vocabulary
    var ids = reference.ids("0.ids")
    ids[6] = (ids[6] + 1) % vocabulary
    let changed = try reference.model.run([ids], capturing: [.logits])
      .activations[.logits].values()
    let before = distance(
      Array(changed[..<(6 * vocabulary)]),
      Array(reference.values("0.logits")[..<(6 * vocabulary)]))
    #expect(before.error <= 1e-10)
    let after = distance(
      Array(changed[(6 * vocabulary)...]),
      Array(reference.values("0.logits")[(6 * vocabulary)...]))
    #expect(after.error > 1e-3)
  }

  @Test("A visit replaces what the run continues with")
  func replacing() throws {
    let reference = try Reference("llama-grouped-untied", .float64)
    let ids = reference.ids("0.ids")
    // Taking away what both branches of block 1 add leaves its input as its output.
    let pass = Pass(sites: [.attention(1, .output), .feedForward(1, .output)]) { _, value in
      value * 0
    }
    let run = try reference.model.run(
      [ids], capturing: [.residual(1, .before), .residual(1, .after), .attention(1, .output)],
      pass: pass)
    #expect(
      try run.activations[.residual(1, .after)].values()
        == run.activations[.residual(1, .before)].values())
    #expect(try run.activations[.attention(1, .output)].values().allSatisfy { $0 == 0 })
  }

  @Test("What a model cannot run is refused before the run")
  func refusals() throws {
    let model = try Reference("gpt2", .float32).model
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "nothing was thrown"
      } catch { return "\(error)" }
    }
    #expect(
      message { _ = try model.run([[]]) }
        == "The prompt is empty; give at least one token of text.")
    #expect(
      message { _ = try model.run([[1, model.shape.vocabulary]]) }
        == "Token id \(model.shape.vocabulary) is out of range; this model's vocabulary has ids 0 "
        + "to \(model.shape.vocabulary - 1).")
    let long = Array(repeating: 1, count: model.shape.contextLength + 1)
    #expect(
      message { _ = try model.run([long]) }
        == "The text is \(long.count) tokens long and the model's context holds "
        + "\(model.shape.contextLength); shorten the prompt or generate fewer tokens.")
    #expect(
      message { _ = try model.run([[1]], capturing: [.feedForward(0, .gate)]) }
        == "gpt2 has no site 'feed-forward.gate.0'; its layers are 0 to "
        + "\(model.shape.layers - 1) (see its sites with `LanguageModel.sites`).")
    #expect(
      message { _ = try model.run([[1, 2], [3]]) }
        == "The sequences of a batch differ in length; run them one by one.")
  }
}
