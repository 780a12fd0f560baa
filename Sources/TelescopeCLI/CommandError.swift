internal import Telescope

/// What ends a command: a sentence for a person and an exit code for a script.
struct CommandError: Error {
  /// Exit codes, after sysexits.h.
  enum Code: Int32 {
    case usage = 64
    case badData = 65
    case missingInput = 66
    case unavailable = 69
    case internalError = 70
    case inputOutput = 74
    case interrupted = 130
  }

  let code: Code
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message.hasSuffix(".") ? message : message + "."
  }

  /// Reads any error of the library.
  init(_ error: any Error) {
    switch error {
    case let error as CommandError: self = error
    case let error as CheckpointError:
      let codes: [CheckpointError.Code: Code] = [
        .missing: .missingInput, .unreadable: .missingInput, .malformed: .badData,
        .unsupported: .badData, .unwritable: .inputOutput, .unavailable: .unavailable,
        .usage: .usage,
      ]
      self.init(codes[error.code] ?? .badData, error.message)
    case let error as TokenizationError:
      self.init(error.code == .unreadable ? .missingInput : .badData, error.message)
    case let error as ModelError:
      let codes: [ModelError.Code: Code] = [
        .usage: .usage, .badData: .badData, .memory: .unavailable,
      ]
      self.init(codes[error.code] ?? .internalError, error.message)
    case let error as AttributionError:
      let codes: [AttributionError.Code: Code] = [
        .usage: .usage, .notFinite: .badData, .memory: .unavailable,
      ]
      self.init(codes[error.code] ?? .internalError, error.message)
    case let error as FlowError:
      let codes: [FlowError.Code: Code] = [
        .usage: .usage, .notFinite: .badData, .memory: .unavailable,
      ]
      self.init(codes[error.code] ?? .internalError, error.message)
    case let error as CircuitError:
      let codes: [CircuitError.Code: Code] = [
        .usage: .usage, .badData: .badData, .notFinite: .badData, .unreadable: .missingInput,
      ]
      self.init(codes[error.code] ?? .internalError, error.message)
    case let error as LensError:
      let codes: [LensError.Code: Code] = [
        .usage: .usage, .badData: .badData, .notFinite: .badData, .memory: .unavailable,
      ]
      self.init(codes[error.code] ?? .internalError, error.message)
    case let error as EngineError:
      self.init(
        error.code == .refused ? .internalError : .unavailable,
        error.code == .refused
          ? "The engine refused an operation: \(error.message). This is a fault in Telescope; please "
            + "report it with the command that led to it." : error.message)
    case let error as ResultsError:
      self.init(error.code == .notFinite ? .badData : .internalError, error.message)
    default: self.init(.internalError, "Unexpected failure: \(error). Please report it.")
    }
  }
}
