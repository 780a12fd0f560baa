import Foundation
import Tensors
import Testing

@Suite("Engine memory")
struct MemoryTests {
  // In a process of its own: other tests load models meanwhile.
  @Test("100,000 operations leave resident memory where it was, within 2 MB")
  func leak() async {
    await #expect(processExitsWith: .success) {
      try work(20_000)
      let before = resident()
      try work(100_000)
      let grown = resident() - before
      guard grown < 2_000_000 else { fatalError("grew by \(grown) bytes") }
    }
  }

  @Test("A kept tensor is seen by the same measure")
  func measure() async {
    await #expect(processExitsWith: .success) {
      try work(20_000)
      let before = resident()
      let kept = Tensor(repeating: 1, [1_000_000])
      let grown = resident() - before
      guard grown > 3_000_000, kept.count == 1_000_000 else { fatalError("saw \(grown) bytes") }
    }
  }
}

/// Operations, gradients and failures of every kind that makes a handle.
private func work(_ count: Int) throws {
  let a = Tensor(repeating: 0.5, [16, 16])
  let b = Tensor(repeating: 0.5, [16, 16])
  for step in 0..<count / 5 {
    let c = a.linear(b) + a
    let d = c.softmax(along: -1).reshaped([256])
    if step % 1000 == 0 { _ = try d.sum.scalar() }
  }
  try withRecording(true) {
    for _ in 0..<count / 100 {
      let leaf = a.requiringGradient()
      _ = try (leaf * leaf).sum.gradient(withRespectTo: [leaf])[0].values()
    }
  }
  for _ in 0..<count / 100 {
    _ = try? withEngineErrors { _ = a.reshaped([3]) }
  }
}

/// Resident memory of this process, in bytes.
private func resident() -> Int {
  let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
  let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  return pages * Int(getpagesize())
}
