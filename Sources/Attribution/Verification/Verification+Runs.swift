internal import LanguageModels
internal import Tensors

// Runs of a model that must not differ, and those that must.

extension Verification {
  /// What is tried by running the model in several ways.
  var runChecks: [Check] {
    [
      Check(
        name: "finite", claim: "states and logits are finite numbers", tolerance: .exact,
        measure: finite),
      Check(
        name: "repeat", claim: "the same run gives the same numbers", tolerance: .exact
      ) {
        try distance(states([ids]), states([ids]))
      },
      model.isCausal ? causality : bothWays,
      Check(
        name: "batch", claim: "a text in a batch is the text alone", tolerance: .states
      ) {
        try distance(states([ids.reversed(), ids], row: 1), states([ids]))
      },
      Check(
        name: "cache", claim: "a text run piece by piece is the text run at once",
        tolerance: .states, measure: cache),
      Check(
        name: "threads", claim: "1 thread and 2 give the same numbers", tolerance: .threads,
        measure: threads),
      Check(
        name: "attention", claim: "fused attention is attention written out",
        tolerance: .states, measure: attention),
      Check(
        name: "replacement", claim: "a part replaced by its own value changes nothing",
        tolerance: .states, measure: replacement),
    ]
  }

  private func finite() throws -> Outcome {
    var values = try states([ids])
    if model.head != nil {
      let last = try model.run([ids]).residual.slice(ids.count - 1..<ids.count, along: 1)
      values.append(
        (
          "logits",
          try withEngineErrors {
            model.unembedding.logits(last).reshaped([1, -1]).to(.float64, on: .cpu)
          }
        ))
    }
    return try worst(
      values.map { place, values in
        (Double(try values.values().filter { !$0.isFinite }.count), place)
      })
  }

  /// The text with every token from a position on changed to its neighbour in the vocabulary.
  private func changed(from position: Int) -> [Int] {
    ids[..<position] + ids[position...].map { ($0 + 1) % model.shape.vocabulary }
  }

  private var causality: Check {
    Check(
      name: "causality", claim: "later tokens change no earlier state", tolerance: .states
    ) {
      let middle = max(1, ids.count / 2)
      return try distance(
        states([changed(from: middle)], first: middle), states([ids], first: middle))
    }
  }

  private var bothWays: Check {
    Check(
      name: "both-ways", claim: "later tokens change earlier states", tolerance: .states,
      exceeds: true
    ) {
      let last = ids.count - 1
      let (new, old) = try (states([changed(from: last)], first: 1), states([ids], first: 1))
      guard let end = new.last, let was = old.last else { return .none("there are no blocks") }
      return .missed(try end.values.distance(from: was.values), nil)
    }
  }

  private func cache() throws -> Outcome {
    guard model.isCausal else { return .none("every position sees every other: nothing is kept") }
    let cache = KeyValueCache(layers: layers, capacity: ids.count)
    // All but two tokens at once, then one by one.
    let first = ids.count - 2
    var pieces = [try states([Array(ids[..<first])], cache: cache)]
    for position in first..<ids.count {
      pieces.append(try states([[ids[position]]], cache: cache))
    }
    let joined = pieces[0].indices.map { site in
      (
        place: pieces[0][site].place,
        values: Tensor.concatenating(pieces.map { $0[site].values }, along: 0)
      )
    }
    return try distance(joined, states([ids]))
  }

  private func threads() throws -> Outcome {
    guard model.device == .cpu else { return .none("the model does not run on the processor") }
    let before = Engine.threads
    defer { Engine.threads = before }
    Engine.threads = 1
    let one = try states([ids])
    Engine.threads = 2
    return try distance(states([ids]), one)
  }

  private func attention() throws -> Outcome {
    let patterns = model.sites.filter {
      if case .attention(_, .pattern) = $0 { true } else { false }
    }
    guard !patterns.isEmpty else { return .none("no block has an attention pattern") }
    return try distance(states([ids], seeing: patterns), states([ids]))
  }

  private func replacement() throws -> Outcome {
    guard model.isCausal else {
      return .none("every position sees every other, so none can be changed alone")
    }
    guard model is any BlockwiseModel else { return .none("its blocks do not run one by one") }
    let position = ids.count - 1
    var parts: [(part: Replacement.Part, site: Site)] = []
    for layer in someLayers(4) {
      parts += [
        (.attention(layer), .attention(layer, .output)),
        (.mlp(layer), .feedForward(layer, .output)),
      ].filter { model.sites.contains($0.1) }
    }
    guard !parts.isEmpty else { return .none("no block shows what its branches add") }
    let run = try model.run([ids], capturing: Set(parts.map(\.site)))
    let own = try parts.map { part, site in
      Replacement(
        part,
        by: try run.activations[site].slice(position..<position + 1, along: 1).values())
    }
    let context = try model.rerunContext(of: ids, at: [position])
    let again = try model.rerun(own, at: position, of: context)
    let expected = run.residual.slice(position..<position + 1, along: 1)
      .reshaped([1, model.shape.width])
    return try worst(
      parts.indices.map { index in
        (
          try again.slice(index..<index + 1, along: 0).distance(from: expected),
          parts[index].site.description
        )
      })
  }
}
