import Attribution
import Checkpoints
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Patching, tracing with noise, and steering.
@Suite("Interventions")
struct InterventionTests {
  static let models = [
    "llama-grouped-untied", "gpt2", "gpt-neox", "gemma2", "olmo2", "mixtral", "bert", "modernbert",
    "deberta-v3",
  ]
  static let clean = [5, 17, 3, 42, 9, 60]
  static let corrupted = [5, 17, 8, 42, 13, 60]
  static let metric = Metric(token: 7, versus: 11, position: 4)

  static func model(
    _ name: String, _ type: ScalarType = .float64
  ) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
  }

  private func error(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was refused"
    } catch { return "\(error)" }
  }

  /// The metric of one whole run of a text, with values changed on their way.
  private func value(
    _ ids: [Int], _ metric: Metric, in model: any LanguageModel,
    changing sites: Set<Site> = [], _ change: @escaping (Site, Tensor) -> Tensor = { $1 }
  ) throws -> Double {
    let run = try model.run(
      [ids], capturing: [.logits], pass: Pass(sites: sites, visit: change))
    let logits = try run.activations[.logits].reshaped([ids.count, -1])
      .slice(metric.position..<metric.position + 1, along: 0).reshaped([-1])
    switch metric.kind {
    case .logit: break
    case .probability:
      let shares = try logits.softmax(along: 0).values()
      return shares[metric.tokens[0]] - (metric.versus.first.map { shares[$0] } ?? 0)
    case .logProbability:
      return try logits.logSoftmax(along: 0).values()[metric.tokens[0]]
    }
    let values = try logits.values()
    return values[metric.tokens[0]] - (metric.versus.first.map { values[$0] } ?? 0)
  }

  /// A value with one position of another in it, or one head of some positions.
  private func spliced(
    _ value: Tensor, _ other: Tensor, _ positions: [Int], head: Int? = nil
  ) throws -> Tensor {
    var numbers = try value.values()
    let source = try other.values()
    let shape = value.shape
    let row = shape.dropFirst(2).reduce(1, *)
    let width = head == nil ? row : shape[3]
    for position in positions {
      let start = position * row + (head ?? 0) * width
      numbers.replaceSubrange(start..<start + width, with: source[start..<start + width])
    }
    return Tensor(numbers, shape, .float64)
  }

  // MARK: Patching

  @Test(
    "Every cell is a whole run with the other run's value in it", arguments: models,
    PatchDirection.allCases)
  func cells(name: String, direction: PatchDirection) throws {
    let model = try Self.model(name)
    // Fewer tokens at once than a layer has cells.
    let patching = ActivationPatching(
      units: PatchUnit.allCases, direction: direction, tokensAtOnce: 20)
    let found = try patching.run(
      clean: Self.clean, corrupted: Self.corrupted, metric: Self.metric, in: model)
    #expect(abs(found.clean - (try value(Self.clean, Self.metric, in: model))) < 1e-12)
    #expect(abs(found.corrupted - (try value(Self.corrupted, Self.metric, in: model))) < 1e-12)
    let (source, base) =
      direction == .denoise ? (Self.clean, Self.corrupted) : (Self.corrupted, Self.clean)
    for (unit, grid) in zip(PatchUnit.allCases, found.grids) {
      let sites = Set((0..<model.shape.layers).map(unit.site))
      let other = try model.run([source], capturing: sites).activations
      let columns = unit == .head ? model.shape.heads : Self.clean.count
      #expect(grid.metric.shape == [model.shape.layers, columns])
      #expect(grid.metric.axes == grid.axes)
      for layer in 0..<model.shape.layers {
        for column in 0..<columns {
          let positions = unit == .head ? Array(Self.clean.indices) : [column]
          let expected = try value(
            base, Self.metric, in: model, changing: [unit.site(layer)]
          ) { site, value in
            (try? spliced(value, other[site], positions, head: unit == .head ? column : nil))
              ?? value
          }
          #expect(abs(grid.metric[layer, column] - expected) < 1e-11, "\(unit) \(layer) \(column)")
          let effect = try #require(grid.effect)[layer, column]
          let share = (expected - found.corrupted) / (found.clean - found.corrupted)
          #expect(abs(effect - share) < 1e-9)
        }
      }
    }
    // The runs that would have been the base's own are not run.
    #expect(found.passes.backward == 0)
    let whole = 2 + (3 * Self.clean.count + model.shape.heads) * model.shape.layers
    #expect(found.passes.forward < Double(whole))
  }

  @Test(
    "The one token that differs, restored as it enters, gives the clean metric", arguments: models)
  func whole(name: String) throws {
    let model = try Self.model(name)
    var other = Self.clean
    other[2] = 8
    let patching = ActivationPatching(layers: [0], positions: [1, 2])
    let found = try patching.run(
      clean: Self.clean, corrupted: other, metric: Self.metric, in: model)
    #expect(abs(found.grids[0].metric[0, 1] - found.clean) < 1e-12)
    #expect(abs(try #require(found.grids[0].effect)[0, 1] - 1) < 1e-9)
    #expect(abs(found.grids[0].metric[0, 0] - found.corrupted) < 1e-12)
    #expect(found.grids[0].layers == [0] && found.grids[0].positions == [1, 2])
  }

  @Test("A window patches several blocks, and heads only the tokens that are named")
  func window() throws {
    let model = try Self.model("smollm3")
    let patching = ActivationPatching(
      units: [.residual, .mlp, .head], layers: [0, 2], positions: [2, 4], window: 3)
    let found = try patching.run(
      clean: Self.clean, corrupted: Self.corrupted, metric: Self.metric, in: model)
    #expect(found.grids.map(\.window) == [1, 3, 3])
    for unit in [PatchUnit.mlp, .head] {
      let grid = try #require(found.grids.first { $0.unit == unit.rawValue })
      let sites = Set((0..<model.shape.layers).map(unit.site))
      let other = try model.run([Self.clean], capturing: sites).activations
      for (row, blocks) in [[0, 1], [1, 2, 3]].enumerated() {
        let expected = try value(
          Self.corrupted, Self.metric, in: model, changing: Set(blocks.map(unit.site))
        ) { site, value in
          (try? spliced(
            value, other[site], unit == .head ? [2, 4] : [2], head: unit == .head ? 1 : nil))
            ?? value
        }
        #expect(abs(grid.metric[row, unit == .head ? 1 : 0] - expected) < 1e-11)
      }
    }
  }

  @Test("Runs that do not differ have no share of a difference")
  func guarded() throws {
    let model = try Self.model("llama-tied")
    let found = try ActivationPatching().run(
      clean: Self.clean, corrupted: Self.clean, metric: Self.metric, in: model)
    #expect(found.grids[0].effect == nil && found.clean == found.corrupted)
    #expect(found.grids[0].metric.values.allSatisfy { $0 == found.clean })
    #expect(found.passes.forward == 2)
  }

  // MARK: Noise

  @Test(
    "A seed decides the noise, and restoring all of it gives the clean metric",
    arguments: ["gpt2", "bert"])
  func noise(name: String) throws {
    let model = try Self.model(name)
    var tracing = CausalTracing(
      ActivationPatching(units: [.residual, .mlp]), scale: 2, samples: 3, seed: 4)
    let metric = Metric(.probability, token: 7, position: 4)
    let (first, description) = try tracing.run(
      of: Self.clean, subject: [2], metric: metric, in: model)
    let (again, _) = try tracing.run(of: Self.clean, subject: [2], metric: metric, in: model)
    #expect(first.corrupted == again.corrupted && first.grids == again.grids)
    tracing.seed = 5
    let (other, _) = try tracing.run(of: Self.clean, subject: [2], metric: metric, in: model)
    #expect(first.corrupted != other.corrupted && first.clean == other.clean)
    #expect(description.positions == [2] && description.samples == 3 && description.seed == 4)
    #expect(abs(first.grids[0].metric[0, 2] - first.clean) < 1e-13)
    #expect(first.grids[0].metric[0, 1] == first.corrupted || !model.isCausal)
    #expect(abs(first.clean - (try value(Self.clean, metric, in: model))) < 1e-13)
  }

  @Test("Noise has the deviation that it says, and each cell is the mean over its draws")
  func draws() throws {
    let model = try Self.model("gpt2")
    let metric = Metric(token: 7, position: 5)
    let samples = 400
    let (found, noise) = try CausalTracing(
      ActivationPatching(layers: [1], positions: [3]), scale: 2, samples: samples, seed: 1
    ).run(of: Self.clean, subject: [1, 2], metric: metric, in: model)
    let embedding = try model.run([Self.clean], capturing: [.embedding]).activations[.embedding]
    let values = try embedding.values()
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    #expect(abs(noise.deviation - variance.squareRoot()) < 1e-12)
    // The same distribution drawn here, with a generator of its own: the means lie within their errors.
    var numbers = SeededGenerator(seed: 77)
    func normal() -> Double {
      (0..<12).reduce(-6.0) { sum, _ in sum + .random(in: 0..<1, using: &numbers) }
    }
    let clean = try model.run([Self.clean], capturing: [.residual(1, .before)])
      .activations[.residual(1, .before)]
    var drawn: [Double] = []
    var restored: [Double] = []
    for _ in 0..<samples {
      var noisy = values
      for place in model.shape.width..<3 * model.shape.width {
        noisy[place] += 2 * noise.deviation * normal()
      }
      let changed = Tensor(noisy, embedding.shape, .float64)
      drawn.append(
        try value(Self.clean, metric, in: model, changing: [.embedding]) { _, _ in changed })
      restored.append(
        try value(
          Self.clean, metric, in: model, changing: [.embedding, .residual(1, .before)]
        ) { site, value in
          site == .embedding ? changed : (try? spliced(value, clean, [3])) ?? value
        })
    }
    for (mine, theirs) in [(drawn, found.corrupted), (restored, found.grids[0].metric[0, 0])] {
      let mean = mine.reduce(0, +) / Double(samples)
      let spread = mine.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(samples)
      #expect(abs(mean - theirs) < 4 * (2 * spread / Double(samples)).squareRoot())
    }
  }

  // MARK: Steering

  @Test(
    "Scaling by one changes nothing, bit by bit",
    arguments: ["llama-tied", "gpt2", "mixtral", "bert", "mamba"])
  func idle(name: String) throws {
    for type in [ScalarType.float32, .float64] {
      let model = try Self.model(name, type)
      for site in model.sites {
        // Where some values are shown other operations compute the same, so the site is seen here too.
        let row = try withRecording(false) {
          let plain = try model.run([Self.clean], pass: Pass(sites: [site]))
          return try model.unembedding.logits(plain.residual.slice(4..<5, along: 1))
            .reshaped([-1]).values()
        }
        let found = try Steering(.scale(1), at: site).read(Self.clean, at: 4, in: model)
        #expect(found.logits == row, "\(site)")
        #expect(
          try Steering(.set(3), at: site).idle.read(Self.clean, at: 4, in: model).logits == row)
      }
    }
  }

  @Test(
    "What a continuation says with a cache is what whole texts say",
    arguments: ["llama-tied", "gpt2", "phi3-long-rope", "llama-dynamic-rope", "mamba"])
  func continuation(name: String) throws {
    let model = try Self.model(name)
    let width = model.shape.width
    let vector = (0..<width).map { 0.3 * Double($0 % 5) - 0.5 }
    let changes: [Steering] = [
      Steering(.add(vector), at: .residual(1, .before)),
      Steering(.scale(-2), at: .residual(0, .after), units: [1, 3]),
      Steering(.set(0.7), at: .residual(0, .after), positions: [2, 7]),
      Steering(.scale(0.5), at: .finalNorm, units: [0, 2], positions: [6]),
    ]
    for steering in changes {
      let found = try steering.read(Self.clean, at: 5, continuing: 8, in: model)
      var text = Self.clean
      var expected: [Int] = []
      for _ in 0..<8 {
        let run = try model.run(
          [text], capturing: [.logits],
          pass: Pass(sites: [steering.site]) { _, value in
            guard var numbers = try? value.values() else { return value }
            for place in numbers.indices {
              let (position, unit) = (place / width, place % width)
              guard steering.positions?.contains(position) ?? true,
                steering.units?.contains(unit) ?? true
              else { continue }
              switch steering.change {
              case .scale(let factor): numbers[place] *= factor
              case .set(let number): numbers[place] = number
              case .add(let vector): numbers[place] += vector[unit]
              }
            }
            return Tensor(numbers, value.shape, .float64)
          })
        let all = try run.activations[.logits].values()
        let last = Array(all.suffix(model.shape.vocabulary))
        if expected.isEmpty { #expect(distance(found.logits, last).error < 1e-10) }
        let token = last.indices.max { last[$0] < last[$1] } ?? 0
        expected.append(token)
        text.append(token)
      }
      #expect(found.continuation == expected)
    }
    let plain = try Steering(.scale(1), at: .residual(0, .after))
      .read(Self.clean, at: 5, continuing: 8, in: model)
    #expect(try model.generate(from: Self.clean, atMost: 8) == plain.continuation)
  }

  @Test("Units are heads where a site has them, and a vector is that of a text")
  func units() throws {
    let model = try Self.model("llama-grouped-untied")
    let site = Site.attention(1, .heads)
    let found = try Steering(.scale(0), at: site, units: [2]).read(Self.clean, at: 4, in: model)
    let expected = try model.run(
      [Self.clean], capturing: [.logits],
      pass: Pass(sites: [site]) { _, value in
        let parts = (0..<model.shape.heads).map { head in
          value.slice(head..<head + 1, along: 2) * (head == 2 ? 0 : 1)
        }
        return Tensor.concatenating(parts, along: 2)
      })
    let row = try expected.activations[.logits].slice(4..<5, along: 1).reshaped([-1]).values()
    #expect(distance(found.logits, row).error < 1e-12)
    let vector = try Steering.vector(at: site, of: Self.clean, in: model)
    let own = try model.run([Self.clean], capturing: [site]).activations[site]
    #expect(try vector == own.slice(5..<6, along: 1).reshaped([-1]).values())
    #expect(Steering(.scale(1), at: site).size(in: model) == vector.count)
  }

  // MARK: Refusals

  @Test("Requests that do not fit are refused, with what does")
  func refusals() throws {
    let model = try Self.model("llama-tied")
    func patch(
      _ patching: ActivationPatching = ActivationPatching(), _ corrupted: [Int] = Self.corrupted,
      _ metric: Metric = Self.metric, in model: any LanguageModel
    ) -> String {
      error {
        _ = try patching.run(
          clean: Self.clean, corrupted: corrupted, metric: metric, in: model)
      }
    }
    #expect(
      patch(ActivationPatching(), [1, 2, 3], in: model)
        == "The text has 6 tokens and the contrast 3; values are patched token by token, so give two of equal "
        + "length.")
    #expect(
      patch(ActivationPatching(layers: [2]), in: model)
        == "Layer 2 is out of range; this model has layers 0 to 1.")
    #expect(
      patch(ActivationPatching(positions: [6]), in: model)
        == "Position 6 is out of range; the text has positions 0 to 5.")
    let mamba = try Self.model("mamba")
    #expect(
      patch(ActivationPatching(units: [.head]), in: mamba)
        == "Block 0 of mamba has no site 'attention.heads.0', so 'head' cannot be patched; patch residual, which "
        + "every block has.")
    #expect(
      error {
        _ = try CausalTracing().run(
          of: Self.clean, subject: [], metric: Self.metric, in: model)
      } == "No token gets noise; name the subject, or its positions.")
    #expect(
      error {
        _ = try CausalTracing(ActivationPatching(direction: .noise)).run(
          of: Self.clean, subject: [1], metric: Self.metric, in: model)
      } == "Causal tracing restores clean values in noisy runs; its direction is denoise.")
    func steer(_ steering: Steering, in model: any LanguageModel) -> String {
      error { _ = try steering.read(Self.clean, at: 4, in: model) }
    }
    #expect(
      steer(Steering(.scale(2), at: .attention(0, .heads)), in: mamba)
        == "mamba has no site 'attention.heads.0' to steer.")
    #expect(
      steer(Steering(.add([1, 2]), at: .residual(0, .after)), in: model)
        == "The vector to add has 2 numbers, and 'residual.after.0' \(model.shape.width) at each position."
    )
    #expect(
      steer(Steering(.add([1, 2]), at: .attention(0, .pattern)), in: model)
        == "A vector cannot be added at 'attention.pattern.0', whose size is not the model's own; scale or set it."
    )
    #expect(
      steer(Steering(.scale(2), at: .attention(0, .heads), units: [4]), in: model)
        == "Unit 4 is out of range; 'attention.heads.0' has heads 0 to 3.")
    #expect(
      steer(Steering(.scale(2), at: .residual(0, .after), positions: [-1]), in: model)
        == "Position -1 is no place; positions count from 0.")
    let headless = try Self.model("bert-headless")
    #expect(
      steer(Steering(.scale(2), at: .residual(0, .after)), in: headless)
        == "bert without a language-model head gives no logits, so there is nothing to steer; use a checkpoint that "
        + "has one.")
  }
}
