internal import Foundation
internal import Telescope

/// `telescope lens`: what every layer's state says if it is read as the last.
enum LensCommand {
  static func run(_ words: [String]) throws {
    let rest = Array(words.dropFirst())
    switch words.first {
    case "show": try LensShow.run(rest)
    case "train": try LensTrain.run(rest)
    case "means": try LensMeans.run(rest)
    case "--help", "-h": try Terminal.write(help)
    case "--version": try Terminal.write(Main.version)
    case nil:
      throw CommandError(
        .usage,
        "telescope lens needs to know what to do: show, train or means; see "
          + "telescope lens --help.")
    case let word?:
      throw CommandError(
        .usage,
        "telescope lens does not know '\(word)'; it knows show, train and means (see telescope "
          + "lens --help).")
    }
  }

  static let help = """
    usage: telescope lens show [options] "text"
           telescope lens train [options] --input FILE.txt -o lens.safetensors
           telescope lens means [options] --input FILE.txt -o means.safetensors

      show      tokens × layers: what norm and head read from every layer's state
      train     a tuned lens: a translator for each layer's state
      means     the mean embedding and the mean update of each block over a text

    telescope lens show --help, telescope lens train --help and telescope lens means --help list
    the options.

    """
}

/// The text file that `--input` names.
struct LensInput {
  let text: String
  let sha256: String

  init(_ arguments: Arguments, command: String) throws {
    if let word = arguments.rest.first {
      throw CommandError(
        .usage, "telescope \(command) reads its text from --input; leave out '\(word)'.")
    }
    guard let path = try arguments.value("--input") else {
      throw CommandError(.usage, "--input is missing; name a text file.")
    }
    let url = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    let file = try MappedFile(url)
    guard let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw CommandError(
        .badData, "--input '\(path)': the file is not UTF-8 text; convert it first.")
    }
    guard !text.isEmpty else {
      throw CommandError(.badData, "--input '\(path)': the file is empty; give a text.")
    }
    self.text = text
    sha256 = try ModelHash(cache: nil).hash(of: [url])
  }
}

/// The file that `-o` or `--output` names.
func lensOutput(_ arguments: Arguments) throws -> OutputFile {
  let given = ["-o", "--output"].filter { arguments.flag($0) }
  guard let option = given.first else {
    throw CommandError(.usage, "-o is missing; name the file to write, such as lens.safetensors.")
  }
  guard given.count == 1, let path = try arguments.value(option) else {
    throw CommandError(.usage, "-o and --output are the same; give one.")
  }
  let file = OutputFile(option: option, path: path)
  try file.check()
  return file
}
