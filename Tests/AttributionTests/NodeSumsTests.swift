import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// A span's tree, against the trees of its tokens' log-probabilities.
@Suite("A span's parts")
struct NodeSumsTests {
  private let answer = [40, 7, 88]

  private func explain(
    _ name: String, _ change: (inout Explainer.Options) -> Void
  ) throws -> [Explanation] {
    let model = try TreeReference(name)
    let ids = Array((try model.stored("tree")["ids"]?.integers ?? []).prefix(5))
    var options = Explainer.Options()
    options.continuation = .answer(answer)
    options.rule = .certified(tolerance: 1e-8)
    change(&options)
    return try model.explainer.explain(.init(text: "", ids: ids), options).explanations
  }

  @Test(
    "Each part is the sum of its tokens', and they sum to the span's layers",
    arguments: TreeReference.names, [PathChoice.chain, .straight])
  func sums(name: String, path: PathChoice) throws {
    let found = try explain(name) {
      $0.path = path
      $0.method.target = .logProbability
      $0.depth = .token
      $0.neurons = .all
    }
    #expect(found.count == 4)
    let (tokens, span) = (found.prefix(3), found[3])
    #expect(span.target.span?.map(\.id) == answer)
    for (index, layer) in span.attributions.enumerated() {
      var expected: NamedParts = [:]
      for token in tokens {
        for (part, value) in token.attributions[index].named {
          expected[part, default: 0] += value
        }
      }
      let worst = distance(layer.named, expected)
      #expect(worst.error < 1e-12, "\(name), \(path.name): off by \(worst)")
      let value = tokens.reduce(0) { $0 + $1.attributions[index].value }
      #expect(abs(layer.value - value) < 1e-12)
      let sum = (layer.parts ?? []).reduce(0) { $0 + $1.value }
      #expect(abs(sum - value) < 1e-6 * (1 + abs(value)))
      #expect(abs(value - sum - (layer.residual ?? .nan)) < 1e-13)
      #expect(layer.nodes == tokens.compactMap { $0.attributions[index].nodes }.max())
      #expect(layer.converged == tokens.allSatisfy { $0.attributions[index].converged == true })
    }
    #expect(abs(span.certificate) < (path == .chain ? 1e-11 : 1e-6))
  }

  @Test(
    "With p as target a span has the layers of log p, and no parts: a product has none",
    arguments: TreeReference.names, [PathChoice.chain, .straight])
  func products(name: String, path: PathChoice) throws {
    let spans = try [Target.probability, .logProbability].map { target in
      try #require(
        try explain(name) {
          $0.path = path
          $0.method.target = target
          $0.depth = .token
          $0.neurons = .largest(2)
        }.last)
    }
    for (layer, known) in zip(spans[0].attributions, spans[1].attributions) {
      #expect(abs(layer.value - known.value) < (path == .chain ? 1e-12 : 1e-7))
      #expect(layer.parts == nil && layer.residual == nil)
      #expect(layer.converged == (path == .chain ? nil : true))
    }
    #expect(spans[0].modelValue == spans[1].modelValue)
    #expect(abs(spans[0].certificate) < (path == .chain ? 1e-11 : 1e-6))
  }

  @Test("The largest neurons of a span are those of the sum", arguments: TreeReference.names)
  func neurons(name: String) throws {
    let all = try #require(
      try explain(name) {
        $0.method.target = .logProbability
        $0.neurons = .all
      }.last)
    let some = try #require(
      try explain(name) {
        $0.method.target = .logProbability
        $0.neurons = .largest(4)
      }.last)
    for (full, short) in zip(all.attributions, some.attributions) {
      for (a, b) in zip(full.parts ?? [], short.parts ?? []) where a.kind == .mlp {
        let known = (a.children ?? []).filter { $0.kind == .neuron }
          .sorted { abs($0.value) > abs($1.value) }
        let listed = (b.children ?? []).filter { $0.kind == .neuron }
        #expect(listed.map(\.neuron) == known.prefix(4).map(\.neuron))
        #expect(distance(listed.map(\.value), known.prefix(4).map(\.value)).error < 1e-13)
        let others = (b.children ?? []).filter { $0.kind == .others }.map(\.value)
        #expect(distance(others, [known.dropFirst(4).reduce(0) { $0 + $1.value }]).error < 1e-12)
        let biases = [a, b].map { ($0.children ?? []).filter { $0.kind == .bias }.map(\.value) }
        #expect(distance(biases[0], biases[1]).error < 1e-14)
        #expect(abs(b.value - (b.children ?? []).reduce(0) { $0 + $1.value } - b.residual) < 1e-12)
      }
    }
  }

  @Test(
    "A span along Shapley orders is its tokens' log-probabilities'", arguments: TreeReference.names)
  func shapley(name: String) throws {
    let span = try #require(try explain(name) { $0.path = .shapley(orders: 4) }.last)
    let tokens = try explain(name) {
      $0.path = .shapley(orders: 4)
      $0.method.target = .logProbability
    }.prefix(3)
    for (index, layer) in span.attributions.enumerated() {
      #expect(abs(layer.value - tokens.reduce(0) { $0 + $1.attributions[index].value }) < 1e-12)
    }
    #expect(abs(span.certificate) < 1e-11)
  }
}
