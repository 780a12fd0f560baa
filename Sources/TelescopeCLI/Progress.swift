internal import Foundation
internal import Synchronization

/// One line on standard error for what takes over a second.
final class Progress: Sendable {
  static let current = Progress()

  private struct State {
    var stage = 0
    var label: String?
    var detail = ""
    var share = 0.0
    var isVisible = false
  }
  private let state = Mutex(State())
  // A queue of its own: the common ones may be full of work.
  private let queue = DispatchQueue(label: "progress", qos: .userInteractive)

  /// Starts a stage, which shows after its first second.
  func begin(_ label: String, quiet: Bool) {
    end()
    guard !quiet, Terminal.isTerminal(STDERR_FILENO), !Terminal.isDumb else { return }
    let stage = state.withLock { state in
      state.stage += 1
      state.label = label
      state.detail = ""
      state.share = 0
      return state.stage
    }
    draw(stage, after: .seconds(1))
  }

  /// Whether a stage goes on.
  var isOn: Bool { state.withLock { $0.label != nil } }

  /// Names the stage anew, without showing it sooner.
  func rename(_ label: String) {
    state.withLock { state in
      if state.label != nil { state.label = label }
    }
  }

  /// Says more of what the stage does, shown where there is room for it.
  func describe(_ detail: String) {
    state.withLock { $0.detail = detail }
  }

  /// Tells how much of the stage is done.
  func update(_ share: Double) {
    state.withLock { $0.share = min(1, max(0, share)) }
  }

  /// Ends the stage and removes its line.
  func end() {
    state.withLock { state in
      state.label = nil
      if state.isVisible { show("\r\u{1B}[K") }
      state.isVisible = false
    }
  }

  /// Draws again and again until the stage is over, whether or not anything is told.
  private func draw(_ stage: Int, after delay: DispatchTimeInterval) {
    queue.asyncAfter(deadline: .now() + delay) { [self] in
      let goesOn = state.withLock { state in
        guard state.stage == stage, let label = state.label else { return false }
        let width = Terminal.width(STDERR_FILENO)
        let whole = state.detail.isEmpty ? label : label + " " + state.detail
        let shown = whole.count + 20 < width ? whole : label
        show("\r" + Self.line(shown, state.share, width: width) + "\u{1B}[K")
        state.isVisible = true
        return true
      }
      if goesOn { draw(stage, after: .milliseconds(100)) }
    }
  }

  /// `Explaining ━━━━╌╌╌╌ 50 %`, narrower than the terminal.
  static func line(_ label: String, _ share: Double, width: Int) -> String {
    let percent = "\(Int(share * 100)) %"
    let columns = min(24, width - label.count - 8)
    guard columns >= 4 else { return String("\(label) \(percent)".prefix(max(0, width - 1))) }
    let filled = Int(share * Double(columns))
    let (full, empty) = Terminal.isUnicode ? ("━", "╌") : ("#", "-")
    return label + " " + String(repeating: full, count: filled)
      + String(repeating: empty, count: columns - filled) + " " + percent
  }

  private func show(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
