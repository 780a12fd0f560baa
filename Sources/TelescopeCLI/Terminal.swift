internal import Foundation
internal import Telescope

/// What the standard streams are connected to.
enum Terminal {
  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// The value of an environment variable that is set to something.
  static func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// How the report is shown: coloured only on a terminal, and never with NO_COLOR.
  static var style: TerminalStyle {
    let color = isTerminal(STDOUT_FILENO) && environment("NO_COLOR") == nil && !isDumb
    return TerminalStyle(width: width(STDOUT_FILENO), color: color, unicode: isUnicode)
  }

  /// Whether the terminal takes no control sequences.
  static var isDumb: Bool { environment("TERM") == "dumb" }

  /// Whether the locale says UTF-8, or nothing.
  static var isUnicode: Bool {
    guard let locale = environment("LC_ALL") ?? environment("LC_CTYPE") ?? environment("LANG")
    else { return true }
    let name = locale.lowercased()
    return name.contains("utf-8") || name.contains("utf8")
  }

  /// The columns of a terminal; of anything else, $COLUMNS or 100.
  static func width(_ descriptor: Int32) -> Int {
    var size = winsize()
    if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return environment("COLUMNS").flatMap { Int($0) } ?? 100
  }

  /// Writes to standard output.
  static func write(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      throw CommandError(
        .inputOutput, "Standard output cannot be written; check where it leads and its free space.")
    }
  }

  /// Writes a line to standard error, whose failure nobody could be told of.
  static func note(_ text: String) {
    Progress.current.end()
    try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
  }

  /// All of standard input.
  static func read() throws -> Data {
    do {
      return try FileHandle.standardInput.readToEnd() ?? Data()
    } catch {
      throw CommandError(
        .inputOutput, "Standard input cannot be read; give it a text file or a pipe.")
    }
  }
}

/// Standard input, line by line.
final class InputLines {
  private let stream = fdopen(STDIN_FILENO, "r")
  private var buffer: UnsafeMutablePointer<CChar>?
  private var capacity = 0

  deinit { free(buffer) }

  /// The bytes of the next line without its end, or nil after the last.
  func next() -> [UInt8]? {
    guard let stream else { return nil }
    let count = getline(&buffer, &capacity, stream)
    guard count >= 0, let buffer else { return nil }
    var line = UnsafeRawBufferPointer(start: buffer, count: count)[...]
    if line.last == UInt8(ascii: "\n") { line.removeLast() }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return Array(line)
  }
}
