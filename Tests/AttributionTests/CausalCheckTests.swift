import Attribution
import Checkpoints
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// Checks against ablations in the Hugging Face implementation, and against whole passes and
/// explicit products here.
@Suite("Predicted against actual changes")
struct CausalCheckTests {
  static let stored = ["llama-grouped-untied", "llama-biases", "qwen2", "gpt2", "llama-six-layers"]

  private func network(_ name: String) throws -> any LanguageModel {
    let folder = name == "llama-six-layers" ? "tree/models/" : "models/"
    return try loadNetwork(of: Checkpoint(Fixtures.url(folder + name)), type: .float64)
  }

  // MARK: - Against the Hugging Face implementation

  /// A stored ablation's part.
  private func part(_ stored: JSON) throws -> Replacement.Part {
    let layer = try #require(stored["layer"]?.integer)
    switch stored["kind"]?.string {
    case "layer": return .layer(layer)
    case "attention": return .attention(layer)
    case "mlp": return .mlp(layer)
    case "head": return .head(layer, try #require(stored["head"]?.integer))
    default: return .neurons(layer, stored["neurons"]?.integers ?? [])
    }
  }

  @Test("Both changes are the reference's, for every part and replacement", arguments: stored)
  func reference(name: String) throws {
    let model = try network(name)
    let readout = Readout(model.unembedding)
    let ablations = try AttributionTests.reference("tree/\(name)/ablations.json")
    let tree = try AttributionTests.reference("tree/\(name)/tree.json")
    let ids = ablations["ids"]?.integers ?? []
    let targets: [Target] = [.probability, .logitDifference]
    // The value at position 0 is the mean, and any sample, of the text of that token alone.
    let first: [[Int]] = [[ids[0]]]
    let kinds: [(String, String, CausalCheck.Replacement, CausalCheck.Scope, [[Int]])] = [
      ("zero", "position", .zero, .position, []), ("mean", "position", .mean, .position, []),
      ("first", "position", .mean, .position, first),
      ("first", "position", .resample, .position, first), ("zero", "all", .zero, .all, []),
    ]
    var compared = 0
    for test in ablations["cases"]?.array ?? [] {
      let position = try #require(test["position"]?.integer)
      let around = try #require(
        tree["cases"]?.array?.first { $0["position"]?.integer == position })
      for (by, at, replacement, scope, texts) in kinds {
        let rows = (test["ablations"]?.array ?? []).filter {
          $0["by"]?.string == by && $0["at"]?.string == at
        }
        for target in targets {
          let segments = around["targets"]?[target.name]?["segments"]?.array ?? []
          let study = AblationStudy(
            target: target, replacements: [replacement], scope: scope, reference: texts)
          let checks = try study.check(
            [
              .init(
                position: position, token: try #require(test["token"]?.integer),
                versus: test["versus"]?.integer,
                gradients: segments.map { $0["path_gradient"]?.numbers ?? [] },
                parts: try rows.map(part))
            ], of: ids, in: model, with: readout)
          let found = checks[0][0].rows
          #expect(found.count == rows.count && found.count >= 8)
          let label = "\(name) at \(position), \(by) at \(at), \(target.name)"
          let actual = rows.map { $0["actual"]?[target.name]?.double ?? .nan }
          let worst = distance(found.map(\.actual), actual)
          #expect(worst.error < 1e-9, "\(label): actual off by \(worst)")
          if at == "position" {
            let predicted = rows.map { $0["predicted"]?[target.name]?.double ?? .nan }
            let worst = distance(found.map(\.predicted), predicted)
            #expect(worst.error < 1e-9, "\(label): predicted off by \(worst)")
          }
          for (row, stored) in zip(found, rows) {
            #expect(row.kind.rawValue == stored["kind"]?.string)
            #expect(row.layer == stored["layer"]?.integer && row.head == stored["head"]?.integer)
            #expect(row.neurons ?? [] == stored["neurons"]?.integers ?? [])
            #expect(row.gap == row.predicted - row.actual)
          }
          compared += 1
        }
      }
    }
    #expect(compared == 20)
  }

