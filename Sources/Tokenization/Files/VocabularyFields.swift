/// A value that a GGUF file holds about its vocabulary.
public enum VocabularyValue: Sendable {
  /// A truth value.
  case boolean(Bool)
  /// A whole number.
  case integer(Int)
  /// A text.
  case text(String)
  /// Texts.
  case texts([String])
  /// Whole numbers.
  case integers([Int])
  /// Real numbers.
  case reals([Double])

  fileprivate var kind: String {
    switch self {
    case .boolean: "a truth value"
    case .integer: "a whole number"
    case .text: "a text"
    case .texts: "a list of texts"
    case .integers: "a list of whole numbers"
    case .reals: "a list of real numbers"
    }
  }
}

/// The values of a GGUF file under `tokenizer.ggml.`, each of the kind it must be.
struct VocabularyFields {
  let values: [String: VocabularyValue]
  let file: String

  func boolean(_ name: String) throws(TokenizationError) -> Bool? {
    try value(name, "a truth value") { if case .boolean(let value) = $0 { value } else { nil } }
  }

  func integer(_ name: String) throws(TokenizationError) -> Int? {
    try value(name, "a whole number") { if case .integer(let value) = $0 { value } else { nil } }
  }

  func text(_ name: String) throws(TokenizationError) -> String? {
    try value(name, "a text") { if case .text(let value) = $0 { value } else { nil } }
  }

  func texts(_ name: String) throws(TokenizationError) -> [String]? {
    try value(name, "a list of texts") { if case .texts(let value) = $0 { value } else { nil } }
  }

  func integers(_ name: String) throws(TokenizationError) -> [Int]? {
    try value(name, "a list of whole numbers") {
      if case .integers(let value) = $0 { value } else { nil }
    }
  }

  func reals(_ name: String) throws(TokenizationError) -> [Double]? {
    try value(name, "a list of real numbers") {
      switch $0 {
      case .reals(let values): values
      case .integers(let values): values.map(Double.init)
      default: nil
      }
    }
  }

  /// A list of texts that must be there.
  func needed(_ name: String) throws(TokenizationError) -> [String] {
    guard let texts = try texts(name) else { throw missing(name) }
    return texts
  }

  /// The score of every token.
  func scores(count: Int) throws(TokenizationError) -> [Double] {
    guard let scores = try reals("scores") else { throw missing("scores") }
    guard scores.count == count else {
      throw damaged("there are \(count) tokens but \(scores.count) scores")
    }
    return scores
  }

  /// A token by its id, which must be one of so many; −1 stands for none.
  func token(_ name: String, count: Int) throws(TokenizationError) -> Int? {
    guard let id = try integer(name), id != -1, id != Int(UInt32.max) else { return nil }
    guard (0..<count).contains(id) else {
      throw damaged("'tokenizer.ggml.\(name)' is \(id), but there are \(count) tokens")
    }
    return id
  }

  /// The bytes of SentencePiece's table, which are written as numbers of one byte.
  func bytes(_ name: String) throws(TokenizationError) -> [UInt8] {
    var bytes: [UInt8] = []
    for number in try integers(name) ?? [] {
      guard (-128...255).contains(number) else {
        throw damaged("'tokenizer.ggml.\(name)' holds \(number), which is no byte")
      }
      bytes.append(UInt8(truncatingIfNeeded: number))
    }
    return bytes
  }

  func damaged(_ what: String) -> TokenizationError {
    TokenizationError(.malformed, "\(file): \(what); the file is damaged, so get it again.")
  }

  private func missing(_ name: String) -> TokenizationError {
    damaged("'tokenizer.ggml.\(name)' is missing")
  }

  private func value<Value>(
    _ name: String, _ wanted: String, _ read: (VocabularyValue) -> Value?
  ) throws(TokenizationError) -> Value? {
    guard let value = values["tokenizer.ggml." + name] else { return nil }
    guard let read = read(value) else {
      throw damaged("'tokenizer.ggml.\(name)' is \(value.kind), not \(wanted)")
    }
    return read
  }
}
