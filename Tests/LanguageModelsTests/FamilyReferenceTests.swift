import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite("Families against the Hugging Face implementation")
struct FamilyReferenceTests {
  @Test(
    "Every published site is the reference's", arguments: Reference.names,
    [ScalarType.float32, .float64])
  func sites(name: String, type: ScalarType) throws {
    let reference = try Reference(name, type)
    for sequence in ["0", "1"] {
      let stored = reference.names.filter { $0.hasPrefix(sequence + ".") }
      let sites = Dictionary(
        uniqueKeysWithValues: stored.compactMap { name in
          Reference.site(name).map { (name, $0) }
        })
      // Of the second sequence only what all else follows from.
      #expect(
        sequence == "0"
          ? Set(sites.values) == reference.model.sites.filter(\.isStored)
          : Set(sites.values).contains(reference.outcome))
      let run = try reference.model.run(
        [reference.ids(sequence + ".ids")], capturing: Set(sites.values))
      for (name, site) in sites {
        let worst = distance(try run.activations[site].values(), reference.values(name))
        #expect(
          worst.error <= Reference.tolerance(type), "\(name) is off by \(worst)")
      }
    }
  }

  @Test(
    "What branches read is the stream, and a norm's scale is that of what it is given",
    arguments: Reference.names)
  func readings(name: String) throws {
    let model = try Reference(name, .float64).model
    let ids = try Reference(name, .float64).ids("0.ids")
    let run = try model.run([ids], capturing: model.sites.subtracting([.logits, .finalNorm]))
    func rows(_ site: Site) throws -> [Double] { try run.activations[site].values() }
    for site in model.sites where !site.isStored {
      switch site {
      case .attention(let layer, .input):
        #expect(try rows(site) == rows(.residual(layer, .before)))
      case .feedForward(let layer, .input):
        let moment: Site.Moment =
          model.sites.contains(.residual(layer, .middle)) ? .middle : .before
        #expect(try rows(site) == rows(.residual(layer, moment)))
      case .scale(_, let place):
        let scales = try rows(site)
        #expect(scales.count == ids.count && scales.allSatisfy { $0 > 0 && $0.isFinite })
        // Twice the scale is twice the normed: what is added after an output norm without a shift doubles.
        guard place == .attentionOutput || place == .feedForwardOutput,
          model.sites.contains(.residual(site.layer ?? 0, .middle)),
          name.hasPrefix("gemma")
            || name.hasPrefix("olmo")
        else { continue }
        let output: Site =
          place == .attentionOutput
          ? .attention(site.layer ?? 0, .output) : .feedForward(site.layer ?? 0, .output)
        let doubled = try model.run(
          [ids], capturing: [output],
          pass: Pass(sites: [site]) { $0 == site ? $1 * 2 : $1 }
        ).activations[output].values()
        let once = try rows(output)
        #expect(zip(doubled, once).allSatisfy { abs($0 - 2 * $1) < 1e-12 * (1 + abs($1)) })
      default: Issue.record("\(site) is stored nowhere and tried by nothing")
      }
    }
  }

  @Test("Fused attention gives the values of attention written out", arguments: Reference.names)
  func fused(name: String) throws {
    let reference = try Reference(name, .float64)
    for sequence in ["0", "1"] {
      let worst = distance(
        try reference.outcome(of: [reference.ids(sequence + ".ids")]), reference.outcome(sequence))
      #expect(worst.error <= 1e-10, "off by \(worst)")
    }
  }

  @Test(
    "Gradients of a logit are the reference's, or of a sum over the last state",
    arguments: Reference.names, [ScalarType.float32, .float64])
  func gradients(name: String, type: ScalarType) throws {
    let reference = try Reference(name, type)
    let model = reference.model
    let layers = (0..<model.shape.layers).map { Site.residual($0, .after) }
    try withRecording(true) {
      let pass = Pass(sites: [.embedding]) { _, value in value.requiringGradient() }
      let ids = reference.ids("0.ids")
      let run = try model.run(
        [ids], capturing: Set([.embedding, reference.outcome] + layers), pass: pass)
      let outcome = run.activations[reference.outcome]
      let value: Tensor
      if model.head == nil {
        let weights = reference.values("0.gradient.weights")
        value = (outcome * Tensor(weights, outcome.shape, type)).reshaped([-1]).sum(along: 0)
      } else {
        let of = reference.ids("0.gradient.of")
        value = outcome.slice(of[0]..<of[0] + 1, along: 1).slice(of[1]..<of[1] + 1, along: 2)
      }
      let places = [.embedding] + layers
      let gradients = value.gradient(withRespectTo: places.map { run.activations[$0] })
      for (site, gradient) in zip(places, gradients) {
        let stored: String =
          if case .residual(let layer, _) = site {
            "0.gradient.residual.\(layer).after"
          } else {
            "0.gradient.embedding"
          }
        let worst = distance(try gradient.values(), reference.values(stored))
        #expect(worst.error <= Reference.tolerance(type), "\(stored) is off by \(worst)")
      }
    }
  }

  @Test("The fixture tells each known mistake apart", arguments: Reference.names)
  func mistakes(name: String) throws {
    let reference = try Reference(name, .float64)
    let all = reference.outcome("0")
    let shown = reference.model.isCausal ? Array(all.suffix(reference.outcomeWidth)) : all
    let wrong = reference.names.filter { $0.hasPrefix("wrong.") }
    #expect(wrong.count >= 2)
    for mistake in wrong {
      let apart = distance(reference.values(mistake), shown).error
      #expect(
        apart > 100 * Reference.tolerance(.float32) && apart.isFinite,
        "\(mistake) differs by \(apart)")
    }
  }

  @Test("A batch gives what single runs give", arguments: Reference.names)
  func batch(name: String) throws {
    let reference = try Reference(name, .float64)
    let first = reference.ids("1.ids")
    let second = Array(reference.ids("0.ids").prefix(first.count))
    let alone = try [first, second].flatMap { try reference.outcome(of: [$0]) }
    let worst = distance(try reference.outcome(of: [first, second]), alone)
    #expect(worst.error <= 1e-12, "off by \(worst)")
  }

  // MARK: - Decoders

  @Test("A fixture has a continuation exactly if the model continues", arguments: Reference.names)
  func kinds(name: String) throws {
    let model = try Reference(name, .float64).model
    #expect(Reference.decoders.contains(name) == (model.isCausal && model.head != nil))
  }

  @Test("Greedy continuations are the reference's, with a cache", arguments: Reference.decoders)
  func greedy(name: String) throws {
    let reference = try Reference(name, .float64)
    for sequence in ["0", "1"] {
      let prompt = reference.ids(sequence + ".ids")
      var starts: [Int] = []
      let found = try reference.model.generate(from: prompt, atMost: 8) { start, _, _ in
        starts.append(start)
      }
      #expect(found == reference.ids(sequence + ".greedy"))
      #expect(starts == [0] + (0..<7).map { prompt.count + $0 })
    }
  }

  @Test(
    "A cache gives what a whole pass gives, however the text is cut, or is refused",
    arguments: Reference.decoders, [1, 4, 8])
  func cache(name: String, cut: Int) throws {
    let reference = try Reference(name, .float64)
    let model = reference.model
    let ids = reference.ids("0.ids")
    let cache = KeyValueCache(layers: model.shape.layers, capacity: ids.count)
    let start = try reference.outcome(of: [Array(ids[..<cut])], cache: cache)
    guard model.keepsKeys(from: cut, to: ids.count) else {
      let error = #expect(throws: ModelError.self) {
        try model.run([Array(ids[cut...])], cache: cache)
      }
      #expect(
        error?.message
          == "This model's rotary positions go by the length of the text: keys kept of \(cut) tokens "
          + "are not those of \(ids.count); run the whole text without the cache.")
      #expect(cache.length == cut)
      return
    }
    let worst = distance(
      start + (try reference.outcome(of: [Array(ids[cut...])], cache: cache)),
      reference.outcome("0"))
    #expect(worst.error <= 1e-10, "off by \(worst)")
    #expect(cache.length == ids.count)
  }

  @Test(
    "A cache that knows the text's length gives what a whole pass gives",
    arguments: Reference.decoders)
  func cacheOfText(name: String) throws {
    let reference = try Reference(name, .float64)
    let ids = reference.ids("0.ids")
    let cache = KeyValueCache(
      layers: reference.model.shape.layers, capacity: ids.count, textLength: ids.count)
    let parts = [Array(ids[..<4]), Array(ids[4...])]
    let worst = distance(
      try parts.flatMap { try reference.outcome(of: [$0], cache: cache) }, reference.outcome("0"))
    #expect(worst.error <= 1e-10, "off by \(worst)")
  }

  @Test("Future tokens change nothing before them, past ones do", arguments: Reference.decoders)
  func causality(name: String) throws {
    let reference = try Reference(name, .float64)
    var ids = reference.ids("0.ids")
    ids[6] = (ids[6] + 1) % reference.model.shape.vocabulary
    let changed = try reference.outcome(of: [ids])
    let right = reference.outcome("0")
    let cut = 6 * reference.outcomeWidth
    #expect(distance(Array(changed[..<cut]), Array(right[..<cut])).error <= 1e-10)
    #expect(distance(Array(changed[cut...]), Array(right[cut...])).error > 1e-3)
  }

  // MARK: - Encoders

  @Test("A token changes the positions before it", arguments: Reference.encoders)
  func bothWays(name: String) throws {
    let reference = try Reference(name, .float64)
    var ids = reference.ids("0.ids")
    ids[6] = (ids[6] + 1) % reference.model.shape.vocabulary
    let changed = try reference.outcome(of: [ids])
    let before = 4 * reference.outcomeWidth..<6 * reference.outcomeWidth
    let apart = distance(Array(changed[before]), Array(reference.outcome("0")[before])).error
    #expect(apart > 1e-3)
  }

  // MARK: - What a run can be asked

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

extension Site {
  /// Whether references hold it; what follows from what they hold is tried by itself.
  var isStored: Bool {
    switch self {
    case .scale, .attention(_, .input), .feedForward(_, .input): false
    default: true
    }
  }
}
