internal import Foundation
internal import Telescope

/// Options that every command has.
struct CommonOptions {
  var model: URL
  var threads: Int
  var device: Device
  var type: ScalarType
  var memory: Int?
  var isQuiet: Bool
  var ignoredKeys: Set<String>

  init(_ arguments: inout Arguments) throws {
    model = try ModelLocation.find(arguments.value("--model"))
    threads =
      try arguments.integer("--threads", in: 1...1024)
      ?? ProcessInfo.processInfo.activeProcessorCount
    device = try Self.choice("--device", arguments.value("--device"), Device.allCases, \.name) ?? .cpu
    type =
      try Self.choice(
        "--dtype", arguments.value("--dtype"), [.float32, .float64, .bfloat16], \.name) ?? .float32
    memory = try arguments.value("--memory").map(Self.bytes)
    isQuiet = arguments.flag("--quiet", "-q")
    ignoredKeys = Set(try arguments.values("--ignore-config-key"))
    if device == .mps && type == .float64 {
      throw CommandError(.usage, "--dtype float64 does not exist on --device mps; use --device cpu.")
    }
  }

  /// One of several named values.
  static func choice<Value>(
    _ option: String, _ text: String?, _ values: [Value], _ name: (Value) -> String
  ) throws -> Value? {
    guard let text else { return nil }
    if let value = values.first(where: { name($0) == text }) { return value }
    throw CommandError(
      .usage, "\(option) '\(text)': choose one of \(values.map(name).joined(separator: ", ")).")
  }

  /// `512M`, `2G`, `1500000`.
  private static func bytes(_ text: String) throws -> Int {
    let units: [Character: Double] = ["k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12]
    var digits = text.lowercased()
    if digits.hasSuffix("b") { digits.removeLast() }
    var scale = 1.0
    if let last = digits.last, let unit = units[last] {
      scale = unit
      digits.removeLast()
    }
    guard let number = Double(digits), number > 0, number * scale < 1e18 else {
      throw CommandError(
        .usage, "--memory '\(text)': a size such as 500M or 2G is expected.")
    }
    return Int(number * scale)
  }

  /// Loads the model, showing progress.
  func load() throws -> LoadedModel {
    Engine.threads = threads
    Progress.current.begin("Loading \(model.lastPathComponent)", quiet: isQuiet)
    defer { Progress.current.clear() }
    return try LoadedModel(
      at: model, type: type, on: device, ignoringKeys: ignoredKeys, memory: memory,
      progress: Progress.current.update)
  }

  static let help = """
      --model PATH             GGUF file, safetensors file, or model folder
                               (default: $TELESCOPE_MODEL, then SmolLM2-135M-Instruct)
      --device cpu|cuda|mps    where to run (default cpu)
      --dtype TYPE             float32 (default), float64, bfloat16
      --threads N              processor threads (default: all)
      --memory SIZE            the most memory to use, such as 2G
      --ignore-config-key KEY  run although Telescope does not know this key; repeatable
      --quiet, -q              no progress, no notes
      --version                the version
      --help, -h               this text
    """
}
