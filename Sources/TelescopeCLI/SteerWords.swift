internal import Foundation
internal import Telescope

/// The change that the words of `telescope steer` describe.
struct SteerWords {
  private enum Kind {
    case scale(Double)
    case set(Double)
    case file(path: String, name: String)
    case text(plus: String?, minus: String?)
  }

  private let site: String
  private let kind: Kind
  private let times: Double
  private let units: [Int]?
  private let positions: [Int]?

  /// - Throws: `CommandError` where no change is named, or two.
  init(_ arguments: Arguments) throws {
    guard let site = try arguments.value("--site") else {
      throw CommandError(
        .usage,
        "--site says where, such as --site residual.after.12; telescope inspect lists a model's sites."
      )
    }
    self.site = site
    units = try arguments.list("--unit").map { Set($0.compactMap { Int($0) }).sorted() }
    positions = try arguments.list("--positions").map { Set($0.compactMap { Int($0) }).sorted() }

    func number(_ option: String) throws -> Double? {
      try arguments.number(option, "a number") { $0.isFinite }
    }
    var kinds: [Kind] = []
    if let factor = try number("--scale") { kinds.append(.scale(factor)) }
    if let value = try number("--set") { kinds.append(.set(value)) }
    if let file = try arguments.value("--add") { kinds.append(try Self.file(file)) }
    let plus = try arguments.value("--add-text")
    let minus = try arguments.value("--minus-text")
    if plus != nil || minus != nil { kinds.append(.text(plus: plus, minus: minus)) }
    guard let kind = kinds.first, kinds.count == 1 else {
      throw CommandError(
        .usage,
        kinds.isEmpty
          ? "No change is named; give --scale, --set, --add or --add-text."
          : "A run has one change; give one of --scale, --set, --add and --add-text.")
    }
    self.kind = kind
    let times = try number("--times")
    switch kind {
    case .scale, .set:
      if times != nil {
        throw CommandError(.usage, "--times multiplies a vector that is added; leave it out.")
      }
    case .file, .text: break
    }
    self.times = times ?? 1
  }

  private static func file(_ text: String) throws -> Kind {
    guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
      text.index(after: colon) != text.endIndex
    else {
      throw CommandError(
        .usage, "--add '\(text)': name a file and a tensor in it, as FILE.safetensors:NAME.")
    }
    return .file(path: String(text[..<colon]), name: String(text[text.index(after: colon)...]))
  }

  /// The change in a model, and what results say of it.
  func steering(
    in loaded: LoadedModel, _ reader: PromptReader, _ notes: inout [String]
  ) throws -> (Steering, SteerChange) {
    let sites = try loaded.model.sites(named: [site])
    guard sites.count == 1 else {
      throw CommandError(
        .usage,
        "--site '\(site)' stands for \(sites.count) sites; name one layer's, such as \(sites[0]).")
    }
    func change(_ kind: String, _ amount: Double) -> SteerChange {
      SteerChange(
        site: sites[0].description, kind: kind, amount: amount, units: units,
        positions: positions)
    }
    func steering(_ change: Steering.Change) -> Steering {
      Steering(change, at: sites[0], units: units, positions: positions)
    }
    func added(
      _ vector: [Double], _ source: inout SteerChange
    ) -> (Steering, SteerChange) {
      let scaled = vector.map { $0 * times }
      source.length = scaled.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return (steering(.add(scaled)), source)
    }
    var source = change("add", times)
    switch kind {
    case .scale(let factor): return (steering(.scale(factor)), change("scale", factor))
    case .set(let value): return (steering(.set(value)), change("set", value))
    case .file(let path, let name):
      source.source = (path as NSString).lastPathComponent + ":" + name
      return added(try Self.vector(path, name), &source)
    case .text(let plus, let minus):
      source.plus = plus
      source.minus = minus
      func vector(_ text: String, _ option: String) throws -> [Double] {
        let ids = reader.surrounded(reader.ids(of: text, "The text of \(option)", &notes))
        if ids.count == 1 {
          notes.append(
            "The text of \(option) is one token, and the first position's values are often unlike all others'; "
              + "give a longer text, or --bos.")
        }
        return try Steering.vector(at: sites[0], of: ids, in: loaded.model)
      }
      let first = try plus.map { try vector($0, "--add-text") }
      let second = try minus.map { try vector($0, "--minus-text") }
      guard let first else { return added((second ?? []).map { -$0 }, &source) }
      return added(second.map { zip(first, $0).map { $0 - $1 } } ?? first, &source)
    }
  }

  private static func vector(_ path: String, _ name: String) throws -> [Double] {
    let url = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    let file = try Safetensors(url)
    guard let tensor = file.tensors[name] else {
      let names = file.tensors.keys.sorted()
      let shown = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
      throw CommandError(
        .badData, "--add '\(path):\(name)': the file has no such tensor; it has \(shown).")
    }
    guard tensor.elementCount <= 1 << 24 else {
      throw CommandError(
        .badData,
        "--add '\(path):\(name)': the tensor has \(tensor.elementCount) numbers, which is no vector of one "
          + "position.")
    }
    let vector = [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, filled in
      if let address = buffer.baseAddress { tensor.read(into: address) }
      filled = tensor.elementCount
    }
    guard vector.allSatisfy(\.isFinite) else {
      throw CommandError(
        .badData, "--add '\(path):\(name)': the tensor has numbers that are not finite.")
    }
    return vector
  }
}
