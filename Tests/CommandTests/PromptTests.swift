import Foundation
import Results
import TestSupport
import Testing

/// Prompts, answers and choices that do not fit the model.
@Suite("Prompts")
struct PromptTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func refused(
    _ words: [String], _ message: String, code: Int32 = 64, input: Data = Data(),
    at place: SourceLocation = #_sourceLocation
  ) throws {
    try expectFailure(
      ["explain", "--model", model.path] + words, code, message, input: input, at: place)
  }

  @Test("Token ids out of range are refused: 64")
  func tokenOutOfRange() throws {
    try refused(
      ["--ids", "1", "97"],
      "Token id 97 is out of range; this model's vocabulary has ids 0 to 96.")
  }

  @Test("Layers out of range are refused: 64")
  func layerOutOfRange() throws {
    let message =
      " is out of range; this model has layers 0 to 1, and 'embedding' for what enters layer 0."
    try refused(["--layers", "2", "--", "hi"], "Layer 2" + message)
    try refused(["--layers=-2", "hi"], "Layer -2" + message)
    try refused(
      ["--compat", "iglens", "--layers", "3", "--", "hi"],
      "State 3 is out of range; with --compat iglens this model has hidden states 0 to 2.")
  }

  @Test("Positions out of range are refused: 64")
  func positionOutOfRange() throws {
    try refused(
      ["--position", "2", "--", "hi"],
      "--position 2 is out of range; the prompt has positions 0 to 1.")
  }

  @Test("An empty prompt is refused, also when only its tokens are none: 64")
  func empty() throws {
    try refused([""], "The prompt is empty; give at least one token of text.")
    try refused(["é"], "The prompt is empty; give at least one token of text.")
    try refused(
      ["-"], "The prompt is empty; give at least one token of text.", input: Data("\n".utf8))
  }

  @Test("A prompt longer than the context is refused: 64")
  func tooLong() throws {
    let prompt = String(repeating: "a", count: 65)
    try refused(
      ["--every-token", prompt + "a"],
      "The text is 65 tokens long and the model's context holds 64; shorten the prompt or generate "
        + "fewer tokens.")
    try refused(
      [prompt],
      "The text is 66 tokens long and the model's context holds 64; shorten the prompt or generate "
        + "fewer tokens.")
    try refused(
      ["--answer", prompt, "hi"],
      "The text is 66 tokens long and the model's context holds 64; shorten the prompt or generate "
        + "fewer tokens.")
  }

  @Test("An answer that tokenizes to nothing is refused: 64")
  func emptyAnswer() throws {
    for answer in ["", "é"] {
      try refused(
        ["--answer", answer, "hi"],
        "--answer: the text gives no tokens; give at least one character.")
    }
  }

  @Test("A prompt of one token has no token to explain: 64")
  func everyTokenOfOne() throws {
    try refused(
      ["--every-token", "a"],
      "--every-token: the text is one token long, so nothing precedes it; give a longer text, or leave "
        + "--every-token out to explain its continuation.")
  }

  @Test("A model that ends the text at once has nothing to explain: 64")
  func endsAtOnce() throws {
    let first = try Command.result("--model", model.path, "--position", "1", "--", "hi")
    let end = try #require(first.explanations.first?.target.text)
    try Data(#"{"eos_token": "\#(end)"}"#.utf8).write(to: model.folder / "tokenizer_config.json")
    try refused(
      ["hi"],
      "The model ends the text at once, so there is no continuation to explain; give one with --answer, "
        + "or use --every-token.")
  }

  @Test("A difference needs exactly one token: 64")
  func difference() throws {
    try refused(
      ["--target", "prob-diff:ab", "hi"],
      "--target 'prob-diff:ab': the text is 2 tokens; give exactly one (with its leading space, if it "
        + "has one).")
  }

  @Test("A model without a chat template cannot chat: 64")
  func noTemplate() throws {
    try refused(
      ["--chat", "hi"],
      "\(model.name) has no chat template, so --chat cannot wrap the prompt; leave --chat out.")
  }

  @Test("A model without a beginning-of-text token cannot begin with it: 64")
  func noBeginning() throws {
    try FileManager.default.removeItem(at: model.folder / "tokenizer_config.json")
    try refused(
      ["--bos", "hi"], "--bos: \(model.name) has no beginning-of-text token; leave --bos out.")
  }

  @Test("Text that is not UTF-8 is refused: 65")
  func notUTF8() throws {
    try refused(
      ["-"], "Standard input is not UTF-8 text; convert it first.", code: 65,
      input: Data([0x66, 0xFF]))
  }

  @Test("Standard input that cannot be read is refused: 74")
  func unreadableInput() throws {
    let process = Command.process(["explain", "--model", model.path, "-"])
    process.standardInput = try FileHandle(forReadingFrom: model.folder.url)
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(
      String(decoding: text, as: UTF8.self)
        == "telescope: Standard input cannot be read; give it a text file or a pipe.\n")
    #expect(process.terminationStatus == 74)
  }

  @Test("- reads the prompt from standard input, less one line break at its end")
  func standardInput() throws {
    let given = try Command.result("--model", model.path, "--answer", "a", "two\nlines")
    for end in ["", "\n", "\r\n"] {
      let read = try Command.result(
        "--model", model.path, "--answer", "a", "-", input: "two\nlines" + end)
      #expect(read.prompt == "two\nlines" && read.explanations == given.explanations)
    }
  }

  @Test("After -- a prompt may begin with a dash")
  func dash() throws {
    let result = try Command.result("--model", model.path, "--answer", "-5", "--", "-1 + -4 = ")
    #expect(result.prompt == "-1 + -4 = ")
    #expect(result.tokens.suffix(2).map(\.text) == ["-", "5"])
  }

  @Test("What the vocabulary cannot write is left out with a warning")
  func omitted() throws {
    let result = try Command.result("--model", model.path, "--answer", "a", "caf\u{E9}!")
    #expect(result.tokens.map(\.text) == ["c", "a", "f", "!", "a"])
    #expect(
      result.warnings == [
        "The prompt has 2 bytes that the model's vocabulary cannot write; they are left out."
      ])
  }
}
