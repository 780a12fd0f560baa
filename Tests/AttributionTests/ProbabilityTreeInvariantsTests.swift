import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// What holds for every explanation, on drawn ones.
@Suite("Invariants of the probability tree", .serialized)
struct ProbabilityTreeInvariantsTests {
  /// Draws what is asked of a model.
  private func draw(
    _ random: inout SeededGenerator, _ model: any LanguageModel, tolerance: Double
  ) -> (ids: [Int], options: Explainer.Options) {
    func any<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    let shape = model.shape
    func text(_ count: Int) -> [Int] {
      (0..<count).map { _ in .random(in: 0..<shape.vocabulary, using: &random) }
    }
    let ids = text(.random(in: 2...9, using: &random))
    var options = Explainer.Options()
    options.method.target = any(IGLensTests.targets)
    options.versus = .random(in: 0..<shape.vocabulary, using: &random)
    options.baseline = any([.mean, .meanAll, .meanWithoutSink, .zero, .embedding, .finalOf("")])
    options.baselineIDs = text(3)
    options.path = any([.chain, .chain, .straight])
    options.depth = any([.block, .head, .token])
    options.neurons = any([.none, .largest(3), .all])
    options.rule = .certified(tolerance: tolerance)
    options.layers = any([
      .all, .evenly(2), .these([-1]), .these([.random(in: 0..<shape.layers, using: &random)]),
    ])
    options.continuation = any([
      .everyToken, .positions([ids.count - 1, 0]), .answer(text(3)), .greedy(atMost: 2),
    ])
    return (ids, options)
  }

  /// The parts that a layer's value must have.
  private func kinds(_ layer: LayerAttribution, first: Bool, blocks: Range<Int>) {
    let expected =
      (first ? ["embedding -1"] : []) + blocks.flatMap { ["attention \($0)", "mlp \($0)"] }
    #expect(layer.parts?.map { "\($0.kind.rawValue) \($0.layer)" } == expected)
  }

