import Checkpoints
import Foundation
import LanguageModels
import Lenses
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// A tiny model with any tokenizer: these tests ask in ids.
func tinyModel(_ folder: String, _ type: ScalarType = .float64) throws -> LoadedModel {
  let url = Fixtures.url(folder)
  return try loaded(loadNetwork(of: Checkpoint(url), type: type), url.lastPathComponent)
}

/// A network with any tokenizer.
func loaded(_ model: any LanguageModel, _ name: String) throws -> LoadedModel {
  LoadedModel(
    model: model,
    tokenizer: try Tokenizer(vocabulary: BytePairVocabulary(tokens: ["a"], merges: [])),
    name: name)
}

/// The model of the published lens, of the means and of the plans.
func sixLayers() throws -> LoadedModel { try tinyModel("tree/models/llama-six-layers") }

/// A stored reference, read for tests.
func reference(_ path: String) throws -> JSON {
  try JSON.parse([UInt8](Data(contentsOf: Fixtures.url(path))))
}

extension JSON {
  /// The numbers of a list, or none.
  var numbers: [Double] { array?.compactMap(\.double) ?? [] }
  /// The whole numbers of a list, or none.
  var integers: [Int] { array?.compactMap(\.integer) ?? [] }
}

/// Random numbers between −1 and 1, the same for a seed.
func noise(_ count: Int, seed: UInt64) -> [Double] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
}

/// Random token ids, the same for a seed.
func tokens(_ sequences: Int, of length: Int, vocabulary: Int, seed: UInt64) -> LensText {
  var generator = SeededGenerator(seed: seed)
  return LensText(
    sequences: (0..<sequences).map { _ in
      (0..<length).map { _ in Int.random(in: 0..<vocabulary, using: &generator) }
    }, sha256: String(repeating: "ab", count: 32))
}

/// A folder that goes when it is no longer used.
final class Folder {
  let url = FileManager.default.temporaryDirectory.appending(path: "lenses-\(UUID().uuidString)")
  init() throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }
  static func / (folder: Folder, name: String) -> URL { folder.url.appending(path: name) }
  /// The names of everything inside, hidden files too.
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
  }
}

/// Expects a lens error with these very words.
func expectLensError<Value>(
  _ code: LensError.Code, _ message: String, at place: SourceLocation = #_sourceLocation,
  _ body: () throws -> Value
) {
  do {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: place)
  } catch let error as LensError {
    #expect(error == LensError(code, message), sourceLocation: place)
  } catch {
    Issue.record("another error: \(error)", sourceLocation: place)
  }
}
