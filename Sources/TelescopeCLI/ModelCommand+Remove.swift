internal import Foundation
internal import Telescope

extension ModelCommand {
  /// `telescope model remove` takes a model out of the cache.
  static func remove(_ words: [String]) throws {
    let forms: [String: Arguments.Form] = [
      "--revision": .value, "--file": .value, "--yes": .alone, "-y": .alone,
    ]
    guard let arguments = try arguments(words, "remove", forms, help: removeHelp) else { return }
    let name = try name(arguments, "remove")
    let removal = try HubCache(HubSettings().cache).removal(of: name)
    let files = removal.fileCount == 1 ? "1 file" : "\(removal.fileCount) files"
    let extent = "\(files), \(megabytes(removal.byteCount))"
    if !arguments.flag("--yes", "-y") {
      guard Terminal.isTerminal(STDIN_FILENO), Terminal.isTerminal(STDERR_FILENO) else {
        throw CommandError(.usage, "This would remove \(name) (\(extent)); add --yes if it shall.")
      }
      try? FileHandle.standardError.write(
        contentsOf: Data("Remove \(name) (\(extent))? [y/N] ".utf8))
      guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
        return Terminal.note("Nothing was removed.")
      }
    }
    try removal.perform()
    if !arguments.flag("--quiet", "-q") { Terminal.note("Removed \(name) (\(extent))") }
  }

  static let removeHelp = """
    usage: telescope model remove owner/name [options]

    Removes a model from the hub's cache, all its revisions unless one is named. What another
    revision needs stays.

      --revision R             this branch, tag or commit alone; also owner/name@R
      --file NAME.gguf         this GGUF file alone; also owner/name:NAME.gguf
      --yes, -y                do not ask
      --quiet, -q              no notes
      --version                the version
      --help, -h               this text

    """
}
