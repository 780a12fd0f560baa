import Foundation
import Tensors
import Testing

@Suite("Engine errors")
struct EngineErrorTests {
  @Test("A mistake of shape is thrown at the end of its scope, with the engine's text")
  func shape() {
    let error = #expect(throws: EngineError.self) {
      try withEngineErrors {
        let wrong = Tensor(repeating: 1, [2, 3]).matmul(Tensor(repeating: 1, [2, 3]))
        // What follows a failure does nothing, and does not crash.
        _ = (wrong + wrong).softmax(along: -1).slice(0..<1, along: 0).exp.sum
        _ = wrong.shape
      }
    }
    #expect(error?.code == .refused)
    #expect(error?.message == "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")
  }

  @Test("Reading a value after a failure throws at once")
  func reading() {
    var reached = false
    let error = #expect(throws: EngineError.self) {
      try withEngineErrors {
        let wrong = Tensor(repeating: 1, [2]).reshaped([3])
        _ = try wrong.values()
        reached = true
      }
    }
    #expect(!reached)
    #expect(error?.message == "shape '[3]' is invalid for input of size 2")
  }

  @Test("Running out of memory is an error with a remedy, not a crash")
  func memory() {
    let error = #expect(throws: EngineError.self) {
      try withEngineErrors { _ = Tensor(repeating: 1, [1 << 44]) }
    }
    #expect(error?.code == .outOfMemory)
    #expect(
      error?.message
        == "Not enough memory for this run; use a shorter text, fewer tokens, or a smaller model.")
  }

  @Test("A failure is forgotten once it was thrown, also out of nested scopes")
  func recovery() throws {
    #expect(throws: EngineError.self) {
      try withEngineErrors {
        try withEngineErrors { _ = Tensor(repeating: 1, [2]).reshaped([3]) }
      }
    }
    #expect(try withEngineErrors { try Tensor(repeating: 2, [2]).sum.scalar() } == 4)
  }

  @Test("An error of the body's own passes through")
  func ownError() {
    struct Own: Error {}
    #expect(throws: Own.self) { try withEngineErrors { throw Own() } }
  }

  @Test("A GPU that is not there is named, with what to do")
  func cuda() {
    // On a machine with a GPU and CUDA there is nothing to refuse.
    guard !FileManager.default.fileExists(atPath: "/dev/nvidia0") else { return }
    let error = #expect(throws: EngineError.self) { try Device.cuda.prepare() }
    #expect(error?.code == .deviceUnavailable)
    #expect(error?.message.hasPrefix("--device cuda: the GPU cannot be used (") == true)
    #expect(
      error?.message.hasSuffix(
        "); use --device cpu, or install libtorch with CUDA and an NVIDIA driver.") == true)
  }
}
