internal import Foundation
internal import Telescope

/// Where a model is found when none, or only a path, is named.
enum ModelLocation {
  static let defaultName = "SmolLM2-135M-Instruct.Q4_1.gguf"

  /// The model that was asked for, or the default one.
  ///
  /// What is there under this path comes first; then a name of the hub, from its cache or from the
  /// network. A path that leads nowhere is returned: opening it says so.
  static func find(_ text: String?, quiet: Bool = false) throws -> URL {
    if let text = text ?? Terminal.environment("TELESCOPE_MODEL") {
      let url = URL(fileURLWithPath: (text as NSString).expandingTildeInPath)
      guard !FileManager.default.fileExists(atPath: url.path), let name = HubName(text) else {
        return url
      }
      do {
        let hub = ModelHub(try HubSettings())
        return try hub.cache.find(name) ?? fetch(name, from: hub, quiet: quiet)
      } catch let error as CheckpointError where error.code == .missing || !text.contains("/") {
        throw CommandError(
          CommandError(error).code, error.message + "; there is no file '\(text)' either")
      }
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

  /// Downloads a model, showing progress; what an interruption leaves is gone on with later.
  static func fetch(_ name: HubName, from hub: ModelHub, quiet: Bool) throws -> URL {
    let label = "Fetching \(name)"
    Progress.current.begin(label, quiet: quiet)
    OutputFile.remaining = "what was downloaded is kept, and the same command goes on from there."
    defer {
      Progress.current.end()
      OutputFile.remaining = nil
    }
    let url = try hub.fetch(name) { state in
      Progress.current.rename(
        state.isWaiting ? "Waiting for another process to fetch \(name)" : label)
      Progress.current.describe("(\(state.file))")
      Progress.current.update(Double(state.byteCount) / Double(max(1, state.totalByteCount)))
    }
    return url
  }

  /// The model files that lie where the default one does.
  static func own() -> [URL] {
    folders().flatMap { folder -> [URL] in
      let models = folder.appending(path: "models")
      let names = (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
      return names.filter { !$0.hasPrefix(".") }.sorted().map { models.appending(path: $0) }
    }
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
