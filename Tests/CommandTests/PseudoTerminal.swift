import Foundation
import Synchronization

/// A terminal of a given width that a command runs in; both output streams lead to it.
final class PseudoTerminal: Sendable {
  private let seen = Mutex(Data())
  private let controller: FileHandle
  private let device: FileHandle
  private let reader = DispatchGroup()

  init(columns: Int) throws {
    var (descriptor, end): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 50, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    guard openpty(&descriptor, &end, nil, nil, &size) == 0 else { throw POSIXError(.ENXIO) }
    controller = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    device = FileHandle(fileDescriptor: end, closeOnDealloc: true)
  }

  /// Everything shown so far, with plain line ends.
  var text: String {
    seen.withLock { String(decoding: $0, as: UTF8.self) }.replacing("\r\n", with: "\n")
  }

  /// Starts a process in this terminal, which it may read from too.
  func start(_ process: Process, reading isRead: Bool = false) throws {
    if isRead { process.standardInput = device }
    process.standardOutput = device
    process.standardError = device
    try process.run()
    DispatchQueue.global().async(group: reader) { [self] in
      // The other end is closed when reading fails or yields nothing.
      while true {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(controller.fileDescriptor, &buffer, buffer.count)
        guard count > 0 else { return }
        seen.withLock { $0 += buffer[..<count] }
      }
    }
  }

  /// Types what the process reads.
  func type(_ text: String) throws { try controller.write(contentsOf: Data(text.utf8)) }

  /// Waits until a text is shown, at most a minute.
  func wait(for text: String) -> Bool {
    let end = Date.now + 60
    while Date.now < end {
      if self.text.contains(text) { return true }
      usleep(20_000)
    }
    return false
  }

  /// Everything shown, once the process has ended.
  func finish(_ process: Process) -> String {
    process.waitUntilExit()
    try? device.close()
    reader.wait()
    return text
  }

  /// Runs a command to its end.
  static func run(
    _ words: [String], columns: Int = 100, settings: [String: String] = [:]
  ) throws -> (code: Int32, text: String) {
    let terminal = try PseudoTerminal(columns: columns)
    let process = Command.process(words, settings)
    try terminal.start(process)
    let text = terminal.finish(process)
    return (process.terminationStatus, text)
  }
}
