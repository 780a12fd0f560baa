public import Foundation
import StrictJSON

extension Tokenizer {
  /// The tokenizer of a Hugging Face model folder.
  ///
  /// Reads `tokenizer.json`, or a SentencePiece model where there is none, and where they are there `special_tokens_map.json`,
  /// `tokenizer_config.json` and `chat_template.jinja`. Truncation and padding are never applied.
  ///
  /// - Parameter folder: The folder of the model, or its `tokenizer.json`.
  /// - Throws: What is missing or contradictory, or a part that Telescope does not know.
  public init(contentsOf folder: URL) throws(TokenizationError) {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder)
    let home = exists && !isFolder.boolValue ? folder.deletingLastPathComponent() : folder
    var file = exists && !isFolder.boolValue ? folder : folder.appending(path: "tokenizer.json")
    func optional(_ name: String) throws(TokenizationError) -> [UInt8]? {
      let url = home.appending(path: name)
      return FileManager.default.fileExists(atPath: url.path) ? try Self.read(url) : nil
    }
    if !FileManager.default.fileExists(atPath: file.path),
      let model = Self.sentencePieceFiles.lazy.map({ home.appending(path: $0) })
        .first(where: { FileManager.default.fileExists(atPath: $0.path) })
    {
      file = model
    }
    let configuration = try optional("tokenizer_config.json")
    let specialTokens = try optional("special_tokens_map.json")
    let chatTemplate = try optional("chat_template.jinja").map {
      String(decoding: $0, as: UTF8.self)
    }
    guard file.pathExtension == "model" else {
      try self.init(
        json: try Self.read(file), configuration: configuration, specialTokens: specialTokens,
        chatTemplate: chatTemplate, file: file.lastPathComponent)
      return
    }
    let model = try optional("config.json").map { (bytes) throws(TokenizationError) in
      try Self.parse(bytes, "config.json")
    }
    try self.init(
      sentencePiece: try Self.read(file), configuration: configuration,
      modelType: model?["model_type"]?.string, specialTokens: specialTokens,
      chatTemplate: chatTemplate, file: file.lastPathComponent)
  }

  /// What published folders call their SentencePiece model.
  private static let sentencePieceFiles = [
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model",
  ]

  private static func read(_ url: URL) throws(TokenizationError) -> [UInt8] {
    do {
      return Array(try Data(contentsOf: url))
    } catch {
      throw TokenizationError(
        .unreadable,
        "\(url.path): the file cannot be read; check that it is there and may be opened.")
    }
  }

  /// A tokenizer from the text of a `tokenizer.json`.
  ///
  /// - Parameters:
  ///   - json: The bytes of `tokenizer.json`.
  ///   - configuration: The bytes of `tokenizer_config.json`, which names the special tokens and may
  ///     hold the chat template.
  ///   - specialTokens: The bytes of `special_tokens_map.json`, which names special tokens too; where
  ///     both do, the configuration holds.
  ///   - chatTemplate: The source of the chat template, where it lies in a file of its own.
  ///   - file: What messages call the first file.
  /// - Throws: What is missing or contradictory, or a part that Telescope does not know.
  public init(
    json: some Collection<UInt8>, configuration: (some Collection<UInt8>)? = [UInt8]?.none,
    specialTokens: (some Collection<UInt8>)? = [UInt8]?.none, chatTemplate: String? = nil,
    file: String = "tokenizer.json"
  ) throws(TokenizationError) {
    let reader = TokenizerFile(file: file, root: try Self.parse(json, file))
    var parts = try reader.parts()
    if let specialTokens {
      let name = "special_tokens_map.json"
      let settings = TokenizerSettings(file: name, root: try Self.parse(specialTokens, name))
      try settings.apply(to: &parts, id: reader.id)
    }
    if let configuration {
      let name = "tokenizer_config.json"
      let settings = TokenizerSettings(file: name, root: try Self.parse(configuration, name))
      try settings.apply(to: &parts, id: reader.id)
    }
    if let chatTemplate { parts.chatTemplate = chatTemplate }
    self.init(parts)
  }

  static func parse(
    _ bytes: some Collection<UInt8>, _ file: String
  ) throws(TokenizationError) -> JSON {
    do {
      return try JSON.parse(bytes)
    } catch {
      throw TokenizationError(
        .malformed, "\(file): \(error.message); the file is damaged or not a tokenizer.")
    }
  }
}

/// `tokenizer_config.json` or `special_tokens_map.json`: which tokens have a role.
struct TokenizerSettings {
  let file: String
  let root: JSON

  func apply(
    to parts: inout TokenizerParts, id: (String, TokenizerParts) -> Int?
  ) throws(TokenizationError) {
    func token(_ key: String) throws(TokenizationError) -> Int? {
      guard let value = root[key], !value.isNull else { return nil }
      guard let text = value.string ?? value["content"]?.string else {
        throw TokenizationError(
          .malformed,
          "\(file): '\(key)' is \(value.kind), not a token; the file is damaged.")
      }
      return id(text, parts)
    }
    if let id = try token("bos_token") { parts.roles.bos = id }
    if let id = try token("eos_token") { parts.roles.eos = id }
    if let id = try token("unk_token") { parts.roles.unknown = id }
    if let id = try token("pad_token") { parts.roles.padding = id }
    if let id = try token("mask_token") { parts.roles.mask = id }
    if let adds = root["add_bos_token"]?.boolean {
      Self.set(parts.roles.bos, adds: adds, &parts.roles.beginning, at: 0)
    }
    if let adds = root["add_eos_token"]?.boolean {
      Self.set(parts.roles.eos, adds: adds, &parts.roles.ending, at: parts.roles.ending.count)
    }
    if let template = try chatTemplate() { parts.chatTemplate = template }
  }

  /// Puts a token into a list, or takes it out.
  private static func set(_ id: Int?, adds: Bool, _ ids: inout [Int], at place: Int) {
    guard let id, ids.contains(id) != adds else { return }
    if adds {
      ids.insert(id, at: place)
    } else {
      ids.removeAll { $0 == id }
    }
  }

  /// The template, or the one called `default` of several.
  private func chatTemplate() throws(TokenizationError) -> String? {
    guard let value = root["chat_template"], !value.isNull else { return nil }
    if let source = value.string { return source }
    for entry in value.array ?? [] where entry["name"]?.string == "default" {
      if let source = entry["template"]?.string { return source }
    }
    throw TokenizationError(
      .malformed,
      "\(file): 'chat_template' is neither a text nor a list with one named 'default'; the file is "
        + "damaged.")
  }
}
