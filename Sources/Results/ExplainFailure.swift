/// A prompt that could not be explained among many that were: the JSON schema `telescope/error/1`.
public struct ExplainFailure: Codable, Sendable, Equatable {
  /// Always `telescope/error/1`.
  public var schema: String
  /// What the file of prompts calls the prompt.
  public var id: String?
  /// The prompt's line in that file, counted from 1.
  public var line: Int
  /// The prompt.
  public var prompt: String
  /// Why it could not be explained.
  public var message: String

  /// The schema name that this version writes.
  public static let schemaName = "telescope/error/1"

  /// Gathers the values.
  public init(
    schema: String = ExplainFailure.schemaName, id: String? = nil, line: Int, prompt: String,
    message: String
  ) {
    self.schema = schema
    self.id = id
    self.line = line
    self.prompt = prompt
    self.message = message
  }
}
