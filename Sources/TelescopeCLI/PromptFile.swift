internal import Foundation
internal import StrictJSON
internal import Telescope

/// The prompts of `--input`, every line of them checked before any model is read.
struct PromptFile {
  /// One prompt.
  struct Entry: Equatable {
    /// Its line, counted from 1.
    var line: Int
    var id: String?
    var prompt: String
    var answer: String?
  }

  /// What messages call it: the file's name, or standard input.
  let name: String
  let entries: [Entry]

  /// The longest line that is read.
  static let longestLine = 16 << 20

  private static let keys = ["prompt", "answer", "id"]

  /// Reads JSON lines; of a file whose name ends in `.txt`, each line as a prompt.
  ///
  /// - Throws: `CommandError` that names the first line that is none.
  init(_ path: String) throws {
    let name = path == "-" ? "Standard input" : "--input '\(path)'"
    let isText = path.lowercased().hasSuffix(".txt")
    let lines = try LineReader(path, option: "--input", longest: Self.longestLine)
    var entries: [Entry] = []
    var ids: [String: Int] = [:]
    var number = 0
    while true {
      number += 1
      func refuse(_ what: String) -> CommandError {
        CommandError(.badData, "\(name), line \(number): \(what)")
      }
      guard let line = try lines.next(orRefuse: refuse) else { break }
      let blank: Set<UInt8> = [0x20, 0x09, 0x0D]
      if line.allSatisfy(blank.contains) { continue }
      let entry =
        try isText
        ? Self.text(line, number, refuse) : Self.object(line, number, refuse)
      if let id = entry.id {
        if let other = ids.updateValue(number, forKey: id) {
          throw refuse(
            "the id '\(Terminal.shown(id))' is line \(other)'s too; ids must differ.")
        }
      }
      entries.append(entry)
    }
    guard !entries.isEmpty else {
      throw CommandError(
        .badData, "\(name) has no prompts; give one line {\"prompt\": \"…\"} for each.")
    }
    self.name = name
    self.entries = entries
  }

  private static func text(
    _ line: [UInt8], _ number: Int, _ refuse: (String) -> CommandError
  ) throws -> Entry {
    var line = line[...]
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard let text = String(validating: line, as: UTF8.self) else {
      throw refuse("this is not UTF-8 text; convert the file first.")
    }
    return Entry(line: number, prompt: text)
  }

  private static func object(
    _ line: [UInt8], _ number: Int, _ refuse: (String) -> CommandError
  ) throws -> Entry {
    let shape = #"give {"prompt": "…"}, with "answer" and "id" if wanted."#
    let json: JSON
    do {
      json = try JSON.parse(line)
    } catch {
      throw refuse("this is not JSON (\(Terminal.shown(error.message))); \(shape)")
    }
    guard let object = json.object else { throw refuse("this is \(json.kind); \(shape)") }
    for key in object.keys where !keys.contains(key) {
      throw refuse(
        "unknown key '\(Terminal.shown(key))'; a line has 'prompt', and may have 'answer' and 'id'."
      )
    }
    func string(_ key: String) throws -> String? {
      guard let value = object[key] else { return nil }
      guard let text = value.string else {
        throw refuse("'\(key)' is \(value.kind); give a string in quotes.")
      }
      guard !text.isEmpty else {
        throw refuse("'\(key)' is empty; give at least one character.")
      }
      return text
    }
    guard let prompt = try string("prompt") else { throw refuse("there is no 'prompt'; \(shape)") }
    return Entry(
      line: number, id: try string("id"), prompt: prompt, answer: try string("answer"))
  }
}

extension Terminal {
  /// A text from a file as a message can show it: on one line, without control characters, cut.
  static func shown(_ text: String) -> String {
    let scalars = text.unicodeScalars.prefix(80).map { scalar -> String in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        "\u{FFFD}"
      default: String(scalar)
      }
    }
    return scalars.joined() + (text.unicodeScalars.count > 80 ? "…" : "")
  }
}

/// A file or standard input, line by line.
final class LineReader {
  private let handle: FileHandle
  private let source: String
  private let longest: Int
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// Whether the line given last had a line break.
  private(set) var wasWhole = false
  /// How many bytes the lines given so far take up, line breaks included.
  private(set) var offset = 0

  /// Opens a file; `-` is standard input.
  init(_ path: String, option: String, longest: Int = .max) throws {
    self.longest = longest
    guard path != "-" else {
      source = "Standard input"
      handle = .standardInput
      return
    }
    let prefix = option.isEmpty ? "" : option + " "
    source = "\(prefix)'\(path)'"
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw CommandError(
        .missingInput,
        "\(source): \(String(cString: strerror(errno)).lowercased()); check the name.")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw CommandError(.missingInput, "\(source): this is a folder; name a file in it.")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CommandError(
        .missingInput,
        "\(source): \(String(cString: strerror(errno)).lowercased()); check its permissions.")
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// The bytes of the next line without its line break, or nil after the last.
  ///
  /// - Throws: what `refuse` makes of a line that is too long; `CommandError` where reading fails.
  func next(orRefuse refuse: (String) -> CommandError) throws -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        return take(to: end, whole: true)
      }
      searched = buffer.count
      if isAtEnd {
        return start < buffer.count ? take(to: buffer.count, whole: false) : nil
      }
      guard buffer.count - start <= longest else {
        throw refuse("it is longer than \(longest >> 20) MiB; give one prompt a line.")
      }
      buffer.removeFirst(start)
      searched -= start
      start = 0
      do {
        let more = try handle.read(upToCount: 1 << 18) ?? Data()
        isAtEnd = more.isEmpty
        buffer += more
      } catch {
        throw CommandError(
          .inputOutput, "\(source) cannot be read; give it a text file or a pipe.")
      }
    }
  }

  private func take(to end: Int, whole: Bool) -> [UInt8] {
    let line = Array(buffer[start..<end])
    start = whole ? end + 1 : end
    offset += line.count + (whole ? 1 : 0)
    wasWhole = whole
    return line
  }
}
