internal import Foundation
internal import Telescope

extension ModelCommand {
  /// A model as `--json` shows it.
  private struct Row: Encodable {
    var name: String
    var revisions: [String]
    var commit: String?
    var bytes: Int
    var format: String?
    var complete: Bool
    var path: String
  }

  private struct Listing: Encodable {
    var schema = "telescope/models/1"
    var cache: String
    var models: [Row]
  }

  /// `telescope model list` says which models are on this machine.
  static func list(_ words: [String]) throws {
    guard let arguments = try arguments(words, "list", ["--json": .alone], help: listHelp) else {
      return
    }
    if let word = arguments.rest.first {
      throw CommandError(.usage, "telescope model list takes no model; leave out '\(word)'.")
    }
    let cache = HubCache(try HubSettings().cache)
    let rows = ModelLocation.own().map(row) + cache.models().map(row)
    guard !arguments.flag("--json") else {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      let data = try encoder.encode(Listing(cache: cache.folder.path, models: rows))
      return try Terminal.write(String(decoding: data, as: UTF8.self) + "\n")
    }
    guard !rows.isEmpty else {
      return try Terminal.write(
        "There are no models in \(cache.folder.path); telescope model fetch owner/name brings one.\n"
      )
    }
    let cells = rows.map { row in
      [
        row.name,
        row.revisions.isEmpty
          ? row.commit.map { String($0.prefix(7)) } ?? "" : row.revisions.joined(separator: " "),
        megabytes(row.bytes), row.complete ? row.format ?? "unknown" : "incomplete", row.path,
      ]
    }
    let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
    let lines = cells.map { cells in
      let shown = (0..<4).map { column in
        let fill = String(repeating: " ", count: widths[column] - cells[column].count)
        return column == 2 ? fill + cells[column] : cells[column] + fill
      }
      return (shown + [cells[4]]).joined(separator: "  ")
    }
    try Terminal.write(lines.joined(separator: "\n") + "\n")
  }

  private static func row(_ model: CachedModel) -> Row {
    Row(
      name: model.repository + (model.file.map { ":" + $0 } ?? ""), revisions: model.revisions,
      commit: model.commit.isEmpty ? nil : model.commit, bytes: model.byteCount,
      format: model.format?.rawValue, complete: model.isComplete, path: model.url.path)
  }

  private static func row(_ url: URL) -> Row {
    let checkpoint = try? Checkpoint(url)
    let bytes = (checkpoint?.files ?? [url]).reduce(0) { sum, file in
      sum + ((try? MappedFile(file).count) ?? 0)
    }
    return Row(
      name: checkpoint?.name ?? url.lastPathComponent, revisions: [], commit: nil, bytes: bytes,
      format: checkpoint?.format.rawValue, complete: checkpoint != nil, path: url.path)
  }

  static let listHelp = """
    usage: telescope model list [--json]

    The models in the hub's cache (HF_HUB_CACHE, else hub in HF_HOME or ~/.cache/huggingface), which
    Hugging Face's own programs share, and those that came with Telescope: name, branch or commit,
    size, format, place.

      --json                   schema telescope/models/1
      --version                the version
      --help, -h               this text

    """
}
