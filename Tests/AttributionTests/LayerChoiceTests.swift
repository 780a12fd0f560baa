import Attribution
import Testing

@Suite("Layer choice")
struct LayerChoiceTests {
  @Test("The last block is always among the chosen")
  func last() throws {
    #expect(try LayerChoice.all.layers(of: 4) == [0, 1, 2, 3])
    #expect(try LayerChoice.these([2, 0, 2]).layers(of: 4) == [0, 2, 3])
    #expect(try LayerChoice.these([-1]).layers(of: 4) == [-1, 3])
    #expect(try LayerChoice.evenly(1).layers(of: 30) == [29])
  }

  @Test("Even spacing is the published one: states 1 7 13 18 24 30 of 30")
  func spacing() throws {
    #expect(try LayerChoice.evenly(6).layers(of: 30) == [0, 6, 12, 17, 23, 29])
    #expect(try LayerChoice.evenly(100).layers(of: 3) == [0, 1, 2])
  }

  @Test("A layer that is not there is refused", arguments: [-2, 30])
  func outOfRange(layer: Int) {
    let error = #expect(throws: AttributionError.self) {
      try LayerChoice.these([layer]).layers(of: 30)
    }
    #expect(
      error?.message == "Layer \(layer) is out of range; this model has layers 0 to 29, and "
        + "'embedding' for what enters layer 0.")
  }
}
