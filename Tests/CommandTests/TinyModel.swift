import Foundation
import TestSupport

/// A tiny random Llama of two layers, with a tokenizer of one token for each printable character.
///
/// Ids 0 to 93 are `!` to `~`, 94 is the space, 95 `<s>`, 96 `</s>`; the context holds 64 tokens.
final class TinyModel {
  let folder: Folder
  var path: String { folder.path }
  var name: String { folder.url.lastPathComponent }
  var weights: URL { folder / "model.safetensors" }

  init(_ fixture: String = "llama-tied") throws {
    folder = try Folder()
    let source = Fixtures.url("models/" + fixture)
    let names = try FileManager.default.contentsOfDirectory(atPath: source.path)
    for file in names where file == "config.json" || file.hasPrefix("model") {
      try Data(contentsOf: source.appending(path: file)).write(to: folder / file)
    }
    try Self.tokenizer().write(to: folder / "tokenizer.json")
    try Data(#"{"bos_token": "<s>", "eos_token": "</s>"}"#.utf8)
      .write(to: folder / "tokenizer_config.json")
  }

  /// Changes `config.json`; nil removes a key.
  func configure(_ changes: [String: Any?]) throws {
    let file = folder / "config.json"
    var object =
      try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    for (key, value) in changes { object[key] = value }
    try JSONSerialization.data(withJSONObject: object).write(to: file)
  }

  /// Takes a tensor out of the weights, puts one of four zeros in, makes one begin with NaN, or makes
  /// all of one zero.
  func change(
    removing removed: String? = nil, adding added: String? = nil, poisoning poisoned: String? = nil,
    zeroing zeroed: String? = nil
  ) throws {
    var tensors = try tensors()
    if let removed { tensors[removed] = nil }
    if let poisoned, let place = tensors[poisoned]?.body.startIndex {
      let number = withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) { Data($0) }
      tensors[poisoned]?.body.replaceSubrange(place..<place + 4, with: number)
    }
    if let zeroed, let count = tensors[zeroed]?.body.count {
      tensors[zeroed]?.body = Data(count: count)
    }
    if let added {
      tensors[added] = (["dtype": "F32", "shape": [4]], Data(count: 16))
    }
    try write(tensors)
  }

  /// Makes the model as deep as `count` layers, its own ones repeated in turn.
  func repeatLayers(to count: Int) throws {
    let tensors = try tensors()
    var deep = tensors
    for (name, tensor) in tensors {
      for layer in 0..<count {
        let (own, other) = ("model.layers.\(layer % 2).", "model.layers.\(layer).")
        if name.hasPrefix(own) { deep[other + name.dropFirst(own.count)] = tensor }
      }
    }
    try write(deep)
    try configure(["num_hidden_layers": count])
  }

  private typealias Tensor = (entry: [String: Any], body: Data)

  private func tensors() throws -> [String: Tensor] {
    let bytes = try Data(contentsOf: weights)
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header =
      try JSONSerialization.jsonObject(with: bytes[8..<8 + length]) as? [String: Any] ?? [:]
    var tensors: [String: Tensor] = [:]
    for (name, value) in header {
      guard let entry = value as? [String: Any], let range = entry["data_offsets"] as? [Int] else {
        continue
      }
      tensors[name] = (entry, Data(bytes[8 + length + range[0]..<8 + length + range[1]]))
    }
    return tensors
  }

  private func write(_ tensors: [String: Tensor]) throws {
    var (header, body): ([String: Any], Data) = ([:], Data())
    for (name, tensor) in tensors {
      var entry = tensor.entry
      entry["data_offsets"] = [body.count, body.count + tensor.body.count]
      header[name] = entry
      body += tensor.body
    }
    let text = try JSONSerialization.data(withJSONObject: header)
    let size = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }
    try (size + text + body).write(to: weights)
  }

  private static func tokenizer() throws -> Data {
    var vocabulary: [String: Int] = [:]
    for byte in 0x21...0x7E { vocabulary[String(UnicodeScalar(UInt8(byte)))] = byte - 0x21 }
    // The alphabet's letter for a space.
    vocabulary["\u{0120}"] = 94
    let special = [(95, "<s>"), (96, "</s>")].map { id, text in
      [
        "id": id, "content": text, "special": true, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false,
      ] as [String: Any]
    }
    let object: [String: Any] = [
      "added_tokens": special,
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
      "decoder": ["type": "ByteLevel"],
      "model": ["type": "BPE", "vocab": vocabulary, "merges": [String]()],
    ]
    return try JSONSerialization.data(withJSONObject: object)
  }
}
