public import Foundation
public import StrictJSON

/// A model's `config.json`, which may lie there without weights.
public struct ModelConfiguration: Sendable {
  /// The largest `config.json` that is read, in bytes.
  public static let largestFile = 16 << 20

  /// A short name: of the folder, or of the file where that is not called `config.json`.
  public let name: String
  /// Where it was read.
  public let file: URL
  /// The object that it holds.
  public let value: JSON

  /// Reads a file, or the `config.json` of a folder.
  ///
  /// - Parameter url: The file or folder.
  /// - Throws: `missing`, `unreadable` or `malformed`.
  public init(at url: URL) throws(CheckpointError) {
    file = isFolder(url) ? url.appending(path: ModelFiles.configuration) : url
    value = try Self.read(file)
    name = Checkpoint.name(of: file)
  }

  static func read(_ file: URL) throws(CheckpointError) -> JSON {
    let value = try readJSON(file, largest: largestFile, allowNonFinite: true)
    guard value.object != nil else {
      throw CheckpointError.malformed(
        file.plainPath, "the configuration is \(value.kind), not an object")
    }
    return value
  }
}
