import Attribution
import Checkpoints
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Rollout, flow, norms, routes and occlusion.
@Suite("The attention family")
struct AttentionFamilyTests {
  static let withHeads = [
    "llama-tied", "llama-grouped-untied", "llama-biases", "gpt2", "gpt-neox",
    "gpt-neox-sequential", "falcon", "falcon-new", "gemma", "gemma2", "gemma3", "olmo2", "phi3",
    "qwen2", "qwen2-window", "qwen3", "qwen2-moe", "mixtral", "mistral-window", "smollm3",
    "stablelm", "stablelm-parallel", "bert", "albert", "deberta", "deberta-v3", "distilbert",
    "electra-generator", "modernbert", "mpnet", "roberta",
  ]
  static let ids = [5, 17, 3, 32, 9, 20]

  static func model(_ name: String) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: .float64)
  }

  private func error(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was refused"
    } catch { return "\(error)" }
  }

  // MARK: Rollout

  @Test("The worked model's rollout and norms")
  func worked() throws {
    let model = try WorkedModel.load()
    let graph = try AttentionGraph(of: WorkedModel.clean, in: model)
    let rolled = AttentionRollout().matrices(of: graph)
    #expect(distance(rolled[0], [1, 0, 0.141742256466, 0.858257743534]).error < 1e-11)
    let norms = try AttentionNorms(.weighted).matrices(of: WorkedModel.clean, in: model)
    #expect(
      distance(norms[0], [0.503043272072, 0, 0.142604976967, 0.412226720064]).error < 1e-11)
  }

  @Test(
    "Rows of a rollout sum to 1, and in a decoder nothing comes from behind", arguments: withHeads)
  func rollout(name: String) throws {
    let model = try Self.model(name)
    let graph = try AttentionGraph(of: Self.ids, in: model)
    let count = Self.ids.count
    let rolled = AttentionRollout().matrices(of: graph)
    #expect(rolled.count == model.shape.layers)
    for matrix in rolled {
      for query in 0..<count {
        let row = matrix[query * count..<(query + 1) * count]
        #expect(abs(row.reduce(0, +) - 1) < 1e-12)
        let later = row.dropFirst(query + 1)
        #expect(later.allSatisfy { $0 == 0 } == (model.isCausal || query == count - 1))
      }
    }
    // The way to one position is that position's row, and starts at the row of its last layer.
    let shares = AttentionRollout().shares(of: graph, at: 4)
    let last = try #require(rolled.last)
    #expect(distance(shares[0], Array(last[4 * count..<5 * count])).error < 1e-13)
    let top = try #require(graph.layers.last)
    #expect(shares.last == Array(top[4 * count..<5 * count]))
    let scores = try AttentionRollout().scores(of: Self.ids, at: 4, in: model)
    #expect(scores.map(\.unit) == ["token", "residual"])
    #expect(scores[0].array.values == shares[0])
    #expect(scores[1].layers == Array(-1..<model.shape.layers - 1))
    #expect(scores.allSatisfy { ($0.certificates ?? []).allSatisfy { $0.residual < 1e-12 } })
  }

  // MARK: Flow

  /// The smallest cut, over all sets of nodes that hold the source and not the sink: what a largest flow must be.
  private func smallestCut(_ graph: AttentionGraph, from position: Int, to token: Int) -> Double {
    let (count, layers) = (graph.count, graph.layers.count)
    let nodes = (layers + 1) * count
    let (source, sink) = (layers * count + position, token)
    var smallest = Double.infinity
    for set in 0..<1 << nodes where set >> source & 1 == 1 && set >> sink & 1 == 0 {
      var cut = 0.0
      for layer in 0..<layers {
        for above in 0..<count where set >> ((layer + 1) * count + above) & 1 == 1 {
          for below in 0..<count where set >> (layer * count + below) & 1 == 0 {
            cut += graph.layers[layer][above * count + below]
          }
        }
      }
      smallest = min(smallest, cut)
    }
    return smallest
  }

  @Test(
    "The largest flow is the smallest cut", arguments: [(2, 4), (3, 3), (4, 2)], [true, false])
  func flowIsCut(shape: (count: Int, layers: Int), isCausal: Bool) throws {
    var numbers = SeededGenerator(seed: UInt64(shape.count * 2 + (isCausal ? 1 : 0)))
    for trial in 0..<6 {
      let layers = (0..<shape.layers).map { _ in
        (0..<shape.count).flatMap { query -> [Double] in
          let row = (0..<shape.count).map { key -> Double in
            // Zeros and steep rows, where ways lead back.
            key > query && isCausal
              ? 0
              : trial % 2 == 0 && Bool.random(using: &numbers)
                ? 0
                : .random(in: 0...1, using: &numbers)
                  * (trial > 3 ? .random(in: 0...1, using: &numbers) : 1)
          }
          let sum = row.reduce(0, +)
          return sum > 0 ? row.map { $0 / sum } : row
        }
      }
      let graph = AttentionGraph(count: shape.count, layers: layers)
      for position in 0..<shape.count {
        let flows = AttentionFlow().flows(of: graph, to: position)
        for token in 0..<shape.count {
          let cut = smallestCut(graph, from: position, to: token)
          #expect(abs(flows[token] - cut) < 1e-12, "trial \(trial), \(position) from \(token)")
        }
      }
    }
  }

  @Test("A flow is from 0 to 1, and no less than what rolls out", arguments: withHeads)
  func flow(name: String) throws {
    let model = try Self.model(name)
    let graph = try AttentionGraph(of: Self.ids, in: model)
    let flows = AttentionFlow().flows(of: graph, to: 4)
    // A rollout's shares are one flow of many.
    let rolled = AttentionRollout().shares(of: graph, at: 4)[0]
    for (flow, share) in zip(flows, rolled) {
      #expect(flow <= 1 + 1e-12 && flow >= share - 1e-12)
    }
    let scores = try AttentionFlow().scores(of: Self.ids, at: 4, in: model)
    #expect(scores[0].array.values == flows && scores[0].certificates == nil)
    let shares = try AttentionFlow().scores(of: Self.ids, at: 4, isNormalised: true, in: model)
    #expect(abs(shares[0].array.values.reduce(0, +) - 1) < 1e-12)
    #expect(shares[0].certificates?.first?.expected == 1 && shares[0].reason == nil)
  }

  // MARK: Norms

  @Test(
    "Norms are those of vectors added up one number at a time",
    arguments: [
      "llama-grouped-untied", "llama-biases", "gpt2", "gpt-neox", "gemma2", "olmo2", "bert",
      "falcon",
    ])
  func norms(name: String) throws {
    let model = try Self.model(name)
    let slow = try SlowAttention(Self.ids, in: model)
    let weighted = try AttentionNorms(.weighted).matrices(of: Self.ids, in: model)
    let block = try AttentionNorms(.block).matrices(of: Self.ids, in: model)
    for layer in 0..<model.shape.layers {
      #expect(distance(weighted[layer], slow.norms(layer, ofBlock: false)).error < 1e-11)
      #expect(distance(block[layer], slow.norms(layer, ofBlock: true)).error < 1e-11)
    }
  }

  @Test("Norms' shares sum to 1 in every family", arguments: withHeads)
  func normShares(name: String) throws {
    let model = try Self.model(name)
    for kind in AttentionNorms.Kind.allCases {
      let scores = try AttentionNorms(kind).scores(of: Self.ids, at: 4, in: model)
      #expect(scores.map(\.unit) == ["token", "attention"])
      #expect(abs(scores[0].array.values.reduce(0, +) - 1) < 1e-12)
      #expect(scores[0].array.values[5] == 0 || !model.isCausal)
    }
  }

  // MARK: Routes

  @Test(
    "All that arrives at a node is named, and all of it reaches the tokens", arguments: withHeads)
  func routes(name: String) throws {
    let model = try Self.model(name)
    let all = try InformationFlowRoutes(threshold: 0).routes(of: Self.ids, to: 4, in: model)
    #expect(abs(all.tokens.reduce(0, +) - 1) < 1e-12)
    let arriving = Dictionary(grouping: all.edges, by: \.target).mapValues {
      $0.reduce(0) { $0 + $1.importance }
    }
    #expect(arriving.values.allSatisfy { abs($0 - 1) < 1e-12 })
    #expect(arriving[all.root] != nil)
    // A threshold keeps the edges that reach it, of nodes that are still reached.
    let some = InformationFlowRoutes(threshold: 0.1)
    let kept = try some.routes(of: Self.ids, to: 4, in: model)
    #expect(!kept.edges.isEmpty && kept.edges.count < all.edges.count)
    #expect(kept.edges.allSatisfy { $0.importance >= 0.1 && all.edges.contains($0) })
    let reached = Set(kept.edges.map(\.source)).union([kept.root])
    #expect(kept.edges.allSatisfy { reached.contains($0.target) })
    #expect(
      all.edges.allSatisfy {
        !reached.contains($0.target) || $0.importance < 0.1 || kept.edges.contains($0)
      })
  }

  @Test(
    "Importances are those of terms taken away one at a time",
    arguments: ["llama-grouped-untied", "gpt2", "gpt-neox", "gemma2", "bert"])
  func importances(name: String) throws {
    let model = try Self.model(name)
    let slow = try SlowAttention(Self.ids, in: model)
    let layer = model.shape.layers - 1
    let all = try InformationFlowRoutes(threshold: 0).routes(of: Self.ids, to: 4, in: model)
    let expected = slow.importances(layer, at: 4)
    let isParallel = !model.sites.contains(.residual(layer, .middle))
    let found = all.edges.filter {
      $0.target.layer == layer && $0.target.position == 4 && $0.target.isMiddle != isParallel
    }
    #expect(found.count == expected.filter { $0.value > 0 }.count)
    for edge in found {
      let key =
        switch edge.way {
        case .residual: "residual"
        case .feedForward: "feed-forward"
        case .head(let head): "\(head) \(edge.source.position)"
        }
      #expect(abs(edge.importance - (expected[key] ?? -1)) < 1e-11, "\(key)")
    }
  }

  // MARK: Occlusion

  @Test(
    "Occlusion is what a text with one token changed says",
    arguments: ["llama-biases", "gpt2", "bert"])
  func occlusion(name: String) throws {
    let model = try Self.model(name)
    let metric = Metric(token: 7, versus: 11, position: 4)
    let embedding = try model.run([Self.ids], capturing: [.embedding]).activations[.embedding]
    let mean = try embedding.mean(along: 1).values()
    func value(_ ids: [Int], changing place: Int? = nil, to row: [Double] = []) throws -> Double {
      let run = try model.run(
        [ids], capturing: [.logits],
        pass: Pass(sites: place == nil ? [] : [.embedding]) { _, value in
          let parts = (0..<ids.count).map { position in
            position == place
              ? Tensor(row, [1, 1, row.count], .float64)
              : value.slice(position..<position + 1, along: 1)
          }
          return Tensor.concatenating(parts, along: 1)
        })
      let logits = try run.activations[.logits].reshaped([ids.count, -1]).values()
      let row = 4 * model.shape.vocabulary
      return logits[row + 7] - logits[row + 11]
    }
    let own = try value(Self.ids)
    let zero = [Double](repeating: 0, count: model.shape.width)
    for place in Self.ids.indices {
      var other = Self.ids
      other[place] = 23
      let expected = try [
        own - value(Self.ids, changing: place, to: zero),
        own - value(Self.ids, changing: place, to: mean), own - value(other),
      ]
      let found = try [Occlusion.Replacement.zero, .mean, .token(23)].map {
        // Rows at a time, fewer than there are.
        try Occlusion($0, tokensAtOnce: 13).scores(of: Self.ids, metric: metric, in: model)[0]
          .array.values[place]
      }
      #expect(distance(found, expected).error < 1e-11, "place \(place)")
    }
  }

  // MARK: Refusals

  @Test("What has no attention, or adds more than attention does, is refused with the reason")
  func refusals() throws {
    let mamba = try Self.model("mamba")
    let none =
      "Block 0 of mamba has no attention, so there is no pattern of what its tokens read; use occlusion or a "
      + "method of gradients."
    #expect(error { _ = try AttentionRollout().scores(of: [1, 2], at: 1, in: mamba) } == none)
    #expect(error { _ = try AttentionFlow().scores(of: [1, 2], at: 1, in: mamba) } == none)
    #expect(error { _ = try AttentionNorms().scores(of: [1, 2], at: 1, in: mamba) } == none)
    #expect(
      error { _ = try InformationFlowRoutes().scores(of: [1, 2], at: 1, in: mamba) } == none)
    let convolved = try Self.model("deberta-v2-convolution")
    #expect(
      error { _ = try AttentionNorms().scores(of: [1, 2], at: 1, in: convolved) }
        == "Block 0 of deberta-v2 has no rule that splits its update into attention and feed-forward network, "
        + "so what its heads add is not known; use rollout or attention-flow, which need patterns alone."
    )
    #expect(try AttentionRollout().scores(of: [1, 2], at: 1, in: convolved).count == 2)
    let llama = try Self.model("llama-tied")
    #expect(
      error { _ = try AttentionRollout().scores(of: [1, 2], at: 2, in: llama) }
        == "Position 2 is out of range; the text has positions 0 to 1.")
    #expect(
      error { _ = try InformationFlowRoutes(threshold: 1).scores(of: [1], at: 0, in: llama) }
        == "The threshold is 1.0; give a number from 0 to below 1.")
    let headless = try Self.model("bert-headless")
    #expect(
      error {
        _ = try Occlusion().scores(of: [1], metric: Metric(token: 0, position: 0), in: headless)
      }
        == "bert without a language-model head gives no logits, so there is no metric to change; use a checkpoint "
        + "that has one.")
    #expect(
      error {
        _ = try Occlusion().scores(of: [1], metric: Metric(token: 97, position: 0), in: llama)
      } == "Token id 97 is out of range; this model's vocabulary has ids 0 to 96.")
  }
}
