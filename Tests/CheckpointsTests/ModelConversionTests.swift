import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Conversion to safetensors")
struct ModelConversionTests {
  private let folder: TemporaryFolder
  private var out: URL { folder.url.appending(path: "out", directoryHint: .notDirectory) }

  init() throws { folder = try TemporaryFolder() }

  private func fixture(_ name: String) -> URL { Fixtures.url("models/" + name) }

  @Test("Without a type, tensors keep their bytes, and what lies beside them comes along")
  func unchanged() throws {
    let source = folder.url.appending(path: "source")
    try FileManager.default.copyItem(at: fixture("llama-sharded"), to: source)
    for name in ["LICENSE.txt", "tokenizer.json", "notes.bin", ".hidden"] {
      try folder.write(Array(name.utf8), as: "source/" + name)
    }
    let checkpoint = try Checkpoint(source)
    let summary = try ModelConversion(checkpoint).write(to: out)
    #expect(summary.weightFiles == ["model.safetensors"] && summary.leftOut.isEmpty)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: out.path).sorted()
        == ["LICENSE.txt", "config.json", "model.safetensors", "tokenizer.json"])
    for name in ["LICENSE.txt", "config.json", "tokenizer.json"] {
      #expect(
        try Data(contentsOf: out.appending(path: name))
          == Data(contentsOf: source.appending(path: name)))
    }
    let found = try Checkpoint(out)
    #expect(found.tensors.count == checkpoint.tensors.count && found.files.count == 1)
    for (name, tensor) in checkpoint.tensors {
      let other = try #require(found.tensors[name])
      #expect(other.shape == tensor.shape && other.type == tensor.type)
      #expect(other.withBytes { Array($0) } == tensor.withBytes { Array($0) })
    }
    // Readers of the format want to know whose it is.
    #expect(
      try Safetensors(out.appending(path: "model.safetensors")).remarks == ["format": "pt"])
  }

  @Test("Parts hold at most the stated size, and the index finds every tensor")
  func shards() throws {
    let checkpoint = try Checkpoint(fixture("llama-tied"))
    let total = checkpoint.tensors.values.reduce(0) { $0 + $1.byteCount }
    let summary = try ModelConversion(checkpoint, shardSize: 12_000).write(to: out)
    let count = summary.weightFiles.count
    #expect(count > 2 && summary.byteCount == total)
    let last = String(format: "model-%05d-of-%05d.safetensors", count, count)
    #expect(summary.weightFiles.last == last)
    var sum = 0
    for name in summary.weightFiles {
      let tensors = try Safetensors(out.appending(path: name)).tensors
      let size = tensors.values.reduce(0) { $0 + $1.byteCount }
      #expect(size <= 12_000 || tensors.count == 1)
      sum += size
    }
    #expect(sum == total)
    let index = try JSON.parse(
      Data(contentsOf: out.appending(path: "model.safetensors.index.json")))
    #expect(index["metadata"]?["total_size"]?.integer == total)
    #expect(try Checkpoint(out).tensors.keys.sorted() == checkpoint.tensors.keys.sorted())
  }

  @Test(
    "Numbers are rounded to the nearest, ties to even",
    arguments: [ElementType.bf16, .f16, .f32])
  func rounding(type: ElementType) throws {
    // Around every boundary of both types, then numbers of every size that float16 holds.
    var values: [Float] = [
      0, -0.0, 1, 65_504, 65_519.996, -65_519.996, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.000002p-25,
      0x1.8p-24, 0x1.ffcp-15, 1.00390625, 1.01171875, 0x1.002p0, 0x1.006p0, 0x1p-149,
      0x1.fffffep-15,
    ]
    var generator = SeededGenerator(seed: 5)
    while values.count < 70_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
      if value.isFinite, abs(value) < 65_519 { values.append(value) }
    }
    var writer = SafetensorsWriter()
    writer.add("x", shape: [values.count], values)
    writer.add("d", shape: [2], [0.1, -3] as [Double])
    writer.add("ids", .i64, shape: [1]) { $0.copyBytes(from: little(Int64(7))) }
    let source = try model(writer, #"{"torch_dtype": "float32", "inner": {"dtype" :"float64"}}"#)
    try ModelConversion(try Checkpoint(source), as: type).write(to: out)
    let found = try Checkpoint(out)
    let tensor = try #require(found.tensors["x"])
    #expect(tensor.type == type && found.tensors["d"]?.type == type)
    #expect(found.tensors["ids"]?.type == .i64 && found.tensors["ids"]?.floats == [7])
    for (value, rounded) in zip(values, tensor.floats) {
      let expected = nearest(value, type)
      guard rounded.bitPattern != expected.bitPattern else { continue }
      Issue.record("\(value) became \(rounded), not \(expected)")
    }
    let name = [ElementType.bf16: "bfloat16", .f16: "float16", .f32: "float32"][type] ?? ""
    #expect(
      try String(contentsOf: out.appending(path: "config.json"), encoding: .utf8)
        == "{\"torch_dtype\": \"\(name)\", \"inner\": {\"dtype\" :\"\(name)\"}}")
  }

  /// The nearest number of a type with so many bits of fraction, by exact arithmetic in float64.
  private func nearest(_ value: Float, _ type: ElementType) -> Float {
    guard type != .f32, value != 0 else { return value }
    let (bits, lowest) = type == .f16 ? (10, -14) : (7, -126)
    let step = Double(
      sign: .plus, exponent: max(Int(value.exponent), lowest) - bits, significand: 1)
    let rounded = Float((Double(value) / step).rounded(.toNearestOrEven) * step)
    return value.sign == .minus ? -abs(rounded) : rounded
  }

  @Test("What is no number stays none, and what is infinite stays so")
  func notFinite() throws {
    var writer = SafetensorsWriter()
    let low = Float(bitPattern: 0x7F80_0001)
    writer.add("x", shape: [4], [.nan, low, .infinity, -.infinity])
    let source = try model(writer)
    for type in [ElementType.f16, .bf16] {
      let place = folder.url.appending(path: type.rawValue)
      try ModelConversion(try Checkpoint(source), as: type).write(to: place)
      let found = try #require(try Checkpoint(place).tensors["x"]).floats
      #expect(found[0].isNaN && found[1].isNaN && found[2] == .infinity && found[3] == -.infinity)
    }
  }

  @Test("Numbers beyond a type's range are refused, and nothing is left")
  func range() throws {
    for (value, type, words) in [
      (65_520, .f16, "float16; use bfloat16"),
      (Float.greatestFiniteMagnitude, .bf16, "bfloat16; use float32"),
    ] as [(Float, ElementType, String)] {
      var writer = SafetensorsWriter()
      writer.add("x", shape: [2], [1, -value])
      let source = try model(writer)
      #expect(
        failure { try ModelConversion(try Checkpoint(source), as: type).write(to: out) }
          == "unsupported: \(source.path): tensor 'x' holds numbers beyond the range of \(words)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["source"])
    }
  }

  @Test("Tied weights of torch.save are written once, and untied ones as they are named")
  func tied() throws {
    let storage = PickleBytes.storage()
    var members: [UInt8] = PickleBytes.emptyDictionary
    for name in ["embed.weight", "head.weight", "other.weight"] {
      let (shape, strides) = name == "other.weight" ? ([3, 2], [2, 1]) : ([2, 3], [3, 1])
      members += PickleBytes.text(name) + PickleBytes.tensor(of: storage, shape, strides)
      members += PickleBytes.setItem
    }
    let pickle = PickleBytes.whole(members)
    let archive = ZipBytes.torch(pickle, [("0", (0..<6).flatMap { little(Float($0).bitPattern) })])
    try folder.write(archive.bytes, as: "source/pytorch_model.bin")
    try folder.write(Array("{}".utf8), as: "source/config.json")
    let source = folder.url.appending(path: "source")
    let checkpoint = try Checkpoint(source)
    #expect(checkpoint.format == .torch && checkpoint.layout == .huggingFace)
    #expect(checkpoint.name == "source")
    #expect(checkpoint.aliases == ["head.weight": "embed.weight"])
    let summary = try ModelConversion(checkpoint).write(to: out)
    #expect(summary.leftOut == ["head.weight"])
    let found = try Checkpoint(out)
    #expect(found.tensors.keys.sorted() == ["embed.weight", "other.weight"])
    #expect(found.tensors["other.weight"]?.floats == [0, 1, 2, 3, 4, 5])
    #expect(found.aliases.isEmpty)

    try folder.write(Array(#"{"tie_word_embeddings": false}"#.utf8), as: "source/config.json")
    let untied = folder.url.appending(path: "untied")
    #expect(try ModelConversion(try Checkpoint(source)).write(to: untied).leftOut.isEmpty)
    #expect(try Checkpoint(untied).tensors.count == 3)
  }

  @Test("GGUF, and places that are taken, are refused")
  func refusals() throws {
    let gguf = try folder.write(
      GGUFBytes(tensors: [GGUFBytes.tensor("x", [1], 24, at: 0)], data: [8]).bytes, as: "x.gguf")
    #expect(
      failure { try ModelConversion(try Checkpoint(gguf)) }
        == "unsupported: \(gguf.path): GGUF has other names for tensors than Hugging Face's; convert it "
        + "with ModelConversion(translating:)")
    let conversion = try ModelConversion(try Checkpoint(fixture("llama-tied")))
    #expect(
      failure { try conversion.write(to: gguf) }
        == "unwritable: \(gguf.path): this is there already; name a new folder, or an empty one")
    #expect(
      failure { try conversion.write(to: folder.url) }
        == "unwritable: \(folder.path): this is there already; name a new folder, or an empty one")
    let lost = folder.url.appending(path: "none/out", directoryHint: .notDirectory)
    #expect(
      failure { try conversion.write(to: lost) }
        == "unwritable: \(lost.path): there is no folder \(folder.path)/none; make it first")
    let empty = folder.url.appending(path: "empty", directoryHint: .notDirectory)
    try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: false)
    try conversion.write(to: empty)
    #expect(try Checkpoint(empty).tensors.count == 20)
  }

  private func model(_ writer: SafetensorsWriter, _ configuration: String = "{}") throws -> URL {
    try folder.write(Array(configuration.utf8), as: "source/config.json")
    let source = folder.url.appending(path: "source", directoryHint: .notDirectory)
    try writer.write(to: source.appending(path: "model.safetensors"))
    return source
  }
}
