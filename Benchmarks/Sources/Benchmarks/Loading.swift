import Foundation
import Telescope

// Weights ready for use, and texts as tokens. No twin and no Python: what is loaded is made here, models
// in Llama's layout with arbitrary weights, and every file is read once before it is timed.

@MainActor func loadingBenchmarks() throws {
  try weightBenchmarks()
  try tokenizingBenchmarks()
}

// MARK: - Weights

/// The sizes of a model in Llama's layout; its weights are all but the vectors of its norms.
private struct Layout {
  var layers: Int
  let width = 2048
  let hidden = 5632
  let vocabulary = 32_768

  /// Matrices by their name in safetensors, in GGUF, and their shape.
  var matrices: [(name: String, gguf: String, shape: [Int])] {
    var all = [("model.embed_tokens.weight", "token_embd.weight", [vocabulary, width])]
    for layer in 0..<layers {
      let (one, other) = ("model.layers.\(layer).", "blk.\(layer).")
      for (letter, last) in [("q", "q"), ("k", "k"), ("v", "v"), ("o", "output")] {
        all.append(
          (
            one + "self_attn.\(letter)_proj.weight", other + "attn_\(last).weight", [width, width]
          ))
      }
      for part in ["gate", "up"] {
        all.append(
          (one + "mlp.\(part)_proj.weight", other + "ffn_\(part).weight", [hidden, width]))
      }
      all.append((one + "mlp.down_proj.weight", other + "ffn_down.weight", [width, hidden]))
    }
    return all
  }

  /// The weights of the norms.
  var norms: [(name: String, gguf: String)] {
    (0..<layers).flatMap { layer in
      [
        ("model.layers.\(layer).input_layernorm.weight", "blk.\(layer).attn_norm.weight"),
        ("model.layers.\(layer).post_attention_layernorm.weight", "blk.\(layer).ffn_norm.weight"),
      ]
    } + [("model.norm.weight", "output_norm.weight")]
  }

  /// How many numbers the matrices have.
  var count: Int { matrices.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// Bytes that differ from one to the next, none of which makes a number of a 16-bit type infinite.
private let noise: [UInt8] = {
  var random = Random()
  return (0..<1 << 20).map { _ in UInt8(random.below(256)) & 0xBB }
}()

/// Arithmetic modulo 2⁶⁴: the same numbers in every run.
private struct Random {
  private var state: UInt64 = 7

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}

/// A folder with a safetensors file of these weights.
private func writeSafetensors(_ layout: Layout, _ type: ElementType, to folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let configuration = """
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "hidden_size": \(layout.width), "intermediate_size": \(layout.hidden),
    "max_position_embeddings": 512, "num_attention_heads": 16, "num_key_value_heads": 16,
    "num_hidden_layers": \(layout.layers), "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": true, "vocab_size": \(layout.vocabulary)}
    """
  try Data(configuration.utf8).write(to: folder.appending(path: "config.json"))
  var writer = SafetensorsWriter()
  let shapes =
    layout.matrices.map { ($0.name, $0.shape) } + layout.norms.map { ($0.name, [layout.width]) }
  for (name, shape) in shapes {
    writer.add(name, type, shape: shape) { buffer in
      for start in stride(from: 0, to: buffer.count, by: noise.count) {
        let end = min(buffer.count, start + noise.count)
        UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]).copyBytes(
          from: noise[..<(end - start)])
      }
    }
  }
  try writer.write(to: folder.appending(path: "model.safetensors"))
}

/// A GGUF file of these weights; the norms are float32, as in published files.
private func writeGGUF(_ layout: Layout, _ type: ElementType, _ code: UInt32, to file: URL) throws {
  var header = Data("GGUF".utf8)
  func append(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { header.append(contentsOf: $0) }
  }
  func append(_ text: String) {
    append(UInt64(text.utf8.count))
    header.append(contentsOf: text.utf8)
  }
  let counts = [
    ("embedding_length", layout.width), ("attention.head_count", 16),
    ("block_count", layout.layers), ("feed_forward_length", layout.hidden),
    ("context_length", 512),
  ]
  var tensors = layout.matrices.map { (name: $0.gguf, shape: $0.shape, type: type, code: code) }
  tensors += layout.norms.map { ($0.gguf, [layout.width], .f32, 0) }
  append(UInt32(3))
  append(UInt64(tensors.count))
  append(UInt64(counts.count + 2))
  append("general.architecture")
  append(UInt32(8))
  append("llama")
  for (name, value) in counts {
    append("llama." + name)
    append(UInt32(4))
    append(UInt32(value))
  }
  append("llama.attention.layer_norm_rms_epsilon")
  append(UInt32(6))
  append(Float(1e-5).bitPattern)
  var offset = 0
  for tensor in tensors {
    append(tensor.name)
    append(UInt32(tensor.shape.count))
    for extent in tensor.shape.reversed() { append(UInt64(extent)) }
    append(tensor.code)
    append(UInt64(offset))
    offset += size(tensor.shape, tensor.type)
  }
  while header.count % 32 != 0 { header.append(0) }
  FileManager.default.createFile(atPath: file.path, contents: header)
  let handle = try FileHandle(forWritingTo: file)
  defer { try? handle.close() }
  try handle.seekToEnd()
  for tensor in tensors {
    var left = size(tensor.shape, tensor.type)
    while left > 0 {
      try handle.write(contentsOf: noise[..<min(left, noise.count)])
      left -= min(left, noise.count)
    }
  }
}

