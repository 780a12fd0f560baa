internal import Foundation
internal import Telescope

/// `telescope model`: models on this machine and on the hub.
enum ModelCommand {
  static func run(_ words: [String]) throws {
    let rest = Array(words.dropFirst())
    switch words.first {
    case "list": try list(rest)
    case "fetch": try fetch(rest)
    case "remove": try remove(rest)
    case "convert": try convert(rest)
    case "--help", "-h": try Terminal.write(help)
    case "--version": try Terminal.write(Main.version)
    case nil:
      throw CommandError(
        .usage,
        "telescope model needs to know what to do: list, fetch, remove or convert; see "
          + "telescope model --help.")
    case let word?:
      throw CommandError(
        .usage,
        "telescope model does not know '\(word)'; it knows list, fetch, remove and convert (see "
          + "telescope model --help).")
    }
  }

  /// The words of one of the commands; nil if only its help or the version was wanted.
  static func arguments(
    _ words: [String], _ command: String, _ forms: [String: Arguments.Form], help: String
  ) throws -> Arguments? {
    let common: [String: Arguments.Form] = [
      "--quiet": .alone, "-q": .alone, "--help": .alone, "-h": .alone, "--version": .alone,
    ]
    let arguments = try Arguments(
      words, common.merging(forms) { first, _ in first }, of: "model " + command)
    if arguments.flag("--help", "-h") {
      try Terminal.write(help)
      return nil
    }
    if arguments.flag("--version") {
      try Terminal.write(Main.version)
      return nil
    }
    return arguments
  }

  /// The one model that a command is about, with `--revision` and `--file`.
  static func name(_ arguments: Arguments, _ command: String) throws -> HubName {
    guard let text = arguments.rest.first, arguments.rest.count == 1 else {
      throw CommandError(
        .usage,
        "telescope model \(command) takes one model such as owner/name; there are "
          + "\(arguments.rest.count).")
    }
    guard var name = HubName(text) else {
      throw CommandError(
        .usage, "'\(text)' is no name of a model on the hub; give one such as owner/name.")
    }
    for (option, mark, place) in [
      ("--revision", "@", \HubName.revision), ("--file", ":", \HubName.file),
    ] {
      guard let value = try arguments.value(option) else { continue }
      guard name[keyPath: place] == nil else {
        throw CommandError(
          .usage, "'\(text)' and \(option) '\(value)': give one of the two.")
      }
      // Only what the name itself could hold.
      guard let checked = HubName(name.repository + mark + value)?[keyPath: place] else {
        throw CommandError(.usage, "\(option) '\(value)': this cannot be on the hub; see its page.")
      }
      name[keyPath: place] = checked
    }
    return name
  }

  static let help = """
    usage: telescope model list [--json]
           telescope model fetch owner/name [options]
           telescope model remove owner/name [options]
           telescope model convert MODEL FOLDER [options]

      list      the models in the hub's cache, and those that came with Telescope
      fetch     download a model, or bring it up to date
      remove    free the room that a model takes in the cache
      convert   write a model as safetensors, in another type or in other parts

    A model of the hub is named owner/name, with @REVISION and :FILE behind it if wanted, here and
    wherever --model stands. telescope model fetch --help lists the options of fetch, and so on.

    """
}
