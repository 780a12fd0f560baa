import Foundation
import Results
import TestSupport
import Testing

/// What a run of the built command left behind.
struct Outcome {
  var code: Int32
  var output: Data
  var errors: String

  /// Standard output as text.
  var text: String { String(decoding: output, as: UTF8.self) }

  /// Standard output as the result that it must be.
  func result() throws -> ExplainResult { try ExplainResult.decoded(from: output) }
}

/// The built binary of this checkout.
enum Command {
  static let program = Fixtures.checkout.appending(path: ".build/release/telescope")

  /// What tests run in: nothing of the person's own settings that the command reads.
  static var environment: [String: String] {
    var environment = ProcessInfo.processInfo.environment
    let read = ["NO_COLOR", "COLUMNS", "TELESCOPE_MODEL", "LC_ALL", "LC_CTYPE"]
    for name in environment.keys where read.contains(name) || name.hasPrefix("HF_") {
      environment[name] = nil
    }
    environment["LANG"] = "C.UTF-8"
    environment["TERM"] = "xterm-256color"
    return environment
  }

  /// A process that is ready to start.
  static func process(_ words: [String], _ settings: [String: String] = [:]) -> Process {
    let process = Process()
    process.executableURL = program
    process.arguments = words
    process.environment = environment.merging(settings) { $1 }
    return process
  }

  /// Runs the command to its end, its streams being files.
  static func run(
    _ words: [String], input: Data = Data(), settings: [String: String] = [:], in folder: URL? = nil
  ) throws -> Outcome {
    let streams = try Folder()
    let (source, output, errors) = (streams / "in", streams / "out", streams / "err")
    try input.write(to: source)
    for file in [output, errors] { try Data().write(to: file) }
    let process = process(words, settings)
    if let folder { process.currentDirectoryURL = folder }
    process.standardInput = try FileHandle(forReadingFrom: source)
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      code: process.terminationStatus, output: try Data(contentsOf: output),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }

  /// Runs `telescope explain`.
  static func explain(
    _ words: String..., input: String = "", settings: [String: String] = [:]
  ) throws -> Outcome {
    try run(["explain"] + words, input: Data(input.utf8), settings: settings)
  }

  /// Runs `telescope explain --json -` and reads what it says.
  static func result(_ words: String..., input: String = "") throws -> ExplainResult {
    let outcome = try run(["explain", "--json", "-"] + words, input: Data(input.utf8))
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }
}

/// The whole of what a failing run says, and its exit code.
func expectFailure(
  _ words: [String], _ code: Int32, _ message: String, input: Data = Data(),
  settings: [String: String] = [:], at place: SourceLocation = #_sourceLocation
) throws {
  let outcome = try Command.run(words, input: input, settings: settings)
  #expect(outcome.errors == "telescope: \(message)\n", sourceLocation: place)
  #expect(outcome.code == code, sourceLocation: place)
  #expect(outcome.output.isEmpty, sourceLocation: place)
}

/// A folder that goes when it is no longer used.
final class Folder {
  let url: URL
  var path: String { url.path }

  init() throws {
    url = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "telescope-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  static func / (folder: Folder, name: String) -> URL { folder.url.appending(path: name) }

  /// The names of everything inside, hidden files too.
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }
}