  // MARK: - Against whole passes and explicit products

  /// F from logits by plain sums.
  private func value(
    _ target: Target, _ logits: [Double], token: Int, versus: Int, model: [Double]
  ) -> Double {
    func softmax(_ z: [Double]) -> [Double] {
      let largest = z.max() ?? 0
      let e = z.map { exponential($0 - largest) }
      let total = e.reduce(0, +)
      return e.map { $0 / total }
    }
    let (p, m) = (softmax(logits), softmax(model))
    switch target {
    case .probability: return p[token]
    case .logProbability: return logarithm(p[token])
    case .logit: return logits[token]
    case .probabilityDifference: return p[token] - p[versus]
    case .logitDifference: return logits[token] - logits[versus]
    case .entropy: return -p.reduce(0) { $0 + $1 * logarithm($1) }
    case .divergence:
      return zip(m, p).reduce(0) { $0 + $1.0 * (logarithm($1.0) - logarithm($1.1)) }
    }
  }

  @Test(
    "Every target's actual change is that of whole passes, and predictions share sweeps",
    arguments: IGLensTests.targets.map(\.name))
  func targets(name: String) throws {
    let target = try #require(IGLensTests.targets.first { $0.name == name })
    let model = try network("gpt2")
    let shape = model.shape
    let ids = [3, 17, 80, 41, 5, 22]
    let (token, versus) = (7, 30)
    let parts: [Replacement.Part] = [.layer(0), .mlp(1), .attention(2), .layer(2)]
    let gradients = Array(
      repeating: [Double](repeating: 0, count: shape.width), count: shape.layers)
    // The same prediction twice among others: sweeps of 4 rows cut every one of them.
    let subjects = [2, 5, 2].map {
      AblationStudy.Subject(
        position: $0, token: token, versus: versus, gradients: gradients, parts: parts)
    }
    let study = AblationStudy(target: target, replacements: [.zero], rowsPerSweep: 4)
    let checks = try study.check(subjects, of: ids, in: model, with: Readout(model.unembedding))
    #expect(checks.count == 3)
    for (subject, check) in zip(subjects, checks) {
      func logits(without part: Replacement.Part?) throws -> [Double] {
        var sites: Set<Site> = []
        switch part {
        case .layer(let layer): sites = [.attention(layer, .output), .feedForward(layer, .output)]
        case .mlp(let layer): sites = [.feedForward(layer, .output)]
        case .attention(let layer): sites = [.attention(layer, .output)]
        default: break
        }
        // At this position alone.
        var keep = [Double](repeating: 1, count: ids.count)
        keep[subject.position] = 0
        let mask = Tensor(keep, [1, ids.count, 1], .float64)
        let run = try model.run(
          [ids], capturing: [.logits], pass: Pass(sites: sites) { $1 * mask })
        return try run.activations[.logits]
          .slice(subject.position..<subject.position + 1, along: 1).values()
      }
      let plain = try logits(without: nil)
      let whole = value(target, plain, token: token, versus: versus, model: plain)
      let expected = try parts.map { part in
        whole
          - value(
            target, try logits(without: part), token: token, versus: versus, model: plain)
      }
      let worst = distance(check[0].rows.map(\.actual), expected)
      #expect(worst.error < 1e-12, "\(name) at \(subject.position): off by \(worst)")
    }
  }

