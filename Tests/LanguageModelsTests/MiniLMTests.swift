import Checkpoints
import Foundation
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing

/// A published sentence encoder against stored numbers of a float64 run of the Hugging Face
/// implementation.
@Suite("MiniLM")
struct MiniLMTests {
  static let folder = Fixtures.checkout.appending(path: ".deps/models/all-MiniLM-L6-v2")

  private let stored: JSON

  init() throws {
    stored = try JSON.parse(Data(contentsOf: Fixtures.url("models/minilm-reference.json")))
  }

  private func load(_ type: ScalarType) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Self.folder), type: type)
  }

  @Test(
    "Its last states are the reference's",
    arguments: [(ScalarType.float32, 1e-5), (.float64, 1e-10)])
  func states(type: ScalarType, tolerance: Double) throws {
    let model = try load(type)
    #expect(model.head == nil)
    let stride = try #require(stored["stride"]?.integer)
    let texts = try #require(stored["texts"]?.array)
    #expect(texts.count == 3)
    let ids = try texts.map { try #require($0["ids"]?.array).compactMap(\.integer) }
    for (text, run) in zip(texts, try model.runs(of: ids)) {
      let width = model.shape.width
      let state = try run.residual.values()
      let rows = Swift.stride(from: 0, to: state.count, by: width).map {
        Array(state[$0..<$0 + width])
      }
      let entries = rows.flatMap { row in
        Swift.stride(from: 0, to: width, by: stride).map { row[$0] }
      }
      let expected = try #require(text["entries"]?.array)
        .flatMap { ($0.array ?? []).compactMap(\.double) }
      #expect(distance(entries, expected).error <= tolerance)
      let dots = rows.map { row in
        row.enumerated().reduce(0) { $0 + $1.element * cos(Double($1.offset)) }
      }
      let whole = try #require(text["dot"]?.array).compactMap(\.double)
      #expect(distance(dots, whole).error <= tolerance)
    }
  }
}
