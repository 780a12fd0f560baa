import Foundation
import Results
import Testing

/// What a person sees: colour only on a terminal, no line too wide, progress that leaves no trace.
@Suite("Terminal")
struct TerminalTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func words(_ more: String...) -> [String] {
    ["explain", "--model", model.path, "--answer", "abc"] + more + ["What is it?"]
  }

  @Test("A pipe gets plain text")
  func plain() throws {
    let outcome = try Command.run(words())
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text.contains("What is it? → \"a\""))
    #expect(!outcome.text.contains("\u{1B}"))
  }

  @Test("A terminal gets colour, and with NO_COLOR or as a dumb one the same text without it")
  func color() throws {
    let colored = try PseudoTerminal.run(words())
    #expect(colored.code == 0 && colored.text.contains("\u{1B}["))
    let plain = try Command.run(words()).text
    #expect(colored.text.replacing(/\u{1B}\[[0-9;]*m/, with: "") == plain)
    for settings in [["NO_COLOR": "1"], ["TERM": "dumb"]] {
      #expect(try PseudoTerminal.run(words(), settings: settings).text == plain)
    }
    #expect(try PseudoTerminal.run(words(), settings: ["NO_COLOR": ""]).text == colored.text)
  }

  @Test("No line is wider than the terminal, nor than COLUMNS", arguments: [40, 57, 80, 120])
  func width(_ columns: Int) throws {
    let shown = try PseudoTerminal.run(words(), columns: columns, settings: ["NO_COLOR": "1"])
    #expect(shown.code == 0)
    let lines = shown.text.split(separator: "\n")
    #expect(lines.count > 10)
    #expect(lines.allSatisfy { $0.count <= columns })
    let piped = try Command.run(words(), settings: ["COLUMNS": "\(columns)"])
    #expect(piped.text == shown.text)
  }

  @Test("A locale without UTF-8 gets ASCII")
  func ascii() throws {
    for settings in [["LC_ALL": "C"], ["LC_ALL": "en_US.ISO-8859-1"]] {
      let outcome = try Command.run(words(), settings: settings)
      #expect(outcome.code == 0 && outcome.output.allSatisfy { $0 < 0x80 })
    }
  }

  @Test(
    "What takes over a second shows a bar that fits and is then removed, and --quiet shows none")
  func progress() throws {
    let interrupted = "telescope: Interrupted; no unfinished file was left.\n"
    let long = [
      "explain", "--every-token", "--estimator", "gradient", "--nodes", "4096",
      String(repeating: "over and over ", count: 10),
    ]
    let terminal = try PseudoTerminal(columns: 40)
    let process = Command.process(long)
    try terminal.start(process)
    #expect(terminal.wait(for: "Explaining"))
    process.interrupt()
    let shown = terminal.finish(process)
    let bars = shown.matches(of: /\r(Explaining [━╌]+ \d+ %)\u{1B}\[K/)
    #expect(!bars.isEmpty && bars.allSatisfy { $0.output.1.count < 40 })
    let last = try #require(bars.last)
    #expect(shown[last.range.upperBound...] == "\r\u{1B}[K" + interrupted)

    let wide = try PseudoTerminal(columns: 100)
    let roomy = Command.process(long)
    try wide.start(roomy)
    #expect(wide.wait(for: "GFLOP"))
    roomy.interrupt()
    let estimated = /\rExplaining \d+ tokens, about \d+ GFLOP and \d+ MB [━╌]+ \d+ %\u{1B}\[K/
    #expect(wide.finish(roomy).contains(estimated))

    let quiet = try PseudoTerminal(columns: 40)
    let still = Command.process(long + ["--quiet"])
    try quiet.start(still)
    sleep(3)
    still.interrupt()
    #expect(quiet.finish(still) == interrupted)
  }
}
