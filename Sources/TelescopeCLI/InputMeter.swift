internal import Foundation
internal import Telescope

extension CommandError {
  /// Whether another prompt may still succeed.
  var isOfOnePrompt: Bool {
    switch code {
    case .usage, .badData, .unavailable: true
    case .missingInput, .internalError, .inputOutput, .interrupted: false
    }
  }
}

/// Texts done of all, with the time left, on the progress line.
final class InputMeter {
  private let total: Int
  private let before: Int
  private var done: Int
  private let isQuiet: Bool
  private let noun: String
  private let start = ContinuousClock.now

  init(_ total: Int, done: Int, noun: String = "Prompt", quiet: Bool) {
    self.noun = noun
    self.total = total
    self.done = done
    before = done
    isQuiet = quiet
    Progress.current.begin("Explaining", quiet: quiet)
  }

  func begin() {
    // A note ends the stage.
    if !Progress.current.isOn { Progress.current.begin("Explaining", quiet: isQuiet) }
    Progress.current.rename("\(noun) \(min(done + 1, total)) of \(total)\(left)")
    update(0)
  }

  func update(_ share: Double) {
    Progress.current.update((Double(done) + share) / Double(total))
  }

  func finish() { done += 1 }

  func end() { Progress.current.end() }

  /// `, 3 min left`, once one prompt has told how long they take.
  private var left: String {
    guard done > before else { return "" }
    let seconds =
      (ContinuousClock.now - start) / .seconds(1) * Double(total - done) / Double(done - before)
    if seconds < 99 { return ", \(Int(seconds.rounded(.up))) s left" }
    if seconds < 99 * 60 { return ", \(Int((seconds / 60).rounded(.up))) min left" }
    return ", \(Int((seconds / 3600).rounded(.up))) h left"
  }
}
