internal import Foundation

extension [ExplainRequest.Output] {
  /// The outputs that a command's options name.
  ///
  /// - Throws: `CommandError` where two go to the same place.
  static func asked(of arguments: Arguments) throws -> Self {
    let outputs = try ExplainRequest.Format.allCases.compactMap { format in
      try arguments.value(format.option).map { ExplainRequest.Output(format, path: $0) }
    }
    if outputs.filter({ $0.file == nil }).count > 1 {
      throw CommandError(
        .usage, "Only one of --json, --csv and --html can go to standard output.")
    }
    var taken: Set<String> = []
    for file in outputs.compactMap(\.file) where !taken.insert(file.target).inserted {
      throw CommandError(
        .usage,
        "\(file.option) '\(file.path)': another output goes to the same file; name a "
          + "different one.")
    }
    return outputs
  }

  /// Writes a result where it was asked for, and on screen unless standard output is one of those.
  func write(
    _ common: CommonOptions, _ data: (ExplainRequest.Format) throws -> Data,
    onScreen: () -> String
  ) throws {
    for output in self {
      let data = try data(output.format)
      if let file = output.file {
        try file.write(data)
      } else {
        try Terminal.write(String(decoding: data, as: UTF8.self))
      }
    }
    if allSatisfy({ $0.file != nil }) { try Terminal.write(onScreen()) }
    for file in compactMap(\.file) where !common.isQuiet {
      Terminal.note("Wrote \(file.path)")
    }
  }
}
