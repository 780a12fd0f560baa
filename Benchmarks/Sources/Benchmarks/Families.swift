import Foundation
import Telescope

// A forward pass of every family beside transformers', on random models of one size that the twin makes
// and saves as the family's checkpoints are.

@MainActor func familyBenchmarks() throws {
  guard wanted("family") else { return }
  let folder = checkout.appending(path: "Benchmarks/.build/families")
  let twin = try Twin(
    python: python, script: reference.appending(path: "families_twin.py"), model: folder,
    threads: threads)
  let families = try twin.ask(["task": "families"])["families"] as? [String] ?? []
  let ids = (0..<128).map { 5 + ($0 * 37) % 4000 }
  for family in families where wanted("family \(family), 128 tokens") {
    // One that does not run leaves the others.
    do { try familyBenchmark(family, twin, ids) } catch { print("family \(family): \(error)") }
  }
}

@MainActor private func familyBenchmark(_ family: String, _ twin: Twin, _ ids: [Int]) throws {
  let made = try twin.ask(["task": "make", "family": family])["folder"] as? String ?? ""
  let model = try loadNetwork(of: Checkpoint(URL(fileURLWithPath: made)))
  let request: [String: Any] = ["task": "forward", "family": family, "ids": ids]
  func run() throws -> [Double] {
    try withRecording(false) {
      if model.head == nil {
        return try model.run([ids]).residual.slice(127..<128, along: 1).values()
      }
      let run = try model.run([ids], capturing: [.logits])
      return try run.activations[.logits].slice(127..<128, along: 1).values()
    }
  }
  // Both sides compute the same before anything is timed; a model without a head is compared behind
  // its final norm, which its own reference values cover.
  let theirs = try twin.ask(request)["last"] as? [Double] ?? []
  let ours = try run()
  if model.head != nil {
    for (a, b) in zip(ours, theirs) where abs(a - b) > 1e-3 * (1 + abs(b)) {
      throw Failure(description: "\(family): ours and transformers' logits differ: \(a), \(b)")
    }
  }
  try compare(
    [("family \(family), 128 tokens", 0.95, 1.15, { _ = try run() })], turns: 2 * turns
  ) { try twin.time(request) }
}
