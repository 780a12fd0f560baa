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

  @Test("What takes over a second shows a bar that is then removed, and --quiet shows none")
  func progress() throws {
    let long = [
      "explain", "--every-token", "--estimator", "gradient", "--nodes", "16", "--csv", "/dev/null",
      "A bar is shown, and no line of it is wider than the terminal.",
    ]
    let shown = try PseudoTerminal.run(long, columns: 40, settings: ["NO_COLOR": "1"])
    #expect(shown.code == 0)
    let bars = shown.text.matches(of: /\r(Explaining [━╌]+ \d+ %)\u{1B}\[K/)
    #expect(!bars.isEmpty && bars.allSatisfy { $0.output.1.count < 40 })
    let last = try #require(bars.last)
    #expect(shown.text[last.range.upperBound...].hasPrefix("\r\u{1B}[K"))
    let wide = try PseudoTerminal.run(long, columns: 100, settings: ["NO_COLOR": "1"])
    let estimated = /\rExplaining 15 tokens, about \d+ GFLOP and \d+ MB [━╌]+ \d+ %\u{1B}\[K/
    #expect(wide.text.contains(estimated))
    let quiet = try PseudoTerminal.run(
      long + ["--quiet"], columns: 40, settings: ["NO_COLOR": "1"])
    #expect(quiet.code == 0 && !quiet.text.contains("Explaining"))
    #expect(!quiet.text.contains("Wrote"))
  }
}
