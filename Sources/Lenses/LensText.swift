public import LanguageModels
internal import Tokenization

/// A text cut into sequences of one length, for what runs over much text.
public struct LensText: Sendable, Equatable {
  /// Token ids; each sequence begins with the beginning-of-text token where the model expects it.
  public let sequences: [[Int]]
  /// The length of each.
  public let length: Int
  /// The SHA-256 of the text, in hex, for the record.
  public let sha256: String

  /// Joins sequences of one length.
  public init(sequences: [[Int]], sha256: String) {
    self.sequences = sequences
    self.sha256 = sha256
    length = sequences.first?.count ?? 0
  }

  /// Cuts a text.
  ///
  /// What is left at the end and fills no sequence is left out, unless it is all there is.
  ///
  /// - Parameters:
  ///   - text: the text; it must not be empty.
  ///   - sha256: its hash.
  ///   - loaded: the model, whose tokenizer cuts the text.
  ///   - length: tokens of a sequence, at least 2.
  /// - Throws: `LensError` for a text without tokens, and for sequences that the model's context
  ///   does not hold.
  public init(_ text: String, sha256: String, for loaded: LoadedModel, length: Int) throws {
    let tokenizer = loaded.tokenizer
    guard length <= loaded.model.shape.contextLength else {
      throw LensError(
        .usage,
        "--sequence \(length) is more than \(loaded.name)'s context holds, "
          + "\(loaded.model.shape.contextLength) tokens; choose fewer.")
    }
    let start = tokenizer.addsBOS ? tokenizer.bos.map { [$0] } ?? [] : []
    let ids = tokenizer.encode(text).ids
    guard !ids.isEmpty else {
      throw LensError(.usage, "The text has no tokens; give a longer one.")
    }
    let room = max(1, length - start.count)
    guard ids.count >= room else {
      self.init(sequences: [start + ids], sha256: sha256)
      return
    }
    self.init(
      sequences: stride(from: 0, through: ids.count - room, by: room).map {
        start + ids[$0..<$0 + room]
      }, sha256: sha256)
  }

  /// The tokens of all sequences.
  public var tokens: Int { sequences.count * length }
}
