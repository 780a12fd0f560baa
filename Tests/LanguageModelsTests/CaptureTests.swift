import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Tokenization

@Suite("Capture")
struct CaptureTests {
  private let folder = FileManager.default.temporaryDirectory.appending(
    path: "telescope-capture-\(UUID().uuidString)")
  private let ids = [3, 1, 4, 1, 5, 9, 2]

  private var tokens: TokenizedText {
    TokenizedText(text: "abcdefg", ids: ids, ranges: ids.indices.map { $0..<$0 + 1 })
  }

  private func written(
    _ capture: Capture, remarks: [String: String] = [:]
  ) throws -> Safetensors {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appending(path: "run.safetensors")
    defer { try? FileManager.default.removeItem(at: folder) }
    try capture.write(to: file, remarks: remarks)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["run.safetensors"])
    return try Safetensors(file)
  }

  private func values(_ tensor: StoredTensor?) -> [Double] {
    guard let tensor else { return [] }
    return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
      if let base = buffer.baseAddress { tensor.read(into: base) }
      count = tensor.elementCount
    }
  }

  @Test(
    "Every site of the file is the run's, without the batch, in the type of the run",
    arguments: [ScalarType.float32, .float64, .bfloat16])
  func everySite(type: ScalarType) throws {
    for name in ["llama-grouped-untied", "gemma2", "mixtral", "mamba"] {
      let model = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: type)
      let run = try model.run([ids], capturing: model.sites)
      let file = try written(try Capture(model.sites, of: tokens, in: model))
      #expect(
        Set(file.tensors.keys)
          == Set(model.sites.map(\.description)).union(["tokens.ids", "tokens.ranges"]))
      for site in model.sites {
        let stored = file.tensors[site.description]
        #expect(stored?.type == [.float32: .f32, .float64: .f64, .bfloat16: .bf16][type])
        let value = run.activations[site]
        #expect(stored?.shape == Array(value.shape.dropFirst()))
        // Logits are computed again, by other rows at a time.
        let tolerance = site == .logits || site == .finalNorm ? 1e-2 : 0
        let worst = distance(values(stored), try value.values())
        #expect(
          worst.error <= (type == .bfloat16 ? tolerance : tolerance * 1e-4), "\(site): \(worst)")
      }
      #expect(values(file.tensors["tokens.ids"]) == ids.map(Double.init))
      #expect(
        values(file.tensors["tokens.ranges"])
          == ids.indices.flatMap { [Double($0), Double($0 + 1)] })
      #expect(file.remarks["schema"] == "telescope/capture/1" && file.remarks["text"] == "abcdefg")
      #expect(file.remarks["dtype"] == type.name)
    }
  }

  @Test("Chosen positions are those rows of every site; of a pattern the queries, with all keys")
  func positions() throws {
    let model = try loadNetwork(of: Checkpoint(Fixtures.url("models/llama-grouped-untied")))
    let all = try written(try Capture(model.sites, of: tokens, in: model))
    let some = try written(try Capture(model.sites, of: tokens, at: [5, 2, 5], in: model))
    #expect(values(some.tensors["positions"]) == [2, 5])
    #expect(some.tensors["tokens.ids"]?.shape == [7])
    for site in model.sites {
      let (whole, part) = (values(all.tensors[site.description]), some.tensors[site.description])
      let shape = all.tensors[site.description]?.shape ?? []
      let axis = site.axes.firstIndex { $0 == .position || $0 == .queryPosition } ?? -1
      let inner = shape[(axis + 1)...].reduce(1, *)
      let outer = shape[..<axis].reduce(1, *)
      var expected: [Double] = []
      for block in 0..<outer {
        for position in [2, 5] {
          let start = (block * shape[axis] + position) * inner
          expected += whole[start..<start + inner]
        }
      }
      #expect(distance(values(part), expected).error <= 1e-6, "\(site)")
    }
  }

  @Test("A position or a site that there is not is refused before anything runs")
  func refusals() throws {
    let model = try loadNetwork(of: Checkpoint(Fixtures.url("models/mamba")))
    func message(_ body: () throws -> Capture) -> String? {
      do {
        _ = try body()
        return nil
      } catch { return (error as? ModelError)?.message }
    }
    #expect(
      message { try Capture([.embedding], of: tokens, at: [7], in: model) }
        == "Position 7 is out of range; the text has positions 0 to 6.")
    #expect(
      message { try Capture([.attention(0, .query)], of: tokens, in: model) }
        == "There is no site 'attention.query.0' in this model; it has embedding, residual.before, "
        + "residual.after, final-norm, logits (in blocks with a layer from 0 to "
        + "\(model.shape.layers - 1), such as residual.after.0, a range such as residual.after.0-"
        + "\(model.shape.layers - 1), or neither for all layers).")
  }
}
