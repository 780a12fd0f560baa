public import Foundation

extension ExplainResult {
  /// The result as JSON: keys sorted, numbers in the shortest form that reads back exactly.
  ///
  /// The same result always gives the same bytes. The text ends in a line break.
  ///
  /// - Parameters:
  ///   - reproducible: Drops the timings, the one part that differs from run to run.
  ///   - indented: One field a line, and one part of a tree a line, for people; without it, no
  ///     space is spent.
  /// - Returns: UTF-8 text.
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded(reproducible: Bool = false, indented: Bool = true) throws -> Data {
    var result = self
    if reproducible { result.timingsMs = nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      var data = try encoder.encode(result)
      if indented { data = JSONLayout.indented(data) }
      data.append(UInt8(ascii: "\n"))
      return data
    } catch EncodingError.invalidValue(_, let context) {
      throw ResultsError.notFinite(name(of: context.codingPath))
    }
  }

  /// Reads a result back; fields that this version does not know are ignored.
  ///
  /// - Throws: ``ResultsError`` where the bytes are not JSON, the schema is not `telescope/explain/1`,
  ///   or a field is missing, of the wrong type or out of range.
  public static func decoded(from data: Data) throws -> ExplainResult {
    let decoder = JSONDecoder()
    do {
      let schema = try decoder.decode(SchemaOnly.self, from: data).schema
      guard schema == schemaName else { throw ResultsError.schema(schema) }
    } catch DecodingError.keyNotFound {
      throw ResultsError.noSchema
    } catch DecodingError.typeMismatch(_, let context) {
      throw context.codingPath.isEmpty ? ResultsError.notJSON : .noSchema
    } catch DecodingError.valueNotFound(_, let context) {
      throw context.codingPath.isEmpty ? ResultsError.notJSON : .noSchema
    } catch is DecodingError {
      throw ResultsError.notJSON
    }
    do {
      let result = try decoder.decode(ExplainResult.self, from: data)
      try result.checkRanges()
      return result
    } catch DecodingError.keyNotFound(let key, let context) {
      throw ResultsError.missing(name(of: context.codingPath + [key]))
    } catch DecodingError.typeMismatch(_, let context) {
      throw ResultsError.wrongType(name(of: context.codingPath))
    } catch DecodingError.valueNotFound(_, let context) {
      throw ResultsError.wrongType(name(of: context.codingPath))
    } catch DecodingError.dataCorrupted(let context) {
      throw context.codingPath.isEmpty
        ? ResultsError.notJSON : .wrongType(name(of: context.codingPath))
    }
  }

  /// What the types cannot say: counts and positions that point into the lists they speak of.
  private func checkRanges() throws {
    func check(_ count: Int, of tokens: [TokenDescription], _ path: String) throws {
      guard (0...tokens.count).contains(count) else {
        throw ResultsError.outOfRange(path, count, "from 0 to \(tokens.count)")
      }
    }
    try check(promptTokens, of: tokens, "prompt_tokens")
    if let contrast {
      try check(contrast.promptTokens, of: contrast.tokens, "contrast.prompt_tokens")
    }
    for (index, explanation) in explanations.enumerated() {
      guard tokens.indices.contains(explanation.position) else {
        throw ResultsError.outOfRange(
          "explanations[\(index)].position", explanation.position, "a position of 'tokens'")
      }
      try explanation.checkRanges("explanations[\(index)]", tokens: tokens.count)
    }
    if let neurons = method.neurons, neurons < -1 {
      throw ResultsError.outOfRange("method.neurons", neurons, "-1 or more")
    }
  }
}

/// The one field that says what the rest is.
private struct SchemaOnly: Decodable {
  var schema: String
}

/// A case by its name in JSON; a name that this version does not know is refused with the place.
func known<Case: RawRepresentable<String>>(by decoder: any Decoder) throws -> Case {
  let found = try decoder.singleValueContainer().decode(String.self)
  guard let value = Case(rawValue: found) else {
    throw ResultsError.unknown(name(of: decoder.codingPath), found)
  }
  return value
}

/// A path through the JSON as people write it: `explanations[0].attributions[3].value`.
private func name(of path: [any CodingKey]) -> String {
  var name = ""
  for key in path {
    if let index = key.intValue {
      name += "[\(index)]"
    } else {
      name += name.isEmpty ? key.stringValue : "." + key.stringValue
    }
  }
  return name
}
