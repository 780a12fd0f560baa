import Results

/// A model's facts in words.
struct InspectWords {
  private let result: InspectResult
  private let style: TerminalStyle
  private typealias Fact = FactSheet.Fact

  init(_ result: InspectResult, style: TerminalStyle) {
    self.result = result
    self.style = style
  }

  /// The groups, each with its heading.
  var groups: [(String, [FactSheet.Fact])] {
    [("sizes", sizes), ("weights", weights), ("embedding", embedding)]
      + result.blocks.map { group in
        let name = group.layers.count == 1 ? "block " : "blocks "
        return (name + words(Amount.layers(group.layers)) + " " + shown(group.wiring), facts(group))
      }
      + [
        ("head", head), ("sites (position is the text's)", sites), ("boundaries", boundaries),
        ("methods", methods),
      ]
  }

  private func shown(_ text: String) -> String { TerminalReport.shown(text, style: style) }
  private func words(_ text: String) -> String { style.glyphs.words(text) }

  private var sizes: [Fact] {
    let sizes = result.sizes
    var facts = [
      Fact(name: "width", text: "\(sizes.width)"), Fact(name: "hidden", text: "\(sizes.hidden)"),
      Fact(name: "vocabulary", text: "\(sizes.vocabulary)"),
      Fact(name: "context", text: "\(sizes.contextLength) tokens"),
    ]
    if sizes.heads > 0 {
      let shared =
        sizes.keyValueHeads == sizes.heads
        ? "" : ", \(sizes.keyValueHeads) of keys and values"
      facts.insert(
        Fact(name: "heads", text: "\(sizes.heads) of width \(sizes.headWidth)\(shared)"), at: 1)
    }
    return facts
  }

  private var weights: [Fact] {
    let total = max(1, result.parameters.first?.count ?? 1)
    let parts = result.parameters.dropFirst().map { part -> Fact in
      let share = Quantity.fixed(100 * Double(part.count) / Double(total), 1, signed: false)
      return Fact(name: shown(part.name), text: "\(Amount.count(part.count)), \(share) %")
    }
    var facts = parts
    facts.append(
      Fact(
        name: "memory",
        text: result.memory.map { "\(Amount.bytes($0.count)) as \(shown($0.name))" }
          .joined(separator: ", ")))
    if let storage = result.storage {
      let files =
        storage.files.count == 1 ? "one file" : "\(storage.files.count) files"
      facts.append(Fact(name: "stored", text: "\(shown(storage.format)), \(files)"))
      facts += storage.types.map {
        let tensors = $0.tensors == 1 ? "1 tensor" : "\($0.tensors) tensors"
        return Fact(
          name: shown($0.type),
          text: "\(tensors), \(Amount.count($0.parameters)) numbers, \(Amount.bytes($0.bytes))")
      }
    }
    return facts
  }

  private func text(_ norm: InspectedNorm) -> String {
    var text = norm.kind == "rms" ? "RMS" : norm.kind == "layer" ? "LayerNorm" : shown(norm.kind)
    if norm.onePlusWeight { text += " of scale 1 + w" }
    if norm.bias { text += " with bias" }
    return text + ", ε \(Amount.plain(norm.epsilon))"
  }

  /// Norms of one kind named once, with their places.
  private func facts(_ norms: [InspectedNorm]) -> [Fact] {
    var order: [String] = []
    var places: [String: [String]] = [:]
    for norm in norms {
      let kind = text(norm)
      if places[kind] == nil { order.append(kind) }
      places[kind, default: []].append(shown(norm.place))
    }
    return order.map {
      Fact(name: "norm", text: "\($0): \((places[$0] ?? []).joined(separator: ", "))")
    }
  }

  private var embedding: [Fact] {
    let found = result.embedding
    var facts: [Fact] = []
    var tokens = "a vector per token"
    if let width = found.width { tokens += " of width \(width), projected to the stream's" }
    if found.scale != 1 { tokens += ", multiplied by \(Amount.plain(found.scale))" }
    facts.append(Fact(name: "tokens", text: tokens))
    if let count = found.positions {
      facts.append(Fact(name: "positions", text: "\(count) vectors, added"))
    }
    if found.textType {
      facts.append(Fact(name: "text type", text: "that of a first text, added"))
    }
    return facts + self.facts(found.norms)
  }

  private func facts(_ group: InspectedBlocks) -> [Fact] {
    var facts = [Fact(name: "wiring", text: shown(group.formula))]
    facts += self.facts(group.norms)
    if let attention = group.attention { facts += self.facts(attention) }
    if let network = group.feedForward { facts.append(fact(network)) }
    if let mixer = group.mixer {
      facts.append(
        Fact(
          name: "mixer",
          text: "\(mixer.channels) channels of \(mixer.states) states, behind a convolution over "
            + "\(mixer.kernel) positions" + (mixer.activation.map { ", " + shown($0) } ?? "")))
    }
    if let note = group.note { facts.append(Fact(name: "note", text: shown(note))) }
    return facts
  }

