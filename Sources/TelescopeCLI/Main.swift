internal import Foundation
internal import Telescope

/// The command `telescope`.
@main
struct Main {
  static func main() {
    let interruption = Interruption()
    let words = Array(CommandLine.arguments.dropFirst())
    do {
      try run(words)
    } catch {
      let failure = CommandError(error)
      Terminal.note("telescope: " + failure.message)
      exit(failure.code.rawValue)
    }
    withExtendedLifetime(interruption) {}
  }

  private static func run(_ words: [String]) throws {
    switch words.first {
    case nil, "--help", "-h", "help":
      try Terminal.write(help)
      if words.isEmpty { exit(CommandError.Code.usage.rawValue) }
    case "--version":
      try Terminal.write("telescope \(telescopeVersion) (libtorch \(Engine.version))\n")
    case "explain":
      try ExplainCommand.run(Array(words.dropFirst()))
    case let word?:
      throw CommandError(
        .usage, "Unknown command '\(word)'; the commands are: explain. See telescope --help.")
    }
  }

  static let help = """
    telescope shows where inside a language model a prediction is made.

    usage: telescope explain [options] "prompt"

      explain     split the probability of each token over the layers that produce it

    telescope explain --help lists its options; telescope --version prints the version.

    """
}

/// Ends the program on Ctrl-C with nothing half-written.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init() {
    sources = [(SIGINT, Int32(130)), (SIGTERM, Int32(143))].map { number, status in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        OutputFile.abandon()
        Terminal.note("telescope: Interrupted; no unfinished file was left.")
        _exit(status)
      }
      source.resume()
      return source
    }
  }
}
