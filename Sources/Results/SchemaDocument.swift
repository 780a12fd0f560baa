public import Foundation

/// A result that is one JSON object and says so in its field `schema`.
///
/// Keys are sorted, numbers take the shortest form that reads back exactly, and another kind or
/// major version is refused. Within a major version fields are only added.
public protocol SchemaDocument: Codable, Sendable {
  /// The schema that this version writes: `telescope/<kind>/<major version>`.
  static var schemaName: String { get }
  /// The command that writes such a file, for errors: `telescope lens show --json`.
  static var writer: String { get }
  /// Wall time by stage, in milliseconds; the one part that differs from run to run.
  var timingsMs: [String: Double]? { get set }
  /// Checks what the types cannot say: lists of one length, positions that exist.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  func checkRanges() throws
}

extension SchemaDocument {
  /// The result as JSON: keys sorted, numbers in the shortest form that reads back exactly.
  ///
  /// The same result always gives the same bytes. The text ends in a line break.
  ///
  /// - Parameters:
  ///   - reproducible: Drops the timings, the one part that differs from run to run.
  ///   - indented: One field a line, for people; without it, all of it is one line.
  /// - Returns: UTF-8 text.
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded(reproducible: Bool = false, indented: Bool = true) throws -> Data {
    try encoded(reproducible, indented ? .prettyPrinted : [])
  }

  /// The result as JSON in the encoder's own layout.
  func encoded(_ reproducible: Bool, _ layout: JSONEncoder.OutputFormatting) throws -> Data {
    var result = self
    if reproducible { result.timingsMs = nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = layout.union([.sortedKeys, .withoutEscapingSlashes])
    do {
      var data = try encoder.encode(result)
      data.append(UInt8(ascii: "\n"))
      return data
    } catch EncodingError.invalidValue(_, let context) {
      throw ResultsError.notFinite(fieldName(of: context.codingPath))
    }
  }

  /// Reads a result back; fields that this version does not know are ignored.
  ///
  /// - Throws: ``ResultsError`` where the bytes are not JSON, the schema is another, or a field is
  ///   missing, of the wrong type or out of range.
  public static func decoded(from data: Data) throws -> Self {
    let decoder = JSONDecoder()
    do {
      let schema = try decoder.decode(SchemaField.self, from: data).schema
      guard schema == schemaName else {
        throw ResultsError.schema(schema, wanted: schemaName, writer: writer)
      }
    } catch DecodingError.keyNotFound {
      throw ResultsError.noSchema(writer: writer)
    } catch DecodingError.typeMismatch(_, let context) {
      throw context.codingPath.isEmpty
        ? ResultsError.notJSON(writer: writer) : .noSchema(writer: writer)
    } catch DecodingError.valueNotFound(_, let context) {
      throw context.codingPath.isEmpty
        ? ResultsError.notJSON(writer: writer) : .noSchema(writer: writer)
    } catch is DecodingError {
      throw ResultsError.notJSON(writer: writer)
    }
    do {
      let result = try decoder.decode(Self.self, from: data)
      try result.checkRanges()
      return result
    } catch DecodingError.keyNotFound(let key, let context) {
      throw ResultsError.missing(fieldName(of: context.codingPath + [key]))
    } catch DecodingError.typeMismatch(_, let context) {
      throw ResultsError.wrongType(fieldName(of: context.codingPath))
    } catch DecodingError.valueNotFound(_, let context) {
      throw ResultsError.wrongType(fieldName(of: context.codingPath))
    } catch DecodingError.dataCorrupted(let context) {
      throw context.codingPath.isEmpty
        ? ResultsError.notJSON(writer: writer) : .wrongType(fieldName(of: context.codingPath))
    }
  }
}

/// The one field that says what the rest is.
private struct SchemaField: Decodable {
  var schema: String
}

/// A path through the JSON as people write it: `explanations[0].parts[3].value`.
private func fieldName(of path: [any CodingKey]) -> String {
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

/// Checks that several results share.
enum RangeCheck {
  /// A count of the first of these tokens.
  static func count(_ count: Int, of tokens: [TokenDescription], _ path: String) throws {
    guard (0...tokens.count).contains(count) else {
      throw ResultsError.outOfRange(path, count, "from 0 to \(tokens.count)")
    }
  }

  /// A position of these tokens.
  static func position(_ position: Int, of tokens: [TokenDescription], _ path: String) throws {
    guard tokens.indices.contains(position) else {
      throw ResultsError.outOfRange(path, position, "a position of 'tokens'")
    }
  }

  /// A block, or −1 for the embedding.
  static func layer(_ layer: Int, _ path: String) throws {
    guard layer >= -1 else { throw ResultsError.outOfRange(path, layer, "a layer or -1") }
  }

  /// A block of this model, or what stands before the first.
  static func layer(
    _ layer: Int, of model: ModelDescription, from least: Int = 0, _ path: String
  ) throws {
    guard layer >= least, layer < model.layers else {
      throw ResultsError.outOfRange(path, layer, "a layer of the model")
    }
  }

  /// A list with one entry for each of another's.
  static func counts(
    _ count: Int, _ path: String, as other: Int, of otherPath: String
  ) throws {
    guard count == other else {
      throw ResultsError.wrongCount(path, count, other: otherPath, otherCount: other)
    }
  }

  /// A number that counts something.
  static func natural(_ value: Int, from least: Int = 0, _ path: String) throws {
    guard value >= least else { throw ResultsError.outOfRange(path, value, "\(least) or more") }
  }
}
