import Foundation
import Testing

/// `--loop`: prompt after prompt, the model loaded once.
@Suite("Loop")
struct LoopTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func report(_ prompt: String) throws -> String {
    try Command.explain("--model", model.path, "--answer", "a", prompt).text
  }

  @Test("Each line is a prompt, and one that fails ends nothing")
  func lines() throws {
    let long = String(repeating: "x", count: 80)
    let input = Data("First.\n\n\(long)\nbad: ".utf8) + [0xFF] + Data("\nLast, no line end".utf8)
    let outcome = try Command.run(
      ["explain", "--model", model.path, "--answer", "a", "--loop"], input: input)
    #expect(outcome.code == 0)
    #expect(outcome.text == (try report("First.")) + (try report("Last, no line end")))
    #expect(
      outcome.errors == """
        telescope: The text is 80 tokens long and the model's context holds 64; shorten the prompt or \
        generate fewer tokens.
        telescope: This line is not UTF-8 text; convert it first.

        """)
  }

  @Test("The model is read once, and each answer comes before the next prompt")
  func once() throws {
    let (first, second) = try (report("First."), report("Second."))
    let process = Command.process(["explain", "--model", model.path, "--answer", "a", "--loop"])
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    func ask(_ prompt: String, _ length: Int) throws -> String {
      try input.fileHandleForWriting.write(contentsOf: Data((prompt + "\n").utf8))
      var answer = Data()
      while answer.count < length {
        guard let part = try output.fileHandleForReading.read(upToCount: length - answer.count),
          !part.isEmpty
        else { break }
        answer += part
      }
      return String(decoding: answer, as: UTF8.self)
    }
    #expect(try ask("First.", first.utf8.count) == first)
    try FileManager.default.removeItem(at: model.folder.url)
    #expect(try ask("Second.", second.utf8.count) == second)
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test("A terminal is asked for prompts")
  func asking() throws {
    let terminal = try PseudoTerminal(columns: 80)
    let process = Command.process(
      ["explain", "--model", model.path, "--answer", "a", "--loop"], ["NO_COLOR": "1"])
    try terminal.start(process, reading: true)
    #expect(terminal.wait(for: "prompt> "))
    try terminal.type("Hi.\n")
    #expect(terminal.wait(for: "onset layer"))
    try terminal.type("\u{4}")
    let text = terminal.finish(process)
    #expect(text.hasPrefix("prompt> Hi.\n\(model.name) ") && text.hasSuffix("\nprompt> \n"))
    #expect(process.terminationStatus == 0)
  }
}
