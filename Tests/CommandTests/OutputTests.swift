import Foundation
import Results
import Testing

/// Files are written whole or not at all.
@Suite("Outputs")
struct OutputTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private func explain(_ words: String...) throws -> Outcome {
    try Command.run(["explain", "--model", model.path, "--answer", "ab"] + words + ["Hi."])
  }

  private func refused(_ option: String, _ path: String, _ message: String) throws {
    try expectFailure(
      ["explain", "--model", model.path, option, path, "Hi."], 74, "\(option) '\(path)': \(message)"
    )
  }

  @Test("JSON, CSV and HTML are written beside the report, and say the same")
  func files() throws {
    let (json, csv, html) = (folder / "a.json", folder / "a.csv", folder / "a.html")
    try Data("old".utf8).write(to: csv)
    let outcome = try explain("--json", json.path, "--csv", csv.path, "--html", html.path)
    #expect(outcome.code == 0)
    #expect(outcome.errors == "Wrote \(json.path)\nWrote \(csv.path)\nWrote \(html.path)\n")
    #expect(outcome.text == (try explain().text))
    #expect(try folder.names() == ["a.csv", "a.html", "a.json"])
    let result = try ExplainResult.decoded(from: Data(contentsOf: json))
    #expect(result.tokens.map(\.text) == ["H", "i", ".", "a", "b"])
    #expect(result.explanations.map(\.target.text) == ["a", "b", "ab"])
    #expect(result.timingsMs != nil)
    let rows = try String(contentsOf: csv, encoding: .utf8).split(whereSeparator: \.isNewline)
    #expect(rows.count > result.explanations.count * 2)
    let page = try String(contentsOf: html, encoding: .utf8)
    #expect(page.hasPrefix("<!doctype html>") && page.contains("\"telescope/explain/1\""))
  }

  @Test("With --quiet, nothing is said of the files")
  func quiet() throws {
    let outcome = try explain("--quiet", "--csv", (folder / "a.csv").path)
    #expect(outcome.code == 0 && outcome.errors == "")
  }

  @Test("- is standard output, in place of the report")
  func standardOutput() throws {
    #expect(try explain("--json", "-").result().explanations.count == 3)
    let csv = folder / "a.csv"
    #expect(try explain("--csv", csv.path, "--html", "-").text.hasPrefix("<!doctype html>"))
    #expect(try explain("--csv", "-").output == (try Data(contentsOf: csv)))
  }

  @Test("--reproducible leaves out wall times, so that the same command gives the same bytes")
  func reproducible() throws {
    for option in ["--json", "--csv", "--html"] {
      let first = try explain(option, "-", "--reproducible")
      #expect(first.code == 0 && !first.text.contains("timings_ms"))
      #expect(try explain(option, "-", "--reproducible").output == first.output)
    }
  }

  @Test("A link is followed, and what it leads to is replaced")
  func link() throws {
    let (link, file) = (folder / "link.json", folder / "file.json")
    try Data("old".utf8).write(to: file)
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    #expect(try explain("--json", link.path).code == 0)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == file.path)
    #expect(try ExplainResult.decoded(from: Data(contentsOf: file)).prompt == "Hi.")
  }

  @Test("A device is written to, not replaced")
  func device() throws {
    #expect(try explain("--json", "/dev/null").code == 0)
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
  }

  @Test("A folder in place of a file is refused: 74")
  func isFolder() throws {
    for option in ["--json", "--csv", "--html"] {
      try refused(option, folder.path, "this is a folder; name a file in it.")
    }
  }

  @Test("A folder that does not exist is refused: 74")
  func noFolder() throws {
    try refused(
      "--json", folder.path + "/none/a.json",
      "the folder \(folder.path)/none does not exist; make it first.")
  }

  @Test("A place that cannot be written to is refused before the model is read: 74")
  func readOnly() throws {
    // Permissions do not bind root, but nobody makes files in /proc or /System.
    #if os(Linux)
      let place = "/proc"
    #else
      let place = "/System"
    #endif
    let descriptor = open(place + "/a.json", O_WRONLY | O_CREAT | O_EXCL, 0o644)
    let reason = String(cString: strerror(errno)).lowercased()
    #expect(descriptor < 0)
    try expectFailure(
      ["explain", "--model", "/no/such/model", "--json", place + "/a.json", "Hi."], 74,
      "--json '\(place)/a.json': the file cannot be written (\(reason)); choose another place.")
    if geteuid() != 0 {
      let file = folder / "a.json"
      try Data("kept".utf8).write(to: file)
      chmod(file.path, 0o444)
      try refused("--json", file.path, "the file is there and read-only; choose another place.")
      #expect(try Data(contentsOf: file) == Data("kept".utf8))
    }
  }

  #if os(Linux)
    @Test("A full disk is told: 74")
    func full() throws {
      let reason = "no space left on device"
      let outcome = try explain("--json", "/dev/full")
      #expect(
        outcome.errors == "telescope: --json '/dev/full': the file cannot be written (\(reason)); "
          + "choose another place.\n")
      #expect(outcome.code == 74)
      let process = Command.process(["explain", "--model", model.path, "Hi."])
      process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
      let errors = Pipe()
      process.standardError = errors
      try process.run()
      let text = try errors.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      #expect(
        String(decoding: text, as: UTF8.self)
          == "telescope: Standard output cannot be written; check where it leads and its free space.\n"
      )
      #expect(process.terminationStatus == 74)
    }
  #endif

  @Test(
    "An interrupted run says so, leaves old files as they were and no new one: 130; ended, 143",
    arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func interruption(_ number: Int32, _ code: Int32) throws {
    let file = folder / "a.json"
    try Data("old".utf8).write(to: file)
    let terminal = try PseudoTerminal(columns: 80)
    let process = Command.process([
      "explain", "--json", file.path, "--csv", (folder / "a.csv").path, "--every-token",
      "--estimator", "gradient", "--nodes", "4096", String(repeating: "over and over ", count: 40),
    ])
    try terminal.start(process)
    #expect(terminal.wait(for: "Explaining"))
    kill(process.processIdentifier, number)
    let text = terminal.finish(process)
    #expect(text.hasSuffix("\r\u{1B}[Ktelescope: Interrupted; no unfinished file was left.\n"))
    #expect(process.terminationStatus == code)
    #expect(try folder.names() == ["a.json"])
    #expect(try Data(contentsOf: file) == Data("old".utf8))
  }
}
