/// What the type numbers of a vocabulary say about its tokens.
struct TokenKinds {
  /// Tokens that are found in a text as they stand.
  private(set) var added: [AddedTokens.Token] = []
  private let types: [Int]

  /// Reads the types and checks that every token with a role is there.
  ///
  /// - Parameters:
  ///   - tokens: The tokens by id.
  ///   - types: A type for each, or none.
  ///   - roles: The tokens with a role.
  ///   - file: What messages call the source.
  /// - Throws: Another number of types than of tokens, a type or a token that there is not.
  init(
    _ tokens: [String], _ types: [Int], roles: TokenRoles, file: String
  ) throws(TokenizationError) {
    guard types.isEmpty || types.count == tokens.count else {
      throw TokenizationError(
        .malformed,
        "\(file): there are \(tokens.count) tokens but \(types.count) token types; the file is "
          + "damaged.")
    }
    self.types = types
    for (id, type) in types.enumerated() {
      switch TokenKind(rawValue: type) {
      case .control, .unknown:
        added.append(.init(id: id, text: tokens[id], isSpecial: true))
      case .userDefined:
        added.append(.init(id: id, text: tokens[id]))
      case .normal, .unused, .byte:
        break
      case nil:
        throw TokenizationError(
          .malformed,
          "\(file): token \(id) has the type \(type), which GGUF does not have; the file is damaged."
        )
      }
    }
    let single = [
      ("beginning-of-text", roles.bos), ("end-of-text", roles.eos), ("unknown", roles.unknown),
      ("padding", roles.padding), ("mask", roles.mask),
    ]
    let lists = [
      ("end-of-text", roles.endOfText), ("beginning", roles.beginning), ("ending", roles.ending),
    ]
    for (name, id) in single + lists.flatMap({ list in list.1.map { (list.0, $0) } }) {
      guard let id, !tokens.indices.contains(id) else { continue }
      throw TokenizationError(
        .malformed,
        "\(file): the \(name) token is \(id), but the vocabulary has \(tokens.count) tokens; the "
          + "file is damaged.")
    }
  }

  /// The kind of a token.
  subscript(id: Int) -> TokenKind { types.isEmpty ? .normal : TokenKind(rawValue: types[id])! }
}
