import Flow
import Results
import Testing

@Suite("Compositions")
struct CompositionTests {
  // Two sources, two targets, two heads, all numbers different.
  let attention = AxisArray(
    axes: ["source", "target", "head"], shape: [2, 2, 2], values: [1, 2, 3, 4, 5, 6, 7, -8])
  let feedForward = AxisArray(axes: ["target", "head"], shape: [2, 2], values: [10, 20, 30, 40])

  @Test("The product is the sum over heads of source-to-head times head-to-target")
  func product() {
    let made = productComposition(attention: attention, feedForward: feedForward)
    #expect(made.axes == ["source", "target"])
    // 1·10 + 2·20, 3·30 + 4·40, 5·10 + 6·20, 7·30 − 8·40
    let wanted: [Double] = [50, 250, 170, -110]
    #expect(made.values == wanted)
  }

  @Test("The conserving product has columns that sum to those of the feed-forward map")
  func conserving() {
    let made = conservingComposition(
      attention: attention, feedForward: feedForward, targets: [0, 1])
    let first: Double = 10.0 / 6 + 40.0 / 8
    #expect(abs(made.values[0] - first) < 1e-12)
    #expect(abs(made.values[0] + made.values[2] - 30) < 1e-12)
    #expect(abs(made.values[1] + made.values[3] - 70) < 1e-12)
  }

  @Test("A head of which no source says anything leaves its share with the target")
  func silentHead() {
    var silent = attention
    silent.values[2] = 0
    silent.values[6] = 0  // head 0 of target 1
    let made = conservingComposition(attention: silent, feedForward: feedForward, targets: [0, 1])
    #expect(made[1, 1] == 110)
    #expect(made[0, 1] == -40)
  }

  @Test("The exact composition adds the residual to the target's own entry, whatever its column")
  func exact() {
    let heads = FlowHeads(
      conductance: attention,
      residual: AxisArray(axes: ["target"], shape: [2], values: [100, 1000]))
    #expect(exactComposition(heads, targets: [1, 0]).values == [3, 1007, 111, -1])
  }
}
