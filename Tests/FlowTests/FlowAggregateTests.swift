import Flow
import Results
import Testing

@Suite("Agreement over many texts")
struct FlowAggregateTests {
  private func scores(_ value: Double) -> AgreementScores {
    AgreementScores(
      relativeL2: value, shareL2: nil, scaledResidual: value / 2, cosine: 1 - value, pearson: nil,
      spearman: nil, topOverlap: 0.5)
  }

  private func text(_ value: Double, columns: Int) -> FlowResult {
    func row(_ layer: Int?, _ columns: Int, _ head: Int? = nil) -> FlowAgreement {
      FlowAgreement(
        routes: ["layer:itb", "product:itb+att-itb"], layer: layer, head: head, columns: columns,
        topCount: 3, published: nil, withSelf: scores(value), withoutSelf: scores(value + 1),
        nulls: [
          NullAgreement(
            name: "zero", published: nil, withSelf: scores(1), withoutSelf: scores(1))
        ])
    }
    return FlowResult(
      toolVersion: "9",
      model: ModelDescription(
        name: "m", sha256: "", architecture: "bert", layers: 2, dtype: "float32"),
      device: "cpu", text: "", tokens: [],
      parameters: FlowParameters(
        granularity: [], baseline: FlowBaselineNames(attention: nil, feedForward: nil, layer: nil),
        boundary: "strict", scalarisation: "length", quadrature: "gauss-legendre", tolerance: 1e-3,
        steps: nil, targets: [], heads: []), layers: [],
      // Heads by themselves are not put together; their numbers here would show.
      agreement: [row(3, columns), row(3, 99, 0), row(nil, columns)])
  }

  @Test("A text has as many votes as columns, and heads by themselves have none")
  func means() throws {
    var aggregate = FlowAggregate()
    aggregate.add(text(0.1, columns: 3))
    aggregate.add(text(0.5, columns: 1))
    let result = try #require(aggregate.result(resamples: 200, seed: 1))
    #expect(result.texts == 2 && result.columns == 4)
    #expect(result.routes == ["layer:itb", "product:itb+att-itb"])
    func found(_ measure: String, _ layer: Int?, _ withSelf: Bool, _ null: String? = nil)
      -> FlowScoreMean?
    {
      result.scores.first {
        $0.measure == measure && $0.layer == layer && $0.withSelf == withSelf && $0.null == null
      }
    }
    for layer in [nil, 3] {
      let mean = try #require(found("relative_l2", layer, true))
      #expect(abs(mean.mean - 0.2) < 1e-12)
      // Draws of two texts: both the one, both the other, or one of each.
      #expect(abs(mean.low - 0.1) < 1e-12 && abs(mean.high - 0.5) < 1e-12)
      #expect(abs((found("relative_l2", layer, false)?.mean ?? 0) - 1.2) < 1e-12)
    }
    #expect(found("pearson", nil, true) == nil)
    #expect(found("relative_l2", nil, true, "zero")?.high == 1)
    #expect(aggregate.result(resamples: 200, seed: 1) == result)
    let read = try FlowAggregateResult.decoded(from: result.encoded())
    #expect(read == result)
  }

  @Test("Texts without an agreement give nothing")
  func none() {
    var aggregate = FlowAggregate()
    var result = text(0.1, columns: 3)
    result.agreement = nil
    aggregate.add(result)
    #expect(aggregate.texts == 0 && aggregate.result(resamples: 100, seed: 0) == nil)
  }
}