/// The bytes of a tensor, which in these shapes are a multiple of a GGUF file's alignment.
private func size(_ shape: [Int], _ type: ElementType) -> Int {
  shape.reduce(1, *) / type.blockSize * type.bytesPerBlock
}

@MainActor private func weightBenchmarks() throws {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "telescope-loading-\(ProcessInfo.processInfo.processIdentifier)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }

  /// Seconds until a model is ready; the file is in the system's cache.
  func load(_ url: URL, as type: ScalarType = .float32) throws -> Double {
    try milliseconds { _ = try loadNetwork(of: Checkpoint(url), type: type) } / 1000
  }

  for (stored, type, layers, must, aim) in [
    (ElementType.bf16, ScalarType.float32, 9, 2.0, 1.0), (.f16, .float32, 9, 2.0, 1.0),
    (.bf16, .bfloat16, 9, 2.0, 0.5), (.f32, .float32, 4, 2.0, 0.5),
  ] {
    let layout = Layout(layers: layers)
    let name = "loading, 1 GB of \(stored.rawValue) as \(type.name)"
    guard wanted(name) else { continue }
    let model = folder.appending(path: "model")
    try writeSafetensors(layout, stored, to: model)
    defer { try? FileManager.default.removeItem(at: model) }
    _ = try load(model, as: type)
    let gigabytes = Double(size([layout.count], stored)) / 1e9
    try bound(name, "s", must: must, aim: aim, turns: turns) {
      try load(model, as: type) / gigabytes
    }
  }
  for (type, code) in [
    (ElementType.q40, 2), (.q41, 3), (.q50, 6), (.q51, 7), (.q80, 8), (.q4K, 12), (.q5K, 13),
    (.q6K, 14),
  ] as [(ElementType, UInt32)] {
    let layout = Layout(layers: 4)
    let name = "loading, GGUF \(type.rawValue) as float32"
    guard wanted(name) else { continue }
    let file = folder.appending(path: "model.gguf")
    try writeGGUF(layout, type, code, to: file)
    _ = try load(file)
    try bound(name, "GB/s", must: 1, aim: 2, turns: turns, isFloor: true) {
      Double(layout.count * 4) / 1e9 / (try load(file))
    }
  }
}

// MARK: - Tokens

/// Two megabytes of words: a text over and over, of which every fourth word is made of two others.
///
/// It has some 40,000 different words, more than real text of this size has, and so gives what
/// remembers words no advantage that a book would not give it.
private func variedText(of source: String) -> String {
  let words = source.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
  var random = Random()
  var text = ""
  var place = 0
  while text.utf8.count < 2_000_000 {
    var word = words[place % words.count]
    place += 1
    if random.below(4) == 0, !word.isEmpty {
      let other = words[random.below(words.count)]
      word =
        String(word.prefix(1 + random.below(word.count)))
        + String(other.suffix(random.below(other.count + 1)))
    }
    text += word + " "
  }
  return text
}

/// Seconds of the processor on this thread, which other programs do not lengthen.
private func processorSeconds(_ work: () -> Void) -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
  let start = now()
  work()
  return now() - start
}

@MainActor private func tokenizingBenchmarks() throws {
  let fixtures = checkout.appending(path: "Tests/Fixtures")
  let text = variedText(
    of: try String(
      contentsOf: fixtures.appending(path: "models/ordinary-text.txt"), encoding: .utf8))
  let megabytes = Double(text.utf8.count) / 1e6
  for (kind, name) in [
    ("byte-level BPE", "gpt2"), ("byte-level BPE, Llama 3", "llama3"),
    ("SentencePiece BPE", "llama2"), ("SentencePiece BPE, merges ignored", "mistral"),
    ("WordPiece", "bert"), ("Unigram", "t5"), ("Unigram, lower case and NFKD", "albert"),
  ] where wanted("loading, tokenise \(kind)") {
    let tokenizer = try Tokenizer(
      contentsOf: fixtures.appending(path: "tokenization/\(name).tokenizer.json"))
    _ = tokenizer.encode(text)
    bound("loading, tokenise \(kind)", "MB/s", must: 2, aim: 5, turns: turns, isFloor: true) {
      megabytes / processorSeconds { _ = tokenizer.encode(text) }
    }
  }
}
