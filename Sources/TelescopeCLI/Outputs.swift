internal import Foundation

extension ExplainRequest {
  /// Writes a result where it was asked for, and on screen unless standard output is one of those.
  func write(
    _ common: CommonOptions, _ data: (Format) throws -> Data, onScreen: () -> String
  ) throws {
    for output in outputs {
      let data = try data(output.format)
      if let file = output.file {
        try file.write(data)
      } else {
        try Terminal.write(String(decoding: data, as: UTF8.self))
      }
    }
    if outputs.allSatisfy({ $0.file != nil }) { try Terminal.write(onScreen()) }
    for file in outputs.compactMap(\.file) where !common.isQuiet {
      Terminal.note("Wrote \(file.path)")
    }
  }
}