  /// A model whose branches are said to pass through norms of their own; only what is predicted
  /// depends on that.
  private struct Normed: BlockwiseModel {
    let inner: any BlockwiseModel
    let norm: Norm
    var shape: ModelShape { inner.shape }
    var sites: Set<Site> { inner.sites }
    var head: Unembedding? { inner.head }
    func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
      inner.embed(ids, from: start, pass: pass)
    }
    func blocks(
      _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?, pass: Pass
    ) -> Tensor {
      inner.blocks(range, x, positions, cache: cache, pass: pass)
    }
    func rule(of layer: Int) -> BlockRule? {
      guard case .branches(let branches) = inner.rule(of: layer) else { return nil }
      return .branches(
        BlockBranches(
          attention: Branch(output: branches.attention.output, norm: norm),
          feedForward: branches.feedForward.map { Branch(output: $0.output, norm: norm) }))
    }
  }

  @Test(
    "A branch's own norm maps heads and neurons at the scale of the run",
    arguments: [Norm.Kind.rms, .layer])
  func branchNorm(kind: Norm.Kind) throws {
    let inner = try #require(try network("gpt2") as? any BlockwiseModel)
    let (shape, width) = (inner.shape, inner.shape.width)
    var random = SeededGenerator(seed: 8)
    func numbers(_ count: Int) -> [Double] {
      (0..<count).map { _ in .random(in: -1...1, using: &random) }
    }
    let gamma = numbers(width)
    let model = Normed(
      inner: inner,
      norm: Norm(
        kind: kind, weight: Tensor(gamma, [width], .float64),
        bias: kind == .layer ? Tensor(numbers(width), [width], .float64) : nil, epsilon: 1e-3))
    let ids = [3, 17, 80, 41, 5]
    let gradients = (0..<shape.layers).map { _ in numbers(width) }
    let (layer, position, chosen) = (1, 4, [2, 39])
    let parts: [Replacement.Part] = [.head(layer, 1), .neurons(layer, chosen)]
    let checks = try AblationStudy(replacements: [.zero]).check(
      [.init(position: position, token: 1, gradients: gradients, parts: parts)], of: ids,
      in: model, with: Readout(model.unembedding))

    // ⟨ḡ, D W c⟩ with D written out as a matrix's action on W c.
    let run = try inner.run(
      [ids], capturing: [.attention(layer, .heads), .feedForward(layer, .hidden)])
    guard case .branches(let branches) = inner.rule(of: layer) else {
      Issue.record("no rule")
      return
    }
    let network = try #require(branches.feedForward)
    func expected(_ site: Site, _ branch: Branch, kept: [Int]) throws -> Double {
      let all = try run.activations[site].slice(position..<position + 1, along: 1).values()
      let weight = try branch.output.weight.values()
      let bias = try branch.output.bias?.values() ?? []
      func out(_ inputs: [Int], _ k: Int) -> Double {
        inputs.reduce(0) { $0 + weight[k * all.count + $1] * all[$1] }
      }
      let added = (0..<width).map { out(Array(all.indices), $0) + bias[$0] }
      let piece = (0..<width).map { out(kept, $0) }
      func mean(_ x: [Double]) -> Double { kind == .layer ? x.reduce(0, +) / Double(width) : 0 }
      let square = added.reduce(0) { $0 + ($1 - mean(added)) * ($1 - mean(added)) }
      let scale = (square / Double(width) + 1e-3).squareRoot()
      return (0..<width).reduce(0) {
        $0 + gradients[layer][$1] * gamma[$1] * (piece[$1] - mean(piece)) / scale
      }
    }
    let head = Array(shape.headWidth..<2 * shape.headWidth)
    let predicted = [
      try expected(.attention(layer, .heads), branches.attention, kept: head),
      try expected(.feedForward(layer, .hidden), network, kept: chosen),
    ]
    #expect(distance(checks[0][0].rows.map(\.predicted), predicted).error < 1e-12)
  }

  // MARK: - What replaces

  @Test("A mean of reference texts is over all their positions, a sample is one of them")
  func referenceTexts() throws {
    let model = try network("qwen2")
    let shape = model.shape
    let ids = [5, 9, 60, 33]
    let texts = [[1, 2, 3], [70], [8, 9]]
    let gradients = Array(
      repeating: (0..<shape.width).map { Double($0 % 5) - 2 }, count: shape.layers)
    let subjects = [3, 0].map {
      AblationStudy.Subject(
        position: $0, token: 1, gradients: gradients, parts: [.mlp(1), .layer(0)])
    }
    let study = AblationStudy(replacements: [.mean, .resample], reference: texts, seed: 4)
    let checks = try study.check(subjects, of: ids, in: model, with: Readout(model.unembedding))
    func rows(_ text: [Int]) throws -> [[[Double]]] {
      let run = try model.run(
        [text],
        capturing: [.feedForward(1, .output), .residual(0, .before), .residual(0, .after)])
      let update = run.activations[.residual(0, .after)] - run.activations[.residual(0, .before)]
      return try text.indices.map { position in
        try [run.activations[.feedForward(1, .output)], update].map {
          try $0.slice(position..<position + 1, along: 1).values()
        }
      }
    }
    let (own, others) = (try rows(ids), try texts.map(rows))
    let all = Array(others.joined())
    for (subject, found) in zip(subjects, checks) {
      #expect(found.map(\.replacement) == [.mean, .resample] && found[0].source == nil)
      let place = try #require(found[1].source)
      let sample = others[try #require(place.text)][place.position]
      for part in 0..<2 {
        let mean = (0..<shape.width).map { k in
          all.reduce(0) { $0 + $1[part][k] } / Double(all.count)
        }
        for (check, other) in zip(found, [mean, sample[part]]) {
          let expected = (0..<shape.width).reduce(0) {
            $0 + gradients[0][$1] * (own[subject.position][part][$1] - other[$1])
          }
          #expect(abs(check.rows[part].predicted - expected) < 1e-11)
        }
      }
    }
  }

  @Test("Samples are of earlier positions, repeat with the seed, and position 0 has none")
  func samples() throws {
    let model = try network("gpt2")
    let shape = model.shape
    let ids = [3, 17, 80, 41, 5, 22, 9, 14]
    let subjects = ids.indices.map {
      AblationStudy.Subject(
        position: $0, token: 1,
        gradients: Array(
          repeating: Array(repeating: 1, count: shape.width), count: shape.layers),
        parts: [.head(0, 1)])
    }
    func places(seed: Int) throws -> [Int?] {
      try AblationStudy(replacements: [.resample], seed: seed)
        .check(subjects, of: ids, in: model, with: Readout(model.unembedding))
        .map { $0.first?.source?.position }
    }
    var seen: Set<Int> = []
    for seed in 0..<12 {
      let found = try places(seed: seed)
      #expect(found[0] == nil)
      for (position, place) in found.enumerated().dropFirst() {
        #expect((0..<position).contains(try #require(place)))
      }
      seen.insert(try #require(found[7]))
      #expect(try places(seed: seed) == found)
    }
    #expect(seen.count >= 4)
    // Alone, a prediction draws the place that it draws among others.
    let alone = try AblationStudy(replacements: [.resample], seed: 3)
      .check([subjects[6]], of: ids, in: model, with: Readout(model.unembedding))
    #expect(alone[0][0].source?.position == (try places(seed: 3))[6])
  }

  @Test("Agreement is counted by kind, in a fixed order, over the rows shown")
  func agreement() throws {
    let model = try network("llama-six-layers")
    let shape = model.shape
    var random = SeededGenerator(seed: 2)
    let gradients = (0..<shape.layers).map { _ in
      (0..<shape.width).map { _ in Double.random(in: -1...1, using: &random) }
    }
    let parts =
      (0..<6).map { Replacement.Part.mlp($0) } + (0..<6).map { .layer($0) } + [.head(3, 0)]
    let checks = try AblationStudy(replacements: [.mean, .zero]).check(
      [.init(position: 6, token: 4, gradients: gradients, parts: parts)],
      of: [3, 17, 80, 41, 5, 22, 9], in: model, with: Readout(model.unembedding))
    #expect(checks[0].map(\.replacement) == [.mean, .zero])
    for check in checks[0] {
      #expect(check.agreement.map(\.kind) == [.layer, .mlp, .head])
      #expect(check.agreement.map(\.count) == [6, 6, 1])
      for agreement in check.agreement {
        let rows = check.rows.filter { $0.kind == agreement.kind }
        #expect(
          agreement.spearman
            == RankAgreement.spearman(rows.map(\.predicted), rows.map(\.actual)))
        #expect((agreement.spearman == nil) == (rows.count == 1))
        let same = rows.filter { ($0.predicted > 0) == ($0.actual > 0) }
        #expect(agreement.signAgreement == Double(same.count) / Double(rows.count))
      }
    }
  }

  @Test("On SmolLM2 the last layer's absence is its share, and others are those of whole passes")
  func smolLM2() throws {
    let loaded = try LoadedModel(at: SmolLM2Tests.file, type: .float32)
    let (model, shape) = (loaded.model, loaded.model.shape)
    let ids = loaded.tokenizer.encode("The capital of France is").ids
    let paris = 7042
    let parts: [Replacement.Part] = [.layer(29), .layer(15), .head(20, 3), .mlp(28)]
    let gradients = Array(
      repeating: [Double](repeating: 0, count: shape.width), count: shape.layers)
    let checks = try AblationStudy(replacements: [.zero]).check(
      [.init(position: 4, token: paris, gradients: gradients, parts: parts)], of: ids, in: model,
      with: Readout(model.unembedding))
    let found = checks[0][0].rows.map(\.actual)
    let shares = try AttributionTests.reference("models/smollm2-reference.json")["float64"]?[
      "france"]?["chain"]?["observed"]?.numbers
    #expect(abs(found[0] - (try #require(shares?.last))) < 2e-5)

    func probability(_ sites: Set<Site>, head: Int? = nil) throws -> Double {
      let run = try model.run(
        [ids], capturing: [.logits],
        pass: Pass(sites: sites) { _, value in
          let rest = value.slice(0..<4, along: 1)
          let last = value.slice(4..<5, along: 1)
          guard let head else { return .concatenating([rest, last * 0], along: 1) }
          let parts = [
            last.slice(0..<head, along: 2), last.slice(head..<head + 1, along: 2) * 0,
            last.slice(head + 1..<shape.heads, along: 2),
          ]
          return .concatenating([rest, .concatenating(parts, along: 2)], along: 1)
        })
      return try run.activations[.logits].slice(4..<5, along: 1).softmax(along: -1)
        .values()[paris]
    }
    let plain = try probability([])
    let expected = try [
      plain - probability([.attention(15, .output), .feedForward(15, .output)]),
      plain - probability([.attention(20, .heads)], head: 3),
      plain - probability([.feedForward(28, .output)]),
    ]
    #expect(distance(Array(found[1...]), expected).error < 2e-5)
    #expect(expected.allSatisfy { abs($0) > 1e-4 })
  }

  @Test("What does not add to the residual stream is refused by name")
  func refusals() throws {
    struct Opaque: BlockwiseModel {
      let inner: any BlockwiseModel
      var shape: ModelShape { inner.shape }
      var sites: Set<Site> { inner.sites }
      var head: Unembedding? { inner.head }
      func embed(_ ids: [[Int]], from start: Int, pass: Pass) -> Tensor {
        inner.embed(ids, from: start, pass: pass)
      }
      func blocks(
        _ range: Range<Int>, _ x: Tensor, _ positions: Positions, cache: KeyValueCache?,
        pass: Pass
      ) -> Tensor {
        inner.blocks(range, x, positions, cache: cache, pass: pass)
      }
    }
    let inner = try #require(try network("qwen2") as? any BlockwiseModel)
    let model = Opaque(inner: inner)
    let gradients = Array(
      repeating: [Double](repeating: 1, count: inner.shape.width), count: inner.shape.layers)
    func message(_ part: Replacement.Part) -> String {
      do {
        _ = try AblationStudy().check(
          [.init(position: 1, token: 0, gradients: gradients, parts: [part])], of: [1, 2],
          in: model, with: Readout(model.unembedding))
        return "nothing was thrown"
      } catch { return "\(error)" }
    }
    #expect(
      message(.head(0, 0))
        == "The heads and neurons of this qwen2 do not add to the residual stream one by one; "
        + "check its layers, attention and MLPs.")
    #expect(message(.attention(0)) == "nothing was thrown")
    #expect(message(.head(0, 4)) == "There is no head 4 in this qwen2; its heads are 0 to 3.")
  }
}
