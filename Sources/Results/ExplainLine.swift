public import Foundation

/// One line of what `telescope explain --input --json` writes.
public enum ExplainLine: Sendable, Equatable {
  /// A prompt that was explained.
  case result(ExplainResult)
  /// A prompt that could not be.
  case failure(ExplainFailure)

  /// What the file of prompts calls the prompt.
  public var id: String? {
    switch self {
    case .result(let result): result.id
    case .failure(let failure): failure.id
    }
  }

  /// The prompt.
  public var prompt: String {
    switch self {
    case .result(let result): result.prompt
    case .failure(let failure): failure.prompt
    }
  }

  /// The line, with the line break that ends it.
  ///
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded() throws -> Data {
    switch self {
    case .result(let result): return try result.encoded(indented: false)
    case .failure(let failure):
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(failure) + [UInt8(ascii: "\n")]
    }
  }

  /// Reads a line back.
  ///
  /// - Throws: ``ResultsError`` where the bytes are neither a result nor a failure.
  public static func decoded(from data: Data) throws -> ExplainLine {
    let decoder = JSONDecoder()
    if let schema = try? decoder.decode(SchemaName.self, from: data).schema,
      schema == ExplainFailure.schemaName
    {
      do {
        return .failure(try decoder.decode(ExplainFailure.self, from: data))
      } catch DecodingError.keyNotFound(let key, _) {
        throw ResultsError.missing(key.stringValue)
      } catch DecodingError.typeMismatch(_, let context) {
        throw ResultsError.wrongType(context.codingPath.last?.stringValue ?? "schema")
      } catch DecodingError.valueNotFound(_, let context) {
        throw ResultsError.wrongType(context.codingPath.last?.stringValue ?? "schema")
      } catch DecodingError.dataCorrupted(let context) {
        // A number that is no integer comes without its path; there is one integer here.
        throw ResultsError.wrongType(context.codingPath.last?.stringValue ?? "line")
      }
    }
    return .result(try ExplainResult.decoded(from: data))
  }
}

private struct SchemaName: Decodable {
  var schema: String
}
