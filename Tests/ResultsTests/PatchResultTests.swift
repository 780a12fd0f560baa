import Foundation
import Results
import Testing

@Suite("The JSON of interventions")
struct PatchResultTests {
  private static let result = PatchResult(
    toolVersion: "0.2.0", model: SchemaDocumentTests.model, device: "cpu", text: "The",
    tokens: SchemaDocumentTests.tokens,
    noise: NoiseDescription(scale: 3, deviation: 0.5, positions: [1], samples: 4, seed: 9),
    metric: MetricDescription(
      name: "prob", token: SchemaDocumentTests.tokens[0], position: 1, value: 0.5, start: 0.25),
    direction: "denoise",
    grids: [
      PatchGrid(
        unit: "mlp", layers: [0, 4], window: 5, positions: [1],
        metric: AxisArray(axes: ["layer", "position"], shape: [2, 1], values: [0.375, 0.25]),
        effect: AxisArray(axes: ["layer", "position"], shape: [2, 1], values: [0.5, 0])),
      PatchGrid(
        unit: "head", layers: [4], window: 1, positions: [0, 1],
        metric: AxisArray(axes: ["layer", "head"], shape: [1, 3], values: [1, 2, 3]), effect: nil),
    ], passes: PassCount(forward: 2.5, backward: 0), timingsMs: ["total": 1.5])

  private static let steered = SteerResult(
    toolVersion: "0.2.0", model: SchemaDocumentTests.model, device: "cpu", text: "The",
    tokens: SchemaDocumentTests.tokens,
    change: SteerChange(
      site: "residual.after.3", kind: "add", amount: 2, source: "v.safetensors:v", length: 1.5,
      units: [4], positions: [0, 9]), position: 1,
    before: SteerReading(
      top: [TopToken(id: 3, text: "x", probability: 0.5)],
      continuation: [SchemaDocumentTests.tokens[0]], entropy: 0.75),
    after: SteerReading(top: [], continuation: [], entropy: 0), divergence: 0.125)

  private func message<Document: SchemaDocument>(
    _ document: Document, _ change: (inout Document) -> Void
  ) throws -> String {
    var document = document
    change(&document)
    do {
      _ = try Document.decoded(from: document.encoded())
      return "nothing was refused"
    } catch { return "\(error)" }
  }

  @Test("Both read back as they were written, and the same result gives the same bytes")
  func roundTrip() throws {
    let data = try Self.result.encoded()
    #expect(try PatchResult.decoded(from: data) == Self.result)
    #expect(try Self.result.encoded() == data)
    #expect(String(decoding: data, as: UTF8.self).contains("\"schema\" : \"telescope/patch/1\""))
    let steered = try Self.steered.encoded()
    #expect(try SteerResult.decoded(from: steered) == Self.steered)
    let text = String(decoding: steered, as: UTF8.self)
    #expect(text.contains("\"kl\" : 0.125") && text.contains("\"telescope/steer/1\""))
    var timed = Self.result
    timed.timingsMs = nil
    #expect(try PatchResult.decoded(from: Self.result.encoded(reproducible: true)) == timed)
  }

  @Test("What is out of range is named")
  func ranges() throws {
    let damaged = " It is damaged or not from Telescope; write it again."
    #expect(
      try message(Self.result) { $0.grids[0].layers[1] = -1 }
        == "'grids[0].layers[1]' of this result is -1, which is not 0 or more." + damaged)
    #expect(
      try message(Self.result) { $0.grids[0].window = 0 }
        == "'grids[0].window' of this result is 0, which is not 1 or more." + damaged)
    #expect(
      try message(Self.result) { $0.grids[0].positions = [0, 1] }
        == "'grids[0].metric[0]' of this result has 1 entries, and 'grids[0].positions' has 2."
        + damaged)
    #expect(
      try message(Self.result) { $0.grids[1].unit = "mlp" }
        == "'grids[1].metric.axes' of this result is 'layer, head', where 'layer, position' is wanted."
        + damaged)
    #expect(
      try message(Self.result) { $0.grids[1].unit = "neuron" }
        == "'grids[1].unit' of this result is 'neuron', which this version of Telescope does not know. Use the "
        + "version that wrote it, or write it again.")
    #expect(
      try message(Self.result) { $0.grids[1].layers = [4, 5] }
        == "'grids[1].metric' of this result has 1 entries, and 'grids[1].layers' has 2." + damaged)
    let place = SchemaDocumentTests.tokens.count
    #expect(
      try message(Self.result) { $0.noise?.positions = [place] }
        == "'noise.positions[0]' of this result is \(place), which is not a position of 'tokens'."
        + damaged)
    #expect(
      try message(Self.steered) { $0.position = place }
        == "'position' of this result is \(place), which is not a position of 'tokens'." + damaged)
    #expect(
      try message(Self.steered) { $0.change.units = [-1] }
        == "'change.units[0]' of this result is -1, which is not 0 or more." + damaged)
  }

  @Test("A number that is not finite is named rather than written")
  func notFinite() throws {
    #expect(
      try message(Self.steered) { $0.divergence = .nan }
        == "'kl' is not a finite number, so the result cannot be written. The model's numbers overflowed; compute "
        + "in a wider dtype.")
  }

  @Test("Another kind of result is refused")
  func otherKind() throws {
    let data = try Self.steered.encoded()
    do {
      _ = try PatchResult.decoded(from: data)
      Issue.record("nothing was refused")
    } catch {
      #expect(
        "\(error)"
          == "This result's schema is 'telescope/steer/1', and 'telescope/patch/1' is wanted. Give a file that "
          + "'telescope patch --json' wrote.")
    }
  }
}
