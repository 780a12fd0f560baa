import Foundation
import Results
import TestSupport
import Testing

/// The default model and the reference numbers of the Hugging Face implementation.
@Suite("Default model")
struct DefaultModelTests {
  private static let france = "The capital of France is"

  @Test("The capital of France: where the model says Paris")
  func france() throws {
    let start = Date.now
    let result = try Command.result("--answer", " Paris", Self.france)
    #expect(Date.now.timeIntervalSince(start) < 30)
    #expect(result.model.name == "SmolLM2-135M-Instruct.Q4_1" && result.model.layers == 30)
    #expect(result.tokens.map(\.id) == [504, 3575, 282, 4649, 314, 7042])
    #expect(result.warnings == [])
    let explanation = try #require(result.explanations.first)
    #expect(abs(explanation.modelValue - 0.77253) <= 2e-5)
    #expect(abs(explanation.certificate) <= 1e-5)
    let values = explanation.attributions.map(\.value)
    #expect(values.count == 30)
    for (value, expected) in zip(values.suffix(3), [0.010, 0.060, 0.702]) {
      #expect(abs(value - expected) <= 0.001)
    }
    #expect(explanation.onsetLayer == 29)
    #expect(explanation.attributions.last?.rank == 1)
  }

  @Test("The report is what people read first")
  func report() throws {
    let outcome = try Command.explain("--max-new-tokens", "1", Self.france)
    #expect(outcome.code == 0 && outcome.errors == "")
    let certificate = /certificate [+−]\d\.\de-\d+/
    #expect(
      outcome.text.replacing(certificate, with: "certificate …") == """
        SmolLM2-135M-Instruct.Q4_1 · 30 layers · float32 on cpu
        target prob · path chain · baseline mean · estimator observed

        The capital of France is → " Paris"                                                      p = 0.77253
             layer  0 ──────────────────────────────────── 0.773    change     lens  rank  entropy  top
          baseline  ▏                                                       0.00000
              0–26  ▏  27 layers, each below 0.0004               +0.00033  0.00033    34     1.24  ␣the
                27  ▋                                             +0.01025  0.01058     7     1.84  ␣the
                28  ▐███                                          +0.05977  0.07035     3     4.37  ␣capital
              ▸ 29      ████████████████████████████████████████  +0.70218  0.77253     1     1.48  ␣Paris
             model  ████████████████████████████████████████████            0.77253

          0.00000 + 0.77253 = 0.77253 · model 0.77253 · certificate … · onset layer 29

        """)
  }

  @Test("--layers with a prompt after it credits these layers alone")
  func layers() throws {
    let result = try Command.result(
      "--answer", " Paris", "--layers", "20", "25", "29", Self.france)
    #expect(result.method.layers == [20, 25, 29] && result.prompt == Self.france)
    #expect(abs(result.explanations[0].modelValue - 0.77253) <= 2e-5)
    #expect(abs(result.explanations[0].certificate) <= 1e-5)
  }

  @Test("--k 6 spaces layers evenly and includes the last, and --max-new-tokens continues greedily")
  func spacing() throws {
    let result = try Command.result(
      "--k", "6", "--max-new-tokens", "2", "The Eiffel Tower is in the city of")
    #expect(result.method.layers == [0, 6, 12, 17, 23, 29])
    #expect(result.tokens.suffix(2).first?.text == " Paris" && result.explanations.count == 2)
    #expect(abs(result.explanations[0].modelValue - 0.65616) <= 2e-5)
  }

  @Test("--compat iglens gives the published script's numbers")
  func compatible() throws {
    let result = try Command.result(
      "--compat", "iglens", "--k", "6", "--max-new-tokens", "8", Self.france)
    let rows = try Reference.read().float64.iglens.rows
    #expect(rows.count == 8 && result.explanations.count == 8)
    for (explanation, row) in zip(result.explanations, rows) {
      #expect(explanation.position == row.position)
      #expect(explanation.target.id == row.token)
      #expect(abs(try #require(explanation.attributions.last?.lens) - row.final) <= 2e-4)
      #expect(row.gradient.count == 6 && explanation.attributions.count == 6)
      for (layer, value) in zip(explanation.attributions, row.gradient) {
        #expect(abs(layer.value - value) <= 2e-4)
      }
    }
    let second = result.explanations[1].attributions.map(\.value)
    for (value, expected) in zip(second, [-0.0214, 0.0004, 0.0004, 0.0166, 0.9213, -0.7176]) {
      #expect(abs(value - expected) <= 2e-4)
    }
    #expect(
      result.warnings == [
        "These are the published script's numbers: its last state is normed twice, so its final value "
          + "is not the model's; the certificate shows by how much."
      ])
  }

  @Test("An answer that would tokenize differently when joined is explained with a warning")
  func joined() throws {
    let result = try Command.result("--answer", "is", "The capital is Par")
    #expect(
      result.warnings.first
        == "The answer is tokenized apart from the prompt; joined, the text would "
        + "tokenize differently (does the answer lack a leading space?).")
  }

  @Test("--chat wraps the prompt in the model's own template")
  func chat() throws {
    let result = try Command.result("--chat", "--answer", "Paris", "-", input: "Say Paris.\n")
    #expect(
      result.prompt == """
        <|im_start|>system
        You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
        <|im_start|>user
        Say Paris.<|im_end|>
        <|im_start|>assistant

        """)
    #expect(result.tokens.first?.text == "<|im_start|>" && result.tokens.first?.id == 1)
    #expect(result.warnings == [])
  }
}

/// What these tests need of `smollm2-reference.json`.
private struct Reference: Decodable {
  struct Numbers: Decodable { var iglens: Script }
  struct Script: Decodable { var rows: [Row] }
  struct Row: Decodable {
    var position: Int
    var token: Int
    var final: Double
    var gradient: [Double]
  }
  var float64: Numbers

  static func read() throws -> Reference {
    try JSONDecoder().decode(
      Reference.self, from: Data(contentsOf: Fixtures.url("models/smollm2-reference.json")))
  }
}
