internal import Foundation

/// Where a model is found when none, or only a path, is named.
enum ModelLocation {
  static let defaultName = "SmolLM2-135M-Instruct.Q4_1.gguf"

  /// The model that was asked for, or the default one.
  static func find(_ path: String?) throws -> URL {
    let environment = ProcessInfo.processInfo.environment
    if let path = path ?? environment["TELESCOPE_MODEL"].flatMap({ $0.isEmpty ? nil : $0 }) {
      return URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    }
    let candidates = folders().map { $0.appending(path: "models/" + defaultName) }
    if let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) {
      return found
    }
    throw CommandError(
      .missingInput, "There is no default model: \(defaultName) is in none of "
        + "\(candidates.map(\.path).joined(separator: ", ")); run `make setup` in the checkout, or "
        + "name a model with --model or TELESCOPE_MODEL.")
  }

  /// The checkout's `.deps`, above the program; then the user's cache.
  private static func folders() -> [URL] {
    var folders: [URL] = []
    let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    let real =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      .map { URL(fileURLWithPath: $0) } ?? program
    var folder = real.deletingLastPathComponent()
    while folder.path != "/" {
      let dependencies = folder.appending(path: ".deps")
      if FileManager.default.fileExists(atPath: dependencies.path) {
        folders.append(dependencies)
        break
      }
      folder.deleteLastPathComponent()
    }
    let home = FileManager.default.homeDirectoryForCurrentUser
    #if os(macOS)
      let cache = home.appending(path: "Library/Caches")
    #else
      let cache =
        ProcessInfo.processInfo.environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0) }
        ?? home.appending(path: ".cache")
    #endif
    return folders + [cache.appending(path: "telescope")]
  }
}
