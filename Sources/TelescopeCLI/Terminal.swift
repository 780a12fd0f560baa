internal import Foundation
internal import Synchronization
internal import Telescope

/// What the two output streams are connected to.
enum Terminal {
  static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  private static func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// How the report is shown: coloured only on a terminal, and never with NO_COLOR.
  static var style: TerminalStyle {
    let color =
      outputIsTerminal && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
    let locale =
      environment("LC_ALL") ?? environment("LC_CTYPE") ?? environment("LANG") ?? "C.UTF-8"
    let unicode = !["C", "POSIX"].contains(locale)
    return TerminalStyle(width: width, color: color, unicode: unicode)
  }

  private static var width: Int {
    var size = winsize()
    if outputIsTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      return Int(size.ws_col)
    }
    return environment("COLUMNS").flatMap { Int($0) }.map { max(20, $0) } ?? 100
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

  /// Writes a line to standard error.
  static func note(_ text: String) {
    Progress.current.clear()
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}

/// One line on standard error for what takes over a second.
final class Progress: Sendable {
  static let current = Progress()

  private struct State {
    var isOn = false
    var label = ""
    var start = ContinuousClock.now
    var shown = ContinuousClock.now
    var isVisible = false
  }
  private let state = Mutex(State())

  /// Starts a stage; shows nothing in its first second.
  func begin(_ label: String, quiet: Bool) {
    clear()
    state.withLock {
      $0.isOn = !quiet && Terminal.errorIsTerminal
      $0.label = label
      $0.start = .now
      $0.shown = .now
    }
  }

  /// Tells how much of the stage is done.
  func update(_ share: Double) {
    let line: String? = state.withLock {
      let now = ContinuousClock.now
      guard $0.isOn, now - $0.start > .seconds(1), now - $0.shown > .milliseconds(80) else {
        return nil
      }
      $0.shown = now
      $0.isVisible = true
      let filled = Int((max(0, min(1, share)) * 24).rounded(.down))
      let bar = String(repeating: "━", count: filled) + String(repeating: "╌", count: 24 - filled)
      return "\r\($0.label) \(bar) \(Int(max(0, min(1, share)) * 100)) %\u{1B}[K"
    }
    if let line { FileHandle.standardError.write(Data(line.utf8)) }
  }

  /// Removes the line.
  func clear() {
    let wasVisible: Bool = state.withLock { state in
      defer { state.isVisible = false }
      return state.isVisible
    }
    if wasVisible { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