  private func facts(_ attention: InspectedAttention) -> [Fact] {
    var heads = "\(attention.heads) heads of width \(attention.headWidth)"
    if attention.keyValueHeads != attention.heads {
      heads += ", \(attention.keyValueHeads) of keys and values"
    }
    if attention.inputBias || attention.outputBias {
      heads +=
        attention.inputBias && attention.outputBias
        ? ", biases" : attention.inputBias ? ", biases of q, k, v" : ", bias of the output"
    }
    var score = "q·k × \(Amount.plain(attention.scale))"
    if let cap = attention.softCap { score += ", capped to ±\(Amount.plain(cap)) by tanh" }
    if let relative = attention.relative { score += ", plus \(shown(relative))" }
    var facts = [
      Fact(name: "attention", text: heads), Fact(name: "scores", text: score),
      Fact(
        name: "window",
        text: attention.window.map {
          result.causal ? "\($0) positions" : "\($0 - 1) positions on each side"
        } ?? "the whole text"),
    ]
    if let rope = attention.rope {
      var text = "base \(Amount.plain(rope.base))"
      text +=
        rope.width == attention.headWidth
        ? ", whole heads" : ", \(rope.width) of \(attention.headWidth) dimensions"
      if rope.scaling != "none" { text += "; \(shown(rope.scaling))" }
      if let amplitude = rope.amplitude { text += "; amplitude \(Amount.plain(amplitude))" }
      facts.append(Fact(name: "rope", text: text))
    } else {
      facts.append(Fact(name: "rope", text: "none"))
    }
    return facts + self.facts(attention.norms)
  }

  private func fact(_ network: InspectedFeedForward) -> Fact {
    var text = network.gated ? "gated, " : ""
    text += "\(network.hidden) neurons"
    if let activation = network.activation { text += ", \(shown(activation))" }
    if network.bias { text += ", biases" }
    if let experts = network.experts {
      text = "\(experts) experts, \(network.chosen ?? 0) chosen per token; each " + text
      if let shared = network.sharedHidden { text += "; one of \(shared) neurons for all tokens" }
    }
    return Fact(name: "feed-forward", text: text)
  }

  private var head: [Fact] {
    guard let head = result.head else {
      return [Fact(name: "none", text: "an encoder without a language-model head")]
    }
    var text = head.kind == "tied" ? "tied to the embedding" : "a matrix of its own"
    if head.bias { text += ", with bias" }
    if let cap = head.softCap { text += ", logits capped to ±\(Amount.plain(cap)) by tanh" }
    var facts = [Fact(name: "matrix", text: text)]
    if let transform = head.transform {
      facts.append(
        Fact(name: "before", text: "a dense layer with \(shown(transform)), then the norm"))
    }
    return facts + self.facts(head.norms)
  }

  private var sites: [Fact] {
    result.sites.map { site in
      let shape = zip(site.axes, site.shape).map { axis, extent in
        extent.map { "\($0)" } ?? shown(axis)
      }
      let layers = site.layers.map { "; layers " + Amount.layers($0) } ?? ""
      let all = site.layers.map { $0.count == result.sizes.layers } ?? true
      return Fact(
        name: shown(site.name), text: shape.joined(separator: " × ") + (all ? "" : layers))
    }
  }

  private var boundaries: [Fact] {
    // Groups that differ in a window or a base have the same boundaries.
    var order: [InspectedBoundary] = []
    for boundary in result.boundaries {
      func isSame(_ other: InspectedBoundary) -> Bool {
        var copy = other
        copy.layers = boundary.layers
        return copy == boundary
      }
      if let index = order.firstIndex(where: isSame) {
        order[index].layers = (order[index].layers + boundary.layers).sorted()
      } else {
        order.append(boundary)
      }
    }
    return order.flatMap { boundary -> [Fact] in
      let isAll = boundary.layers.count == result.sizes.layers
      var facts: [Fact] =
        isAll ? [] : [Fact(name: "layers", text: Amount.layers(boundary.layers))]
      facts.append(Fact(name: "z", text: shown(boundary.z)))
      if let u = boundary.u { facts.append(Fact(name: "u", text: shown(u))) }
      facts.append(Fact(name: "z next", text: shown(boundary.next)))
      if let map = boundary.attention { facts.append(Fact(name: "attention", text: map)) }
      facts.append(
        Fact(name: boundary.u == nil ? "block" : "u to z next", text: boundary.mlp))
      if let note = boundary.note { facts.append(Fact(name: "note", text: note)) }
      return facts
    }
  }

  private var methods: [Fact] {
    result.methods.map { method in
      Fact(
        name: shown(method.name),
        text: method.supported ? "yes" : "no: " + shown(method.reason ?? "not known"),
        emphasis: method.supported ? .plain : .loss)
    }
  }
}