  @Test(
    "Every sum of the tree is kept to its residual, and residuals are rounding or the tolerance",
    arguments: TreeReference.names, [ScalarType.float64, .float32])
  func sums(name: String, type: ScalarType) throws {
    let isWide = type == .float64
    let tolerance = isWide ? 1e-9 : 1e-4
    let model = try TreeReference(name, type)
    let network = model.explainer.loaded.model
    var random = SeededGenerator(seed: UInt64(name.count) + (isWide ? 0 : 100))
    var (cells, open, nodes) = (0, 0, 0)
    for trial in 0..<40 {
      let (ids, options) = draw(&random, network, tolerance: tolerance)
      let result = try model.explainer.explain(.init(text: "", ids: ids), options)
      let label = "\(name), trial \(trial): \(options.method.target.name), \(options.path.name)"
      for found in result.explanations {
        // A product of probabilities has no parts that add up.
        if found.target.span != nil, options.method.target == .probability {
          #expect(found.attributions.allSatisfy { $0.parts == nil && $0.residual == nil })
          continue
        }
        let total = found.attributions.reduce(0) { $0 + abs($1.value) }
        let rounding = isWide ? 1e-12 * (1 + total) : 1e-4 * total + 1e-6
        for (index, layer) in found.attributions.enumerated() {
          let parts = try #require(layer.parts)
          let start = index == 0 ? 0 : found.attributions[index - 1].layer + 1
          kinds(layer, first: index == 0, blocks: start..<layer.layer + 1)
          let residual = try #require(layer.residual)
          let sum = parts.reduce(0) { $0 + $1.value }
          #expect(abs(layer.value - sum - residual) <= 1e-15 * (1 + abs(sum)))
          cells += 1
          if layer.converged == true {
            let least = max(abs(layer.value), 0.01 * total)
            #expect(
              abs(residual)
                <= max(tolerance * least * (found.target.span == nil ? 1 : 3), rounding),
              "\(label), layer \(layer.layer): \(residual)")
          } else {
            open += 1
          }
          for node in parts.flatMap(\.all) {
            nodes += 1
            guard let children = node.children else {
              #expect(node.residual == 0)
              continue
            }
            let below = children.reduce(0) { $0 + $1.value }
            #expect(abs(node.value - below - node.residual) <= 1e-14 * (1 + abs(node.value)))
            #expect(
              abs(node.residual) <= rounding,
              "\(label): \(node.kind) \(node.layer) \(node.head ?? -1) misses \(node.residual)")
          }
        }
        let slack = options.path == .straight ? tolerance * max(abs(found.sum), total) : 0
        #expect(abs(found.certificate) <= rounding + slack * 3, "\(label): \(found.certificate)")
      }
    }
    #expect(cells > 100 && nodes > 2000)
    #expect(open * 20 <= cells, "\(open) of \(cells) did not converge")
  }

  /// Every number of an explanation's tree by layer and name.
  private func numbers(_ found: Explanation) -> [NamedParts] {
    found.attributions.map { layer in
      var all = layer.named
      all["value"] = layer.value
      all["lens"] = layer.lens
      return all
    }
  }

  private func compare(
    _ one: [Explanation], _ other: [Explanation], within tolerance: Double, _ label: String
  ) {
    #expect(one.count == other.count && !one.isEmpty)
    for (a, b) in zip(one, other) {
      for (x, y) in zip(numbers(a), numbers(b)) {
        #expect(x.count > 20)
        let worst = distance(x, y)
        #expect(worst.error < tolerance, "\(label) at \(a.position): off by \(worst)")
      }
    }
  }

  private func deep(_ path: PathChoice) -> Explainer.Options {
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.path = path
    options.depth = .token
    options.neurons = .all
    return options
  }

  @Test(
    "Parts do not depend on how many predictions share a sweep", arguments: TreeReference.names,
    [PathChoice.chain, .straight])
  func sweeps(name: String, path: PathChoice) throws {
    let model = try TreeReference(name)
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    var options = deep(path)
    let whole = try model.explainer.explain(.init(text: "", ids: ids), options)
    // The least memory that is enough: one prediction in each sweep.
    var memory = 1000
    var grouped: ExplainResult?
    while grouped == nil {
      memory += memory / 50
      options.memory = memory
      grouped = try? model.explainer.explain(.init(text: "", ids: ids), options)
    }
    compare(whole.explanations, grouped?.explanations ?? [], within: 1e-12, "\(name) in sweeps")
    #expect(memory < (try model.explainer.estimate(.init(text: "", ids: ids), deep(path)).bytes))
  }

  @Test(
    "Explained together or one by one, positions give the same parts",
    arguments: TreeReference.names)
  func together(name: String) throws {
    let model = try TreeReference(name)
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    for path in [PathChoice.chain, .straight] {
      var options = deep(path)
      let positions = [1, 4, 5, 10]
      options.continuation = .positions(positions)
      let whole = try model.explainer.explain(.init(text: "", ids: ids), options)
      for (index, position) in positions.enumerated() {
        options.continuation = .positions([position])
        let alone = try model.explainer.explain(.init(text: "", ids: ids), options)
        compare([whole.explanations[index]], alone.explanations, within: 1e-12, name)
      }
    }
  }

  @Test(
    "Generated with a cache or given, a continuation has the same parts",
    arguments: TreeReference.names)
  func generated(name: String) throws {
    let model = try TreeReference(name)
    let ids = Array((try model.stored("tree")["ids"]?.integers ?? []).prefix(5))
    var options = deep(.chain)
    options.continuation = .greedy(atMost: 4)
    let greedy = try model.explainer.explain(.init(text: "", ids: ids), options)
    options.continuation = .answer(greedy.tokens.dropFirst(5).map(\.id))
    let given = try model.explainer.explain(.init(text: "", ids: ids), options)
    #expect(given.explanations.count == 5)
    compare(
      greedy.explanations, Array(given.explanations.prefix(4)), within: 1e-11, name)
  }

  @Test(
    "One thread and two give the same parts to 1e-6", arguments: TreeReference.names,
    [ScalarType.float64, .float32])
  func threads(name: String, type: ScalarType) throws {
    let model = try TreeReference(name, type)
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    let before = Engine.threads
    defer { Engine.threads = before }
    for path in [PathChoice.chain, .straight] {
      let found = try [1, 2].map { count in
        Engine.threads = count
        return try model.explainer.explain(.init(text: "", ids: ids), deep(path)).explanations
      }
      compare(found[0], found[1], within: 1e-6, name)
    }
  }

  @Test("Future tokens change nothing before them", arguments: TreeReference.names)
  func future(name: String) throws {
    let model = try TreeReference(name)
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    var options = deep(.chain)
    options.continuation = .positions([2, 6])
    let long = try model.explainer.explain(.init(text: "", ids: ids), options)
    let short = try model.explainer.explain(.init(text: "", ids: Array(ids.prefix(8))), options)
    compare(long.explanations, short.explanations, within: 1e-12, name)
    // A head carries nothing from what it cannot see.
    for found in long.explanations {
      let sources = found.attributions.flatMap { $0.parts ?? [] }.flatMap(\.all).compactMap(
        \.source)
      #expect(Set(sources) == Set(0...found.position))
    }
  }

  @Test("The largest neurons and the others are all of them", arguments: TreeReference.names)
  func neurons(name: String) throws {
    let model = try TreeReference(name)
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    let hidden = model.explainer.loaded.model.shape.hidden
    for depth in [Depth.layer, .head] {
      var options = Explainer.Options()
      options.continuation = .everyToken
      options.depth = depth
      options.neurons = .all
      let all = try model.explainer.explain(.init(text: "", ids: ids), options)
      for count in [0, 1, 5, hidden, hidden + 7] {
        options.neurons = .largest(count)
        let some = try model.explainer.explain(.init(text: "", ids: ids), options)
        #expect(some.method.neurons == count)
        for (one, other) in zip(all.explanations, some.explanations) {
          for (full, short) in zip(one.attributions, other.attributions) {
            let mlps = [full, short].map { ($0.parts ?? []).filter { $0.kind == .mlp } }
            for (a, b) in zip(mlps[0], mlps[1]) {
              let known = (a.children ?? []).filter { $0.kind == .neuron }
                .sorted { abs($0.value) > abs($1.value) }
              #expect(known.count == hidden)
              let listed = (b.children ?? []).filter { $0.kind == .neuron }
              #expect(listed.map(\.neuron) == known.prefix(count).map(\.neuron))
              #expect(
                distance(listed.map(\.value), known.prefix(count).map(\.value)).error < 1e-14)
              let others = (b.children ?? []).filter { $0.kind == .others }
              #expect(others.count == (count < hidden ? 1 : 0))
              let rest = known.dropFirst(count).reduce(0) { $0 + $1.value }
              #expect(abs(others.reduce(0) { $0 + $1.value } - rest) < 1e-13)
              #expect(abs(b.residual) < 1e-12)
            }
          }
        }
      }
    }
  }

  // MARK: - Refusals

  /// A model whose blocks say nothing of their branches.
  private struct Opaque: BlockwiseModel {
    let inner: any BlockwiseModel
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
  }

  private func message(_ explainer: Explainer, _ options: Explainer.Options) -> String {
    do {
      _ = try explainer.explain(.init(text: "", ids: [1, 2, 3]), options)
      return "nothing was thrown"
    } catch { return "\(error)" }
  }

  @Test("A block without a rule is refused by name, and its layers are still explained")
  func noRule() throws {
    let inner = try #require(try TreeReference.network("qwen2") as? any BlockwiseModel)
    let explainer = try TreeReference.explainer(Opaque(inner: inner))
    var options = Explainer.Options()
    options.continuation = .everyToken
    #expect(message(explainer, options) == "nothing was thrown")
    options.path = .straight
    #expect(message(explainer, options) == "nothing was thrown")
    let refusal =
      "Block 0 of qwen2 has no rule that splits its update into attention and feed-forward "
      + "network; use --depth layer."
    for depth in [Depth.block, .head, .token] {
      options.depth = depth
      #expect(message(explainer, options) == refusal)
    }
    options.depth = .layer
    options.neurons = .largest(2)
    #expect(message(explainer, options) == refusal)
  }

  @Test("Choices that contradict each other are refused, and say what to leave out")
  func contradictions() throws {
    let explainer = try TreeReference("qwen2").explainer
    func refusal(_ change: (inout Explainer.Options) -> Void) -> String {
      var options = Explainer.Options()
      options.continuation = .everyToken
      change(&options)
      return message(explainer, options)
    }
    let compatible =
      "--compat iglens reads states that no path of the model visits; leave out --depth, "
      + "--neurons, --path, --paths, --baselines, --completion, --lens and --check."
    let changes: [(inout Explainer.Options) -> Void] = [
      { $0.depth = .block }, { $0.neurons = .all }, { $0.path = .straight },
      { $0.path = .shapley(orders: 4) }, { $0.check = CheckOptions(replacements: [.zero]) },
      { $0.otherPaths = [.straight] }, { $0.otherBaselines = [.zero] },
      { $0.reading = StateReading(.translator, file: "") { states, _ in states } },
    ]
    for change in changes {
      #expect(
        refusal {
          $0.compatible = true
          $0.baseline = .meanAll
          change(&$0)
        } == compatible)
    }
    let estimator =
      "--estimator is for whole layers on the chain; parts and other paths have integrals of their "
      + "own (--tol): leave one out."
    for estimated in [Estimator.gradient(steps: 4), .gauss(nodes: 8), .adaptive(tolerance: 1e-3)] {
      for change in changes.prefix(5) {
        #expect(
          refusal {
            $0.method.estimator = estimated
            change(&$0)
          } == estimator)
      }
    }
    for change in changes.prefix(2) {
      #expect(
        refusal {
          change(&$0)
          $0.path = .shapley(orders: 4)
        }
          == "--path shapley has a value for each layer but no one gradient to split it by; use "
          + "--depth layer, or --path chain or straight.")
    }
    #expect(
      refusal {
        $0.check = CheckOptions(replacements: [.zero])
        $0.path = .shapley(orders: 4)
      }
        == "--check predicts with a path's gradient, and --path shapley has no one gradient; use "
        + "--path chain or straight.")
    #expect(refusal { _ in } == "nothing was thrown")
  }
}
