internal import Foundation
internal import LanguageModels
internal import Results
internal import Tensors

// What must hold of gradients and relevances in every model: rules leave values alone, relevances and biases make up the
// metric at every cut, and the gradient is what small changes show.

extension Verification {
  /// The checks of the gradient family.
  var gradientChecks: [Check] {
    [
      Check(
        name: "rules forward", claim: "rules of the way back change no value", tolerance: .exact
      ) {
        if let reason = withoutRelevance { return .none(reason) }
        let model = loaded.model
        let plain = try model.run([text.ids]).residual.values()
        let ruled = try withRecording(true) {
          try model.run(
            [text.ids],
            pass: Pass(sites: [.embedding], rules: .relp) { $1.requiringGradient() }
          ).residual.detached.values()
        }
        return .missed(zip(plain, ruled).map { abs($0 - $1) }.max() ?? 0, nil)
      },
      Check(
        name: "relevance", claim: "relevances and biases sum to the logit at every cut",
        tolerance: Tolerance(single: 1e-4, double: 1e-10, brief: 0.2)
      ) {
        guard let setting = try setting() else { return .none(Self.noHead) }
        if let reason = withoutRelevance { return .none(reason) }
        let cuts =
          [Site.embedding] + (0..<loaded.model.shape.layers).map { .residual($0, .after) }
        let found = try RelevancePropagation().scores(of: cuts, in: setting)
        var worst = (0.0, "")
        for cut in cuts {
          guard let value = found.values[cut], let expected = found.expected[cut] else { continue }
          let parts = try value.to(.float64).values()
          let miss = abs(parts.reduce(0, +) + (found.constants[cut] ?? 0) - expected)
          // What rounding may lose goes by what is added up.
          let share = miss / max(abs(expected), parts.reduce(0) { $0 + abs($1) })
          if share >= worst.0 { worst = (share, "\(cut)") }
        }
        return .missed(worst.0, worst.1)
      },
      Check(
        name: "differences",
        claim: "a small change changes the logit as its gradient says",
        tolerance: Tolerance(single: 0.02, double: 1e-5, brief: 2)
      ) {
        guard let setting = try setting() else { return .none(Self.noHead) }
        let x = setting.embedding
        let slope = try withEngineErrors {
          try Saliency().scores(of: [.embedding], in: setting).values[.embedding] ?? x
        }
        // Along the gradient itself, by a step that is small beside the embeddings.
        let (length, size) = try withEngineErrors {
          try (
            (slope * slope).sum.to(.float64).scalar().squareRoot(),
            (x * x).sum.to(.float64).scalar().squareRoot()
          )
        }
        guard length > 0 else { return .missed(0, nil) }
        let step = size * (loaded.model.type == .float64 ? 1e-6 : 1e-3)
        let function = setting.function()
        let ends = try withEngineErrors {
          try [1.0, -1].map { sign in
            try function(x + slope * (sign * step / length), .plain).to(.float64).scalar()
          }
        }
        let found = (ends[0] - ends[1]) / (2 * step)
        return .missed(abs(found - length) / length, nil)
      },
    ]
  }

  private static let noHead = "there is no language-model head"

  private var withoutRelevance: String? {
    loaded.model.withoutRule.map { "layer \($0.layer) has \($0.part)" }
  }

  /// The text with the logit of what the model says in its middle or, of a decoder, last.
  private func setting() throws -> GradientSetting? {
    let model = loaded.model
    guard model.head != nil, model is any BlockwiseModel else { return nil }
    let position = model.isCausal ? text.ids.count - 1 : text.ids.count / 2
    let token = try MetricChoice.best(at: position, of: text.ids, in: model)
    return try GradientSetting(
      [text.ids], Metric(.logit, token: token, position: position), in: model)
  }
}
