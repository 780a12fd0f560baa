internal import Foundation
internal import Telescope

/// The command `telescope`.
@main
struct Main {
  static func main() {
    let interruption = Interruption()
    do {
      try run(words())
    } catch {
      let failure = CommandError(error)
      Terminal.note("telescope: " + failure.message)
      exit(failure.code.rawValue)
    }
    withExtendedLifetime(interruption) {}
  }

  /// The command line; `CommandLine.arguments` would mend what is not UTF-8.
  private static func words() throws -> [String] {
    try (1..<max(1, Int(CommandLine.argc))).map { index in
      guard let word = CommandLine.unsafeArgv[index].flatMap({ String(validatingCString: $0) })
      else {
        throw CommandError(
          .badData,
          "Argument \(index) is not UTF-8 text: '\(CommandLine.arguments[index])'; convert "
            + "it first.")
      }
      return word
    }
  }

  private static func run(_ words: [String]) throws {
    switch words.first {
    case "--help", "-h", "help":
      try Terminal.write(help)
    case "--version":
      try Terminal.write(version)
    case "explain":
      try ExplainCommand.run(Array(words.dropFirst()))
    case "aggregate":
      try AggregateCommand.run(Array(words.dropFirst()))
    case "lens":
      try LensCommand.run(Array(words.dropFirst()))
    case "dla":
      try DirectLogitCommand.run(Array(words.dropFirst()))
    case "compare":
      try CompareCommand.run(Array(words.dropFirst()))
    case "flow":
      try FlowCommand.run(Array(words.dropFirst()))
    case "attribute":
      try AttributeCommand.run(Array(words.dropFirst()))
    case "patch":
      try PatchCommand.run(Array(words.dropFirst()))
    case "steer":
      try SteerCommand.run(Array(words.dropFirst()))
    case "circuit":
      try CircuitCommand.run(Array(words.dropFirst()))
    case "inspect":
      try InspectCommand.run(Array(words.dropFirst()))
    case "verify":
      try VerifyCommand.run(Array(words.dropFirst()))
    case "capture":
      try CaptureCommand.run(Array(words.dropFirst()))
    case "model":
      try ModelCommand.run(Array(words.dropFirst()))
    case nil:
      throw CommandError(
        .usage,
        "No command is given; try telescope explain \"The capital of France is\", or "
          + "telescope --help.")
    case let word?:
      throw CommandError(
        .usage,
        "Unknown command '\(word)'; the commands are: explain, aggregate, lens, dla, compare, "
          + "flow, attribute, circuit, patch, steer, inspect, verify, capture, model. See telescope --help."
      )
    }
  }

  static let version = "telescope \(telescopeVersion) (libtorch \(Engine.version))\n"

  static let help = """
    telescope shows where inside a language model a prediction is made.

    usage: telescope explain [options] "prompt"
           telescope aggregate [options] results.jsonl …
           telescope lens show|train|means [options]
           telescope dla [options] "prompt"
           telescope compare [options] "prompt"
           telescope flow [options] "text"
           telescope attribute METHOD [options] "text"
           telescope circuit trace|evaluate|edges [options]
           telescope patch [options] "clean" --contrast "corrupted"
           telescope steer [options] "text" --site SITE --scale X
           telescope inspect [options] [MODEL]
           telescope verify [options] [MODEL]
           telescope capture [options] --sites NAMES -o FILE "text"
           telescope model list|fetch|remove|convert [options]

      explain     split the probability of each token over the layers that produce it
      aggregate   what the explanations of many prompts have in common
      lens        read every layer's state as if it were the last (logit lens, tuned lens)
      dla         split the logit of each token over everything that wrote it
      compare     several methods side by side, layer by layer
      flow        which token feeds which, inside one layer (LIG)
      attribute   scores of tokens, heads and neurons by gradients, relevance and attention
      circuit     which neurons or heads carry a prediction, and how much of it they carry alone
      patch       what a prediction is when a value comes from another run (also with noise)
      steer       what a model says when a value is scaled, set or added to
      inspect     what a model is: sizes, wiring, sites, and which methods work
      verify      what must hold of every model, tried on this one
      capture     write what a forward pass shows as safetensors
      model       models on this machine and on the hub: list, fetch, remove, convert

    telescope explain --help lists the options of explain, and so on; telescope --version prints
    the version.

    """
}

/// Ends the program on Ctrl-C with nothing half-written.
private final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init() {
    // A queue of its own: the common ones may be full of work.
    let queue = DispatchQueue(label: "interruption", qos: .userInteractive)
    sources = [(SIGINT, Int32(130)), (SIGTERM, Int32(143))].map { number, status in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        OutputFile.abandon {
          let left = OutputFile.remaining ?? "no unfinished file was left."
          Terminal.note("telescope: Interrupted; " + left)
          _exit(status)
        }
      }
      source.resume()
      return source
    }
  }
}
