import Attribution
import LanguageModels
import Lenses
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

@Suite("Logit lens")
struct LogitLensTests {
  private let prompt = Explainer.Prompt(text: "", ids: [5, 17, 96, 3, 41, 17])

  @Test(
    "Every cell is what norm and head read, at each moment and position, in float64",
    arguments: ["llama-six-layers", "llama-grouped-untied", "llama-biases", "qwen2", "gpt2"])
  func stored(_ name: String) throws {
    let folder = name == "llama-six-layers" ? "tree/models/" + name : "models/" + name
    let file = try reference("tree/\(name)/lens.json")
    let ids = file["ids"]?.integers ?? []
    let lens = try LogitLens(tinyModel(folder))
    var options = LogitLens.Options()
    options.target = file["token"]?.integer
    for moment in Site.Moment.allCases {
      options.moment = moment
      let result = try lens.show(.init(text: "", ids: ids), options)
      let own = try #require(file["grid"]?["after"]?.array?.last)
      let rows =
        try #require(file["grid"]?[moment.rawValue]?.array) + (moment == .after ? [] : [own])
      #expect(result.layers.map(\.layer) == Array(rows.indices))
      for (layer, row) in zip(result.layers, rows) {
        for (found, key) in [
          (layer.cells.map(\.logit), "logit"), (layer.cells.map(\.probability), "probability"),
          (layer.cells.map { Double($0.rank) }, "rank"), (layer.cells.map(\.entropy), "entropy"),
          (layer.cells.map(\.divergence), "kl_final_lens"),
        ] {
          let error = distance(found, row[key]?.numbers ?? []).error
          #expect(error < 1e-10, "\(moment) \(layer.layer) \(key)")
        }
        #expect(layer.cells.map { $0.top.map(\.id) } == row["top"]?.array?.map(\.integers))
        let shares = row["probabilities"]?.array?.flatMap(\.numbers) ?? []
        #expect(distance(layer.cells.flatMap { $0.top.map(\.probability) }, shares).error < 1e-10)
      }
    }
  }

  @Test("Targets are the next tokens of the text, and the model's own choice at its end")
  func targets() throws {
    let lens = try LogitLens(sixLayers())
    let plain = try lens.show(prompt)
    #expect(plain.positions == Array(0..<6))
    let own = plain.layers[5].cells[5].top[0].id
    #expect(plain.targets.map(\.id) == [17, 96, 3, 41, 17, own])
    #expect(plain.layers[5].cells[5].rank == 1)
    #expect(plain.layers[5].cells[5].probability == plain.layers[5].cells[5].top[0].probability)

    var options = LogitLens.Options()
    options.answer = [29, 30]
    let answered = try lens.show(prompt, options)
    #expect(answered.positions == Array(0..<7))
    #expect(answered.targets.map(\.id) == [17, 96, 3, 41, 17, 29, 30])
    #expect(answered.tokens.map(\.id) == prompt.ids + [29, 30])
    // An answer changes what is asked, not what comes before it.
    for (before, after) in zip(plain.layers, answered.layers) {
      #expect(
        distance(after.cells[0..<6].map(\.entropy), before.cells.map(\.entropy)).error < 1e-12)
    }
  }

  @Test("KL to the model's own output is 0 in the last row, and only there")
  func divergence() throws {
    for type in [ScalarType.float64, .float32] {
      let lens = try LogitLens(tinyModel("tree/models/llama-six-layers", type))
      for moment in Site.Moment.allCases {
        var options = LogitLens.Options()
        options.moment = moment
        let rows = try lens.show(prompt, options).layers.map { $0.cells.map(\.divergence) }
        let tolerance = type == .float64 ? 1e-13 : 1e-6
        #expect(rows.last?.allSatisfy { (0...tolerance).contains($0) } == true)
        #expect(rows.dropLast().allSatisfy { $0.allSatisfy { $0 > 0.001 } })
      }
    }
  }

  @Test("Chosen layers and positions are the same numbers as in the whole grid")
  func choices() throws {
    let lens = try LogitLens(sixLayers())
    let whole = try lens.show(prompt)
    var options = LogitLens.Options()
    options.layers = .these([-1, 2])
    options.positions = [4, 1, 4]
    let some = try lens.show(prompt, options)
    #expect(some.positions == [1, 4])
    #expect(some.layers.map(\.layer) == [-1, 2, 5])
    for (row, layer) in [(1, 2), (2, 5)] {
      for (column, position) in [(0, 1), (1, 4)] {
        let (a, b) = (some.layers[row].cells[column], whole.layers[layer].cells[position])
        #expect(a.rank == b.rank && a.top.map(\.id) == b.top.map(\.id))
        #expect(
          distance([a.logit, a.entropy, a.divergence], [b.logit, b.entropy, b.divergence]).error
            < 1e-12)
      }
    }
    // The embedding has no block before it: what block 0 receives.
    options.layers = .these([0])
    options.moment = .before
    let before = try lens.show(prompt, options)
    #expect(
      distance(some.layers[0].cells.map(\.logit), before.layers[0].cells.map(\.logit)).error < 1e-12
    )
  }

  @Test("A smaller budget takes more sweeps and gives the same grid; too small a one is refused")
  func memory() throws {
    let lens = try LogitLens(sixLayers())
    let free = try lens.show(prompt)
    var options = LogitLens.Options()
    options.memory = 250_000
    let tight = try lens.show(prompt, options)
    for (a, b) in zip(tight.layers, free.layers) {
      #expect(distance(a.cells.map(\.logit), b.cells.map(\.logit)).error < 1e-12)
      #expect(a.cells.map(\.rank) == b.cells.map(\.rank))
    }
    options.memory = 100_000
    expectLensError(
      .memory,
      "This grid needs about 134 kB beyond the model and --memory allows 100 kB; allow more, show "
        + "fewer positions or layers, or shorten the text."
    ) { try lens.show(prompt, options) }
  }

  @Test("What does not fit the model or the text is refused in words")
  func refusals() throws {
    let lens = try LogitLens(sixLayers())
    var options = LogitLens.Options()
    options.positions = [6]
    expectLensError(.usage, "--positions 6 is out of range; the text has positions 0 to 5.") {
      try lens.show(prompt, options)
    }
    options = .init()
    options.target = 97
    expectLensError(
      .usage, "Token id 97 is out of range; this model's vocabulary has ids 0 to 96."
    ) { try lens.show(prompt, options) }
    options = .init()
    options.layers = .these([-1])
    options.moment = .middle
    expectLensError(
      .usage,
      "--layers embedding goes with --moment after; what enters layer 0 is its state before."
    ) { try lens.show(prompt, options) }
    expectLensError(.usage, "The text is empty; give at least one token of text.") {
      try lens.show(.init(text: "", ids: []))
    }
  }
}
