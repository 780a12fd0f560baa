public import Foundation

/// Files that tests read.
public enum Fixtures {
  /// `Tests/Fixtures` of this checkout.
  public static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

  /// The checkout itself.
  public static let checkout = folder.deletingLastPathComponent().deletingLastPathComponent()

  /// The file at this path below `Tests/Fixtures`.
  public static func url(_ path: String) -> URL { folder.appending(path: path) }
}
