internal import Foundation
internal import Telescope

/// Options that every command has.
struct CommonOptions {
  /// The model that was named, if one was.
  var model: String?
  var threads: Int
  var device: Device
  var type: ScalarType
  var memory: Int?
  var isQuiet: Bool
  var ignoredKeys: Set<String>

  static let forms: [String: Arguments.Form] = [
    "--model": .value, "--threads": .value, "--device": .value, "--dtype": .value,
    "--memory": .value, "--ignore-config-key": .value, "--quiet": .alone, "-q": .alone,
    "--help": .alone, "-h": .alone, "--version": .alone,
  ]

  init(_ arguments: Arguments) throws {
    model = try arguments.value("--model")
    threads =
      try arguments.integer("--threads", in: 1...1024)
      ?? ProcessInfo.processInfo.activeProcessorCount
    device = try arguments.choice("--device", Device.allCases, \.name) ?? .cpu
    let types: [ScalarType] = [.float32, .float64, .bfloat16, .float16]
    type = try arguments.choice("--dtype", types, \.name) ?? .float32
    memory = try arguments.value("--memory").map { try Self.bytes($0, of: "--memory") }
    isQuiet = arguments.flag("--quiet", "-q")
    ignoredKeys = Set(arguments.values("--ignore-config-key"))
    if device == .mps && type == .float64 {
      throw CommandError(
        .usage, "--dtype float64 does not exist on --device mps; use --device cpu.")
    }
  }

  /// `512M`, `2G`, `1500000`.
  static func bytes(_ text: String, of option: String) throws -> Int {
    let units: [Character: Double] = ["k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12]
    var digits = text.lowercased()
    if digits.hasSuffix("b") { digits.removeLast() }
    var scale = 1.0
    if let last = digits.last, let unit = units[last] {
      scale = unit
      digits.removeLast()
    }
    guard let number = Double(digits), number * scale >= 1, number * scale < 1e18 else {
      throw CommandError(.usage, "\(option) '\(text)': give a size such as 500M or 2G.")
    }
    return Int(number * scale)
  }

  /// Loads a model, showing progress.
  func load(_ model: URL) throws -> LoadedModel {
    Engine.threads = threads
    Engine.keepFreedMemory()
    Progress.current.begin("Loading the model", quiet: isQuiet)
    defer { Progress.current.end() }
    return try LoadedModel(
      at: model, type: type, on: device, ignoringKeys: ignoredKeys, memory: memory,
      progress: Progress.current.update)
  }

  static let help = """
      --model MODEL            GGUF file, safetensors file, model folder, or owner/name on the
                               hub (default: $TELESCOPE_MODEL, then SmolLM2-135M-Instruct)
      --device cpu|cuda|mps    where to run (default cpu)
      --dtype TYPE             float32 (default), float64, bfloat16, float16: the last two keep
                               weights in half the memory and give results of 2 or 3 digits
      --threads N              processor threads (default: all)
      --memory SIZE            the most for weights and run, such as 2G
      --ignore-config-key KEY  run although Telescope does not know this key; repeatable
      --quiet, -q              no progress, no notes
      --version                the version
      --help, -h               this text
    """
}
