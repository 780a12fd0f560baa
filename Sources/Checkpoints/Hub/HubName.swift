/// What names a model on the hub: `owner/name`, with a revision and a file if wanted.
///
/// Written `owner/name@revision:file.gguf`. A few old models have no owner.
public struct HubName: Sendable, Hashable {
  /// `owner/name`, or `name` alone.
  public let repository: String
  /// A branch, a tag or a commit; nil for the main branch.
  public var revision: String?
  /// A file in it, for repositories of several GGUF files.
  public var file: String?

  /// The branch that is meant where none is named.
  public static let mainRevision = "main"

  /// Reads a name.
  ///
  /// Nothing comes of what can only be a path: text that begins with `/`, `.` or `~`, has more than
  /// one separator before `@` and `:`, ends as model files do, or has other characters than the
  /// hub's names.
  ///
  /// - Parameter text: `owner/name`, `name`, with `@revision` and then `:file` behind it if wanted.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let named = parts[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let repository = String(named[0])
    guard Self.isRepository(repository) else { return nil }
    if named.count > 1 {
      guard Self.isRevision(String(named[1])) else { return nil }
      revision = String(named[1])
    }
    if parts.count > 1 {
      guard isPlainPath(String(parts[1])) else { return nil }
      file = String(parts[1])
    }
    self.repository = repository
  }

  /// The rules of the hub for names: letters, digits, `-`, `_`, `.`; no `--`, no `..`.
  private static func isRepository(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let endings = [".gguf", ".safetensors", ".bin", ".pt", ".json", ".git"]
    guard (1...2).contains(parts.count), !endings.contains(where: text.lowercased().hasSuffix)
    else { return false }
    return parts.allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last, part.utf8.count <= 96 else {
        return false
      }
      let edges = [UInt8(ascii: "-"), UInt8(ascii: ".")]
      return part.utf8.allSatisfy(isNameByte) && !edges.contains(first) && !edges.contains(last)
        && !part.contains("--") && !part.contains("..")
    }
  }

  private static func isRevision(_ text: String) -> Bool {
    isPlainPath(text) && text.utf8.allSatisfy { isNameByte($0) || "/+=".utf8.contains($0) }
  }

  /// The revision that is meant.
  var wantedRevision: String { revision ?? Self.mainRevision }
}

extension HubName: CustomStringConvertible {
  /// The name as it is written.
  public var description: String {
    repository + (revision.map { "@" + $0 } ?? "") + (file.map { ":" + $0 } ?? "")
  }
}

/// A letter, a digit, `-`, `_` or `.`.
func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
    UInt8(ascii: "."):
    true
  default: false
  }
}

/// Whether a relative path stays within its folder on every system: no part is empty, `.` or `..`,
/// and no character is a backslash or a control.
func isPlainPath(_ path: String) -> Bool {
  // By bytes: a combining mark would make '/' a different `Character`.
  let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  return path.utf8.count <= 1024
    && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
    && parts.allSatisfy { part in
      !part.isEmpty && part.count <= 255 && !part.elementsEqual(".".utf8)
        && !part.elementsEqual("..".utf8)
    }
}

/// Whether a text is a whole commit: 40 hexadecimal digits.
func isCommit(_ text: String) -> Bool { isHexadecimal(text, digits: 40) }

/// Whether a text is this many lower-case hexadecimal digits.
func isHexadecimal(_ text: String, digits: Int) -> Bool {
  text.utf8.count == digits
    && text.utf8.allSatisfy {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
    }
}
