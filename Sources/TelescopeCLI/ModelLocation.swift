internal import Foundation
internal import Telescope

/// Where a model is found when none, or only a path, is named.
enum ModelLocation {
  static let defaultName = "SmolLM2-135M-Instruct.Q4_1.gguf"

  /// The model that was asked for, or the default one.
  static func find(_ path: String?) throws -> URL {
    if let path = path ?? Terminal.environment("TELESCOPE_MODEL") {
      return URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    }
    let candidates = folders().map { $0.appending(path: "models/" + defaultName) }
    if let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) {
      return found
    }
    let places = candidates.isEmpty ? "" : " at " + candidates.map(\.path).joined(separator: " or ")
    throw CommandError(
      .missingInput,
      "There is no default model\(places); run `make setup` in the checkout, or name "
        + "a model with --model or TELESCOPE_MODEL.")
  }

  /// The checkout's `.deps`, above the program; then the user's cache.
  private static func folders() -> [URL] {
    let program = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    var folder = program.resolvingSymlinksInPath().deletingLastPathComponent()
    var found: [URL] = []
    while folder.path != "/" {
      let dependencies = folder.appending(path: ".deps")
      if FileManager.default.fileExists(atPath: dependencies.path) {
        found.append(dependencies)
        break
      }
      folder.deleteLastPathComponent()
    }
    return found + [ModelHash.userCache].compactMap(\.self)
  }
}
