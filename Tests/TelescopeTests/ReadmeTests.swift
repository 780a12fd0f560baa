import Foundation
import Telescope
import TestSupport
import Testing

@Suite("README")
struct ReadmeTests {
  /// The README's example of library use, as it stands there.
  func example() throws {
    // <example>
    let model = try LoadedModel(
      at: URL(filePath: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    let prompt = "The capital of France is"
    let ids = model.tokenizer.encode(prompt).ids
    let result = try Explainer(model).explain(.init(text: prompt, ids: ids))
    for layer in result.explanations[0].attributions { print(layer.layer, layer.value, layer.lens) }
    print(result.explanations[0].modelValue, result.explanations[0].certificate)
    // </example>
  }

  @Test("The example of library use is the code that this test compiles")
  func compiled() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let parts = source.components(separatedBy: "// <example>")
    let code = try #require(parts.dropFirst().first?.components(separatedBy: "// </example>").first)
    func words(_ text: String) -> String {
      text.filter { !$0.isWhitespace }
    }
    let readme = try String(
      contentsOf: Fixtures.checkout.appending(path: "README.md"), encoding: .utf8)
    #expect(words(code).count > 200)
    #expect(words(readme).contains(words(code)))
  }

  @Test("The output under the first command is what the command prints")
  func output() throws {
    let readme = try String(
      contentsOf: Fixtures.checkout.appending(path: "README.md"), encoding: .utf8)
    let command = "$ telescope explain --max-new-tokens 1 \"The capital of France is\"\n"
    let shown = try #require(
      readme.components(separatedBy: command).dropFirst().first?
        .components(separatedBy: "```").first)
    let model = try LoadedModel(
      at: Fixtures.checkout.appending(path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    var options = Explainer.Options()
    options.continuation = .greedy(atMost: 1)
    let prompt = "The capital of France is"
    let result = try Explainer(model).explain(
      .init(text: prompt, ids: model.tokenizer.encode(prompt).ids), options)
    let printed = TerminalReport.text(for: result, style: TerminalStyle(width: 100))
    // The certificate's digits are rounding, which differs from machine to machine.
    func withoutCertificate(_ text: String) -> String {
      text.replacing(/certificate .*? ·/, with: "")
    }
    #expect(withoutCertificate(printed) == withoutCertificate(shown))
  }
}
