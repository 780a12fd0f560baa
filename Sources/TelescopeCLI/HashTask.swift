internal import Foundation
internal import Synchronization
internal import Telescope

/// A model's SHA-256, computed beside the work and asked for at its end.
final class HashTask: Sendable {
  private let done = DispatchGroup()
  private let result = Mutex<Result<String, any Error>>(.success(""))

  init(_ model: URL) {
    DispatchQueue.global(qos: .utility).async(group: done) { [self] in
      let found = Result { try ModelHash().hash(of: Checkpoint(model)) }
      result.withLock { $0 = found }
    }
  }

  /// The hash, once it is there.
  func value() throws -> String {
    done.wait()
    return try result.withLock { try $0.get() }
  }
}
