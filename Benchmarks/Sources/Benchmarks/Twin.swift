import Foundation

/// The PyTorch twin: a process that does a task when asked and says how long it took.
final class Twin {
  private let process = Process()
  private let requests = Pipe()
  private let answers = Pipe()
  private var buffer = Data()

  /// Starts it and waits until its model is loaded.
  init(python: URL, script: URL, model: URL, threads: Int) throws {
    process.executableURL = python
    process.arguments = [script.path, "--model", model.path, "--threads", "\(threads)"]
    process.standardInput = requests
    process.standardOutput = answers
    try process.run()
    _ = try line()
  }

  /// Does a task once; returns its answer.
  func ask(_ request: [String: Any]) throws -> [String: Any] {
    var data = try JSONSerialization.data(withJSONObject: request)
    data.append(UInt8(ascii: "\n"))
    try requests.fileHandleForWriting.write(contentsOf: data)
    let answer = try JSONSerialization.jsonObject(with: line()) as? [String: Any] ?? [:]
    if let error = answer["error"] { throw Failure(description: "twin: \(error)") }
    return answer
  }

  /// The time of a task in milliseconds.
  func time(_ request: [String: Any]) throws -> Double {
    guard let time = try ask(request)["ms"] as? Double else {
      throw Failure(description: "the twin gave no time")
    }
    return time
  }

  private func line() throws -> Data {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        let line = buffer[..<end]
        buffer = Data(buffer[(end + 1)...])
        return Data(line)
      }
      let more = answers.fileHandleForReading.availableData
      if more.isEmpty { throw Failure(description: "the twin ended; see its message above") }
      buffer.append(more)
    }
  }

  deinit { process.terminate() }
}

struct Failure: Error, CustomStringConvertible {
  var description: String
}
